//! The model's proofs: another engine's logits, MNIST's test set by the whole path, and folders that replace it.

mod check;
mod folder;
mod init;
mod mnist;
mod presets;
mod resize;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use spotter::classifier::Model;
use spotter::preprocess::Tensor;

use crate::harness::{needs, root};

/// Largest difference between two engines' logits: float sums in another order.
const TOLERANCE: f32 = 1e-4;
/// As MNIST's.
const SIDE: usize = 28;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("model: the embedded network makes onnxruntime's logits", || golden(&Model::embedded()?)),
        Trial::test("model: tract makes onnxruntime's logits", || {
            golden(&Model::from_folder(&root().join("model/digits"))?)
        }),
        Trial::test("model: an input of another shape is an error", another_shape),
        needs("model: MNIST's 10,000 test pictures by the whole path", mnist::test_set(), mnist::whole_path),
    ];
    trials.extend(check::trials());
    trials.extend(folder::trials());
    trials.extend(init::trials());
    trials.extend(presets::trials());
    trials.extend(resize::trials());
    trials
}

/// `model/digits/golden.json`, which `golden.py` makes.
#[derive(Deserialize)]
struct Golden {
    sha256: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// 28 x 28 bytes, in hex.
    pixels: String,
    logits: Vec<f32>,
}

fn golden(model: &Model) -> Result<(), Failed> {
    let golden: Golden = serde_json::from_slice(&std::fs::read(root().join("model/digits/golden.json"))?)?;
    if golden.sha256 != model.manifest().sha256 {
        return Err("golden.json was made of another model.onnx: run model/digits/golden.py".into());
    }
    if golden.cases.len() < 32 {
        return Err(format!("{} cases are too few", golden.cases.len()).into());
    }
    for case in &golden.cases {
        let pixels = unhex(&case.pixels)?;
        let logits = model.logits(&tensor(&pixels))?;
        if logits.len() != case.logits.len() {
            return Err(format!("{}: {} logits, not {}", case.name, logits.len(), case.logits.len()).into());
        }
        for (label, (ours, theirs)) in logits.iter().zip(&case.logits).enumerate() {
            let difference = (ours - theirs).abs();
            if difference.is_nan() || difference > TOLERANCE {
                return Err(format!("{}: logit {label} is {ours}, onnxruntime's is {theirs}", case.name).into());
            }
        }
    }
    Ok(())
}

fn another_shape() -> Result<(), Failed> {
    let model = Model::embedded()?;
    for (channels, height, width, values) in [(3, 28, 28, 3 * 784), (1, 20, 20, 400), (1, 28, 28, 783)] {
        let input = Tensor { channels, height, width, values: vec![0.0; values] };
        let Err(error) = model.logits(&input) else {
            return Err(format!("{channels} x {height} x {width} of {values} values gave logits").into());
        };
        if !error.to_string().starts_with("model digits/2: ") {
            return Err(format!("does not name the model: {error}").into());
        }
    }
    Ok(())
}

/// What the bare network takes of 28 x 28 pixels: ink 1, paper 0, nothing found, cropped or centred.
fn tensor(pixels: &[u8]) -> Tensor {
    let values = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    Tensor { channels: 1, height: SIDE, width: SIDE, values }
}

fn unhex(text: &str) -> Result<Vec<u8>, Failed> {
    let digits = |at: usize| text.get(at..at + 2).ok_or("an odd number of hex digits");
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(digits(at)?, 16)?)).collect()
}
