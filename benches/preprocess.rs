//! How long finding ink takes of a picture of one megapixel, beside decoding it.
//!
//! `cargo bench --bench preprocess -- [rounds]`; see benches/README.md.

#![allow(clippy::print_stdout)] // figures are what it is for

use std::error::Error;
use std::hint::black_box;
use std::io::Cursor;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use spotter::decode::{Channels, Limits, decode};
use spotter::preprocess::{Preprocess, prepare};

const WIDTH: u32 = 1_200;
const HEIGHT: u32 = 900;

/// Grey of the pixel at (x, y); the last one is noise, 0..=255.
type Ground = fn(f32, f32, u8) -> f32;

const PICTURES: [(&str, f32, Ground); 6] = [
    ("blank", 0.0, |_, _, _| 240.0),
    ("drawn, half of the canvas", 450.0, |_, _, _| 255.0),
    ("drawn, small", 60.0, |_, _, _| 255.0),
    ("photographed, shaded and noisy", 500.0, |x, _, noise| 130.0 + x / 15.0 + f32::from(noise) / 12.0),
    ("photographed, on squared paper", 300.0, |x, y, noise| {
        let line = x % 60.0 < 3.0 || y % 60.0 < 3.0;
        200.0 - if line { 60.0 } else { 0.0 } + f32::from(noise) / 12.0
    }),
    ("noise", 0.0, |_, _, noise| f32::from(noise)),
];

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(101);
    let how = Preprocess::Ink { fit: 20, mean: Vec::new(), std: Vec::new() };
    println!(
        "{WIDTH} x {HEIGHT}, {rounds} rounds, each picture decoded and preprocessed in turns; medians (slowest tenth)"
    );
    println!("{:32} {:>22} {:>22} {:>8}", "picture", "decode JPEG", "preprocess", "share");
    for (name, size, ground) in PICTURES {
        let jpeg = jpeg_of(&drawn(size, ground))?;
        let (mut decoding, mut preparing) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let started = Instant::now();
            let picture = decode(black_box(&jpeg), Channels::Luma, Limits::default())?;
            decoding.push(started.elapsed().as_secs_f64() * 1e3);
            let started = Instant::now();
            black_box(prepare(black_box(&picture), &how, 28, 28));
            preparing.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let (decoding, preparing) = (spread(decoding), spread(preparing));
        let share = preparing.0 / decoding.0;
        println!(
            "{name:32} {:>9.2} ({:>6.2}) ms {:>9.2} ({:>6.2}) ms {share:>8.2}",
            decoding.0, decoding.1, preparing.0, preparing.1
        );
    }
    Ok(())
}

/// A bent stroke (a `7`), `size` pixels high, in the middle.
fn drawn(size: f32, ground: Ground) -> Vec<u8> {
    let (left, top) = (WIDTH as f32 / 2.0 - size * 0.35, HEIGHT as f32 / 2.0 - size / 2.0);
    let strokes =
        [((left, top), (left + size * 0.7, top)), ((left + size * 0.7, top), (left + size * 0.25, top + size))];
    let mut state = 1u64;
    let mut pixels = Vec::with_capacity((WIDTH * HEIGHT) as usize);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            // Knuth's linear congruential generator: the same picture in every run.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let point = (x as f32, y as f32);
            let distance = strokes.iter().map(|&(from, to)| from_line(point, from, to)).fold(f32::MAX, f32::min);
            let covered = (size * 0.05 + 0.5 - distance).clamp(0.0, 1.0);
            let paper = ground(point.0, point.1, (state >> 56) as u8);
            pixels.push((paper * (1.0 - covered) + 30.0 * covered) as u8);
        }
    }
    pixels
}

fn from_line(point: (f32, f32), from: (f32, f32), to: (f32, f32)) -> f32 {
    let (along, across) = (to.0 - from.0, to.1 - from.1);
    let length = (along * along + across * across).max(f32::MIN_POSITIVE);
    let t = (((point.0 - from.0) * along + (point.1 - from.1) * across) / length).clamp(0.0, 1.0);
    (point.0 - from.0 - t * along).hypot(point.1 - from.1 - t * across)
}

fn jpeg_of(pixels: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 90).write_image(pixels, WIDTH, HEIGHT, ExtendedColorType::L8)?;
    Ok(bytes.into_inner())
}

/// Median and ninth decile.
fn spread(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[values.len() * 9 / 10])
}
