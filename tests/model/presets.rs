//! `spotter model init` of what five exporters write, held against onnxruntime's answers to a picture that each
//! framework's own preprocessing prepared (`presets.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use spotter::classifier::{Draft, Layout, Manifest, Model, OutputKind, Preset};
use spotter::decode::{Limits, decode};
use spotter::preprocess::{Filter, Mode, Preprocess};
use spotter::record::{Status, verdict};
use tempfile::TempDir;

use super::TOLERANCE;
use crate::harness::root;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("model: init of the digits' network makes the same reader of it", digits),
        Trial::test("model: a preset that is named goes before what is seen", named),
        Trial::test("model: many labels are drafted into a file of their own", many_labels),
        Trial::test("model: a network that finds several labels records each", several_labels),
    ];
    trials.extend(NETWORKS.iter().map(|network| {
        Trial::test(format!("model: init of a network of {} gives onnxruntime's answers", network.name), || {
            answers(network)
        })
    }));
    trials
}

/// What init is to make of `presets/NAME/network.onnx`.
struct Network {
    name: &'static str,
    preset: Preset,
    labels: &'static [&'static str],
    manifest: fn(&Manifest) -> bool,
    /// Parts of what it says, in order of what was found and what was guessed.
    found: &'static [&'static str],
    guessed: &'static [&'static str],
}

const NETWORKS: &[Network] = &[
    Network {
        name: "torchvision",
        preset: Preset::Torchvision,
        labels: &["tench", "great white shark", "cock", "hen", "ostrich"],
        manifest: |manifest| {
            manifest.input.shape == [1, 3, 224, 224]
                && manifest.output.kind == OutputKind::Logits
                && resizes(manifest, Mode::CentreCrop, Some(256), Filter::Bilinear, 3)
        },
        found: &[
            "pytorch",
            "input \"input\" float32 [batch_size, 3, 224, 224]",
            "made by Gemm",
            "5 labels in labels.txt",
        ],
        guessed: &["preset torchvision, since nothing says another", "Resize(256), CenterCrop(224)", "threshold"],
    },
    Network {
        name: "huggingface",
        preset: Preset::HuggingFace,
        labels: &["angular leaf spot", "bean rust", "healthy"],
        manifest: |manifest| {
            manifest.input.shape == [1, 3, 32, 32]
                && manifest.output.kind == OutputKind::Logits
                && resizes(manifest, Mode::Stretch, None, Filter::Bicubic, 3)
        },
        found: &[
            "first convolution takes 3 channels",
            "by preprocessor_config.json",
            "32 x 32 pixels",
            "id2label of config.json",
        ],
        guessed: &["(NCHW)", "threshold"],
    },
    Network {
        name: "keras",
        preset: Preset::Keras,
        labels: &["daisy", "rose", "tulip", "weed"],
        manifest: |manifest| {
            manifest.input.layout == Layout::Nhwc
                && manifest.input.shape == [1, 48, 48, 3]
                && manifest.output.kind == OutputKind::Probabilities
                && resizes(manifest, Mode::Stretch, None, Filter::Bilinear, 3)
        },
        found: &["tf2onnx", "preset keras", "mobilenet's: pixels from -1 to 1", "made by Softmax", "class_names.txt"],
        guessed: &["nearest", "threshold"],
    },
    Network {
        name: "ultralytics",
        preset: Preset::Ultralytics,
        labels: &["cat", "jack-o'-lantern", "ice cream"],
        manifest: |manifest| {
            manifest.input.shape == [1, 3, 64, 64]
                && manifest.output.kind == OutputKind::Probabilities
                && resizes(manifest, Mode::CentreCrop, Some(64), Filter::Bilinear, 0)
        },
        found: &["names and task classify", "made by Softmax", "3 labels in names of the metadata"],
        guessed: &["Resize(64), CenterCrop(64), from 0 to 1", "threshold"],
    },
    Network {
        name: "multi-label",
        preset: Preset::Torchvision,
        labels: &["boat", "beach", "sunset", "dog"],
        manifest: |manifest| {
            manifest.input.shape == [1, 3, 28, 28] && manifest.output.kind == OutputKind::MultiLabelProbabilities
        },
        found: &[
            "made by Sigmoid: each is a probability of its own, so a picture may have several labels",
            "4 labels in labels of the metadata",
        ],
        guessed: &["Resize(32), CenterCrop(28)", "threshold"],
    },
];

fn resizes(manifest: &Manifest, mode: Mode, side: Option<usize>, filter: Filter, numbers: usize) -> bool {
    match &manifest.preprocess {
        Preprocess::Resize(how) => {
            (how.mode, how.shorter_side, how.filter, how.mean.len()) == (mode, side, filter, numbers)
        }
        Preprocess::Ink { .. } => false,
    }
}

fn presets() -> PathBuf {
    root().join("tests/model/presets")
}

/// The model's folder that init would write.
fn written(draft: &Draft) -> Result<TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    for (name, bytes) in draft.files() {
        std::fs::write(folder.path().join(name), bytes)?;
    }
    Ok(folder)
}

fn outputs(model: &Model, picture: &Path) -> Result<Vec<f32>, Failed> {
    let picture = decode(&std::fs::read(picture)?, model.channels(), Limits::default()).map_err(|why| why.sentence)?;
    Ok(model.read(&picture)?.logits)
}

