//! Pictures in every format that is read, against the luma that Pillow makes of them (tests/pictures/draw.py), and
//! what must be refused: cut short, damaged, hostile, too large.

mod damage;
mod hostile;
mod memory;
mod reduced;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use spotter::decode::{Channels, Limits, Picture, Rejection, decode};

use crate::harness;

pub(crate) use memory::{check as check_memory, decode_and_report, full_size};

#[derive(Deserialize)]
struct Expected {
    planes: HashMap<String, Plane>,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct Plane {
    width: u32,
    height: u32,
    luma: String,
}

#[derive(Deserialize)]
struct File {
    file: String,
    plane: String,
    /// Largest difference of a pixel; 0 for lossless formats.
    tolerance: u8,
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("pictures::luma_is_that_of_pillow", luma_is_that_of_pillow),
        Trial::test("pictures::colours_are_in_order", colours_are_in_order),
        Trial::test("pictures::samples_decode_or_are_rejected", samples_decode_or_are_rejected),
    ];
    trials.extend(damage::trials());
    trials.extend(hostile::trials());
    trials.extend(memory::trials());
    trials.extend(reduced::trials());
    trials
}

fn folder() -> PathBuf {
    harness::root().join("tests/pictures")
}

fn expected() -> Result<Expected, Failed> {
    Ok(serde_json::from_slice(&fs::read(folder().join("expected.json"))?)?)
}

fn luma(bytes: &[u8]) -> Result<Picture, Rejection> {
    decode(bytes, Channels::Luma, Limits::default())
}

fn rejection(bytes: &[u8]) -> Result<Rejection, Failed> {
    luma(bytes).err().ok_or_else(|| "was not refused".into())
}

fn unhex(text: &str) -> Result<Vec<u8>, Failed> {
    (0..text.len()).step_by(2).map(|i| Ok(u8::from_str_radix(&text[i..i + 2], 16)?)).collect()
}

fn largest_difference(a: &[u8], b: &[u8]) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

fn luma_is_that_of_pillow() -> Result<(), Failed> {
    let expected = expected()?;
    let mut wrong = Vec::new();
    for File { file, plane, tolerance } in &expected.files {
        let plane = &expected.planes[plane];
        let verdict = match luma(&fs::read(folder().join(file))?) {
            Err(rejection) => Some(format!("{:?}: {rejection}", rejection.kind)),
            Ok(picture) if (picture.width, picture.height) != (plane.width, plane.height) => {
                Some(format!("is {}×{}", picture.width, picture.height))
            }
            Ok(picture) => {
                let luma = unhex(&plane.luma)?;
                let difference = largest_difference(&picture.pixels, &luma);
                (picture.pixels.len() != luma.len() || difference > *tolerance)
                    .then(|| format!("differs by {difference}, {tolerance} is allowed"))
            }
        };
        wrong.extend(verdict.map(|verdict| format!("{file}: {verdict}")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The luma of the RGB that is given is the luma that is given: red is red, and blue blue.
fn colours_are_in_order() -> Result<(), Failed> {
    for File { file, .. } in expected()?.files {
        let bytes = fs::read(folder().join(&file))?;
        let rgb = decode(&bytes, Channels::Rgb, Limits::default())?;
        let grey: Vec<u8> = rgb
            .pixels
            .chunks_exact(3)
            .map(|c| {
                ((u32::from(c[0]) * 19_595 + u32::from(c[1]) * 38_470 + u32::from(c[2]) * 7_471 + 0x8000) >> 16) as u8
            })
            .collect();
        let luma = luma(&bytes)?;
        assert_eq!(grey.len(), luma.pixels.len(), "{file}");
        // JPEG: colours outside RGB are clipped, and its Y is not; alpha: rounded in each channel.
        let allowed = if file.ends_with(".jpg") { 20 } else { 2 };
        let difference = largest_difference(&grey, &luma.pixels);
        assert!(difference <= allowed, "{file} differs by {difference}");
    }
    Ok(())
}

fn samples_decode_or_are_rejected() -> Result<(), Failed> {
    let samples = harness::root().join("samples");
    let expected = fs::read_to_string(samples.join("expected.tsv"))?;
    for line in expected.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(file), Some(status)) = (columns.next(), columns.next()) else {
            return Err(format!("expected.tsv: {line}").into());
        };
        let decoded = luma(&fs::read(samples.join(file))?);
        assert_eq!(decoded.is_err(), status == "rejected", "{file}: {decoded:?}");
    }
    assert_eq!(rejection(&fs::read(samples.join("truncated.jpg"))?)?.sentence, "JPEG ends at byte 4096");
    let phone = luma(&fs::read(samples.join("photos/7 phone.jpg"))?)?;
    assert!(phone.height > phone.width, "turned upright");
    Ok(())
}
