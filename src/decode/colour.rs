//! Colours to what the model asks for.

use super::Channels;

/// Rec. 601 luma in fixed point, as Pillow's `convert("L")` rounds it.
pub(super) fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

/// Ink to light, as Pillow does: 255 is full ink.
pub(super) fn cmyk_to_rgb([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = 255 - u32::from(k);
    [c, m, y].map(|ink| {
        let product = u32::from(ink) * light + 128;
        (light - ((product + (product >> 8)) >> 8)) as u8
    })
}

/// Writes one pixel; `out` has the bytes of one pixel.
pub(super) fn put(out: &mut [u8], [r, g, b]: [u8; 3]) {
    match out {
        [grey] => *grey = luma(r, g, b),
        _ => out.copy_from_slice(&[r, g, b]),
    }
}

/// `pixels` holds `N` bytes a pixel; afterwards what `channels` asks for, in the same memory.
/// `N` is never less than the bytes of a pixel then.
pub(super) fn convert_in_place<const N: usize>(
    pixels: &mut Vec<u8>,
    channels: Channels,
    to_rgb: impl Fn([u8; N]) -> [u8; 3],
) {
    let bytes = channels.count();
    let count = pixels.len() / N;
    for i in 0..count {
        let mut pixel = [0; N];
        pixel.copy_from_slice(&pixels[i * N..(i + 1) * N]);
        put(&mut pixels[i * bytes..(i + 1) * bytes], to_rgb(pixel));
    }
    pixels.truncate(count * bytes);
    pixels.shrink_to_fit();
}

/// Rec. 601 in full range (JFIF 1.02).
pub(super) fn ycbcr_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|v| v.round().clamp(0.0, 255.0) as u8)
}
