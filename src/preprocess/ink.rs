//! Finds one drawn character in a picture.

use super::blobs::Blobs;
use super::choose::{self, Choice};
use super::lines;
use super::paper::{self, Strokes};
use super::plane::{Area, Histogram, Plane};
use crate::decode::Picture;

/// Longer side, in pixels, of the picture in which ink is looked for.
const WORKING_SIDE: usize = 256;
/// Ink that is smaller than this in the working picture is looked at again, closer.
const COARSE_SIDE: usize = 96;
/// Least contrast that is ink and not noise of the sensor or of a JPEG.
pub(super) const FAINTEST: u8 = 15;
/// Roughness from which a picture is smoothed, and the shorter side from which its strokes bear it.
const ROUGH: u8 = 2;
const SMOOTHED_SIDE: usize = 48;
/// Share of the ink's strength from which a pixel belongs to it.
const EDGE: f32 = 0.4;

/// How many times the ink of usual strokes there is where strokes are fat.
const CLEARLY_MORE: f32 = 1.3;

/// What is drawn in a picture, before it is fitted.
#[derive(Debug, Clone)]
pub(super) enum Ink {
    None,
    /// The picture is what [`super::fitted::fitted`] would make, at the size that was asked for.
    Fitted(Vec<u8>),
    /// The character's ink, cropped; 255 is full strength.
    Found(Character),
}

#[derive(Debug, Clone)]
pub(super) struct Character {
    pub(super) ink: Plane,
    /// Where it was in the shrunk picture.
    area: Area,
    pub(super) several: bool,
}

/// The ink of a picture that is to be `height` x `width` pixels.
pub(super) fn find(picture: &Picture, fit: usize, height: usize, width: usize) -> Ink {
    if let Some(ready) = super::fitted::already(picture, fit, height, width) {
        return Ink::Fitted(ready);
    }
    let whole = Area { left: 0, top: 0, right: picture.width as usize, bottom: picture.height as usize };
    closest_look(picture, whole).map_or(Ink::None, Ink::Found)
}

/// Small ink in a large picture is cut out and looked for again at a finer scale.
fn closest_look(picture: &Picture, whole: Area) -> Option<Character> {
    let step = whole.longer_side().div_ceil(WORKING_SIDE);
    let first = character_in(picture, whole, step)?;
    let Character { area, several, .. } = first;
    if step == 1 || area.longer_side() >= COARSE_SIDE {
        return Some(first);
    }
    let margin = area.longer_side() / 2 + 2;
    let closer = Area {
        left: whole.left + area.left.saturating_sub(margin) * step,
        top: whole.top + area.top.saturating_sub(margin) * step,
        right: (whole.left + (area.right + margin) * step).min(whole.right),
        bottom: (whole.top + (area.bottom + margin) * step).min(whole.bottom),
    };
    let closer_step = closer.longer_side().div_ceil(WORKING_SIDE);
    let closer = character_in(picture, closer, closer_step);
    // Only the whole picture shows what else is there.
    Some(closer.map_or(first, |closer| Character { several, ..closer }))
}

/// The character's ink, cropped.
fn character_in(picture: &Picture, part: Area, step: usize) -> Option<Character> {
    let plane = Plane::shrunk(&picture.pixels, picture.width as usize, part, step);
    let is_large = plane.width.min(plane.height) >= SMOOTHED_SIDE;
    let rough = plane.roughness();
    let edge = if rough == 0 { CLEAN_EDGE } else { EDGE };
    let plane = if is_large && rough >= ROUGH { plane.smoothed() } else { plane };
    let plane = if paper::is_dark_on_light(&plane) { plane.inverted() } else { plane };
    light_on_dark(&plane, edge).or_else(|| light_on_dark(&plane.inverted(), edge))
}

fn light_on_dark(plane: &Plane, edge: f32) -> Option<Character> {
    let usual = look(plane, Strokes::Usual, edge);
    if usual.as_ref().is_some_and(|usual| usual.area.longer_side() * 2 < plane.width.max(plane.height)) {
        return usual;
    }
    let fat = look(plane, Strokes::Fat, edge).filter(|fat| {
        let same_place = usual.as_ref().is_some_and(|usual| is_about(usual.area, fat.area));
        is_free(fat.area, plane) || same_place && !fat.is_cut_off(plane)
    });
    match (usual, fat) {
        (Some(usual), Some(fat)) if fat.mass() as f32 <= usual.mass() as f32 * CLEARLY_MORE => Some(usual),
        (usual, fat) => fat.or(usual),
    }
}