fn answers(network: &Network) -> Result<(), Failed> {
    let draft = Draft::of(&presets().join(network.name).join("network.onnx"), None, None)?;
    let manifest = &draft.manifest;
    assert_eq!((draft.preset, draft.problem.as_deref()), (network.preset, None));
    assert_eq!(manifest.labels, network.labels);
    assert_eq!(manifest.name, network.name, "which is the folder's: network.onnx says nothing");
    assert!((network.manifest)(manifest), "{manifest:#?}");
    for (said, parts) in [(&draft.found, network.found), (&draft.guessed, network.guessed)] {
        let mut rest = said.iter();
        for part in parts {
            assert!(rest.any(|sentence| sentence.contains(part)), "{part:?} comes not in its place in {said:#?}");
        }
    }

    // What is written reads as what was drafted, and works.
    let folder = written(&draft)?;
    let model = Model::from_folder(folder.path())?;
    assert_eq!(model.manifest(), manifest);
    let expected: BTreeMap<String, Vec<f32>> =
        serde_json::from_slice(&std::fs::read(presets().join("expected.json"))?)?;
    let theirs = expected.get(network.name).ok_or("no answers: run presets.py")?;
    let ours = outputs(&model, &presets().join("picture.png"))?;
    assert_eq!(ours.len(), theirs.len());
    let most = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Of which 5e-6 is what the answers are rounded to.
    assert!(most < TOLERANCE, "off by {most}: {ours:?}, onnxruntime's {theirs:?}");
    Ok(())
}

fn digits() -> Result<(), Failed> {
    let embedded = Model::embedded()?;
    let (folder, labels) = (tempfile::tempdir()?, embedded.manifest().labels.join("\n"));
    let (onnx, listed) = (folder.path().join("Digits v2.onnx"), folder.path().join("the labels.txt"));
    std::fs::copy(root().join("model/digits/model.onnx"), &onnx)?;
    std::fs::write(&listed, labels)?;
    let draft = Draft::of(&onnx, None, Some(&listed))?;
    let manifest = &draft.manifest;
    assert_eq!((draft.preset, draft.problem.as_deref()), (Preset::Mnist, None));
    assert_eq!((manifest.id().as_str(), manifest.threshold), ("digits-v2/1", 0.8));
    assert_eq!((&manifest.labels, &manifest.input), (&embedded.manifest().labels, &embedded.manifest().input));
    assert_eq!(manifest.output.kind, OutputKind::Logits);
    assert!(matches!(manifest.preprocess, Preprocess::Ink { fit: 20, .. }), "{:?}", manifest.preprocess);
    let model = Model::from_folder(written(&draft)?.path())?;
    let digits = Model::from_folder(&root().join("model/digits"))?;
    for sample in ["8.bmp", "photos/7 phone.jpg", "scribble.png"] {
        let sample = root().join("samples").join(sample);
        assert_eq!(outputs(&model, &sample)?, outputs(&digits, &sample)?, "{}", sample.display());
    }
    Ok(())
}

fn named() -> Result<(), Failed> {
    let onnx = presets().join("torchvision/network.onnx");
    let draft = Draft::of(&onnx, Some(Preset::Ultralytics), None)?;
    assert!(resizes(&draft.manifest, Mode::CentreCrop, Some(224), Filter::Bilinear, 0), "{:?}", draft.manifest);
    let draft = Draft::of(&onnx, Some(Preset::HuggingFace), None)?;
    assert!(resizes(&draft.manifest, Mode::Stretch, None, Filter::Bilinear, 3), "{:?}", draft.manifest);
    let error = Draft::of(&onnx, Some(Preset::Mnist), None).map(|draft| draft.manifest).unwrap_err().to_string();
    assert!(error.ends_with("takes 3 channels, and preset mnist is for grey: name another with --preset"), "{error}");
    Ok(())
}

/// Of the whole way: what is kept of a picture with several labels, and of one with none.
fn several_labels() -> Result<(), Failed> {
    let mut draft = Draft::of(&presets().join("multi-label/network.onnx"), None, None)?;
    let picture = std::fs::read(presets().join("picture.png"))?;
    // onnxruntime says 0.84, 0.54, 0.14, 0.37 of boat, beach, sunset, dog.
    for (threshold, status, why, top) in [
        (0.5, Status::Classified, "also beach 0.54", "boat beach"),
        (0.8, Status::Classified, "", "boat"),
        (0.9, Status::Unsure, "below threshold 0.9", "boat beach dog"),
        (0.0, Status::Classified, "also beach 0.54, dog 0.37, sunset 0.14", "boat beach dog sunset"),
    ] {
        draft.manifest.threshold = threshold;
        let model = Model::from_folder(written(&draft)?.path())?;
        let verdict = verdict(&picture, &model, Limits::default());
        let labels: Vec<String> =
            verdict.reading.iter().flat_map(|reading| &reading.top).map(|guess| guess.label.clone()).collect();
        assert_eq!((verdict.status, verdict.why.as_str(), labels.join(" ").as_str()), (status, why, top));
    }
    Ok(())
}

fn many_labels() -> Result<(), Failed> {
    let mut draft = Draft::of(&presets().join("keras/network.onnx"), None, None)?;
    for (count, in_file) in [(20, false), (21, true), (1000, true)] {
        draft.manifest.labels = (0..count).map(|label| format!("\"{label}\", 'quoted' # \\ é")).collect();
        let folder = written(&draft)?;
        assert_eq!(folder.path().join("labels.txt").exists(), in_file, "{count}");
        assert_eq!(Manifest::from_folder(folder.path())?, draft.manifest, "{count}");
    }
    Ok(())
}
