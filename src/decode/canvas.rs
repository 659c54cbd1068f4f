//! The pixels while they are being decoded: colour, transparency, and the way up.
//!
//! # The ground under transparency
//!
//! A drawing on a transparent ground shows only against the right ground: dark ink needs white, white chalk needs
//! black. So the ground is white, unless what is opaque is mostly light (its mean luma, weighted by alpha, is over one
//! half), then black. Where most of the area is opaque, the picture brings its own ground and only its corners are
//! missing; then the ground is the one that is like it.

use super::{Channels, Picture, Reduced, colour, orientation};

/// Share of the area above which the opaque part is a ground of its own, not ink, in percent.
const OWN_GROUND: u64 = 60;

pub(super) struct Canvas {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) channels: Channels,
    /// Row by row, `channels` bytes a pixel.
    pub(super) colour: Vec<u8>,
    /// One byte a pixel, 255 is opaque; `None` is opaque throughout.
    pub(super) alpha: Option<Vec<u8>>,
    /// The EXIF orientation, 1 to 8.
    pub(super) orientation: u8,
    /// The size of the whole picture, as it is stored, where this one is reduced.
    pub(super) whole: Option<(u32, u32)>,
}

impl Canvas {
    /// Black and, with `alpha`, wholly transparent. The size was checked against the budget.
    pub(super) fn new(width: u32, height: u32, channels: Channels, alpha: bool) -> Canvas {
        let pixels = width as usize * height as usize;
        Canvas {
            width,
            height,
            channels,
            colour: vec![0; pixels * channels.count()],
            alpha: alpha.then(|| vec![0; pixels]),
            orientation: 1,
            whole: None,
        }
    }

    /// The luma of `width` x `height` pixels, at a size reduced `by` so much.
    pub(super) fn reduced(width: u32, height: u32, by: usize, luma: Vec<u8>, orientation: u8) -> Canvas {
        let side = |side: u32| side.div_ceil(by as u32);
        let whole = Some((width, height));
        let (width, height) = (side(width), side(height));
        Canvas { width, height, channels: Channels::Luma, colour: luma, alpha: None, orientation, whole }
    }

    /// Writes one opaque pixel.
    pub(super) fn put(&mut self, index: usize, rgb: [u8; 3]) {
        let bytes = self.channels.count();
        colour::put(&mut self.colour[index * bytes..(index + 1) * bytes], rgb);
        if let Some(alpha) = &mut self.alpha {
            alpha[index] = 255;
        }
    }

    /// Writes one pixel with its alpha.
    pub(super) fn put_rgba(&mut self, index: usize, [r, g, b, a]: [u8; 4]) {
        self.put(index, [r, g, b]);
        if let Some(alpha) = &mut self.alpha {
            alpha[index] = a;
        }
    }

    /// Composited and upright.
    pub(super) fn into_picture(mut self) -> Reduced {
        if let Some(alpha) = self.alpha.take() {
            composite(&mut self.colour, &alpha, self.channels);
        }
        let (width, height, pixels) =
            orientation::upright(self.orientation, self.width, self.height, self.channels.count(), self.colour);
        let whole = match self.whole {
            None => (width, height),
            Some((across, down)) if self.orientation >= 5 => (down, across),
            Some(whole) => whole,
        };
        Reduced { picture: Picture { width, height, channels: self.channels, pixels }, whole }
    }
}

fn composite(colour: &mut [u8], alpha: &[u8], channels: Channels) {
    let bytes = channels.count();
    let ground = u32::from(ground(colour, alpha, channels));
    for (pixel, &alpha) in colour.chunks_exact_mut(bytes).zip(alpha) {
        let alpha = u32::from(alpha);
        for sample in pixel {
            *sample = ((u32::from(*sample) * alpha + ground * (255 - alpha) + 127) / 255) as u8;
        }
    }
}

fn ground(colour: &[u8], alpha: &[u8], channels: Channels) -> u8 {
    let (mut light, mut opaque) = (0_u64, 0_u64);
    for (pixel, &alpha) in colour.chunks_exact(channels.count()).zip(alpha) {
        let luma = match *pixel {
            [r, g, b] => colour::luma(r, g, b),
            _ => pixel[0],
        };
        light += u64::from(luma) * u64::from(alpha);
        opaque += u64::from(alpha);
    }
    let is_light = light * 2 > opaque * 255;
    let own_ground = opaque * 100 > alpha.len() as u64 * 255 * OWN_GROUND;
    if is_light == own_ground { 255 } else { 0 }
}
