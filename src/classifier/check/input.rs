//! Whether the network takes the input that the manifest says.

use super::super::graph::{Graph, Port, Side};
use super::super::{Layout, Manifest};
use super::{Finding, trial};

pub(super) fn fits(graph: &Graph, manifest: &Manifest) -> Vec<Finding> {
    let inputs = graph.inputs();
    let [port] = &inputs[..] else {
        let names: Vec<String> = inputs.iter().map(Port::to_string).collect();
        let says = format!("it takes {} inputs ({}), and a picture is one", inputs.len(), names.join("; "));
        return vec![
            Finding::fail("input", says).way_out("Export the part of the network that takes only the picture"),
        ];
    };
    let mut findings = Vec::new();
    if port.element != "float32" {
        let says = format!("it takes {port}, and Spotter gives float32");
        findings.push(Finding::fail("input", says).way_out("Export it with a float32 input, or put a Cast in front"));
    }
    let ours = manifest.input.shape;
    let Some(shape) = &port.shape else { return findings };
    if takes(shape, ours) {
        if findings.is_empty() {
            findings.push(Finding::ok("input", format!("{port} takes the manifest's {ours:?}")));
        }
        return findings;
    }
    let says = format!("the network takes {port}, and the manifest says {ours:?}");
    let (other, turned) = turned(manifest);
    findings.push(if takes(shape, turned) {
        other_layout(says, other, turned)
    } else if let Some(Side::Fixed(batch @ 2..)) = shape.first() {
        Finding::fail("input", format!("{says}: {batch} pictures at once, and Spotter gives one"))
            .way_out("Export it with a batch of 1: torch.onnx.export(model, torch.zeros(1, …), …, dynamic_axes=None)")
    } else {
        Finding::fail("input", says)
            .way_out("Put the network's shape into the manifest, with a batch of 1, and a size of your choice where a side is dynamic")
    });
    findings
}

/// Of a network that does not say its shape, or only in part: what tract makes of the other layout.
pub(super) fn takes_the_other_layout(graph: &Graph, manifest: &Manifest) -> Option<Finding> {
    let (other, turned) = turned(manifest);
    let works = turned != manifest.input.shape && trial::run(&graph.proto, turned).is_ok();
    let says = format!("tract cannot run it on the manifest's {:?}, but on {turned:?}", manifest.input.shape);
    works.then(|| other_layout(says, other, turned))
}

fn takes(shape: &[Side], ours: [usize; 4]) -> bool {
    shape.len() == ours.len()
        && shape.iter().zip(ours).all(|(side, ours)| !matches!(side, Side::Fixed(fixed) if *fixed != ours))
}

fn turned(manifest: &Manifest) -> (&'static str, [usize; 4]) {
    let (channels, height, width) = manifest.input.dimensions();
    match manifest.input.layout {
        Layout::Nchw => ("NHWC", [1, height, width, channels]),
        Layout::Nhwc => ("NCHW", [1, channels, height, width]),
    }
}

fn other_layout(says: String, layout: &str, shape: [usize; 4]) -> Finding {
    Finding::fail("input", format!("{says}: its layout is {layout}"))
        .way_out(format!("The manifest's input is: layout = {layout:?}, shape = {shape:?}"))
}
