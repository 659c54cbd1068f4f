//! The way of a picture from its bytes to what the model is given, and the EXIF block in each container.

use spotter::decode::{Channels, Limits, Picture, Rejection, RejectionKind, decode};
use spotter::preprocess::{Filter, Mode, Preprocess, Resize, prepare};

/// A tenth of what is usual: the same code, in a tenth of the time.
const LIMITS: Limits = Limits { pixels: 2_500_000 };
/// Of the model's input.
const SIDE: usize = 28;
/// A JPEG's segment holds so many bytes at most.
const LONGEST_EXIF: usize = 65_000;

/// Bytes that may be a picture.
pub fn picture(bytes: &[u8]) {
    let grey = decode(bytes, Channels::Luma, LIMITS);
    let colour = decode(bytes, Channels::Rgb, LIMITS);
    for decoded in [&grey, &colour] {
        match decoded {
            Ok(picture) => is_whole(picture),
            Err(rejection) => is_readable(rejection),
        }
    }
    match (&grey, &colour) {
        (Ok(grey), Ok(colour)) => {
            assert_eq!((grey.width, grey.height), (colour.width, colour.height));
            prepares(grey, &Preprocess::Ink { fit: 20, mean: vec![0.1307], std: vec![0.3081] });
            for mode in [Mode::Stretch, Mode::Fit, Mode::CentreCrop] {
                prepares(colour, &resize(mode));
            }
        }
        // Of the same bytes, RGB may need more memory than is granted.
        (Ok(_), Err(rejection)) | (Err(rejection), Ok(_)) => assert_eq!(rejection.kind, RejectionKind::TooLarge),
        (Err(grey), Err(colour)) => assert_eq!(grey.dimensions, colour.dimensions),
    }
}

fn is_whole(picture: &Picture) {
    let Picture { width, height, channels, pixels } = picture;
    let count = u64::from(*width) * u64::from(*height);
    assert!(count > 0 && count <= LIMITS.pixels, "{width}×{height}");
    assert_eq!(pixels.len() as u64, count * channels.count() as u64);
}

fn is_readable(rejection: &Rejection) {
    let sentence = &rejection.sentence;
    assert!(!sentence.is_empty() && sentence.chars().count() <= 400, "{sentence}");
    assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
    assert!(!sentence.contains("the decoder gave up"), "a panic: {sentence}");
}

fn prepares(picture: &Picture, how: &Preprocess) {
    let prepared = prepare(picture, how, SIDE, SIDE);
    assert_eq!(prepared.seen.len(), SIDE * SIDE * picture.channels.count());
    assert!(prepared.tensor.values.iter().all(|value| value.is_finite()));
}

fn resize(mode: Mode) -> Preprocess {
    let (filter, scale) = (Filter::default(), 1.0 / 255.0);
    Preprocess::Resize(Resize { mode, shorter_side: None, filter, pad: None, scale, mean: vec![], std: vec![] })
}

/// Bytes that may be an EXIF block: they may turn a picture, and never spoil it.
pub fn exif(bytes: &[u8]) {
    let block = &bytes[..bytes.len().min(LONGEST_EXIF)];
    for (name, plain, with_exif) in
        [("JPEG", JPEG, in_jpeg(block)), ("PNG", PNG, in_png(block)), ("WebP", WEBP, in_webp(block))]
    {
        let plain = decode(plain, Channels::Luma, LIMITS).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        let turned = match decode(&with_exif, Channels::Luma, LIMITS) {
            Ok(picture) => picture,
            Err(rejection) => panic!("{name} with {} bytes of EXIF: {rejection}", block.len()),
        };
        let (mut before, mut after) = (plain.pixels, turned.pixels);
        before.sort_unstable();
        after.sort_unstable();
        assert!(before == after, "{name}: other pixels");
    }
}

const JPEG: &[u8] = include_bytes!("../../../tests/pictures/grey.jpg");
const PNG: &[u8] = include_bytes!("../../../tests/pictures/grey8.png");
const WEBP: &[u8] = include_bytes!("../../../tests/pictures/lossy.webp");

/// After the first marker.
fn in_jpeg(block: &[u8]) -> Vec<u8> {
    let length = (block.len() as u16 + 8).to_be_bytes();
    [&JPEG[..2], b"\xff\xe1", &length, b"Exif\0\0", block, &JPEG[2..]].concat()
}

/// After the header.
fn in_png(block: &[u8]) -> Vec<u8> {
    let named = [b"eXIf", block].concat();
    let length = (block.len() as u32).to_be_bytes();
    [&PNG[..33], &length, &named, &crc(&named).to_be_bytes(), &PNG[33..]].concat()
}

/// In an extended container, after the picture.
fn in_webp(block: &[u8]) -> Vec<u8> {
    let side = |at: usize| (u32::from(u16::from_le_bytes([WEBP[at], WEBP[at + 1]]) & 0x3fff) - 1).to_le_bytes();
    let extended = [&[8, 0, 0, 0], &side(26)[..3], &side(28)[..3]].concat();
    let chunks = [chunk(b"VP8X", &extended), WEBP[12..].to_vec(), chunk(b"EXIF", block)].concat();
    [b"RIFF", &(chunks.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &chunks].concat()
}

fn chunk(name: &[u8], body: &[u8]) -> Vec<u8> {
    [name, &(body.len() as u32).to_le_bytes(), body, &[0][..body.len() % 2]].concat()
}

/// CRC-32 (ISO 3309), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
