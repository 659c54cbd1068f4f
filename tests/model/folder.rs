//! `SPOTTER_MODEL`: any classifier in a folder, checked against its manifest.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spotter::classifier::Model;
use spotter::decode::{Channels, Picture};

use crate::harness::root;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("model: a folder of another layout, channels and output", colours),
        Trial::test("model: the embedded model loads from its folder", the_same),
    ];
    trials.extend(
        BROKEN.iter().map(|broken| Trial::test(format!("model: a folder with {}", broken.what), || sentence(broken))),
    );
    trials
}

/// What is wrong with a copy of the digits' folder, and what the error must say.
struct Broken {
    what: &'static str,
    breaks: fn(&mut Folder),
    says: &'static [&'static str],
}

/// The two files; `None` is a missing one.
struct Folder {
    manifest: Value,
    text: Option<String>,
    network: Option<Vec<u8>>,
}

const BROKEN: &[Broken] = &[
    Broken {
        what: "no manifest",
        breaks: |folder| folder.text = None,
        says: &["cannot read", "manifest.json", "A model's folder holds manifest.json and model.onnx"],
    },
    Broken {
        what: "no network",
        breaks: |folder| folder.network = None,
        says: &["cannot read", "model.onnx", "A model's folder holds manifest.json and model.onnx"],
    },
    Broken {
        what: "a manifest that is no JSON",
        breaks: |folder| folder.text = Some("name: digits".into()),
        says: &["manifest.json in", "line 1 column"],
    },
    Broken {
        what: "a misspelt field",
        breaks: |folder| folder.set("/treshold", json!(0.8)),
        says: &["manifest.json in", "unknown field `treshold`", "`threshold`"],
    },
    Broken {
        what: "a missing field",
        breaks: |folder| folder.remove("labels"),
        says: &["manifest.json in", "missing field `labels`"],
    },
    Broken {
        what: "an unknown way to preprocess",
        breaks: |folder| folder.set("/preprocess/kind", json!("magic")),
        says: &["unknown variant `magic`", "`ink`", "`resize`"],
    },
    Broken {
        what: "another network's checksum",
        breaks: |folder| folder.set("/sha256", json!("00ff")),
        says: &["says sha256 00ff, but model.onnx has ", "put the right one into the manifest"],
    },
    Broken {
        what: "a label that is a status",
        breaks: |folder| folder.set("/labels/3", json!("unsure")),
        says: &["label \"unsure\" is a status"],
    },
    Broken {
        what: "too few labels",
        breaks: |folder| folder.set("/labels", json!(["0", "1"])),
        says: &["has 2 labels, but the network has 10 outputs", "name each in its order"],
    },
    Broken {
        what: "an empty label",
        breaks: |folder| folder.set("/labels/3", json!("")),
        says: &["labels must be one non-empty text an output"],
    },
    Broken {
        what: "a name that no record can hold",
        breaks: |folder| folder.set("/name", json!("My Digits")),
        says: &["name \"My Digits\" must be lower-case letters, digits and hyphens"],
    },
    Broken {
        what: "an input of another size",
        breaks: |folder| folder.set("/input/shape", json!([1, 1, 32, 32])),
        says: &[
            "model.onnx in",
            "cannot run it on one input of the manifest's shape",
            "Check input.layout and input.shape",
        ],
    },
    Broken {
        what: "the other layout",
        breaks: |folder| folder.set("/input", json!({"layout": "NHWC", "shape": [1, 28, 28, 1]})),
        says: &["cannot run it on one input of the manifest's shape", "Check input.layout and input.shape"],
    },
    Broken {
        what: "two channels",
        breaks: |folder| folder.set("/input/shape", json!([1, 2, 28, 28])),
        says: &["input.shape [1, 2, 28, 28] must have a batch of 1 and 1 or 3 channels"],
    },
    Broken {
        what: "a batch",
        breaks: |folder| folder.set("/input/shape", json!([8, 1, 28, 28])),
        says: &["input.shape [8, 1, 28, 28] must have a batch of 1"],
    },
    Broken {
        what: "an input of no size",
        breaks: |folder| folder.set("/input/shape", json!([1, 1, 0, 28])),
        says: &["input.shape [1, 1, 0, 28] must have sides of 1 to 2048"],
    },
    Broken {
        what: "an input of a huge size",
        breaks: |folder| folder.set("/input/shape", json!([1, 1, 28, 1_000_000_000_000_u64])),
        says: &["must have sides of 1 to 2048"],
    },
    Broken {
        what: "a threshold in percent",
        breaks: |folder| folder.set("/threshold", json!(80)),
        says: &["threshold 80 must be from 0 to 1"],
    },
    Broken {
        what: "ink that does not fit",
        breaks: |folder| folder.set("/preprocess/fit", json!(29)),
        says: &["preprocess.fit 29 must be from 1 to the input's shorter side"],
    },
    Broken {
        what: "a mean a channel too many",
        breaks: |folder| {
            folder.set("/preprocess", json!({"kind": "resize", "fit": "stretch", "mean": [0, 0, 0], "std": [1]}))
        },
        says: &["preprocess.mean and preprocess.std must have 1 numbers each"],
    },
    Broken {
        what: "a standard deviation of nothing",
        breaks: |folder| {
            folder.set("/preprocess", json!({"kind": "resize", "fit": "stretch", "mean": [0], "std": [0]}))
        },
        says: &["preprocess.std must not be 0"],
    },
    Broken {
        what: "logits that the manifest calls probabilities",
        breaks: |folder| folder.set("/output", json!("probabilities")),
        says: &["says output \"probabilities\", but on zeros they sum to", "\"logits\" may be meant"],
    },
    Broken {
        what: "a network that is no ONNX",
        breaks: |folder| folder.replace_network(b"a pickle, perhaps".to_vec()),
        says: &["model.onnx in", "is no ONNX file that tract can read", "Export the network to one file"],
    },
    Broken {
        what: "an empty network",
        breaks: |folder| folder.replace_network(Vec::new()),
        says: &["model.onnx in", "is no ONNX file that tract can read"],
    },
    Broken {
        what: "a network that ends early",
        breaks: |folder| {
            let whole = folder.network.take().unwrap_or_default();
            folder.replace_network(whole[..whole.len() / 2].to_vec());
        },
        says: &["model.onnx in", "is no ONNX file that tract can read"],
    },
];

