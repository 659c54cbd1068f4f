//! `spotter model check`, as people use it; and in `cases`, what it says of networks that are broken.

mod cases;

use std::path::PathBuf;
use std::process::Output;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::harness::root;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("model check: what works, line by line", works),
        Trial::test("model check: what it answers for pictures", pictures),
        Trial::test("model check: JSON has the figures as numbers and the node by its parts", json),
        Trial::test("model check: paths that lead to no model's folder", paths),
        Trial::test("model check: a network that has no manifest yet", bare),
        Trial::test("model check: the digit reader, and what others exported", ours),
    ];
    trials.extend(cases::trials());
    trials
}

fn made(name: &str) -> PathBuf {
    root().join("tests/model/broken").join(name)
}

fn check(home: &TempDir, arguments: &[&str]) -> Result<Output, Failed> {
    Ok(spotter(home).args(["model", "check"]).args(arguments).output()?)
}

/// What it prints, and that it prints to stdout only.
fn words(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nothing spills over the terminal");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Level and check of each line that is not `ok`.
fn not_ok(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter(|line| line.starts_with("warn  ") || line.starts_with("fail  "));
    lines.filter_map(|line| Some((&line[..4], line[6..].split_whitespace().next()?))).collect()
}

fn works() -> Result<(), Failed> {
    let output = check(&TempDir::new()?, &["tests/model/broken/works"])?;
    let text = words(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let begins = [
        "ok    manifest   works/1, 3 labels: cat, dog, owl",
        "ok    sha256     ",
        "ok    file       ONNX of opset 17, 936 bytes, written by broken.py",
        "ok    operators  5 nodes, all known to tract: Conv, Flatten, Gemm, GlobalAveragePool, Relu",
        "ok    input      \"image\" float32 [n, 3, 12, 12] takes the manifest's [1, 3, 12, 12]",
        "ok    load       tract makes it ready in ",
        "ok    output     \"logits\" [1, 3] gives a number for each of the manifest's labels",
        "ok    kind       logits, made by Gemm; Spotter does the softmax",
        "ok    golden     4 inputs of golden.json give what onnxruntime ",
        "ok    time       ",
        "ok    memory     ",
        "",
        "It works.",
        "Next  spotter model check tests/model/broken/works yours.jpg",
        "      spotter --model tests/model/broken/works serve",
    ];
    // Memory is only told where Linux tells it.
    let lines: Vec<&str> = text.lines().collect();
    let begins: Vec<&str> =
        begins.into_iter().filter(|line| cfg!(target_os = "linux") || !line.contains("memory")).collect();
    assert_eq!(lines.len(), begins.len(), "{text}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{begin}: {line}");
    }
    Ok(())
}

fn pictures() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let pictures = ["samples/1.png", "samples/scribble.png", "samples/notes.png"];
    let output = check(&home, &[&["model/digits"], &pictures[..]].concat())?;
    let text = words(&output);
    assert_eq!(output.status.code(), Some(0), "pictures do not make a model fail: {text}");
    let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert!(line("1.png").starts_with("ok    picture    samples/1.png: 1 "), "{text}");
    assert!(line("scribble.png").starts_with("warn  picture    samples/scribble.png: unsure, "), "{text}");
    assert!(line("notes.png").starts_with("warn  picture    samples/notes.png: rejected, "), "{text}");
    assert!(text.ends_with("\nIt works.\n"), "{text}");

    let output = check(&home, &["model/digits", "samples/one.png"])?;
    let text = words(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("fail  picture    samples/one.png: cannot be read: "), "{text}");
    assert!(text.ends_with("\nIt works; 1 picture cannot be read.\n"), "{text}");

    let text = words(&check(&home, &["tests/model/broken/detector", "samples/1.png"])?);
    assert!(text.contains("samples/1.png: not shown to a model that does not work"), "{text}");
    Ok(())
}

