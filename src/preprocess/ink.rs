//! Finds one drawn character in a picture and writes it as MNIST does: light ink on black, the longer side of the
//! ink fitted, centred by mass (LeCun et al. 1998, "Gradient-based learning applied to document recognition").

use super::blobs;
use super::plane::{Area, Plane, percentile};
use super::resize::placed;
use crate::decode::Picture;

/// Longer side, in pixels, of the picture in which ink is looked for.
const WORKING_SIDE: usize = 400;
/// Ink that is smaller than this in the working picture is looked at again, closer.
const COARSE_SIDE: usize = 120;
/// Least contrast, 0..1, that is ink and not noise of the sensor or of a JPEG.
const FAINTEST: f32 = 0.06;
/// Share of the ink's strength from which a pixel belongs to it.
const EDGE: f32 = 0.4;
/// Widths of a stroke, in pixels of the fitted character; outside of them it is thickened or thinned.
/// MNIST's middle 98 % are 1.4 to 4.4, its median is 2.4.
const STROKE: (f32, f32) = (1.9, 3.8);

/// What is drawn in a picture, before it is fitted.
#[derive(Debug, Clone)]
pub(super) enum Ink {
    None,
    /// The picture is what [`fitted`] would make, at the size that was asked for.
    Fitted(Vec<u8>),
    /// The character's ink, cropped; 1 is full strength.
    Found(Plane),
}

/// The ink of a picture that is to be `height` x `width` pixels.
pub(super) fn find(picture: &Picture, fit: usize, height: usize, width: usize) -> Ink {
    if let Some(ready) = already_fitted(picture, fit, height, width) {
        return Ink::Fitted(ready);
    }
    let whole = Area { left: 0, top: 0, right: picture.width as usize, bottom: picture.height as usize };
    closest_look(picture, whole).map_or(Ink::None, Ink::Found)
}

/// `height` x `width` pixels, ink 255, paper 0. All paper where there is no ink.
pub(super) fn fitted(ink: Ink, fit: usize, height: usize, width: usize) -> Vec<u8> {
    let character = match ink {
        Ink::None => return vec![0; height * width],
        Ink::Fitted(ready) => return ready,
        Ink::Found(character) => character,
    };
    let (character, scale) = with_usual_stroke(character, fit);
    let centre = centre_of_mass(&character);
    // MNIST's mean centre of mass is the middle of pixel 14 of 0..28.
    let onto = (width as f32 / 2.0 + 0.5, height as f32 / 2.0 + 0.5);
    let fitted = placed(&character, scale, centre, onto, width, height);
    let inked = fitted.values.iter().copied().filter(|&value| value > 0.1).collect();
    let gain = 1.0 / percentile(inked, 0.7).max(0.1);
    fitted.values.iter().map(|value| (value * gain * 255.0).round().clamp(0.0, 255.0) as u8).collect()
}

/// The picture itself, light on dark, where it is already what [`fitted`] would make: of the right size, the ink's
/// longer side as fitted, its mass in the middle. So MNIST's own pictures come through as they are.
fn already_fitted(picture: &Picture, fit: usize, height: usize, width: usize) -> Option<Vec<u8>> {
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
    let mut plane = Plane::new(width, height);
    plane.values.iter_mut().zip(&pixels).for_each(|(value, &pixel)| *value = f32::from(pixel) / 255.0);
    let area = inked_area(&plane, 0.0)?;
    let (x, y) = centre_of_mass(&plane);
    let off = (x - width as f32 / 2.0 - 0.5).abs().max((y - height as f32 / 2.0 - 0.5).abs());
    (area.longer_side().abs_diff(fit) <= 1 && off <= 0.6).then_some(pixels)
}

/// The character's ink, cropped; small ink in a large picture is cut out and looked for again at a finer scale.
fn closest_look(picture: &Picture, whole: Area) -> Option<Plane> {
    let step = whole.longer_side().div_ceil(WORKING_SIDE);
    let (ink, area) = character_in(picture, whole, step)?;
    if step == 1 || area.longer_side() >= COARSE_SIDE {
        return Some(ink);
    }
    let margin = area.longer_side() / 2 + 2;
    let closer = Area {
        left: whole.left + area.left.saturating_sub(margin) * step,
        top: whole.top + area.top.saturating_sub(margin) * step,
        right: (whole.left + (area.right + margin) * step).min(whole.right),
        bottom: (whole.top + (area.bottom + margin) * step).min(whole.bottom),
    };
    let closer_step = closer.longer_side().div_ceil(WORKING_SIDE);
    character_in(picture, closer, closer_step).map(|(ink, _)| ink).or(Some(ink))
}

