//! The embedded network by hand. tract runs it as well, but in twice the time, and most of a cold start was making it ready
//! (docs/performance.md). A test holds the one against the other.

use fearless_simd::Level;
use prost::Message;
use prost::bytes::Bytes;

use super::convolution::{Convolution, Layer, Squares};

pub(super) const SIDE: usize = 28;
/// The picture, and the picture a pixel up and to the left (`Views` in `model/digits/train.py`).
const VIEWS: usize = 2;
/// Each layer's name in the file and its stride; ReLU is between them. The last is dense: a kernel as large as its input.
const LAYERS: [(&str, usize); 5] =
    [("network.0", 2), ("network.2", 1), ("network.4", 2), ("network.6", 1), ("network.9", 1)];

/// Where in an ONNX file weights are (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>). tract has the same messages
/// in full, and decoding those copies every weight; no `Bytes` is copied.
#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
}

pub(super) struct Digits {
    level: Level,
    layers: Vec<Convolution>,
    labels: usize,
}

impl Digits {
    /// `None` if these are not the bytes of an ONNX file with the weights of such a network.
    pub(super) fn new(onnx: Bytes) -> Option<Digits> {
        let graph = ModelProto::decode(onnx).ok()?.graph?;
        let weight = |name: String| graph.initializer.iter().find(|weight| weight.name == name);
        let mut squares = Squares { count: VIEWS, side: SIDE, channels: 1 };
        let (mut layers, mut labels) = (Vec::new(), 0);
        for (name, stride) in LAYERS {
            let (weights, biases) = (weight(format!("{name}.weight"))?, weight(format!("{name}.bias"))?);
            let kernel = match weights.dims[..] {
                [_, _] => squares.side,
                [_, _, height, width] if height == width => usize::try_from(width).ok()?,
                _ => return None,
            };
            let relu = layers.len() + 1 < LAYERS.len();
            let (weights, biases) = (floats(weights), floats(biases));
            labels = biases.len();
            let (layer, made) = Convolution::new(&Layer { weights, biases, kernel, stride, relu }, squares)?;
            layers.push(layer);
            squares = made;
        }
        (squares.side == 1).then(|| Digits { level: Level::new(), layers, labels })
    }

    /// The mean of what the views give, of one picture's 28 × 28 floats.
    pub(super) fn logits(&self, picture: &[f32; SIDE * SIDE]) -> Vec<f32> {
        let views = [*picture, moved(picture)];
        let outputs = self.layers.iter().fold(views.concat(), |values, layer| layer.apply(self.level, &values));
        let (straight, moved) = outputs.split_at(outputs.len() / VIEWS);
        straight.iter().zip(moved).take(self.labels).map(|(straight, moved)| (straight + moved) / 2.0).collect()
    }
}

fn moved(picture: &[f32; SIDE * SIDE]) -> [f32; SIDE * SIDE] {
    let mut moved = [0.0; SIDE * SIDE];
    for (to, from) in moved.chunks_exact_mut(SIDE).zip(picture.chunks_exact(SIDE).skip(1)) {
        to[..SIDE - 1].copy_from_slice(&from[1..]);
    }
    moved
}

/// Little-endian on any machine (<https://onnx.ai/onnx/repo-docs/IR.html>).
fn floats(tensor: &TensorProto) -> &[[u8; 4]] {
    tensor.raw_data.as_chunks().0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use std::path::Path;

    use super::super::{EMBEDDED_ONNX, Manifest, Model, manifest::EMBEDDED};
    use super::*;
    use crate::preprocess::Tensor;

    /// All that this machine has; the first is any machine's of its kind.
    fn levels() -> Vec<Level> {
        let best = Level::new();
        let mut levels = vec![Level::baseline()];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(best.as_sse4_2().map(Level::Sse4_2));
            levels.extend(best.as_avx2().map(Level::Avx2));
        }
        levels.push(best);
        levels
    }

    /// Of any sort: blank, full, noise, and lines that a digit might have.
    fn pictures() -> Vec<[f32; SIDE * SIDE]> {
        let mut random = fastrand::Rng::with_seed(8);
        let mut pictures = vec![[0.0; SIDE * SIDE], [1.0; SIDE * SIDE]];
        for _ in 0..20 {
            pictures.push(std::array::from_fn(|_| random.f32()));
            let (slope, width) = (random.f32() * 2.0 - 1.0, 1.0 + random.f32());
            pictures.push(std::array::from_fn(|at| {
                let (x, y) = ((at % SIDE) as f32 - 14.0, (at / SIDE) as f32 - 14.0);
                (width + 0.5 - (x - slope * y).abs()).clamp(0.0, 1.0)
            }));
        }
        pictures
    }

    #[test]
    fn by_hand_is_what_tract_makes_of_the_same_file_by_any_vectors() {
        let mut digits = Digits::new(Bytes::from_static(EMBEDDED_ONNX)).unwrap();
        let tract = Model::ready(Manifest::embedded().unwrap(), EMBEDDED_ONNX, Path::new(EMBEDDED)).unwrap();
        for picture in pictures() {
            let tensor = Tensor { channels: 1, height: SIDE, width: SIDE, values: picture.to_vec() };
            let expected = tract.logits(&tensor).unwrap();
            for level in levels() {
                digits.level = level;
                let logits = digits.logits(&picture);
                assert_eq!(logits.len(), expected.len());
                for (ours, theirs) in logits.iter().zip(&expected) {
                    assert!((ours - theirs).abs() < 2e-5, "{level:?}: {logits:?}, tract: {expected:?}");
                }
            }
        }
    }

    #[test]
    fn another_network_is_none() {
        assert!(Digits::new(Bytes::new()).is_none());
        assert!(Digits::new(Bytes::from_static(&EMBEDDED_ONNX[..500_000])).is_none());
        let mut model = ModelProto::decode(EMBEDDED_ONNX).unwrap();
        let weights = &mut model.graph.as_mut().unwrap().initializer;
        let first = weights.iter_mut().find(|weight| weight.name == "network.0.weight").unwrap();
        let shorter = first.raw_data.slice(4..);
        first.raw_data = shorter;
        assert!(Digits::new(model.encode_to_vec().into()).is_none());
    }
}
