//! A first manifest for a network: what its file and the files beside it say, and what has to be guessed.

mod begins;
mod neighbours;
mod place;
mod preset;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};

use tract_onnx::prelude::{Framework, IntoTValue, Tensor as Input4, TractResult, tvec};

use super::graph::{Graph, Port, Side};
use super::manifest::{Input, Layout, MANIFEST_FILE, Manifest, ONNX_FILE, Output, OutputKind, digest};
use super::{Model, ModelError, caught, runnable};
use neighbours::Neighbours;
pub(super) use neighbours::{counted, placeholder};
pub use place::{folder_for, network_in};
pub use preset::Preset;

/// What a side is taken for that neither the file nor its neighbours say: most networks for photographs have it.
const USUAL_SIDE: usize = 224;
/// More labels than these go into a file of their own.
const INLINE_LABELS: usize = 20;
const LABELS_FILE: &str = "labels.txt";

/// A manifest that can be written, and what there is to say of it, a sentence each.
#[derive(Debug)]
pub struct Draft {
    pub manifest: Manifest,
    pub preset: Preset,
    pub found: Vec<String>,
    pub guessed: Vec<String>,
    /// Why the network cannot be used as it is, with this manifest.
    pub problem: Option<String>,
    onnx: PathBuf,
    bytes: Vec<u8>,
}

/// The network's sides before its neighbours were asked: `None` where it takes any.
struct Geometry {
    layout: Layout,
    channels: usize,
    height: Option<usize>,
    width: Option<usize>,
}

impl Draft {
    /// Of an ONNX file anywhere; `preset` and a file of labels where they are not to be guessed.
    ///
    /// # Errors
    /// What is no network of pictures to classes, or cannot be read.
    pub fn of(onnx: &Path, preset: Option<Preset>, labels: Option<&Path>) -> Result<Draft, ModelError> {
        let no_use = |problem: String| ModelError::Network { network: onnx.display().to_string(), problem };
        let bytes = std::fs::read(onnx).map_err(|error| no_use(place::unreadable(onnx, &error)))?;
        let graph = Graph::read(&bytes).map_err(|error| {
            no_use(format!(
                "is no ONNX file ({error}). Export the network to one file with its weights inside, opset 9 to 18"
            ))
        })?;
        let neighbours = Neighbours::of(onnx, labels).map_err(no_use)?;
        let mut said = Said::default();
        said.file(&graph);

        let port = the_input(&graph).map_err(no_use)?;
        let geometry = geometry(&graph, &port, preset, &mut said).map_err(no_use)?;
        let preset = match preset {
            Some(preset) => preset,
            None => preset::guess(&graph, &neighbours, geometry.layout, geometry.channels, &mut said),
        };
        let (height, width) = sides(&graph, &neighbours, &geometry, &mut said);
        let shape = match geometry.layout {
            Layout::Nchw => [1, geometry.channels, height, width],
            Layout::Nhwc => [1, height, width, geometry.channels],
        };
        let (preprocess, order) =
            preset.preprocess(&graph, &neighbours, (geometry.channels, height, width), &mut said).map_err(no_use)?;
        let input = Input { layout: geometry.layout, shape, order };
        let ran = on_zeros(&bytes, &input);
        let kind = output_kind(&graph, &neighbours, ran.as_deref().unwrap_or_default(), &mut said);
        let classes = match &ran {
            Ok(outputs) => outputs.len(),
            Err(problem) => classes(&graph).ok_or_else(|| no_use(format!("cannot be run: {problem}")))?,
        };
        let labels = neighbours.labels(&graph, classes, preset, &mut said).map_err(no_use)?;
        let manifest = Manifest {
            name: place::name(onnx),
            version: 1,
            sha256: digest(&bytes),
            threshold: if preset == Preset::Mnist { 0.8 } else { 0.5 },
            top_k: 3,
            labels,
            input,
            preprocess,
            output: Output { kind, outlier: None, thresholds: Default::default() },
        };
        said.guessed(format_args!("threshold {:?}, below which a picture is unsure", manifest.threshold));
        let Said { found, guessed } = said;
        let problem = Model::new(manifest.clone(), &bytes, onnx).err().map(|error| error.to_string());
        Ok(Draft { manifest, preset, found, guessed, problem, onnx: onnx.to_owned(), bytes })
    }

