//! `spotter model init` as people type it: what it says, what it leaves alone, and its errors.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::cli::spotter;
use crate::harness::root;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("model: init says what it found and guessed, and what comes next", says),
        Trial::test("model: init replaces nothing unless it is told to", replaces_nothing),
        Trial::test("model: init has a sentence for what it cannot use", sentences),
    ]
}

/// Exit code, stdout and stderr.
type Said = (Option<i32>, String, String);

fn init(home: &TempDir, arguments: &[&str]) -> Result<Said, Failed> {
    let output = spotter(home).current_dir(home.path()).args(["model", "init"]).args(arguments).output()?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

fn presets() -> PathBuf {
    root().join("tests/model/presets")
}

/// A copy of what an exporter wrote.
fn copied(preset: &str, to: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(presets().join(preset))? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn says() -> Result<(), Failed> {
    let home = TempDir::new()?;
    copied("torchvision", &home.path().join("my fish"))?;
    let (code, out, err) = init(&home, &["my fish"])?;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.first(), Some(&"'my fish/network': wrote model.onnx, manifest.toml"));
    assert_eq!(lines.last().map(|line| line.trim()), Some("spotter model check 'my fish/network'"));
    for part in ["found    5 labels in labels.txt: tench, great white shark, cock, …", "guessed  preset torchvision, "]
    {
        assert!(lines.iter().any(|line| line.starts_with(part)), "no {part:?} in {out}");
    }
    let folder = home.path().join("my fish/network");
    let manifest = std::fs::read_to_string(folder.join("manifest.toml"))?;
    assert!(manifest.contains("# Guessed: preset torchvision") && manifest.contains("\nmode = \"centre_crop\" # "));

    let output = spotter(&home)
        .arg("--model")
        .arg(&folder)
        .args(["classify", "--format", "csv"])
        .arg(presets().join("picture.png"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains(",classified,,,ostrich,0.7"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn replaces_nothing() -> Result<(), Failed> {
    let home = TempDir::new()?;
    copied("ultralytics", home.path())?;
    let manifest = home.path().join("network/manifest.toml");
    let (code, first, _) = init(&home, &["network.onnx"])?;
    assert_eq!((code, first.lines().next()), (Some(0), Some("network: wrote model.onnx, manifest.toml")));
    let written = std::fs::read_to_string(&manifest)?;
    let (code, again, _) = init(&home, &["network.onnx"])?;
    assert_eq!((code, again.lines().next()), (Some(0), Some("network has the same manifest already")));

    let edited = written.replace("threshold = 0.5", "threshold = 0.9");
    assert_ne!(edited, written);
    std::fs::write(&manifest, &edited)?;
    let (code, out, err) = init(&home, &["network.onnx"])?;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("network/manifest.toml is there already and differs") && err.contains("--force"), "{err}");
    assert_eq!(std::fs::read_to_string(&manifest)?, edited, "and is left alone");
    let (code, out, _) = init(&home, &["network.onnx", "--force"])?;
    assert_eq!((code, out.lines().next()), (Some(0), Some("network: wrote manifest.toml")));
    assert_eq!(std::fs::read_to_string(&manifest)?, written);

    // In a model's own folder only the manifest is new.
    let own = home.path().join("own");
    std::fs::create_dir(&own)?;
    std::fs::rename(home.path().join("network/model.onnx"), own.join("model.onnx"))?;
    let (code, out, err) = init(&home, &["own"])?;
    assert_eq!((code, out.lines().next()), (Some(0), Some("own: wrote manifest.toml")), "{err}");
    Ok(())
}

fn sentences() -> Result<(), Failed> {
    let home = TempDir::new()?;
    copied("keras", &home.path().join("net"))?;
    copied("huggingface", &home.path().join("broken"))?;
    std::fs::write(home.path().join("broken/preprocessor_config.json"), "{\"size\": ")?;
    for name in ["one.onnx", "two.onnx"] {
        std::fs::create_dir_all(home.path().join("several"))?;
        std::fs::copy(presets().join("keras/network.onnx"), home.path().join("several").join(name))?;
    }
    std::fs::create_dir(home.path().join("none"))?;
    std::fs::write(home.path().join("weights.onnx"), b"PK\x03\x04 a zip")?;
    std::fs::write(home.path().join("empty.onnx"), b"")?;
    std::fs::write(home.path().join("three.txt"), "a\nb\nc\n")?;
    std::fs::write(home.path().join("gap.json"), r#"{"0": "a", "2": "c"}"#)?;
    let cases: [(&[&str], i32, &[&str]); 12] = [
        (&["net/netwrok.onnx"], 1, &["net/netwrok.onnx: cannot be read", "There is network.onnx in that folder"]),
        (&["nowhere/network.onnx"], 1, &["nowhere/network.onnx: cannot be read"]),
        (&["several"], 1, &["several: is a folder with several networks, one.onnx, two.onnx", "name the one"]),
        (&["none"], 1, &["none: is a folder without an ONNX file"]),
        (&["weights.onnx"], 1, &["weights.onnx: is no ONNX file", "Export the network"]),
        (&["empty.onnx"], 1, &["empty.onnx: is no ONNX file"]),
        (&["broken"], 1, &["broken/preprocessor_config.json beside it, which cannot be read: EOF"]),
        (&["net", "--labels", "labels.txt"], 1, &["its labels in labels.txt cannot be read: No such file"]),
        (&["net", "--labels", "three.txt"], 1, &["three.txt has 3 labels, and there are 4 outputs"]),
        (&["net", "--labels", "gap.json"], 1, &["neither a list of texts nor labels numbered from 0 on"]),
        (&["net", "--out", "three.txt/model"], 1, &["cannot write three.txt/model", "--out names another folder"]),
        (&["net", "--preset", "pytorch"], 2, &["use one of mnist, torchvision, keras, huggingface, ultralytics"]),
    ];
    for (arguments, exit, parts) in cases {
        let (code, out, err) = init(&home, arguments)?;
        assert_eq!((code, out.as_str()), (Some(exit), ""), "{arguments:?}: {err}");
        for part in parts {
            assert!(err.contains(part), "{arguments:?}: no {part:?} in {err}");
        }
    }
    assert!(!home.path().join("net/network").exists(), "nothing is left of what failed");
    Ok(())
}
