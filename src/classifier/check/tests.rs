#![allow(clippy::unwrap_used)] // a panic is a failed test

use super::super::Layout;
use super::super::Manifest;
use super::*;

const DIGITS: &[u8] = include_bytes!("../../../model/digits/model.onnx");

fn digits() -> Graph {
    Graph::read(DIGITS).unwrap()
}

fn failed(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.is_fail()).collect()
}

#[test]
fn the_digit_reader_has_nothing_wrong() {
    let checked = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("model/digits"));
    assert!(failed(&checked.findings).is_empty() && checked.model.is_some(), "{checked:?}");
    let of = |check: &str| checked.findings.iter().find(|finding| finding.check == check);
    for check in ["manifest", "sha256", "file", "operators", "input", "load", "output", "kind", "time"] {
        assert!(of(check).is_some_and(|finding| finding.level == Level::Ok), "{check}: {checked:?}");
    }
}

#[test]
fn a_file_that_ends_early_and_a_page_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, says) in [(&DIGITS[..DIGITS.len() / 2], "only the first"), (b"<!doctype html><p>Sign in", "HTML page")]
    {
        std::fs::write(folder.path().join(ONNX_FILE), bytes).unwrap();
        let findings = check(folder.path()).findings;
        assert!(failed(&findings).iter().any(|finding| finding.says.contains(says)), "{findings:?}");
    }
}

#[test]
fn an_operator_that_tract_lacks_is_named_with_its_node() {
    let mut graph = digits();
    let node = graph.proto.graph.as_mut().unwrap().node.iter_mut().find(|node| node.op_type == "Gemm").unwrap();
    (node.op_type, node.domain, node.name) = ("FusedGemm".into(), "com.microsoft".into(), "head".into());
    let findings = operators::unknown(&graph);
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert!(finding.says.starts_with("node \"head\" is FusedGemm of com.microsoft"), "{}", finding.says);
    assert!(finding.way_out.as_ref().unwrap().contains("onnxruntime's optimiser"), "{finding:?}");
}

#[test]
fn the_first_node_that_fails_is_found_by_trying() {
    let mut graph = digits();
    let shape = Manifest::embedded().unwrap().input.shape;
    assert_eq!(operators::failing(&graph, shape), None);
    let nodes = &mut graph.proto.graph.as_mut().unwrap().node;
    let last = nodes.iter_mut().rfind(|node| node.op_type == "Conv").unwrap();
    last.attribute.iter_mut().find(|attribute| attribute.name == "kernel_shape").unwrap().ints = vec![7, 7, 7];
    let name = super::super::graph::node_name(last).to_owned();
    let place = operators::failing(&graph, shape).unwrap().place.unwrap();
    assert_eq!((place.node, place.operator.as_str()), (name, "Conv"));
}

#[test]
fn the_other_layout_is_told() {
    let mut manifest = Manifest::embedded().unwrap();
    (manifest.input.layout, manifest.input.shape) = (Layout::Nhwc, [1, 28, 28, 1]);
    let findings = input::fits(&digits(), &manifest);
    assert!(findings[0].says.ends_with("its layout is NCHW"), "{findings:?}");
}
