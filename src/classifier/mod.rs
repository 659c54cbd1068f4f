//! The model: the only place that names tract. The embedded network is run by hand (`digits`).

mod caught;
#[cfg(feature = "cli")]
mod check;
mod convolution;
mod digits;
mod doubt;
#[cfg(feature = "cli")]
mod draft;
mod error;
mod fetched;
#[cfg(feature = "cli")]
mod graph;
mod manifest;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use prost::bytes::Bytes;
use serde::{Deserialize, Serialize};
use tract_onnx::prelude::*;

use caught::caught;
#[cfg(feature = "cli")]
pub use check::{Checked, Finding, Level, Place, check};
use digits::{Digits, SIDE};
pub use doubt::Doubt;
#[cfg(feature = "cli")]
pub use draft::{Draft, Preset, folder_for, network_in};
pub use error::ModelError;
pub use fetched::FetchedManifest;
#[cfg(feature = "cli")]
pub use graph::{Graph, NoGraph, Port, Side};
pub use manifest::{Input, Layout, MANIFEST_FILE, Manifest, ONNX_FILE, Outlier, Output, OutputKind};

use crate::decode::{Channels, Picture};
use crate::preprocess::{Found, Prepared, Stage, Tensor, find, stages};

const EMBEDDED_ONNX: &[u8] = include_bytes!("../../model/digits/model.onnx");
/// Labels of one picture that are kept: a model that finds all of its thousand is none.
const MOST_LABELS: usize = 50;

/// A loaded classifier. Cheap to share; `read` needs no lock.
pub struct Model {
    manifest: Manifest,
    network: Network,
}

enum Network {
    Digits(Digits),
    Any(Arc<TypedRunnableModel>),
}

/// What the model saw and what it makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Most confident first, the outlier's label never among them. What a multi-label model found, 50 labels at most;
    /// else the best guesses, as many as the manifest's `top_k` at most.
    pub top: Vec<Guess>,
    /// Why the best guess is not to be believed; `None` if it is.
    pub doubt: Option<Doubt>,
    /// One a label: as the network gave them, before softmax.
    pub logits: Vec<f32>,
    /// The model's input, 8 bits, interleaved, `seen_width` x height x channels.
    pub seen: Vec<u8>,
    pub seen_width: usize,
    pub seen_channels: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    pub label: String,
    /// 0..1, rounded to 1e-4: float bits differ between CPUs.
    pub confidence: f32,
}

impl Model {
    /// The digit reader that is in the binary.
    pub fn embedded() -> Result<Model, ModelError> {
        // Tests compare its hash and its logits, so that no start has to.
        let manifest = Manifest::embedded()?;
        let digits = Digits::new(Bytes::from_static(EMBEDDED_ONNX));
        let digits = digits.ok_or_else(|| ModelError::run(&manifest.id(), "is not the network that it was".into()))?;
        Ok(Model { manifest, network: Network::Digits(digits) })
    }

    /// A folder with `manifest.toml` and `model.onnx`.
    pub fn from_folder(folder: &Path) -> Result<Model, ModelError> {
        Model::new(Manifest::from_folder(folder)?, &manifest::read(folder, ONNX_FILE)?, folder)
    }

    fn new(manifest: Manifest, onnx: &[u8], origin: &Path) -> Result<Model, ModelError> {
        let digest = manifest::digest(onnx);
        if digest != manifest.sha256 {
            return Err(ModelError::manifest(
                origin,
                format!(
                    "says sha256 {}, but {ONNX_FILE} has {digest}: put the right one into the manifest",
                    manifest.sha256
                ),
            ));
        }
        Model::ready(manifest, onnx, origin)
    }

    fn ready(manifest: Manifest, onnx: &[u8], origin: &Path) -> Result<Model, ModelError> {
        let network = onnx_model(onnx).map_err(|error| ModelError::no_onnx(origin, &format!("{error:#}")))?;
        let runnable = runnable(network, manifest.input.shape)
            .map_err(|error| ModelError::shape(origin, &format!("{error:#}")))?;
        let model = Model { manifest, network: Network::Any(runnable) };
        model.check_output(origin)?;
        Ok(model)
    }