fn look(plane: &Plane, strokes: Strokes, edge: f32) -> Option<Character> {
    let contrast = paper::contrast(plane, strokes);
    let threshold = threshold(&contrast, edge);
    if let Some(without) = lines::without(&contrast, threshold, (threshold / 2).max(FAINTEST)) {
        if let Some(character) = character_of(&without, threshold) {
            if is_free(character.area, plane) {
                return Some(character);
            }
        }
    }
    character_of(&contrast, threshold)
}

impl Character {
    fn mass(&self) -> u64 {
        self.ink.values.iter().map(|&value| u64::from(value)).sum()
    }

    /// Whether it is a part of something larger, as shadows are: much of its outline is the picture's edge.
    fn is_cut_off(&self, plane: &Plane) -> bool {
        let (area, ink) = (self.area, &self.ink);
        let inked = |values: &mut dyn Iterator<Item = u8>| values.filter(|&value| value > 0).count();
        let row = |y: usize, there: bool| if there { inked(&mut ink.row(y).iter().copied()) } else { 0 };
        let column = |x: usize, there: bool| if there { inked(&mut (0..ink.height).map(|y| ink.row(y)[x])) } else { 0 };
        let cut = row(0, area.top == 0)
            + row(ink.height - 1, area.bottom == plane.height)
            + column(0, area.left == 0)
            + column(ink.width - 1, area.right == plane.width);
        cut * 2 >= ink.width + ink.height
    }
}

/// Whether `inner` is not much smaller than `outer`.
fn is_about(inner: Area, outer: Area) -> bool {
    let both = inner.union(outer);
    both.width() * 4 <= inner.width() * 5 && both.height() * 4 <= inner.height() * 5
}

/// Whether it keeps off the picture's edges.
fn is_free(area: Area, plane: &Plane) -> bool {
    let (across, down) = (plane.width / 40 + 1, plane.height / 40 + 1);
    area.left >= across && area.right + across <= plane.width && area.top >= down && area.bottom + down <= plane.height
}

fn character_of(contrast: &Plane, threshold: u8) -> Option<Character> {
    let blobs = Blobs::find(contrast, threshold);
    let Choice { blobs: character, several } = choose::character(&blobs, contrast.width, contrast.height)?;
    let area = character.iter().map(|&blob| blobs.blobs[blob].area).reduce(Area::union)?;
    let mut chosen = vec![false; blobs.blobs.len()];
    character.iter().for_each(|&blob| chosen[blob] = true);
    let runs = || blobs.runs.iter().filter(|run| chosen[run.blob]);
    let mut strength = Histogram::of([]);
    runs().for_each(|run| strength.add(&contrast.row(run.y)[run.left..run.right]));
    let strength = u32::from(strength.percentile(0.6).max(1));
    let full = std::array::from_fn::<u8, 256, _>(|value| (value as u32 * 255 / strength).min(255) as u8);
    let mut ink = Plane::new(area.width(), area.height());
    for run in runs() {
        let start = (run.y - area.top) * ink.width + run.left - area.left;
        let values = &contrast.row(run.y)[run.left..run.right];
        ink.values[start..].iter_mut().zip(values).for_each(|(ink, &value)| *ink = full[usize::from(value)]);
    }
    Some(Character { ink, area, several })
}

const CLEAN_EDGE: f32 = 0.25;
const K: f32 = 3.0;
/// Least contrast of a pixel that is ink.
fn threshold(contrast: &Plane, edge: f32) -> u8 {
    let all = Histogram::of(&contrast.values);
    let (low, lowest) = (f32::from(all.percentile(0.25)), f32::from(all.percentile(0.05)));
    let noise = ((low + (low - lowest) * K) as u8).max(FAINTEST);
    let strength = all.above(noise).percentile(0.99);
    ((f32::from(strength) * edge) as u8).max(noise).saturating_add(1)
}
