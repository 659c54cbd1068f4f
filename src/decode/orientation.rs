//! The EXIF orientation: where the camera's rows belong (Exif 2.32, 4.6.4 A, tag 274).

use super::ifd;

/// The orientation in an Exif block, with or without its `Exif\0\0` head; 1 (upright) where there is none, or none
/// that can be read: bad metadata do not spoil a picture.
pub(super) fn of_exif(block: &[u8]) -> u8 {
    let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    ifd::first(tiff).ok().map_or(1, |directory| of_directory(tiff, &directory))
}

pub(super) fn of_directory(tiff: &[u8], directory: &ifd::Directory) -> u8 {
    match directory.unsigned(tiff, ifd::ORIENTATION) {
        Some(value @ 1..=8) => value as u8,
        _ => 1,
    }
}

/// Turns the pixels upright; `bytes` a pixel. Gives the new width, height and pixels.
pub(super) fn upright(
    orientation: u8,
    width: u32,
    height: u32,
    bytes: usize,
    mut pixels: Vec<u8>,
) -> (u32, u32, Vec<u8>) {
    let (w, h) = (width as usize, height as usize);
    match orientation {
        2 => mirror_rows(&mut pixels, w, bytes),
        3 => reverse(&mut pixels, bytes),
        4 => {
            reverse(&mut pixels, bytes);
            mirror_rows(&mut pixels, w, bytes);
        }
        // Where the pixel at (x, y) of the upright picture lies in the stored one.
        5 => return (height, width, turned(&pixels, w, h, bytes, |x, y| (y, x))),
        6 => return (height, width, turned(&pixels, w, h, bytes, |x, y| (y, h - 1 - x))),
        7 => return (height, width, turned(&pixels, w, h, bytes, |x, y| (w - 1 - y, h - 1 - x))),
        8 => return (height, width, turned(&pixels, w, h, bytes, |x, y| (w - 1 - y, x))),
        _ => {}
    }
    (width, height, pixels)
}

fn mirror_rows(pixels: &mut [u8], width: usize, bytes: usize) {
    for row in pixels.chunks_exact_mut(width * bytes) {
        reverse(row, bytes);
    }
}

/// Reverses the order of the pixels.
fn reverse(pixels: &mut [u8], bytes: usize) {
    pixels.reverse();
    if bytes > 1 {
        for pixel in pixels.chunks_exact_mut(bytes) {
            pixel.reverse();
        }
    }
}

fn turned(pixels: &[u8], w: usize, h: usize, bytes: usize, from: impl Fn(usize, usize) -> (usize, usize)) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..w {
        for x in 0..h {
            let (column, row) = from(x, y);
            let at = (row * w + column) * bytes;
            out.extend_from_slice(&pixels[at..at + bytes]);
        }
    }
    out
}
