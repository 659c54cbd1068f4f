//! Writes found ink as MNIST does: light on black, the longer side of the ink fitted, centred by mass (LeCun et al.
//! 1998, "Gradient-based learning applied to document recognition").

use super::ink::Ink;
use super::plane::{Histogram, Plane};
use super::stage::Watch;
use crate::decode::Picture;

/// Widths of a stroke, in pixels of the fitted character; outside of them it is thickened or thinned.
/// MNIST's middle 98 % are 1.4 to 4.4, its median is 2.4.
const STROKE: (f32, f32) = (1.9, 3.8);

/// `height` x `width` pixels, ink 255, paper 0. All paper where there is no ink.
pub(super) fn fitted(ink: Ink, fit: usize, height: usize, width: usize, watch: Watch) -> Vec<u8> {
    let character = match ink {
        Ink::None => return vec![0; height * width],
        Ink::Fitted(ready) => return ready,
        Ink::Found(character) => character.ink,
    };
    let (character, scale) = with_usual_stroke(character, fit);
    watch("usual-stroke", &character);
    let centre = centre_of_mass(&character);
    // MNIST's mean centre of mass is the middle of pixel 14 of 0..28.
    let onto = (width as f32 / 2.0 + 0.5, height as f32 / 2.0 + 0.5);
    let mut seen = placed(&character, scale, centre, onto, width, height);
    let gain = 255.0 / f32::from(Histogram::of(&seen).above(25).percentile(0.7).max(25));
    seen.iter_mut().for_each(|value| *value = (f32::from(*value) * gain).round().min(255.0) as u8);
    seen
}

/// The picture itself, light on dark, where it is already what [`fitted`] would make: of the right size, the ink's
/// longer side as fitted, its mass in the middle. So MNIST's own pictures come through as they are.
pub(super) fn already(picture: &Picture, fit: usize, height: usize, width: usize) -> Option<Vec<u8>> {
    if (picture.width as usize, picture.height as usize) != (width, height) {
        return None;
    }
    let corners = [0, width - 1, (height - 1) * width, height * width - 1];
    let dark = corners.iter().all(|&at| picture.pixels[at] == 0);
    let light = corners.iter().all(|&at| picture.pixels[at] == 255);
    if !dark && !light {
        return None;
    }
    let pixels: Vec<u8> = picture.pixels.iter().map(|&value| if dark { value } else { 255 - value }).collect();
    let plane = Plane { width, height, values: pixels };
    let area = plane.area_above(0)?;
    let (x, y) = centre_of_mass(&plane);
    let off = (x - width as f32 / 2.0 - 0.5).abs().max((y - height as f32 / 2.0 - 0.5).abs());
    (area.longer_side().abs_diff(fit) <= 1 && off <= 0.6).then_some(plane.values)
}

/// Thickens thin strokes and thins fat ones, before the shrinking in which thin ones would fade. Returns the scale
/// that makes the longer side `fit`.
fn with_usual_stroke(ink: Plane, fit: usize) -> (Plane, f32) {
    let scale_of = |ink: &Plane| fit as f32 / ink.width.max(ink.height) as f32;
    let scale = scale_of(&ink);
    let stroke = stroke_width(&ink) * scale;
    let radius = |difference: f32| (difference / scale / 2.0).round() as usize;
    if stroke < STROKE.0 {
        let radius = radius(STROKE.0 - stroke);
        let thick = ink.padded(radius).dilated(radius);
        let scale = scale_of(&thick);
        return (thick, scale);
    }
    let radius = radius(stroke - STROKE.1);
    if stroke > STROKE.1 && radius > 0 {
        let thin = ink.padded(1).eroded(radius);
        if let Some(area) = thin.area_above(50) {
            let thin = thin.cropped(area);
            let scale = scale_of(&thin);
            return (thin, scale);
        }
    }
    (ink, scale)
}

