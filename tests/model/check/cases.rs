//! Networks that `broken.py` made, what people do to a folder, and what `spotter model check` says of them.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

use super::{check, made, not_ok, words};

pub(super) fn trials() -> Vec<Trial> {
    CASES.iter().map(|case| Trial::test(format!("model check: {}", case.what), || case.is_told())).collect()
}

/// A copy of a folder that `broken.py` made, and what is done to it.
struct Case {
    what: &'static str,
    folder: &'static str,
    breaks: fn(&Path) -> Result<(), Failed>,
    /// The lines that are not `ok`, in their order: level and check.
    not_ok: &'static [(&'static str, &'static str)],
    says: &'static [&'static str],
}

const AS_IT_IS: fn(&Path) -> Result<(), Failed> = |_| Ok(());

const CASES: &[Case] = &[
    Case {
        what: "an operator that tract lacks, its node, opset and the way out",
        folder: "unknown-operators",
        breaks: AS_IT_IS,
        not_ok: &[("warn", "opset"), ("fail", "operators")],
        says: &[
            "opset 19, which is newer than what tract is tested with (9 to 18)",
            "node \"stem/DeformConv\" is DeformConv of ai.onnx (opset 19), an operator that tract does not have",
            "→ tract has no such geometry: replace it",
            "It does not work: 1 check failed.",
        ],
    },
    Case {
        what: "an operator of onnxruntime's optimiser",
        folder: "fused",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "operators")],
        says: &[
            "node \"stem/FusedConv\" is FusedConv of com.microsoft (opset 1)",
            "use the file from before the optimisation, or export again with opset 17",
        ],
    },
    Case {
        what: "the first node whose inputs do not fit",
        folder: "does-not-fit",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "operators")],
        says: &[
            "node \"neck/Reshape\" is Reshape of ai.onnx (opset 17), whose inputs do not fit together",
            "input [1, 4, 6, 6] (vol=144) vs shape [1, 4, 7, 7] (vol=196)",
            "the nodes before it work",
            "python -m onnxsim model.onnx simple.onnx --overwrite-input-shape image:1,3,12,12",
        ],
    },
    Case {
        what: "the node at which tract panics, and no panic on the terminal",
        folder: "gives-up",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "operators")],
        says: &[
            "node \"neck/MaxPool\" is MaxPool of ai.onnx (opset 17), at which tract gives up (attempt to divide by zero)",
        ],
    },
    Case {
        what: "nodes that need each other",
        folder: "circle",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "load")],
        says: &["Loop detected"],
    },
    Case {
        what: "the first node that makes no numbers",
        folder: "not-finite",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "operators")],
        says: &["node \"stem/Log\" is Log of ai.onnx (opset 17), and the first whose output is not finite"],
    },
    Case {
        what: "a detector",
        folder: "detector",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "output")],
        says: &["it is a detector, not a classifier: it gives \"output0\" [1, 4, 36]", "YOLO's -cls variants"],
    },
    Case {
        what: "a network without its head",
        folder: "map",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "output")],
        says: &["it gives a map, \"ink\" [1, 4, 6, 6]", "export it with its pooling and its last layer"],
    },
    Case {
        what: "a network that chooses the class itself",
        folder: "argmax",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "output")],
        says: &["\"class\" [1] gives int64, and Spotter reads float32", "export it without its ArgMax"],
    },
    Case {
        what: "weights in another file, which is missing",
        folder: "weights-elsewhere",
        breaks: AS_IT_IS,
        not_ok: &[("fail", "weights")],
        says: &["\"weights.bin\" is not in the folder", "onnx.save(onnx.load('model.onnx'), 'merged.onnx')"],
    },
    Case {
        what: "an opset of the future that loads",
        folder: "future",
        breaks: AS_IT_IS,
        not_ok: &[("warn", "opset")],
        says: &["opset 27, which is newer", "it loads nevertheless", "It works, with 1 warning."],
    },
    Case {
        what: "softmax done twice",
        folder: "softmax-twice",
        breaks: AS_IT_IS,
        not_ok: &[("warn", "kind")],
        says: &[
            "the manifest says \"logits\", but for 5 inputs they sum to 1",
            "no confidence over 0.58",
            "\"probabilities\"",
        ],
    },
    Case {
        what: "logits that are called probabilities",
        folder: "works",
        breaks: |folder| in_manifest(folder, "\"logits\"", "\"probabilities\""),
        not_ok: &[("fail", "kind")],
        says: &["the manifest says \"probabilities\", but they are from ", "→ Say output.kind = \"logits\""],
    },
    Case {
        what: "a sigmoid done twice",
        folder: "softmax-twice",
        breaks: |folder| in_manifest(folder, "\"logits\"", "\"multi_label_logits\""),
        not_ok: &[("warn", "kind")],
        says: &["the manifest says \"multi_label_logits\", but for 5 inputs all are from 0 to 1 (made by Softmax)"],
    },
    Case {
        what: "labels that are too few",
        folder: "works",
        breaks: |folder| in_manifest(folder, ", \"owl\"", ""),
        not_ok: &[("fail", "output")],
        says: &["\"logits\" [1, 3] gives 3 numbers, and the manifest has 2 labels", "often that of the background"],
    },
    Case {
        what: "a label that stands twice",
        folder: "works",
        breaks: |folder| in_manifest(folder, "\"owl\"", "\"cat\""),
        not_ok: &[("warn", "manifest")],
        says: &["works/1, 3 labels, but \"cat\" twice"],
    },
    Case {
        what: "the other layout, where the network says its own",
        folder: "works",
        breaks: nhwc,
        not_ok: &[("fail", "input")],
        says: &[
            "the network takes \"image\" float32 [n, 3, 12, 12], and the manifest says [1, 12, 12, 3]: its layout is NCHW",
            "→ The manifest's input is: layout = \"NCHW\", shape = [1, 3, 12, 12]",
        ],
    },
    Case {
        what: "the other layout, where the network does not say it",
        folder: "no-shape",
        breaks: nhwc,
        not_ok: &[("fail", "input")],
        says: &["tract cannot run it on the manifest's [1, 12, 12, 3], but on [1, 3, 12, 12]: its layout is NCHW"],
    },
    Case {
        what: "grey where the network takes colours",
        folder: "works",
        breaks: |folder| {
            in_manifest(folder, "[1, 3, 12, 12]", "[1, 1, 12, 12]")?;
            in_manifest(folder, "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n", "")
        },
        not_ok: &[("fail", "input")],
        says: &["the network takes \"image\" float32 [n, 3, 12, 12], and the manifest says [1, 1, 12, 12]"],
    },
    Case {
        what: "another file's checksum, and the right one",
        folder: "works",
        breaks: |folder| in_manifest(folder, "sha256 = \"", "sha256 = \"00"),
        not_ok: &[("fail", "sha256")],
        says: &[
            "the manifest means a file with sha256 00",
            "→ If this is the network that is meant, its line in the manifest is: sha256 = \"",
        ],
    },
    Case {
        what: "a file that ends early",
        folder: "works",
        breaks: |folder| {
            let whole = std::fs::read(folder.join("model.onnx"))?;
            Ok(std::fs::write(folder.join("model.onnx"), &whole[..whole.len() / 2])?)
        },
        not_ok: &[("fail", "file")],
        says: &[
            "model.onnx is no ONNX file, or only the first 468 bytes of one",
            "→ Copy it again and compare its size",
        ],
    },
    Case {
        what: "a checkpoint of PyTorch",
        folder: "works",
        breaks: |folder| Ok(std::fs::write(folder.join("model.onnx"), b"PK\x03\x04....archive/data.pkl")?),
        not_ok: &[("fail", "file")],
        says: &["model.onnx is a PyTorch checkpoint", "→ Load it in Python and export it: torch.onnx.export("],
    },
    Case {
        what: "golden outputs that it does not give",
        folder: "works",
        breaks: |folder| {
            let path = folder.join("golden.json");
            let mut golden: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            golden["cases"][0]["logits"][0] = 9.into();
            Ok(std::fs::write(path, golden.to_string())?)
        },
        not_ok: &[("fail", "golden")],
        says: &["1 of 4 inputs of golden.json give something else: for \"noise 0\" output 0 (cat) is ", "onnxruntime"],
    },
    Case {
        what: "golden outputs of another shape",
        folder: "works",
        breaks: |folder| in_file(&folder.join("golden.json"), "\"pixels\": \"", "\"pixels\": \"00"),
        not_ok: &[("warn", "golden")],
        says: &["golden.json, \"noise 0\": pixels are not 12 x 12 x 3 bytes in hex"],
    },
    Case {
        what: "golden outputs of another network",
        folder: "works",
        breaks: |folder| in_file(&folder.join("golden.json"), "\"sha256\": \"", "\"sha256\": \"00"),
        not_ok: &[("warn", "golden")],
        says: &["golden.json was made of another network, so it is not compared"],
    },
    Case {
        what: "golden outputs that nobody can read",
        folder: "works",
        breaks: |folder| Ok(std::fs::write(folder.join("golden.json"), "[]")?),
        not_ok: &[("warn", "golden")],
        says: &["golden.json cannot be read"],
    },
    Case {
        what: "a folder without manifest",
        folder: "works",
        breaks: |folder| Ok(std::fs::remove_file(folder.join("manifest.toml"))?),
        not_ok: &[("fail", "manifest")],
        says: &[
            "has no manifest.toml",
            "→ Write a first one: spotter model init ",
            "3 numbers; their labels are assumed",
        ],
    },
    Case {
        what: "labels that nobody has named",
        folder: "works",
        breaks: |folder| in_manifest(folder, "\"cat\", \"dog\", \"owl\"", "\"class-0\", \"class-1\", \"class-2\""),
        not_ok: &[("warn", "manifest")],
        says: &["3 labels, which nobody has named yet: class-0, class-1, class-2", "It works, with 1 warning."],
    },
    Case {
        what: "a manifest with a misspelt field",
        folder: "works",
        breaks: |folder| in_manifest(folder, "threshold", "treshold"),
        not_ok: &[("fail", "manifest")],
        says: &["unknown field `treshold`", "ok    operators"],
    },
    Case {
        what: "a folder without network",
        folder: "works",
        breaks: |folder| Ok(std::fs::rename(folder.join("model.onnx"), folder.join("pets.onnx"))?),
        not_ok: &[("fail", "file")],
        says: &["has no model.onnx", "pets.onnx? Then name it model.onnx"],
    },
];