    /// Names and contents of a model's folder, the manifest last: a folder that has one is whole.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut files = vec![(ONNX_FILE, self.bytes.clone())];
        files.extend(self.labels_txt().map(|text| (LABELS_FILE, text.into_bytes())));
        files.push((MANIFEST_FILE, text::manifest(self).into_bytes()));
        files
    }

    /// Where there are too many labels for the manifest.
    fn labels_txt(&self) -> Option<String> {
        let labels = &self.manifest.labels;
        (labels.len() > INLINE_LABELS).then(|| labels.iter().map(|label| format!("{label}\n")).collect())
    }
}

/// What there is to say, as it comes up.
#[derive(Default)]
struct Said {
    found: Vec<String>,
    guessed: Vec<String>,
}

impl Said {
    fn found(&mut self, what: impl fmt::Display) {
        self.found.push(what.to_string());
    }

    fn guessed(&mut self, what: impl fmt::Display) {
        self.guessed.push(what.to_string());
    }

    fn file(&mut self, graph: &Graph) {
        let producer = graph.producer().map(|producer| format!("written by {producer}, "));
        let opset = graph.opset().map_or("of no opset".into(), |opset| format!("opset {opset}"));
        self.found(format_args!("{}{opset}", producer.unwrap_or_default()));
    }
}

fn the_input(graph: &Graph) -> Result<Port, String> {
    let files: Vec<&str> = graph.external_files().into_iter().collect();
    if !files.is_empty() {
        let files = files.join(", ");
        return Err(format!(
            "keeps its weights in {files}. To one file: onnx.save(onnx.load(\"IN.onnx\"), \"OUT.onnx\") in Python"
        ));
    }
    let mut inputs = graph.inputs();
    match (inputs.pop(), inputs.len()) {
        (Some(port), 0) if port.element == "float32" => Ok(port),
        (Some(port), 0) => {
            Err(format!("takes {}, and Spotter gives float32: export it with a float32 input", port.element))
        }
        (None, _) => Err("has no input".into()),
        (Some(_), others) => Err(format!("has {} inputs, and a classifier of pictures has one", others + 1)),
    }
}

fn fixed(side: Option<&Side>) -> Option<usize> {
    match side {
        Some(Side::Fixed(side)) => Some(*side),
        _ => None,
    }
}

fn geometry(graph: &Graph, port: &Port, preset: Option<Preset>, said: &mut Said) -> Result<Geometry, String> {
    let shape = port.shape.as_deref().unwrap_or_default();
    if !shape.is_empty() && shape.len() != 4 {
        return Err(format!("takes {port}: a picture has four sides here, batch, channels, height and width"));
    }
    said.found(format_args!("input {port}"));
    if let Some(Side::Fixed(batch @ 2..)) = shape.first() {
        return Err(format!("takes {batch} pictures at once: export it with a batch of 1 or a dynamic one"));
    }
    let side = |at: usize| fixed(shape.get(at));
    let channels = |at: usize| side(at).filter(|side| *side == 1 || *side == 3);
    let (layout, channels) = match (channels(1), channels(3)) {
        (Some(first), None) => (Layout::Nchw, first),
        (None, Some(last)) => (Layout::Nhwc, last),
        (Some(first), Some(last)) => {
            said.guessed(format_args!("channels stand first ({first}), not last ({last})"));
            (Layout::Nchw, first)
        }
        (None, None) => match (side(1), side(3)) {
            (Some(first), Some(last)) => return Err(format!("has {first} or {last} channels, and a picture 1 or 3")),
            _ => unknown_channels(graph, &port.name, preset, said),
        },
    };
    let (height, width) = if layout == Layout::Nchw { (side(2), side(3)) } else { (side(1), side(2)) };
    Ok(Geometry { layout, channels, height, width })
}