/// The character's ink (1 is full strength), cropped, and where it was in the shrunk picture.
fn character_in(picture: &Picture, part: Area, step: usize) -> Option<(Plane, Area)> {
    let plane = Plane::shrunk(&picture.pixels, picture.width as usize, part, step);
    let plane = if is_dark_on_light(&plane) { plane.inverted() } else { plane };
    let contrast = above_background(&plane);
    let noise = (contrast.percentile(0.5) * 3.0).max(FAINTEST);
    let strong: Vec<f32> = contrast.values.iter().copied().filter(|&value| value > noise).collect();
    let strength = percentile(strong, 0.97);
    let threshold = (strength * EDGE).max(noise);
    let character = blobs::character(blobs::find(&contrast, threshold), plane.width, plane.height);
    let area = character.iter().map(|blob| blob.area).reduce(Area::union)?;
    let pixels: Vec<usize> = character.into_iter().flat_map(|blob| blob.pixels).collect();
    let strength = percentile(pixels.iter().map(|&at| contrast.values[at]).collect(), 0.6);
    let mut ink = Plane::new(plane.width, plane.height);
    for at in pixels {
        ink.values[at] = (contrast.values[at] / strength).min(1.0);
    }
    Some((ink.cropped(area), area))
}

/// Whether what differs most from the edge of the picture is darker than it.
fn is_dark_on_light(plane: &Plane) -> bool {
    let depth = (plane.width.min(plane.height) / 20).max(1);
    let mut edge = Vec::new();
    for y in 0..plane.height {
        let row = plane.row(y);
        if y < depth || y + depth >= plane.height {
            edge.extend_from_slice(row);
        } else {
            edge.extend_from_slice(&row[..depth]);
            edge.extend_from_slice(&row[plane.width - depth..]);
        }
    }
    let paper = percentile(edge, 0.5);
    paper - plane.percentile(0.001) >= plane.percentile(0.999) - paper
}

/// White top-hat: what is lighter than the opening by a square wider than any stroke (Meyer 1979), so that uneven
/// light and the edges of large shadows are background.
fn above_background(plane: &Plane) -> Plane {
    let radius = (plane.width.min(plane.height) * 3 / 10).max(2);
    let background = plane.eroded(radius).dilated(radius);
    let mut contrast = Plane::new(plane.width, plane.height);
    for (value, (light, paper)) in contrast.values.iter_mut().zip(plane.values.iter().zip(&background.values)) {
        *value = light - paper;
    }
    contrast
}

/// Thickens thin strokes and thins fat ones, before the shrinking in which thin ones would fade. Returns the scale
/// that makes the longer side `fit`.
fn with_usual_stroke(ink: Plane, fit: usize) -> (Plane, f32) {
    let scale = fit as f32 / ink.width.max(ink.height) as f32;
    let stroke = stroke_width(&ink) * scale;
    let radius = |difference: f32| (difference / scale / 2.0).round() as usize;
    if stroke < STROKE.0 {
        let radius = radius(STROKE.0 - stroke);
        let thick = padded(&ink, radius).dilated(radius);
        let scale = fit as f32 / thick.width.max(thick.height) as f32;
        return (thick, scale);
    }
    let radius = radius(stroke - STROKE.1);
    if stroke > STROKE.1 && radius > 0 {
        let thin = padded(&ink, 1).eroded(radius);
        if let Some(area) = inked_area(&thin, 0.2) {
            let thin = thin.cropped(area);
            let scale = fit as f32 / area.longer_side() as f32;
            return (thin, scale);
        }
    }
    (ink, scale)
}

/// Twice the ink's area by the length of its edge (its total variation): the mean width of its strokes.
fn stroke_width(ink: &Plane) -> f32 {
    let ink = padded(ink, 1);
    let mut variation = 0.0;
    for y in 0..ink.height - 1 {
        let (row, below) = (ink.row(y), ink.row(y + 1));
        for x in 0..ink.width - 1 {
            let (across, down) = (row[x + 1] - row[x], below[x] - row[x]);
            variation += (across * across + down * down).sqrt();
        }
    }
    2.0 * ink.values.iter().sum::<f32>() / variation.max(f32::MIN_POSITIVE)
}

fn padded(ink: &Plane, by: usize) -> Plane {
    let mut out = Plane::new(ink.width + 2 * by, ink.height + 2 * by);
    for y in 0..ink.height {
        let start = (y + by) * out.width + by;
        out.values[start..start + ink.width].copy_from_slice(ink.row(y));
    }
    out
}

/// The smallest area with all values above `threshold`.
fn inked_area(ink: &Plane, threshold: f32) -> Option<Area> {
    let inked = |y: usize| ink.row(y).iter().any(|&value| value > threshold);
    let column = |x: usize| (0..ink.height).any(|y| ink.values[y * ink.width + x] > threshold);
    let top = (0..ink.height).find(|&y| inked(y))?;
    let bottom = (0..ink.height).rfind(|&y| inked(y))? + 1;
    let left = (0..ink.width).find(|&x| column(x))?;
    let right = (0..ink.width).rfind(|&x| column(x))? + 1;
    Some(Area { left, top, right, bottom })
}

/// In pixels from the corner, so that the middle of the first pixel is 0.5.
fn centre_of_mass(ink: &Plane) -> (f32, f32) {
    let (mut mass, mut across, mut down) = (0.0f64, 0.0f64, 0.0f64);
    for y in 0..ink.height {
        for (x, &value) in ink.row(y).iter().enumerate() {
            mass += f64::from(value);
            across += f64::from(value) * (x as f64 + 0.5);
            down += f64::from(value) * (y as f64 + 0.5);
        }
    }
    let mass = mass.max(f64::MIN_POSITIVE);
    ((across / mass) as f32, (down / mass) as f32)
}