impl Folder {
    fn digits() -> Result<Folder, Failed> {
        let folder = root().join("model/digits");
        let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
        let text = Some(manifest.to_string());
        Ok(Folder { manifest, text, network: Some(std::fs::read(folder.join("model.onnx"))?) })
    }

    fn set(&mut self, pointer: &str, value: Value) {
        match self.manifest.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => self.manifest[&pointer[1..]] = value,
        }
        self.text = Some(self.manifest.to_string());
    }

    fn remove(&mut self, field: &str) {
        if let Some(fields) = self.manifest.as_object_mut() {
            fields.remove(field);
        }
        self.text = Some(self.manifest.to_string());
    }

    /// Another file under its true checksum.
    fn replace_network(&mut self, bytes: Vec<u8>) {
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.network = Some(bytes);
        self.set("/sha256", json!(digest));
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        if let Some(text) = &self.text {
            std::fs::write(folder.join("manifest.json"), text)?;
        }
        match &self.network {
            Some(network) => std::fs::write(folder.join("model.onnx"), network),
            None => Ok(()),
        }
    }
}

fn sentence(broken: &Broken) -> Result<(), Failed> {
    let mut files = Folder::digits()?;
    (broken.breaks)(&mut files);
    let folder = tempfile::tempdir()?;
    files.write(folder.path())?;
    let Err(error) = Model::from_folder(folder.path()) else {
        return Err("it loads".into());
    };
    let error = error.to_string();
    let named = folder.path().display().to_string();
    let missing: Vec<&str> =
        broken.says.iter().copied().chain([named.as_str()]).filter(|part| !error.contains(part)).collect();
    if missing.is_empty() && !error.contains('\n') {
        return Ok(());
    }
    Err(format!("one line must say {missing:?}: {error}").into())
}

/// The unbroken copy loads, so that each row of the table fails for its own reason.
fn the_same() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    Folder::digits()?.write(folder.path())?;
    let model = Model::from_folder(folder.path())?;
    if model.id() == Model::embedded()?.id() { Ok(()) } else { Err(model.id().into()) }
}

fn colours() -> Result<(), Failed> {
    let model = Model::from_folder(&root().join("tests/model/colours"))?;
    if (model.id().as_str(), model.channels()) != ("colours/3", Channels::Rgb) {
        return Err(format!("{} {:?}", model.id(), model.channels()).into());
    }
    // Red, green and blue of the upper and of the lower half.
    for (label, above, below) in [
        ("red", [230, 20, 20], [230, 20, 20]),
        ("green", [20, 230, 20], [20, 230, 20]),
        ("blue above", [20, 20, 230], [20, 20, 20]),
        ("blue below", [20, 20, 20], [20, 20, 230]),
    ] {
        for (width, height) in [(8, 8), (640, 480), (3, 400), (1, 2)] {
            let rows = [above, below].into_iter().flat_map(|colour| colour.repeat(width * height / 2));
            let picture =
                Picture { width: width as u32, height: height as u32, channels: Channels::Rgb, pixels: rows.collect() };
            let reading = model.read(&picture)?;
            let sum: f32 = reading.logits.iter().sum();
            let best = reading.top.first().map(|best| best.label.as_str());
            if best != Some(label) || !reading.sure || (sum - 1.0).abs() > 1e-4 || reading.seen.len() != 8 * 8 * 3 {
                return Err(format!("{label}, {width} x {height}: {:?}, sum {sum}", reading.top).into());
            }
        }
    }
    Ok(())
}
