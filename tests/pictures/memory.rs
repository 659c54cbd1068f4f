//! The bound on memory: 6 bytes × 25 million pixels + 16 MB over the encoded bytes. Each picture is decoded by a
//! process of its own (this binary again), which reports its largest resident size.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

use libtest_mimic::{Failed, Trial};
use spotter::decode::{Channels, Limits, RejectionKind, decode};

use super::hostile::png_chunk;

/// Names the file that the process shall decode, instead of running tests.
const DECODE: &str = "SPOTTER_TEST_DECODE";
const CHANNELS: &str = "SPOTTER_TEST_CHANNELS";

const SIDE: u32 = 5_000;
const LIMIT: u64 = 6 * 25_000_000 + 16_000_000;

type Maker = fn() -> Result<Vec<u8>, Failed>;

pub(super) fn trials() -> Vec<Trial> {
    // Whether the picture of 25 megapixels is decoded as luma, and as RGB where that is another way, or refused for its
    // need of memory.
    let cases: [(&str, Maker, bool, Option<bool>); 13] = [
        ("jpeg_baseline_444", || Ok(jpeg(false, 0x11, SIDE)), true, Some(true)),
        ("jpeg_progressive_420", || Ok(jpeg(true, 0x22, SIDE)), true, Some(true)),
        ("jpeg_progressive_444", || Ok(jpeg(true, 0x11, SIDE)), false, Some(false)),
        ("jpeg_progressive_444_of_20_megapixels", || Ok(jpeg(true, 0x11, 4_472)), true, Some(false)),
        ("png_16_bit_rgba", || png((SIDE, SIDE), false), true, None),
        ("png_16_bit_rgba_interlaced", || png((SIDE, SIDE), true), true, Some(true)),
        ("png_of_81_pixels_and_200_megabytes", || png((9, 9), false), false, None),
        ("webp_lossless_alpha", webp, true, Some(true)),
        ("gif", gif, true, None),
        ("bmp_32_bit", bmp, true, None),
        ("tiff_16_bit_rgba_in_strips", || Ok(tiff(SIDE, 16, true)), true, None),
        ("tiff_16_bit_rgba_in_one_strip", || Ok(tiff(SIDE, SIDE, false)), false, Some(false)),
        ("tiff_16_bit_rgba_of_half_the_size_in_one_strip", || Ok(tiff(SIDE / 2, SIDE / 2, true)), true, None),
    ];
    let mut trials = Vec::new();
    for (name, make, as_luma, as_rgb) in cases {
        let test = move || {
            let picture = tempfile::NamedTempFile::new()?;
            picture.as_file().write_all(&make()?)?;
            check(picture.path(), "luma", as_luma)?;
            as_rgb.map_or(Ok(()), |accepted| check(picture.path(), "rgb", accepted))
        };
        let trial = Trial::test(format!("pictures::memory_{name}"), test);
        trials.push(trial.with_ignored_flag(!cfg!(target_os = "linux")));
    }
    trials
}

/// Decodes the file in a process of its own.
pub(crate) fn check(path: &Path, channels: &str, accepted: bool) -> Result<(), Failed> {
    let output = Command::new(env::current_exe()?).env(DECODE, path).env(CHANNELS, channels).output()?;
    let report = String::from_utf8(output.stdout)?;
    let (outcome, bytes) = report.trim().rsplit_once(' ').ok_or("no report")?;
    let bytes: u64 = bytes.parse()?;
    if bytes > LIMIT {
        return Err(format!("{channels}: {bytes} bytes over base, {LIMIT} are allowed").into());
    }
    if outcome.starts_with("decoded") != accepted {
        return Err(format!("{channels}: {outcome}").into());
    }
    Ok(())
}