/// Nothing in the input's shape says it: what does the network do with it first?
fn unknown_channels(graph: &Graph, input: &str, preset: Option<Preset>, said: &mut Said) -> (Layout, usize) {
    let layout = match (begins::with_transpose_to_nchw(graph, input), preset) {
        (true, _) => {
            said.found("it begins by moving the channels from last to first: they stand last (NHWC)");
            Layout::Nhwc
        }
        (false, Some(Preset::Keras)) => Layout::Nhwc,
        (false, _) => {
            said.guessed("channels stand before height and width (NCHW)");
            Layout::Nchw
        }
    };
    match begins::channels_of_first_convolution(graph) {
        Some(channels @ (1 | 3)) => {
            said.found(format_args!("its first convolution takes {channels} channels"));
            (layout, channels)
        }
        _ => {
            said.guessed("pictures have 3 channels");
            (layout, 3)
        }
    }
}

fn sides(graph: &Graph, neighbours: &Neighbours, geometry: &Geometry, said: &mut Said) -> (usize, usize) {
    if let (Some(height), Some(width)) = (geometry.height, geometry.width) {
        return (height, width);
    }
    let (height, width) = match neighbours.sides(graph) {
        Some((source, height, width)) => {
            said.found(format_args!("{source} says {height} x {width} pixels"));
            (height, width)
        }
        None => {
            said.guessed(format_args!("a dynamic side is {USUAL_SIDE} pixels: the file does not say it"));
            (USUAL_SIDE, USUAL_SIDE)
        }
    };
    (geometry.height.unwrap_or(height), geometry.width.unwrap_or(width))
}

/// The network's outputs for a black picture, before any preprocessing; or why there are none, in the engine's words.
fn on_zeros(onnx: &[u8], input: &Input) -> Result<Vec<f32>, String> {
    let run = || -> TractResult<Vec<f32>> {
        let network = tract_onnx::onnx().model_for_read(&mut std::io::Cursor::new(onnx))?;
        let outputs = runnable(network, input.shape)?.run(tvec!(Input4::zero::<f32>(&input.shape)?.into_tvalue()))?;
        let output = outputs.first().ok_or_else(|| tract_onnx::prelude::TractError::msg("it has no output"))?;
        Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect())
    };
    caught(run).map_err(|error| format!("{error:#}"))
}

/// As the file says it: all sides of the output but the batch.
fn classes(graph: &Graph) -> Option<usize> {
    let outputs = graph.outputs();
    let shape = outputs.first()?.shape.as_ref()?;
    let sides: Option<Vec<usize>> = shape.iter().skip(1).map(|side| fixed(Some(side))).collect();
    sides.filter(|sides| !sides.is_empty()).map(|sides| sides.into_iter().product())
}

fn output_kind(graph: &Graph, neighbours: &Neighbours, on_zeros: &[f32], said: &mut Said) -> OutputKind {
    let port = graph.outputs().first().map(Port::to_string).unwrap_or_default();
    let last = graph.last_operator().unwrap_or("nothing that is known");
    let sum: f32 = on_zeros.iter().sum();
    let one =
        on_zeros.len() > 1 && on_zeros.iter().all(|output| (0.0..=1.0).contains(output)) && (sum - 1.0).abs() < 1e-3;
    let (kind, because) = match last {
        "Softmax" => (OutputKind::Probabilities, "they are probabilities"),
        "Sigmoid" => (
            OutputKind::MultiLabelProbabilities,
            "each is a probability of its own, so a picture may have several labels",
        ),
        _ if neighbours.says_multi_label() => (
            OutputKind::MultiLabelLogits,
            "and config.json says multi_label_classification: a sigmoid each is to be done",
        ),
        _ if one => (OutputKind::Probabilities, "but they sum to 1: they are probabilities"),
        _ => (OutputKind::Logits, "softmax is still to be done"),
    };
    said.found(format_args!("output {port}, made by {last}: {because}"));
    if graph.outputs().len() > 1 {
        said.guessed("of several outputs the first has the classes");
    }
    kind
}
