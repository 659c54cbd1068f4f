//! Ways to preprocess that people's networks have, by where they come from.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::neighbours::{Neighbours, PREPROCESSOR, pair};
use super::{Said, begins};
use crate::classifier::graph::Graph;
use crate::classifier::manifest::Layout;
use crate::preprocess::{ChannelOrder, Filter, Mode, Preprocess, Resize};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Drawn characters, light on dark, centred.
    Mnist,
    /// `Resize(256)`, `CenterCrop(224)` and ImageNet's mean and standard deviation.
    Torchvision,
    /// Stretched; scaled as the network's family has it.
    Keras,
    /// As `preprocessor_config.json` says.
    HuggingFace,
    /// The middle, from 0 to 1.
    Ultralytics,
}

const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];
/// ImageNet's, of luma.
const GREY: (f32, f32) = (0.449, 0.226);
/// torchvision's pictures are this much larger than what is cut out of them: 256 for 224.
const MARGIN: (usize, usize) = (8, 7);
/// The ink's longer side in MNIST's pictures, of theirs.
const INK: (usize, usize) = (20, 28);
/// A grey input of more pixels a side is rather a photograph's.
const LARGEST_MNIST: usize = 64;

impl Preset {
    pub const ALL: [Preset; 5] =
        [Preset::Mnist, Preset::Torchvision, Preset::Keras, Preset::HuggingFace, Preset::Ultralytics];

    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Mnist => "mnist",
            Preset::Torchvision => "torchvision",
            Preset::Keras => "keras",
            Preset::HuggingFace => "huggingface",
            Preset::Ultralytics => "ultralytics",
        }
    }

    /// For an input of these channels, height and width; and the order of its channels.
    pub(super) fn preprocess(
        self,
        graph: &Graph,
        neighbours: &Neighbours,
        (channels, height, width): (usize, usize, usize),
        said: &mut Said,
    ) -> Result<(Preprocess, ChannelOrder), String> {
        let shorter = height.min(width);
        let longer = height.max(width);
        let input = graph.inputs().first().map(|input| input.name.clone()).unwrap_or_default();
        let normalises = begins::with_normalisation(graph, &input);
        let mut order = ChannelOrder::Rgb;
        let resize = match self {
            Preset::Mnist if channels != 1 => {
                return Err(format!(
                    "takes {channels} channels, and preset mnist is for grey: name another with --preset"
                ));
            }
            Preset::Mnist => {
                let fit = (shorter * INK.0 / INK.1).max(1);
                said.assumed(format_args!(
                    "pictures of one drawn character, trained as MNIST's: ink 1, paper 0, the ink fitted to {fit} pixels"
                ));
                return Ok((Preprocess::Ink { fit }, order));
            }
            Preset::Torchvision => {
                let side = longer * MARGIN.0 / MARGIN.1;
                let (mean, std) = if channels == 1 { (vec![GREY.0], vec![GREY.1]) } else { (MEAN.into(), STD.into()) };
                let (mean, std) = if normalises { (Vec::new(), Vec::new()) } else { (mean, std) };
                said.assumed(format_args!(
                    "torchvision's preprocessing: Resize({side}), CenterCrop({longer}), {}",
                    if normalises { "from 0 to 1" } else { "ImageNet's mean and standard deviation" }
                ));
                Resize { shorter_side: Some(side), mean, std, ..plain(Mode::CentreCrop) }
            }
            Preset::Keras => {
                let (resize, of_family) = keras(graph, normalises, channels, said);
                order = of_family;
                resize
            }
            Preset::HuggingFace => hugging_face(neighbours.preprocessor.as_ref(), channels, (height, width), said)?,
            Preset::Ultralytics => {
                said.assumed(format_args!(
                    "ultralytics' preprocessing: Resize({longer}), CenterCrop({longer}), from 0 to 1"
                ));
                Resize { shorter_side: Some(longer), ..plain(Mode::CentreCrop) }
            }
        };
        if normalises && self != Preset::Keras {
            said.found("it begins by shifting or scaling its input itself");
        }
        Ok((Preprocess::Resize(resize), order))
    }
}

fn plain(mode: Mode) -> Resize {
    Resize {
        mode,
        shorter_side: None,
        filter: Filter::Bilinear,
        pad: None,
        scale: 1.0 / 255.0,
        mean: Vec::new(),
        std: Vec::new(),
    }
}

/// By what is there, the surest sign first.
pub(super) fn guess(
    graph: &Graph,
    neighbours: &Neighbours,
    layout: Layout,
    channels: usize,
    said: &mut Said,
) -> Preset {
    let metadata = |key: &str| graph.metadata().find(|(name, _)| *name == key).map(|(_, value)| value);
    let producer = graph.producer().unwrap_or_default();
    let from_keras = ["tf2onnx", "keras", "onnxmltools"].iter().any(|name| producer.to_lowercase().contains(name));
    let side = graph.inputs().first().and_then(|input| input.shape.as_ref()?.get(2).cloned());
    let small = super::fixed(side.as_ref()).is_some_and(|side| side <= LARGEST_MNIST);
    let (preset, sign) = if metadata("names").is_some() && metadata("task").is_some_and(|task| task == "classify") {
        (Preset::Ultralytics, "names and task classify in the metadata")
    } else if neighbours.preprocessor.is_some() {
        (Preset::HuggingFace, PREPROCESSOR)
    } else if neighbours.config.as_ref().is_some_and(|config| config["id2label"].is_object()) {
        (Preset::HuggingFace, "config.json with id2label")
    } else if channels == 1 && small {
        (Preset::Mnist, "a small grey input")
    } else if from_keras || layout == Layout::Nhwc {
        (Preset::Keras, "channels that stand last, or an exporter of Keras")
    } else {
        said.assumed("preset torchvision, since nothing says another: --preset names one");
        return Preset::Torchvision;
    };
    said.found(format_args!("preset {preset}, by {sign}"));
    preset
}

