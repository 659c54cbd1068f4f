//! MNIST's test set, each picture as a file's bytes, by the way that an object's bytes go.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use libtest_mimic::Failed;
use spotter::classifier::Model;
use spotter::decode::{Limits, decode};

use super::{SIDE, tensor};
use crate::harness::root;

const PICTURES: usize = 10_000;
/// The label after them is no guess.
const DIGITS: usize = 10;
const THREADS: usize = 2;
/// Right of the 10,000: the figure that the project promises.
const LEAST_RIGHT: usize = 9_965;
/// 0.05 points: pictures that are like MNIST's come through unharmed.
const LARGEST_LOSS: usize = 5;

pub(super) struct TestSet {
    pictures: Vec<Vec<u8>>,
    labels: Vec<u8>,
}

/// From `SPOTTER_MNIST`, else from `shared/mnist` beside the repository.
pub(super) fn test_set() -> Result<TestSet, String> {
    let folder = std::env::var_os("SPOTTER_MNIST").map_or_else(|| root().join("../shared/mnist"), PathBuf::from);
    let (shape, pixels) = idx(&folder, "t10k-images-idx3-ubyte")?;
    let (_, labels) = idx(&folder, "t10k-labels-idx1-ubyte")?;
    if shape != [PICTURES, SIDE, SIDE] || labels.len() != PICTURES {
        return Err(format!("{} holds {shape:?} pictures and {} labels", folder.display(), labels.len()));
    }
    Ok(TestSet { pictures: pixels.chunks_exact(SIDE * SIDE).map(<[u8]>::to_vec).collect(), labels })
}

/// One file in MNIST's format (a type byte, the number of dimensions, big-endian sizes, the bytes), gzipped or not.
fn idx(folder: &Path, name: &str) -> Result<(Vec<usize>, Vec<u8>), String> {
    let (plain, packed) = (folder.join(name), folder.join(format!("{name}.gz")));
    let mut bytes = Vec::new();
    let read = match std::fs::File::open(&packed) {
        Ok(file) => GzDecoder::new(file).read_to_end(&mut bytes),
        Err(_) => std::fs::File::open(&plain).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|error| {
        format!(
            "{name} (.gz) not read in {}: {error}; SPOTTER_MNIST names the folder of MNIST's files",
            folder.display()
        )
    })?;
    let broken = || format!("{name} in {} is no IDX file of bytes", folder.display());
    let dimensions = match bytes.get(..4) {
        Some([0, 0, 8, dimensions]) => usize::from(*dimensions),
        _ => return Err(broken()),
    };
    let data = bytes.split_off((4 + 4 * dimensions).min(bytes.len()));
    let shape: Vec<usize> =
        bytes[4..].chunks_exact(4).map(|size| size.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))).collect();
    if shape.iter().product::<usize>() == data.len() { Ok((shape, data)) } else { Err(broken()) }
}

#[derive(Default)]
struct Tally {
    bare: usize,
    whole: usize,
    /// Pictures on white paper that got another label than on black.
    inverted_differs: usize,
}

pub(super) fn whole_path(set: TestSet) -> Result<(), Failed> {
    let model = Model::embedded()?;
    let share = PICTURES.div_ceil(THREADS);
    let tallies = std::thread::scope(|scope| {
        let parts = set.pictures.chunks(share).zip(set.labels.chunks(share));
        let threads: Vec<_> = parts.map(|(pictures, labels)| scope.spawn(|| part(&model, pictures, labels))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
    });
    let tallies: Result<Vec<Tally>, Failed> = tallies;
    let total = tallies?.into_iter().fold(Tally::default(), |a, b| Tally {
        bare: a.bare + b.bare,
        whole: a.whole + b.whole,
        inverted_differs: a.inverted_differs + b.inverted_differs,
    });
    let figures = format!(
        "{} right by the whole path, {} by the bare network, {} differ on white paper",
        total.whole, total.bare, total.inverted_differs
    );
    let unharmed = total.whole.abs_diff(total.bare) <= LARGEST_LOSS;
    if total.whole >= LEAST_RIGHT && unharmed && total.inverted_differs == 0 { Ok(()) } else { Err(figures.into()) }
}

fn part(model: &Model, pictures: &[Vec<u8>], labels: &[u8]) -> Result<Tally, Failed> {
    let mut tally = Tally::default();
    for (pixels, label) in pictures.iter().zip(labels) {
        let label = label.to_string();
        let logits = model.logits(&tensor(pixels))?;
        let best = (0..DIGITS).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        let whole = read(model, pixels)?;
        let inverted: Vec<u8> = pixels.iter().map(|pixel| 255 - pixel).collect();
        tally.bare += usize::from(best.is_some_and(|best| model.manifest().labels[best] == label));
        tally.inverted_differs += usize::from(read(model, &inverted)? != whole);
        tally.whole += usize::from(whole == label);
    }
    Ok(tally)
}

/// The best guess for the bytes of a PNG of these pixels.
fn read(model: &Model, pixels: &[u8]) -> Result<String, Failed> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(pixels)?;
    let picture = decode(&bytes, model.channels(), Limits::default())?;
    let reading = model.read(&picture)?;
    Ok(reading.top.into_iter().next().ok_or("a reading without a guess")?.label)
}
