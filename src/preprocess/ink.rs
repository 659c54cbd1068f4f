//! Finds one drawn character in a picture.

use super::blobs::Blobs;
use super::choose::{self, Choice};
use super::lines;
use super::paper::{Contrast, Ground, Strokes};
use super::plane::{Area, Histogram, Plane};
use super::stage::Watch;
use crate::decode::Picture;

/// Longer side, in pixels, of the picture in which ink is looked for.
const WORKING_SIDE: usize = 256;
/// Ink that is smaller than this in the working picture is looked at again, closer, and in a larger picture if there is one.
const COARSE_SIDE: usize = 96;
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
    /// Pixels of the picture, across or down, that one of `ink` is the mean of.
    step: usize,
    pub(super) several: bool,
}

/// The ink of a picture that is to be `height` x `width` pixels.
pub(super) fn find(picture: &Picture, fit: usize, height: usize, width: usize, watch: Watch) -> Ink {
    if let Some(ready) = super::fitted::already(picture, fit, height, width) {
        return Ink::Fitted(ready);
    }
    let whole = Area { left: 0, top: 0, right: picture.width as usize, bottom: picture.height as usize };
    closest_look(picture, whole, watch).map_or(Ink::None, Ink::Found)
}

/// Small ink in a large picture is cut out and looked for again at a finer scale.
fn closest_look(picture: &Picture, whole: Area, watch: Watch) -> Option<Character> {
    let step = whole.longer_side().div_ceil(WORKING_SIDE);
    let first = character_in(picture, whole, step, watch)?;
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
    let closer = character_in(picture, closer, closer_step, watch);
    // Only the whole picture shows what else is there.
    Some(closer.map_or(first, |closer| Character { several, ..closer }))
}

/// The character's ink, cropped.
fn character_in(picture: &Picture, part: Area, step: usize, watch: Watch) -> Option<Character> {
    let ground = Ground::of(Plane::shrunk(&picture.pixels, picture.width as usize, part, step));
    let found = light_on_dark(&ground, watch).or_else(|| light_on_dark(&ground.inverted(), watch));
    found.map(|character| Character { step, ..character })
}

fn light_on_dark(ground: &Ground, watch: Watch) -> Option<Character> {
    let plane = &ground.plane;
    watch("ground", plane);
    let usual = look(ground, Strokes::Usual, watch);
    if usual.as_ref().is_some_and(|usual| usual.area.longer_side() * 2 < plane.width.max(plane.height)) {
        return usual;
    }
    let fat = look(ground, Strokes::Fat, watch).filter(|fat| {
        let same_place = usual.as_ref().is_some_and(|usual| is_about(usual.area, fat.area));
        is_free(fat.area, plane) || same_place && !fat.is_cut_off(plane)
    });
    match (usual, fat) {
        (Some(usual), Some(fat)) if fat.mass() as f32 <= usual.mass() as f32 * CLEARLY_MORE => Some(usual),
        (usual, fat) => fat.or(usual),
    }
}

fn look(ground: &Ground, strokes: Strokes, watch: Watch) -> Option<Character> {
    let contrast = ground.contrast(strokes);
    watch("contrast", &contrast.plane);
    if let Some(plane) = lines::without(&contrast) {
        watch("without-lines", &plane);
        let without = Contrast { plane, ..contrast };
        let character = character_of(&without, watch).filter(|character| is_free(character.area, &ground.plane));
        if character.is_some() {
            return character;
        }
    }
    character_of(&contrast, watch)
}

/// Longer side from which on a picture may be a smaller one of a larger.
pub(super) const LEAST_SIDE: u32 = WORKING_SIDE as u32;

impl Character {
    /// Whether it is as well seen as it would be in a larger picture of the same.
    pub(super) fn is_fine(&self) -> bool {
        self.step > 1 || self.area.longer_side() >= COARSE_SIDE
    }

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

fn character_of(contrast: &Contrast, watch: Watch) -> Option<Character> {
    let Contrast { plane, threshold } = contrast;
    let blobs = Blobs::find(plane, *threshold);
    let Choice { blobs: character, several } = choose::character(&blobs, plane.width, plane.height)?;
    let area = character.iter().map(|&blob| blobs.blobs[blob].area).reduce(Area::union)?;
    let mut chosen = vec![false; blobs.blobs.len()];
    character.iter().for_each(|&blob| chosen[blob] = true);
    let runs = || blobs.runs.iter().filter(|run| chosen[run.blob]);
    let mut strength = Histogram::of([]);
    runs().for_each(|run| strength.add(&plane.row(run.y)[run.left..run.right]));
    let strength = u32::from(strength.percentile(0.6).max(1));
    let full = std::array::from_fn::<u8, 256, _>(|value| (value as u32 * 255 / strength).min(255) as u8);
    let mut ink = Plane::new(area.width(), area.height());
    for run in runs() {
        let start = (run.y - area.top) * ink.width + run.left - area.left;
        let values = &plane.row(run.y)[run.left..run.right];
        ink.values[start..].iter_mut().zip(values).for_each(|(ink, &value)| *ink = full[usize::from(value)]);
    }
    watch("character", &ink);
    Some(Character { ink, area, step: 1, several })
}
