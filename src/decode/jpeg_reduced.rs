//! Luma of a sequential JPEG at a quarter or an eighth of its size, of the lowest frequencies of each block alone.
//!
//! What a large picture costs is reading its codes (T.81, annex F): most of them are of frequencies that a smaller picture does
//! not have, and of colours. Those need no values, only to be passed over, several by one look into a table.
//!
//! Whatever is unusual or damaged is `None`: then the whole picture is decoded, which finds the words for it. So this may be
//! stricter than a decoder: each code must be one, each block have 64 coefficients at most, and each stretch of data end with its
//! last block.

use super::jpeg_codes::{AcCodes, Bits, DcCodes};
use super::jpeg_markers::Structure;

/// Zigzag positions of a block that a quarter is made of: the mean and the lowest frequency down, across and both.
const LOWEST: usize = 5;

/// Bits of a fraction.
const FRACTION: u32 = 16;

/// What the lowest frequencies add to the mean of a quarter of a block's pixels, by their bits of fraction. It is a product of two of
/// 1 / sqrt(8), of the mean, and half of the mean of cos(pi / 16), cos(3 pi / 16), cos(5 pi / 16) and cos(7 pi / 16), of a frequency.
const MEAN: i32 = 8_192;
const ONE_WAY: i32 = 7_424;
const BOTH_WAYS: i32 = 6_728;

struct Component {
    /// Blocks of an MCU.
    across: usize,
    down: usize,
    dc: usize,
    ac: usize,
    last_dc: i32,
}

#[derive(Default)]
struct Tables {
    quantisation: [Option<[i32; LOWEST]>; 4],
    dc: [Option<DcCodes>; 4],
    ac: [Option<AcCodes>; 4],
    restart_interval: usize,
}

/// Rows of `width.div_ceil(by)` bytes, `height.div_ceil(by)` of them; each the mean of `by` x `by` pixels. `by` is 4 or 8.
pub(super) fn luma(structure: &Structure, by: usize) -> Option<Vec<u8>> {
    let (head, data) = structure.only_scan()?;
    let (mut tables, mut components, mut factors) = (Tables::default(), Vec::new(), Vec::new());
    for segment in head {
        match segment {
            [_, 0xdb, _, _, body @ ..] => tables.quantise(body)?,
            [_, 0xc4, _, _, body @ ..] => tables.codes(body)?,
            [_, 0xdd, _, _, high, low] => tables.restart_interval = usize::from(u16::from_be_bytes([*high, *low])),
            [_, 0xc0 | 0xc1, _, _, body @ ..] => {
                factors = body.get(6..)?.chunks_exact(3).map(|component| usize::from(component[2])).collect();
            }
            [_, 0xda, _, _, body @ ..] => components = scan(structure, body)?,
            _ => {}
        }
    }
    // Those of the colours are not used, but a decoder would miss them.
    let factors: Option<Vec<_>> = factors.into_iter().map(|at| *tables.quantisation.get(at)?).collect();
    let quantisation = *factors?.first()?;
    let mut picture = Blocks::new(structure, &components, by, quantisation);
    picture.read(data, &tables, &mut components)?;
    Some(picture.cropped(structure.width as usize, structure.height as usize))
}

/// The components in their order; `None` where one is finer than luma, or the order is another.
fn scan(structure: &Structure, body: &[u8]) -> Option<Vec<Component>> {
    let alone = structure.sampling.len() == 1;
    let mut components = Vec::new();
    for (at, &(h, v)) in structure.sampling.iter().enumerate() {
        let tables = *body.get(2 + 2 * at)?;
        let usual = if at == 0 { h <= 2 && v <= 2 } else { h == 1 && v == 1 };
        if !usual || *body.get(1 + 2 * at)? != *structure.ids.get(at)? || tables & 0xcc != 0 {
            return None;
        }
        let (across, down) = if alone { (1, 1) } else { (h.into(), v.into()) };
        components.push(Component { across, down, dc: (tables >> 4).into(), ac: (tables & 15).into(), last_dc: 0 });
    }
    Some(components)
}

impl Tables {
    fn quantise(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let wide = match head >> 4 {
                0 => false,
                1 => true,
                _ => return None,
            };
            let (values, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            let value = |at: usize| match wide {
                true => i32::from(u16::from_be_bytes([values[2 * at], values[2 * at + 1]])),
                false => i32::from(values[at]),
            };
            *self.quantisation.get_mut(usize::from(head & 15))? = Some(std::array::from_fn(value));
            body = rest;
        }
        Some(())
    }