/// In a process that was started by [`check`]: decodes the file, and prints the outcome and the bytes of memory over
/// what was held before. `None` in any other process.
pub(crate) fn decode_and_report() -> Option<ExitCode> {
    let path = env::var_os(DECODE)?;
    let channels = if env::var(CHANNELS).as_deref() == Ok("rgb") { Channels::Rgb } else { Channels::Luma };
    let bytes = fs::read(path).expect("the file is there");
    let before = status("VmRSS:");
    let outcome = match decode(&bytes, channels, Limits::default()) {
        Ok(picture) => format!("decoded {}×{}", picture.width, picture.height),
        Err(rejection) if rejection.kind == RejectionKind::TooLarge => format!("refused: {rejection}"),
        Err(rejection) => format!("failed: {rejection}"),
    };
    let report = format!("{outcome} {}\n", status("VmHWM:").saturating_sub(before));
    let printed = std::io::stdout().write_all(report.as_bytes());
    Some(if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Pictures of 25 megapixels.
pub(crate) fn full_size() -> Result<Vec<(&'static str, Vec<u8>)>, Failed> {
    Ok(vec![
        ("JPEG, 4:4:4", jpeg(false, 0x11, SIDE)),
        ("progressive JPEG, 4:2:0", jpeg(true, 0x22, SIDE)),
        ("PNG, 16 bits, RGBA", png((SIDE, SIDE), false)?),
        ("PNG, 16 bits, RGBA, interlaced", png((SIDE, SIDE), true)?),
        ("WebP, lossless, alpha", webp()?),
        ("GIF", gif()?),
        ("BMP, 32 bits", bmp()?),
        ("TIFF, 16 bits, RGBA, in strips", tiff(SIDE, 16, true)),
    ])
}

/// A size from `/proc/self/status`, in bytes.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1_024
}

/// A flat grey JPEG: each Huffman table has one code, a zero bit, so that all data are zeros.
fn jpeg(progressive: bool, sampling: u8, side: u32) -> Vec<u8> {
    let [s1, s0] = (side as u16).to_be_bytes();
    let mut file = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    file.extend_from_slice(&[1; 64]);
    file.extend_from_slice(&[0xff, if progressive { 0xc2 } else { 0xc0 }, 0, 17, 8, s1, s0, s1, s0, 3]);
    file.extend_from_slice(&[1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0]);
    for table in [0x00, 0x10] {
        file.extend_from_slice(&[0xff, 0xc4, 0, 20, table, 1]);
        file.extend_from_slice(&[0; 16]);
    }
    let last = if progressive { 0 } else { 63 };
    file.extend_from_slice(&[0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, last, 0]);
    let luma_blocks = usize::from(sampling >> 4) * usize::from(sampling & 15);
    let unit = 8 * u32::from(sampling >> 4);
    let units = (side.div_ceil(unit) as usize).pow(2);
    // One bit a block for its DC, and one for the end of its AC.
    let bits = units * (luma_blocks + 2) * if progressive { 1 } else { 2 };
    file.resize(file.len() + bits.div_ceil(8), 0);
    file.extend_from_slice(b"\xff\xd9");
    file
}

/// 25 million pixels of zeros, under a header of another size if that is asked for.
fn png((width, height): (u32, u32), interlaced: bool) -> Result<Vec<u8>, Failed> {
    // Interlaced, the same data have some more bytes for filters: two more rows hold them.
    let rows = SIDE + 2;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIDE, rows);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Fastest);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    let row = vec![0; SIDE as usize * 8];
    for _ in 0..rows {
        stream.write_all(&row)?;
    }
    stream.finish()?;
    writer.finish()?;
    let mut head = b"IHDR".to_vec();
    head.extend_from_slice(&width.to_be_bytes());
    head.extend_from_slice(&height.to_be_bytes());
    head.extend_from_slice(&[16, 6, 0, 0, u8::from(interlaced)]);
    file.splice(8..33, png_chunk(&head));
    Ok(file)
}

fn webp() -> Result<Vec<u8>, Failed> {
    let mut file = Vec::new();
    let pixels: Vec<u8> =
        (0..SIDE * SIDE).flat_map(|i| [(i / 977) as u8, (i % 977 / 4) as u8, 9, (i / 5_003) as u8]).collect();
    image::codecs::webp::WebPEncoder::new_lossless(&mut file).encode(
        &pixels,
        SIDE,
        SIDE,
        image::ExtendedColorType::Rgba8,
    )?;
    Ok(file)
}

fn gif() -> Result<Vec<u8>, Failed> {
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, SIDE as u16, SIDE as u16, &[0, 0, 0, 255, 255, 255])?;
    let mut frame = gif::Frame::from_indexed_pixels(SIDE as u16, SIDE as u16, vec![0; (SIDE * SIDE) as usize], Some(1));
    frame.make_lzw_pre_encoded();
    encoder.write_lzw_pre_encoded_frame(&frame)?;
    drop(encoder);
    Ok(file)
}

fn bmp() -> Result<Vec<u8>, Failed> {
    let mut file = Vec::new();
    let pixels = vec![77; (SIDE * SIDE * 4) as usize];
    image::codecs::bmp::BmpEncoder::new(&mut file).encode(&pixels, SIDE, SIDE, image::ExtendedColorType::Rgba8)?;
    Ok(file)
}

/// RGBA of 16 bits, uncompressed. All strips share one place in the file, which may be cut off.
fn tiff(side: u32, rows: u32, complete: bool) -> Vec<u8> {
    let strips = side.div_ceil(rows);
    let (head, arrays) = (8 + 2 + 10 * 12 + 4, 16);
    let data = head + arrays + strips * 8;
    let entries = [
        (256_u16, 4_u16, 1, side),
        (257, 4, 1, side),
        (258, 3, 4, head),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, strips, head + arrays),
        (277, 3, 1, 4),
        (278, 4, 1, rows),
        (279, 4, strips, head + arrays + strips * 4),
        (338, 3, 1, 2),
    ];
    let mut file = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    for (tag, kind, count, value) in entries {
        // One strip's offset and length stand in the entry itself.
        let value = match (tag, strips) {
            (273, 1) => data,
            (279, 1) => side * side * 8,
            _ => value,
        };
        file.extend([tag, kind].iter().flat_map(|half| half.to_le_bytes()));
        file.extend([count, value].iter().flat_map(|word| word.to_le_bytes()));
    }
    file.extend_from_slice(&[0; 4]);
    file.extend([16_u16, 16, 16, 16, 0, 0, 0, 0].iter().flat_map(|bits| bits.to_le_bytes()));
    for strip in 0..strips * 2 {
        let rows_here = rows.min(side - strip.saturating_sub(strips) * rows);
        let value = if strip < strips { data } else { side * rows_here * 8 };
        file.extend_from_slice(&value.to_le_bytes());
    }
    if complete {
        file.resize(file.len() + (side * rows * 8) as usize, 0x77);
    }
    file
}