/// Twice the ink's area by the length of its edge (its total variation): the mean width of its strokes.
fn stroke_width(ink: &Plane) -> f32 {
    let ink = ink.padded(1);
    let mut variation = vec![0.0f32; ink.width - 1];
    for y in 0..ink.height - 1 {
        let (row, below) = (ink.row(y), ink.row(y + 1));
        for (x, sum) in variation.iter_mut().enumerate() {
            let here = f32::from(row[x]);
            let (across, down) = (f32::from(row[x + 1]) - here, f32::from(below[x]) - here);
            *sum += (across * across + down * down).sqrt();
        }
    }
    let mass: u32 = ink.values.iter().map(|&value| u32::from(value)).sum();
    2.0 * mass as f32 / variation.iter().sum::<f32>().max(f32::MIN_POSITIVE)
}

/// In pixels from the corner, so that the middle of the first pixel is 0.5.
fn centre_of_mass(ink: &Plane) -> (f32, f32) {
    let (mut mass, mut down) = (0, 0.0);
    let mut columns = vec![0u32; ink.width];
    for y in 0..ink.height {
        let row = ink.row(y);
        columns.iter_mut().zip(row).for_each(|(sum, &value)| *sum += u32::from(value));
        let sum: u32 = row.iter().map(|&value| u32::from(value)).sum();
        mass += sum;
        down += f64::from(sum) * (y as f64 + 0.5);
    }
    let across: f64 = columns.iter().enumerate().map(|(x, &sum)| f64::from(sum) * (x as f64 + 0.5)).sum();
    let mass = f64::from(mass.max(1));
    ((across / mass) as f32, (down / mass) as f32)
}

/// `source` scaled by `scale` onto a `width` x `height` canvas of zeros, so that the point `centre` of the source
/// (in pixels, from its corner) lands on the point `onto` of the canvas.
fn placed(source: &Plane, scale: f32, centre: (f32, f32), onto: (f32, f32), width: usize, height: usize) -> Vec<u8> {
    let across = Areas::new(source.width, width, scale, onto.0 - centre.0 * scale);
    let down = Areas::new(source.height, height, scale, onto.1 - centre.1 * scale);
    let mut out = vec![0; width * height];
    let mut line = vec![0.0; source.width];
    for (y, row) in out.chunks_exact_mut(width).enumerate() {
        line.fill(0.0);
        for (source_y, weight) in down.of(y) {
            for (sum, &value) in line.iter_mut().zip(source.row(source_y)) {
                *sum += weight * f32::from(value);
            }
        }
        for (x, value) in row.iter_mut().enumerate() {
            let sum: f32 = across.of(x).map(|(source_x, weight)| weight * line[source_x]).sum();
            *value = sum.round().min(255.0) as u8;
        }
    }
    out
}

/// For each pixel of a scaled line: which source pixels it is the weighted mean of. Outside the source is nothing.
struct Areas {
    first: Vec<usize>,
    weights: Vec<Vec<f32>>,
}

impl Areas {
    /// Shrinking weighs by covered area, growing interpolates linearly.
    fn new(source: usize, target: usize, scale: f32, offset: f32) -> Areas {
        let mut areas = Areas { first: Vec::with_capacity(target), weights: Vec::with_capacity(target) };
        for x in 0..target {
            let from = (x as f32 - offset) / scale;
            let to = (x as f32 + 1.0 - offset) / scale;
            let middle = (from + to) / 2.0;
            let (low, high) = if scale < 1.0 { (from, to) } else { (middle - 1.0, middle + 1.0) };
            let first = (low.floor().max(0.0) as usize).min(source);
            let last = (high.ceil().max(0.0) as usize).min(source);
            let weight = |i: usize| {
                if scale < 1.0 {
                    ((i as f32 + 1.0).min(to) - (i as f32).max(from)).max(0.0)
                } else {
                    (1.0 - (i as f32 + 0.5 - middle).abs()).max(0.0)
                }
            };
            let whole = if scale < 1.0 { 1.0 / scale } else { 1.0 };
            areas.first.push(first);
            areas.weights.push((first..last).map(|i| weight(i) / whole).collect());
        }
        areas
    }

    fn of(&self, x: usize) -> impl Iterator<Item = (usize, f32)> {
        self.weights[x].iter().enumerate().map(move |(i, &weight)| (self.first[x] + i, weight))
    }
}