    fn codes(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let (lengths, rest) = rest.split_first_chunk::<16>()?;
            let (values, rest) = rest.split_at_checked(lengths.iter().map(|&count| usize::from(count)).sum())?;
            let at = usize::from(head & 15);
            match head >> 4 {
                0 => *self.dc.get_mut(at)? = Some(DcCodes::new(lengths, values)?),
                1 => *self.ac.get_mut(at)? = Some(AcCodes::new(lengths, values)?),
                _ => return None,
            }
            body = rest;
        }
        Some(())
    }
}

/// What is made of the blocks of luma, in rows of whole MCUs.
struct Blocks {
    by: usize,
    quantisation: [i32; LOWEST],
    mcus: (usize, usize),
    stride: usize,
    pixels: Vec<u8>,
}

impl Blocks {
    fn new(structure: &Structure, components: &[Component], by: usize, quantisation: [i32; LOWEST]) -> Blocks {
        let luma = &components[0];
        let mcus =
            ((structure.width as usize).div_ceil(8 * luma.across), (structure.height as usize).div_ceil(8 * luma.down));
        let stride = mcus.0 * luma.across * 8 / by;
        Blocks { by, quantisation, mcus, stride, pixels: vec![0; stride * mcus.1 * luma.down * 8 / by] }
    }

    fn read(&mut self, data: &[u8], tables: &Tables, components: &mut [Component]) -> Option<()> {
        let mut bits = Bits::new(data);
        let mut until_restart = tables.restart_interval;
        for y in 0..self.mcus.1 {
            for x in 0..self.mcus.0 {
                if tables.restart_interval > 0 {
                    if until_restart == 0 {
                        bits.restart()?;
                        components.iter_mut().for_each(|component| component.last_dc = 0);
                        until_restart = tables.restart_interval;
                    }
                    until_restart -= 1;
                }
                let (luma, colours) = components.split_first_mut()?;
                self.luma_of_mcu((x, y), &mut bits, tables, luma)?;
                for colour in colours {
                    let (dc, ac) = (tables.dc[colour.dc].as_ref()?, tables.ac[colour.ac].as_ref()?);
                    dc.read(&mut bits)?;
                    ac.pass(&mut bits, 1)?;
                }
                if bits.are_overread() {
                    return None;
                }
            }
        }
        bits.are_at_end().then_some(())
    }

    fn luma_of_mcu(
        &mut self,
        mcu: (usize, usize),
        bits: &mut Bits,
        tables: &Tables,
        luma: &mut Component,
    ) -> Option<()> {
        let (dc, ac) = (tables.dc[luma.dc].as_ref()?, tables.ac[luma.ac].as_ref()?);
        for down in 0..luma.down {
            for across in 0..luma.across {
                let mut lowest = [0; LOWEST];
                luma.last_dc = luma.last_dc.wrapping_add(dc.read(bits)?);
                lowest[0] = luma.last_dc;
                let passed = if self.by == 8 { 1 } else { ac.read(bits, &mut lowest)? };
                ac.pass(bits, passed)?;
                let size = 8 / self.by;
                let (left, top) = ((mcu.0 * luma.across + across) * size, (mcu.1 * luma.down + down) * size);
                self.put(top * self.stride + left, lowest);
            }
        }
        Some(())
    }

    /// The pixels of one block.
    fn put(&mut self, at: usize, lowest: [i32; LOWEST]) {
        let [mean, across, down, _, both]: [i32; LOWEST] =
            std::array::from_fn(|at| lowest[at].wrapping_mul(self.quantisation[at]));
        let pixel = |value: i32| ((value >> FRACTION) + 128).clamp(0, 255) as u8;
        let mean = mean.wrapping_mul(MEAN).wrapping_add(1 << (FRACTION - 1));
        if self.by == 8 {
            self.pixels[at] = pixel(mean);
            return;
        }
        let (across, down, both) =
            (across.wrapping_mul(ONE_WAY), down.wrapping_mul(ONE_WAY), both.wrapping_mul(BOTH_WAYS));
        let (upper, lower) = (mean.wrapping_add(down), mean.wrapping_sub(down));
        let (left, right) = (across.wrapping_add(both), across.wrapping_sub(both));
        self.pixels[at] = pixel(upper.wrapping_add(left));
        self.pixels[at + 1] = pixel(upper.wrapping_sub(left));
        self.pixels[at + self.stride] = pixel(lower.wrapping_add(right));
        self.pixels[at + self.stride + 1] = pixel(lower.wrapping_sub(right));
    }

    /// Without what fills up the last MCUs.
    fn cropped(mut self, width: usize, height: usize) -> Vec<u8> {
        let (width, height) = (width.div_ceil(self.by), height.div_ceil(self.by));
        for y in 1..height {
            self.pixels.copy_within(y * self.stride..y * self.stride + width, y * width);
        }
        self.pixels.truncate(width * height);
        self.pixels
    }
}