fn in_file(path: &Path, old: &str, new: &str) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    assert!(text.contains(old), "{} has no {old}: {text}", path.display());
    Ok(std::fs::write(path, text.replacen(old, new, 1))?)
}

fn in_manifest(folder: &Path, old: &str, new: &str) -> Result<(), Failed> {
    in_file(&folder.join("manifest.toml"), old, new)
}

fn nhwc(folder: &Path) -> Result<(), Failed> {
    in_manifest(folder, "NCHW", "NHWC")?;
    in_manifest(folder, "[1, 3, 12, 12]", "[1, 12, 12, 3]")
}

/// In a folder of the same name.
fn copy(name: &str, to: &TempDir) -> Result<PathBuf, Failed> {
    let folder = to.path().join(name);
    std::fs::create_dir_all(&folder)?;
    for entry in std::fs::read_dir(made(name))? {
        let path = entry?.path();
        std::fs::copy(&path, folder.join(path.file_name().ok_or("no name")?))?;
    }
    Ok(folder)
}

impl Case {
    fn is_told(&self) -> Result<(), Failed> {
        let home = TempDir::new()?;
        let folder = copy(self.folder, &home)?;
        (self.breaks)(&folder)?;
        let output = check(&home, &[&folder.display().to_string()])?;
        let text = words(&output);
        assert_eq!(not_ok(&text), self.not_ok, "{text}");
        let fails = self.not_ok.iter().any(|(level, _)| *level == "fail");
        assert_eq!(output.status.code(), Some(i32::from(fails)), "{text}");
        for part in self.says {
            assert!(text.contains(part), "it must say {part}:\n{text}");
        }
        Ok(())
    }
}