fn json() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let lines = |arguments: &[&str]| -> Result<Vec<Value>, Failed> {
        let text = words(&check(&home, arguments)?);
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    };
    let good = lines(&["model/digits", "samples/1.png", "--json"])?;
    let of = |check: &str| good.iter().find(|line| line["check"] == check).cloned().unwrap_or_default();
    assert!(good.iter().all(|line| line["level"] == "ok"), "{good:?}");
    assert!(of("time")["figures"]["median_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{good:?}");
    assert!(of("load")["figures"]["load_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{good:?}");
    assert!(of("golden")["figures"]["off_by"].as_f64().is_some_and(|off| off < 1e-4), "{good:?}");
    assert_eq!((&of("picture")["label"], &of("picture")["status"]), (&"1".into(), &"classified".into()));
    let bad = lines(&["tests/model/broken/fused", "--json"])?;
    let fail = bad.iter().find(|line| line["level"] == "fail").ok_or("nothing fails")?;
    let place = serde_json::json!({
        "node": "stem/FusedConv", "operator": "FusedConv", "domain": "com.microsoft", "opset": 1
    });
    assert_eq!(fail["place"], place);
    assert!(fail["way_out"].is_string(), "{fail}");
    Ok(())
}

fn paths() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty)?;
    std::fs::create_dir(home.path().join("export"))?;
    std::fs::copy(made("works").join("model.onnx"), home.path().join("export/resnet.onnx"))?;
    let (empty, export) = (empty.display().to_string(), home.path().join("export").display().to_string());
    for (path, says) in [
        ("model/digit", &["there is nothing at model/digit", "→ Models are in model/digits"][..]),
        ("no/such/folder", &["there is nothing at no/such/folder", "→ Name a model's folder, or the ONNX file"]),
        (&empty, &["has neither manifest.toml nor model.onnx", "spotter model init NETWORK.onnx --out "]),
        (&export, &["has neither manifest.toml nor model.onnx", "spotter model init ", "export/resnet.onnx"]),
        ("model", &["model has neither manifest.toml nor model.onnx", "→ Models are in model/digits"]),
        ("README.md", &["fail  file       README.md is text, not a network"]),
    ] {
        let output = check(&home, &[path])?;
        let text = words(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.ends_with("\nIt does not work: 1 check failed.\n"), "{text}");
        for part in says {
            assert!(text.contains(part), "{path} must say {part}: {text}");
        }
    }
    // What stands in the folder leads to it.
    for part in ["model.onnx", "manifest.toml"] {
        let text = words(&check(&home, &[&format!("tests/model/broken/works/{part}")])?);
        assert!(text.ends_with("spotter --model tests/model/broken/works serve\n"), "{text}");
    }
    assert_eq!(check(&home, &[])?.status.code(), Some(2));
    Ok(())
}

fn bare() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let network = "tests/model/presets/torchvision/network.onnx";
    let output = check(&home, &[network, "tests/model/presets/picture.png"])?;
    let text = words(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(not_ok(&text).first(), Some(&("warn", "manifest")), "{text}");
    assert!(text.contains(&format!("none: checked is what `spotter model init {network}` would write")), "{text}");
    assert!(text.contains("[1, 5] gives 5 numbers; their labels are assumed"), "{text}");
    assert!(text.contains("  picture    tests/model/presets/picture.png: "), "{text}");
    assert!(!root().join("tests/model/presets/torchvision/manifest.toml").exists(), "a check writes nothing");
    Ok(())
}

fn ours() -> Result<(), Failed> {
    let home = TempDir::new()?;
    for (path, kind) in [
        ("model/digits", "logits"),
        ("tests/model/colours", "probabilities"),
        ("tests/model/presets/huggingface/network.onnx", "logits"),
        ("tests/model/presets/keras/network.onnx", "probabilities"),
        ("tests/model/presets/ultralytics/network.onnx", "probabilities"),
        ("tests/model/presets/multi-label/network.onnx", "probabilities of several labels"),
    ] {
        let output = check(&home, &[path])?;
        let text = words(&output);
        assert_eq!(output.status.code(), Some(0), "{path}: {text}");
        assert!(text.contains(&format!("ok    kind       {kind}, made by ")), "{path}: {text}");
    }
    Ok(())
}
