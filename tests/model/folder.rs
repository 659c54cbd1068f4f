//! `SPOTTER_MODEL`: any classifier in a folder, checked against its manifest.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
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

/// Its files; `None` is a missing one.
struct Folder {
    manifest: Option<String>,
    network: Option<Vec<u8>>,
    others: Vec<(&'static str, &'static str)>,
}

const RESIZE: &str = "kind = \"resize\"\nmode = \"stretch\"\n";

const BROKEN: &[Broken] = &[
    Broken {
        what: "no manifest",
        breaks: |folder| folder.manifest = None,
        says: &["cannot read", "manifest.toml", "A model's folder holds manifest.toml and model.onnx"],
    },
    Broken {
        what: "a manifest of the former format only",
        breaks: |folder| {
            folder.manifest = None;
            folder.others.push(("manifest.json", "{}"));
        },
        says: &["manifest.json is no longer read", "write the same as TOML", "spotter model init", "model.onnx"],
    },
    Broken {
        what: "no network",
        breaks: |folder| folder.network = None,
        says: &["cannot read", "model.onnx", "A model's folder holds manifest.toml and model.onnx"],
    },
    Broken {
        what: "a manifest that is no TOML",
        breaks: |folder| folder.manifest = Some("name = \"digits\"\nversion: 1\n".into()),
        says: &["manifest.toml in", "line 2, column 10", "expected `=`: version: 1"],
    },
    Broken {
        what: "a misspelt field",
        breaks: |folder| folder.replace("threshold = 0.8", "treshold = 0.8"),
        says: &["manifest.toml in", "line 6, column 1", "unknown field `treshold`", "`threshold`", "treshold = 0.8"],
    },
    Broken {
        what: "a misspelt field of a part",
        breaks: |folder| folder.replace("fit = 20", "fits = 20"),
        says: &["manifest.toml in", "line 1", "unknown field `fits`"],
    },
    Broken {
        what: "a field of another type",
        breaks: |folder| folder.replace("version = 2", "version = \"2\""),
        says: &["line 3, column 11", "invalid type: string \"2\", expected u32", "version = \"2\""],
    },
    Broken {
        what: "labels that are neither here nor in a file",
        breaks: |folder| folder.labels("10"),
        says: &["line 5, column 10", "expected a list of labels, or the name of a file with one label a line"],
    },
    Broken {
        what: "a missing field",
        breaks: |folder| folder.replace("labels", "# labels"),
        says: &["manifest.toml in", "missing field `labels`"],
    },
    Broken {
        what: "a missing file of labels",
        breaks: |folder| folder.labels("\"labels.txt\""),
        says: &["cannot read", "labels.txt"],
    },
    Broken {
        what: "labels of another folder",
        breaks: |folder| folder.labels("\"../../etc/passwd\""),
        says: &["labels \"../../etc/passwd\" must name a file in the same folder"],
    },
    Broken {
        what: "an unknown way to preprocess",
        breaks: |folder| folder.preprocess("kind = \"magic\""),
        says: &["unknown variant `magic`", "`ink`", "`resize`"],
    },
    Broken {
        what: "another network's checksum",
        breaks: |folder| folder.sha256("00ff"),
        says: &["says sha256 00ff, but model.onnx has ", "put the right one into the manifest"],
    },
    Broken {
        what: "a label that is a status",
        breaks: |folder| folder.replace("\"3\"", "\"unsure\""),
        says: &["label \"unsure\" is a status"],
    },
    Broken {
        what: "too few labels",
        breaks: |folder| folder.labels("[\"0\", \"no-digit\"]"),
        says: &["has 2 labels, but the network has 11 outputs", "name each in its order"],
    },
    Broken {
        what: "an empty label",
        breaks: |folder| folder.replace("\"3\"", "\"\""),
        says: &["labels must be one non-empty text an output"],
    },
    Broken {
        what: "a name that no record can hold",
        breaks: |folder| folder.replace("\"digits\"", "\"My Digits\""),
        says: &["name \"My Digits\" must be lower-case letters, digits and hyphens"],
    },
    Broken {
        what: "an input of another size",
        breaks: |folder| folder.shape("[1, 1, 32, 32]"),
        says: &[
            "model.onnx in",
            "cannot run it on one input of the manifest's shape",
            "Check input.layout and input.shape",
        ],
    },
    Broken {
        what: "the other layout",
        breaks: |folder| {
            folder.replace("NCHW", "NHWC");
            folder.shape("[1, 28, 28, 1]");
        },
        says: &["cannot run it on one input of the manifest's shape", "Check input.layout and input.shape"],
    },
    Broken {
        what: "two channels",
        breaks: |folder| folder.shape("[1, 2, 28, 28]"),
        says: &["input.shape [1, 2, 28, 28] must have a batch of 1 and 1 or 3 channels"],
    },
    Broken {
        what: "a batch",
        breaks: |folder| folder.shape("[8, 1, 28, 28]"),
        says: &["input.shape [8, 1, 28, 28] must have a batch of 1"],
    },
    Broken {
        what: "an input of no size",
        breaks: |folder| folder.shape("[1, 1, 0, 28]"),
        says: &["input.shape [1, 1, 0, 28] must have sides of 1 to 2048"],
    },
    Broken {
        what: "an input of a huge size",
        breaks: |folder| folder.shape("[1, 1, 28, 1000000000000]"),
        says: &["must have sides of 1 to 2048"],
    },
    Broken {
        what: "grey in another order",
        breaks: |folder| folder.replace("layout =", "order = \"bgr\"\nlayout ="),
        says: &["input.order \"bgr\" needs an input of three channels"],
    },
    Broken {
        what: "a threshold in percent",
        breaks: |folder| folder.replace("threshold = 0.8", "threshold = 80"),
        says: &["threshold 80 must be from 0 to 1"],
    },
    Broken {
        what: "too many guesses",
        breaks: |folder| folder.replace("top_k = 3", "top_k = 11"),
        says: &["top_k 11 must be from 1 to 10"],
    },
    Broken {
        what: "ink that does not fit",
        breaks: |folder| folder.preprocess("kind = \"ink\"\nfit = 29"),
        says: &["preprocess.fit 29 must be from 1 to the input's shorter side"],
    },
    Broken {
        what: "ink with a mean of three channels",
        breaks: |folder| folder.preprocess("kind = \"ink\"\nfit = 20\nmean = [0.485, 0.456, 0.406]"),
        says: &["preprocess.mean and preprocess.std must have one number each, or none"],
    },
    Broken {
        what: "a mean a channel too many",
        breaks: |folder| folder.resize("mean = [0, 0, 0]\nstd = [1]"),
        says: &["preprocess.mean and preprocess.std must have one number each, or none"],
    },
    Broken {
        what: "a standard deviation of nothing",
        breaks: |folder| folder.resize("mean = [0]\nstd = [0]"),
        says: &["preprocess.std must not be 0"],
    },
    Broken {
        what: "a scale of nothing",
        breaks: |folder| folder.resize("scale = 0"),
        says: &["preprocess.scale 0 must be finite and not 0"],
    },
    Broken {
        what: "a crop that is larger than what it is cut from",
        breaks: |folder| folder.preprocess("kind = \"resize\"\nmode = \"centre_crop\"\nshorter_side = 20"),
        says: &["preprocess.shorter_side 20 must be from the input's longer side, 28, to 4096"],
    },
    Broken {
        what: "a shorter side of a picture that is stretched",
        breaks: |folder| folder.resize("shorter_side = 32"),
        says: &["preprocess.shorter_side goes with mode \"centre_crop\" only"],
    },
    Broken {
        what: "padding where nothing is padded",
        breaks: |folder| folder.resize("pad = 114"),
        says: &["preprocess.pad goes with mode \"fit\" only"],
    },
    Broken {
        what: "an unknown filter",
        breaks: |folder| folder.resize("filter = \"hamming\""),
        says: &["unknown variant `hamming`", "`bilinear`", "`lanczos`"],
    },
    Broken {
        what: "logits that the manifest calls probabilities",
        breaks: |folder| folder.output("kind = \"probabilities\""),
        says: &["says output.kind \"probabilities\", but on zeros they sum to", "\"logits\" may be meant"],
    },
    Broken {
        what: "logits that the manifest calls probabilities of several labels",
        breaks: |folder| folder.output("kind = \"multi_label_probabilities\""),
        says: &["says output.kind \"multi_label_probabilities\"", "\"multi_label_logits\" may be meant"],
    },
    Broken {
        what: "an outlier that is no label",
        breaks: |folder| folder.output("kind = \"logits\"\noutlier = { label = \"letter\", threshold = 0.5 }"),
        says: &["output.outlier names \"letter\", which is none of the labels"],
    },
    Broken {
        what: "an outlier among several labels",
        breaks: |folder| {
            folder.output("kind = \"multi_label_logits\"\noutlier = { label = \"9\", threshold = 0.5 }");
        },
        says: &["output.outlier needs a network that gives one label"],
    },
    Broken {
        what: "an outlier's threshold in percent",
        breaks: |folder| folder.output("kind = \"logits\"\noutlier = { label = \"9\", threshold = 50 }"),
        says: &["threshold of output.outlier 50 must be from 0 to 1"],
    },
    Broken {
        what: "a threshold of no label",
        breaks: |folder| folder.output("kind = \"logits\"\nthresholds = { ten = 0.5 }"),
        says: &["output.thresholds names \"ten\", which is none of the labels"],
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
        let manifest = std::fs::read_to_string(folder.join("manifest.toml"))?;
        let others = Vec::new();
        Ok(Folder { manifest: Some(manifest), network: Some(std::fs::read(folder.join("model.onnx"))?), others })
    }

    /// The first `old` of the manifest, which it has.
    fn replace(&mut self, old: &str, new: &str) {
        let text = self.manifest.take().unwrap_or_default();
        assert!(text.contains(old), "the digits' manifest has no {old}: {text}");
        self.manifest = Some(text.replacen(old, new, 1));
    }

    /// The value of the first line that begins with `field`.
    fn set(&mut self, field: &str, value: &str) {
        let text = self.manifest.clone().unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(&format!("{field} = ")));
        self.replace(line.unwrap_or(field), &format!("{field} = {value}"));
    }

    /// All lines of a part.
    fn part(&mut self, name: &str, lines: &str) {
        let text = self.manifest.clone().unwrap_or_default();
        let body = text.split_once(&format!("[{name}]\n")).map(|(_, after)| after.split("\n[").next().unwrap_or(after));
        self.replace(body.unwrap_or(name), &format!("{lines}\n"));
    }

    fn labels(&mut self, value: &str) {
        self.set("labels", value);
    }

    fn shape(&mut self, value: &str) {
        self.set("shape", value);
    }

    fn sha256(&mut self, digest: &str) {
        self.set("sha256", &format!("\"{digest}\""));
    }

    fn preprocess(&mut self, lines: &str) {
        self.part("preprocess", lines);
    }

    fn resize(&mut self, lines: &str) {
        self.preprocess(&format!("{RESIZE}{lines}"));
    }

    fn output(&mut self, lines: &str) {
        self.part("output", lines);
    }

    /// Another file under its true checksum.
    fn replace_network(&mut self, bytes: Vec<u8>) {
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.network = Some(bytes);
        self.sha256(&digest);
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        if let Some(text) = &self.manifest {
            std::fs::write(folder.join("manifest.toml"), text)?;
        }
        for (name, text) in &self.others {
            std::fs::write(folder.join(name), text)?;
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
            if best != Some(label)
                || reading.doubt.is_some()
                || (sum - 1.0).abs() > 1e-4
                || reading.seen.len() != 8 * 8 * 3
            {
                return Err(format!("{label}, {width} x {height}: {:?}, sum {sum}", reading.top).into());
            }
        }
    }
    Ok(())
}