/// What `preprocess_input` of `keras.applications` does, by the family that the layers' names tell.
fn keras(graph: &Graph, normalises: bool, channels: usize, said: &mut Said) -> (Resize, ChannelOrder) {
    let nodes = graph.graph().node.iter().map(|node| node.name.as_str());
    let names: Vec<String> = [graph.graph().name.as_str()].into_iter().chain(nodes).map(str::to_lowercase).collect();
    let has = |family: &str| names.iter().any(|name| name.contains(family));
    let any = |families: &[&'static str]| families.iter().copied().find(|family| has(family));
    let stretched = plain(Mode::Stretch);
    let unscaled = Resize { scale: 1.0, ..stretched.clone() };
    if normalises {
        said.found("it begins by scaling its input itself: it gets pixels from 0 to 255");
    } else if let Some(family) = any(&["efficientnet", "convnext", "regnet"]) {
        said.found(format_args!(
            "its layers are named {family}'s, which scales by itself: it gets pixels from 0 to 255"
        ));
    } else if let Some(family) =
        any(&["mobilenet", "inception", "xception", "nasnet", "resnet50v2", "resnet101v2", "resnet152v2"])
    {
        said.found(format_args!("its layers are named {family}'s: pixels from -1 to 1"));
        let mean = vec![1.0; channels];
        return (Resize { scale: 1.0 / 127.5, mean, ..stretched }, ChannelOrder::Rgb);
    } else if let Some(family) = any(&["densenet"]).filter(|_| channels == 3) {
        said.found(format_args!("its layers are named {family}'s: ImageNet's mean and standard deviation"));
        return (Resize { mean: MEAN.into(), std: STD.into(), ..stretched }, ChannelOrder::Rgb);
    } else if let Some(family) =
        any(&["vgg16", "vgg19", "resnet50", "resnet101", "resnet152"]).filter(|_| channels == 3)
    {
        said.found(format_args!("its layers are named {family}'s: blue first, ImageNet's mean subtracted"));
        let mean = vec![103.939, 116.779, 123.68];
        return (Resize { mean, ..unscaled }, ChannelOrder::Bgr);
    } else {
        said.assumed("pixels from 0 to 1, stretched to the input's sides by a bilinear filter");
        return (stretched, ChannelOrder::Rgb);
    }
    (unscaled, ChannelOrder::Rgb)
}

/// <https://huggingface.co/docs/transformers/main_classes/image_processor>
fn hugging_face(
    settings: Option<&Value>,
    channels: usize,
    (height, width): (usize, usize),
    said: &mut Said,
) -> Result<Resize, String> {
    let Some(settings) = settings else {
        said.assumed(format_args!("there is no {PREPROCESSOR}: ViT's preprocessing, stretched, from -1 to 1"));
        let half = || vec![0.5; channels];
        return Ok(Resize { mean: half(), std: half(), ..plain(Mode::Stretch) });
    };
    let longer = height.max(width);
    let is = |name: &str, otherwise: bool| settings[name].as_bool().unwrap_or(otherwise);
    let shortest = settings["size"]["shortest_edge"].as_u64().or(settings["size"].as_u64());
    let shortest = shortest.and_then(|side| usize::try_from(side).ok());
    let share = settings["crop_pct"].as_f64().filter(|share| *share > 0.0 && *share < 1.0);
    let mut resize = match (shortest, share) {
        // ConvNeXT: larger by the share that is cut away, unless the picture is large.
        (Some(side), Some(share)) if side < 384 => {
            Resize { shorter_side: Some((side as f64 / share) as usize), ..plain(Mode::CentreCrop) }
        }
        (Some(side), _) if is("do_center_crop", false) => {
            Resize { shorter_side: Some(side.max(longer)), ..plain(Mode::CentreCrop) }
        }
        _ => plain(Mode::Stretch),
    };
    if resize.mode == Mode::Stretch && pair(&settings["size"]).is_some_and(|sides| sides != (height, width)) {
        said.assumed(format_args!("size of {PREPROCESSOR} is not the input's: stretched to {height} x {width}"));
    }
    resize.filter = match settings["resample"].as_u64() {
        Some(0) => Filter::Nearest,
        Some(1) => Filter::Lanczos,
        Some(3) => Filter::Bicubic,
        Some(4) => Filter::Box,
        _ => Filter::Bilinear,
    };
    resize.scale = match settings["rescale_factor"].as_f64() {
        _ if !is("do_rescale", true) => 1.0,
        Some(factor) => factor as f32,
        None => resize.scale,
    };
    if is("do_normalize", true) {
        let numbers = |name: &str| -> Result<Vec<f32>, String> {
            let values = settings[name].as_array().map(Vec::as_slice).unwrap_or_default();
            let values: Vec<f32> = values.iter().filter_map(Value::as_f64).map(|value| value as f32).collect();
            match values.len() {
                0 => Ok(vec![0.5; channels]),
                count if count == channels => Ok(values),
                count => Err(format!("takes {channels} channels, and {PREPROCESSOR} has {count} numbers in {name}")),
            }
        };
        (resize.mean, resize.std) = (numbers("image_mean")?, numbers("image_std")?);
    }
    said.found(format_args!("{PREPROCESSOR} says how pictures are resized and normalised"));
    Ok(resize)
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Preset, String> {
        let named = Preset::ALL.into_iter().find(|preset| preset.as_str() == text);
        named.ok_or_else(|| format!("use one of {}", Preset::ALL.map(Preset::as_str).join(", ")))
    }
}
