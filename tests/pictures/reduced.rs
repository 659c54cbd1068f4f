//! Pictures that are decoded at a quarter or an eighth of their size, beside the same ones decoded as they are.

use std::fs;
use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use libtest_mimic::{Failed, Trial};
use spotter::classifier::Model;
use spotter::decode::{Channels, Limits, Picture, Reduced, Rejection, decode_reduced};
use spotter::record::{Look, look};

use super::{File, expected, folder, luma};

/// What must be reduced: an eighth of it would be wrong otherwise, or the trial of nothing.
const REDUCED: [&str; 12] = [
    "420.jpg",
    "420-restarts.jpg",
    "422.jpg",
    "444.jpg",
    "grey.jpg",
    "orientation-1.jpg",
    "orientation-6.jpg",
    "rgb8.png",
    "rgb16.png",
    "grey1.png",
    "palette8.png",
    "orientation-8.png",
];

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("pictures::reduced_pixels_are_means", reduced_pixels_are_means),
        Trial::test("pictures::reduced_notices_what_the_whole_does", reduced_notices_what_the_whole_does),
        Trial::test("pictures::small_ink_is_looked_at_in_the_whole", small_ink_is_looked_at_in_the_whole),
    ]
}

/// At a fourth and at an eighth of the size.
fn reduced(bytes: &[u8], longer: u32, by: u32) -> Result<Reduced, Rejection> {
    decode_reduced(bytes, Channels::Luma, Limits::default(), Some(longer / by))
}

/// Largest difference of a pixel of `small` to the mean of all that it stands for; what is cut by the edge is left out.
fn difference(whole: &Picture, small: &Picture, by: u32) -> u32 {
    let mut largest = 0;
    for y in 0..whole.height / by {
        for x in 0..whole.width / by {
            let pixels = (0..by * by).map(|at| (y * by + at / by) * whole.width + x * by + at % by);
            let sum: u32 = pixels.map(|at| u32::from(whole.pixels[at as usize])).sum();
            let mean = (sum + by * by / 2) / (by * by);
            largest = largest.max(mean.abs_diff(u32::from(small.pixels[(y * small.width + x) as usize])));
        }
    }
    largest
}

fn reduced_pixels_are_means() -> Result<(), Failed> {
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    for File { file, .. } in expected()?.files {
        let bytes = fs::read(folder().join(&file))?;
        let whole = luma(&bytes)?;
        for by in [4, 8] {
            let small = reduced(&bytes, whole.width.max(whole.height), by)?;
            assert_eq!(small.whole, (whole.width, whole.height), "{file}");
            if small.is_whole() {
                assert_eq!(small.picture, whole, "{file}");
                continue;
            }
            let size = (whole.width.div_ceil(by), whole.height.div_ceil(by));
            assert_eq!((small.picture.width, small.picture.height), size, "{file}");
            assert_eq!(small.picture.pixels.len() as u32, size.0 * size.1, "{file}");
            // A picture that is turned begins with what its edge cuts.
            let upright = !file.starts_with("orientation") || file.contains("-1.");
            let allowed = if file.ends_with(".png") {
                1
            } else if by == 8 {
                2
            } else {
                6
            };
            let difference = difference(&whole, &small.picture, by);
            if upright && difference > allowed {
                wrong.push(format!("{file} by {by} differs by {difference}, {allowed} is allowed"));
            }
            seen.push(file.clone());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<_> = REDUCED.iter().filter(|name| seen.iter().filter(|seen| seen == name).count() < 2).collect();
    assert!(missing.is_empty(), "not reduced: {missing:?}");
    Ok(())
}

/// Cut short at every byte and with every byte changed: the same answer, in the same words.
fn reduced_notices_what_the_whole_does() -> Result<(), Failed> {
    let mut refused = 0;
    for file in REDUCED {
        let bytes = fs::read(folder().join(file))?;
        let whole = luma(&bytes)?;
        let longer = whole.width.max(whole.height);
        let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
        let changed = (0..bytes.len()).flat_map(|at| {
            [0x01, 0x10, 0x80, 0xff].map(|bits| {
                let mut changed = bytes.clone();
                changed[at] ^= bits;
                changed
            })
        });
        for (number, bytes) in cut.chain(changed).enumerate() {
            let whole = luma(&bytes).err();
            refused += usize::from(whole.is_some());
            assert_eq!(reduced(&bytes, longer, 8).err(), whole, "{file}, {number}");
        }
    }
    assert!(refused > 1_000, "{refused}");
    Ok(())
}

/// A bent stroke (a `7`), `size` pixels high, in the middle of 2400 x 1800 pixels.
fn seven(size: f32) -> Result<Vec<u8>, Failed> {
    let (width, height) = (2_400_u32, 1_800_u32);
    let (left, top) = (width as f32 / 2.0 - size * 0.35, height as f32 / 2.0 - size / 2.0);
    let pixels: Vec<u8> = (0..width * height)
        .map(|at| {
            let (x, y) = ((at % width) as f32 - left, (at / width) as f32 - top);
            let bar = y.abs() < size * 0.06 && (0.0..size * 0.7).contains(&x);
            let leg = (x - size * 0.7 + y * 0.45).abs() < size * 0.07 && (0.0..size).contains(&y);
            if bar || leg { 30 } else { 220 }
        })
        .collect();
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 90).write_image(&pixels, width, height, ExtendedColorType::L8)?;
    Ok(bytes.into_inner())
}

fn small_ink_is_looked_at_in_the_whole() -> Result<(), Failed> {
    let model = Model::embedded()?;
    for (size, is_reduced) in [(900.0, true), (120.0, false)] {
        let Look { found, dimensions } = look(&seven(size)?, &model, Limits::default())?;
        assert_eq!(dimensions, (2_400, 1_800));
        assert_eq!(found.picture().width < 2_400, is_reduced, "{size}");
        let reading = model.classify(found.prepared())?;
        assert_eq!(reading.top[0].label, "7", "{size}: {:?}", reading.top);
    }
    Ok(())
}