    /// Runs the network once on zeros: there must be an output a label, of the kind that the manifest says.
    fn check_output(&self, origin: &Path) -> Result<(), ModelError> {
        let (channels, height, width) = self.manifest.input.dimensions();
        let zeros = Tensor { channels, height, width, values: vec![0.0; channels * height * width] };
        let outputs = self.run(&zeros).map_err(|error| ModelError::shape(origin, &format!("{error:#}")))?;
        let labels = self.manifest.labels.len();
        if outputs.len() != labels {
            let problem =
                format!("has {labels} labels, but the network has {} outputs: name each in its order", outputs.len());
            return Err(ModelError::manifest(origin, problem));
        }
        match not_as_said(self.manifest.output.kind, &outputs) {
            Some(problem) => Err(ModelError::manifest(origin, problem)),
            None => Ok(()),
        }
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// `name/version`, as records have it.
    pub fn id(&self) -> String {
        self.manifest.id()
    }

    /// What a picture must be decoded to.
    pub fn channels(&self) -> Channels {
        if self.manifest.input.dimensions().0 == 1 { Channels::Luma } else { Channels::Rgb }
    }

    /// Whether a small picture is classified sooner than another thread would begin.
    pub fn is_brief(&self) -> bool {
        matches!(self.network, Network::Digits(_))
    }

    /// Classifies an upright picture that has the model's channels.
    ///
    /// # Errors
    /// Only if the network itself fails, which the check at loading makes unlikely.
    pub fn read(&self, picture: &Picture) -> Result<Reading, ModelError> {
        self.classify(self.find(Cow::Borrowed(picture)).prepared())
    }

    /// The first half of [`Model::read`]: what of the picture the model is to see.
    pub fn find<'a>(&'a self, picture: Cow<'a, Picture>) -> Found<'a> {
        let (_, height, width) = self.manifest.input.dimensions();
        find(picture, &self.manifest.preprocess, height, width).in_order(self.manifest.input.order)
    }

    /// As [`Preprocess::least_side`].
    ///
    /// [`Preprocess::least_side`]: crate::preprocess::Preprocess::least_side
    pub fn least_side(&self) -> Option<u32> {
        self.manifest.preprocess.least_side()
    }

    /// What [`Model::read`] makes of the picture before the network, step by step.
    pub fn stages(&self, picture: &Picture) -> Vec<Stage> {
        let (_, height, width) = self.manifest.input.dimensions();
        stages(picture, &self.manifest.preprocess, height, width)
    }

    /// The second half of [`Model::read`].
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn classify(&self, prepared: Prepared) -> Result<Reading, ModelError> {
        let logits = self.logits(&prepared.tensor)?;
        let (top, doubt) = doubt::judged(&self.manifest, self.confidences(&logits), prepared.several);
        let Tensor { channels, width, .. } = prepared.tensor;
        Ok(Reading { top, doubt, logits, seen: prepared.seen, seen_width: width, seen_channels: channels })
    }

    /// Every label with its confidence, most confident first, of the network's outputs.
    pub fn confidences(&self, logits: &[f32]) -> Vec<Guess> {
        let probabilities = match self.manifest.output.kind {
            OutputKind::Logits => softmax(logits),
            OutputKind::MultiLabelLogits => logits.iter().copied().map(sigmoid).collect(),
            OutputKind::Probabilities | OutputKind::MultiLabelProbabilities => logits.to_vec(),
        };
        let mut ranked: Vec<(&String, f32)> = self.manifest.labels.iter().zip(probabilities).collect();
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let guess =
            |(label, confidence): (&String, f32)| Guess { label: label.clone(), confidence: rounded(confidence) };
        ranked.into_iter().map(guess).collect()
    }

    /// The network's outputs for one prepared input, one a label, as the network gives them.
    ///
    /// # Errors
    /// If the input has not the manifest's shape, or the network itself fails.
    pub fn logits(&self, input: &Tensor) -> Result<Vec<f32>, ModelError> {
        self.run(input).map_err(|error| ModelError::run(&self.id(), format!("{error:#}")))
    }

    fn run(&self, input: &Tensor) -> TractResult<Vec<f32>> {
        let values = match &self.network {
            Network::Digits(digits) => digits.logits(picture(input)?),
            Network::Any(runnable) => outputs(runnable, tensor(input, self.manifest.input.layout)?)?,
        };
        if values.iter().all(|value| value.is_finite()) {
            return Ok(values);
        }
        Err(TractError::msg("the network's output is not finite: its weights or its input overflow"))
    }
}

/// What the embedded network takes.
fn picture(input: &Tensor) -> TractResult<&[f32; SIDE * SIDE]> {
    match input.values.as_array() {
        Some(picture) if input.channels == 1 => Ok(picture),
        _ => {
            let shape = [input.channels, input.height, input.width];
            Err(TractError::msg(format!("its input is [1, {SIDE}, {SIDE}], not {shape:?}")))
        }
    }
}

fn tensor(input: &Tensor, layout: Layout) -> TractResult<TValue> {
    let (channels, height, width) = (input.channels, input.height, input.width);
    let tensor = match layout {
        Layout::Nchw => tract_ndarray::Array4::from_shape_vec((1, channels, height, width), input.values.clone())?,
        Layout::Nhwc => tract_ndarray::Array4::from_shape_fn((1, height, width, channels), |(_, y, x, channel)| {
            input.values[(channel * height + y) * width + x]
        }),
    };
    Ok(tensor.into_tvalue())
}

fn outputs(runnable: &Arc<TypedRunnableModel>, input: TValue) -> TractResult<Vec<f32>> {
    let outputs = caught(|| runnable.run(tvec!(input)))?;
    let output = outputs.first().ok_or_else(|| TractError::msg("the network has no output"))?;
    Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect())
}

fn runnable(mut network: InferenceModel, shape: [usize; 4]) -> TractResult<Arc<TypedRunnableModel>> {
    if network.inputs.len() != 1 {
        return Err(TractError::msg(format!("the network has {} inputs, and one is needed", network.inputs.len())));
    }
    caught(|| {
        network.set_input_fact(0, f32::fact(shape).into())?;
        network.into_optimized()?.into_runnable()
    })
}

fn onnx_model(bytes: &[u8]) -> TractResult<InferenceModel> {
    caught(|| onnx().model_for_read(&mut std::io::Cursor::new(bytes)))
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// What is wrong with calling the outputs so; logits may be any numbers.
fn not_as_said(kind: OutputKind, outputs: &[f32]) -> Option<String> {
    let within = outputs.iter().all(|output| (0.0..=1.0).contains(output));
    let sum: f32 = outputs.iter().sum();
    match kind {
        OutputKind::Probabilities if !within || (sum - 1.0).abs() > 0.01 => {
            Some(format!("says output.kind \"probabilities\", but on zeros they sum to {sum}: \"logits\" may be meant"))
        }
        OutputKind::MultiLabelProbabilities if !within => Some(
            "says output.kind \"multi_label_probabilities\", but on zeros not all are from 0 to 1: \
             \"multi_label_logits\" may be meant"
                .into(),
        ),
        _ => None,
    }
}

fn rounded(confidence: f32) -> f32 {
    (confidence * 10_000.0).round() / 10_000.0
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Model").field(&self.id()).finish()
    }
}
