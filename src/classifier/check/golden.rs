//! `golden.json` in a model's folder: what another engine made of the same network.

use std::path::Path;

use serde::Deserialize;

use super::super::Model;
use super::probes::tensor;
use super::{Finding, Level};
use crate::encoding::unhex;

const GOLDEN_FILE: &str = "golden.json";
/// Largest difference, of outputs over 1 in proportion: engines add up floats in another order.
const TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Golden {
    /// Such as `onnxruntime 1.31.1`.
    engine: String,
    /// Of the `model.onnx` that it was made of.
    sha256: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// What the network sees: height x width x channels bytes, red first, in hex.
    pixels: String,
    /// The network's outputs, before softmax.
    logits: Vec<f32>,
}

/// Of a network with this SHA-256; `None` where the folder has no such file.
pub(super) fn compared(folder: &Path, digest: &str, model: &Model) -> Option<Finding> {
    let bytes = std::fs::read(folder.join(GOLDEN_FILE)).ok()?;
    let golden: Golden = match serde_json::from_slice(&bytes) {
        Ok(golden) => golden,
        Err(error) => {
            let says = format!("{GOLDEN_FILE} cannot be read ({error})");
            return Some(Finding::warn("golden", says).way_out("Make it again, or remove it"));
        }
    };
    if golden.sha256 != digest {
        let says = format!("{GOLDEN_FILE} was made of another network, so it is not compared");
        return Some(Finding::warn("golden", says).way_out("Make it again of this model.onnx"));
    }
    Some(golden.compare(model).unwrap_or_else(|problem| {
        Finding::new("golden", Level::Warn, problem).way_out("Make it again, with inputs of the manifest's shape")
    }))
}

impl Golden {
    fn compare(&self, model: &Model) -> Result<Finding, String> {
        let Golden { engine, cases, .. } = self;
        let mut most = 0.0f32;
        let mut first = None;
        let mut differing = 0;
        for case in cases {
            let ours = case.ours(model)?;
            let mut differs = false;
            for (at, (ours, theirs)) in ours.iter().zip(&case.logits).enumerate() {
                let off = (ours - theirs).abs() / theirs.abs().max(1.0);
                most = most.max(off);
                if off.is_nan() || off > TOLERANCE {
                    differs = true;
                    first.get_or_insert((case, at, *ours, *theirs));
                }
            }
            differing += usize::from(differs);
        }
        let Some((case, at, ours, theirs)) = first else {
            let says =
                format!("{} inputs of {GOLDEN_FILE} give what {engine} made, off by {most:.0e} at most", cases.len());
            return Ok(
                Finding::ok("golden", says).figures([("cases", cases.len() as f64), ("off_by", f64::from(most))])
            );
        };
        let label = model.manifest().labels.get(at).map(|label| format!(" ({label})")).unwrap_or_default();
        let says = format!(
            "{differing} of {} inputs of {GOLDEN_FILE} give something else: for {:?} output {at}{label} is {ours}, and {engine} made {theirs}",
            cases.len(),
            case.name
        );
        let way_out =
            "Were its inputs made with the manifest's scale, mean, std and order? If so, export again with opset 17";
        Ok(Finding::fail("golden", says).way_out(way_out))
    }
}

impl Case {
    fn ours(&self, model: &Model) -> Result<Vec<f32>, String> {
        let manifest = model.manifest();
        let (channels, height, width) = manifest.input.dimensions();
        let pixels = unhex(&self.pixels).filter(|pixels| pixels.len() == channels * height * width);
        let pixels = pixels.ok_or_else(|| {
            format!("{GOLDEN_FILE}, {:?}: pixels are not {height} x {width} x {channels} bytes in hex", self.name)
        })?;
        let ours = model.logits(&tensor(manifest, pixels)).map_err(|error| error.to_string())?;
        if ours.len() != self.logits.len() {
            return Err(format!("{GOLDEN_FILE}, {:?}: {} logits, not {}", self.name, self.logits.len(), ours.len()));
        }
        Ok(ours)
    }
}
