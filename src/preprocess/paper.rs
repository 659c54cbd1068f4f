//! What is ink and what is paper, under uneven light.

use super::plane::{Area, Histogram, Plane};

/// Blocks along the longer side of the picture in which the paper's light is looked at.
const BLOCKS: usize = 64;
/// Half the side of the square that is wider than a stroke, as a share of the picture's mean side.
const WIDER_THAN_USUAL: f32 = 0.12;
const WIDER_THAN_FAT: f32 = 0.3;
/// Pictures of a smaller mean side are cut out already: their strokes are fat.
const SMALL: f32 = 64.0;
/// The same for what is surely thin.
const WIDER_THAN_THIN: f32 = 0.05;
/// Contrast of thin things that may be noise, after blocks of pixels were averaged.
const THIN_NOISE: u8 = 5;
/// So many times the other one is a clear answer.
const CLEARLY: f32 = 2.0;

/// Roughness from which a picture is smoothed, and the shorter side from which its strokes bear it.
const ROUGH: u8 = 2;
const SMOOTHED_SIDE: usize = 48;
/// Least contrast that is ink and not noise of the sensor or of a JPEG.
const FAINTEST: u8 = 15;
/// Share of the strongest contrast from which a pixel is ink, and the same where nothing is rough.
const EDGE: f32 = 0.4;
const CLEAN_EDGE: f32 = 0.25;
/// Percentile of what is above noise that counts as the strongest: the pen's on ruled paper, whose lines are more ink.
const STRONGEST: f32 = 0.99;
/// How far above its lower quarter noise goes, by what that is above the lowest twentieth: 2.2 standard deviations
/// over the mean of normal noise.
const NOISE_REACH: f32 = 3.0;

/// How fat strokes may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strokes {
    Usual,
    /// Of digits that fill the picture.
    Fat,
}

/// A grey picture in which ink is light on dark.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) plane: Plane,
    edge: f32,
}

/// What is lighter than the paper around it, and from where on it is ink.
#[derive(Debug, Clone)]
pub(super) struct Contrast {
    pub(super) plane: Plane,
    pub(super) threshold: u8,
}

impl Ground {
    pub(super) fn of(plane: Plane) -> Ground {
        let roughness = plane.roughness();
        let edge = if roughness == 0 { CLEAN_EDGE } else { EDGE };
        let is_large = plane.width.min(plane.height) >= SMOOTHED_SIDE;
        let plane = if is_large && roughness >= ROUGH { plane.smoothed() } else { plane };
        let plane = if is_dark_on_light(&plane) { plane.inverted() } else { plane };
        Ground { plane, edge }
    }

    pub(super) fn inverted(&self) -> Ground {
        Ground { plane: self.plane.inverted(), ..*self }
    }

    pub(super) fn contrast(&self, strokes: Strokes) -> Contrast {
        let plane = above_paper(&self.plane, strokes);
        let all = Histogram::of(&plane.values);
        let (low, lowest) = (f32::from(all.percentile(0.25)), f32::from(all.percentile(0.05)));
        let noise = ((low + (low - lowest) * NOISE_REACH) as u8).max(FAINTEST);
        let strongest = all.above(noise).percentile(STRONGEST);
        let threshold = ((f32::from(strongest) * self.edge) as u8).max(noise).saturating_add(1);
        Contrast { plane, threshold }
    }
}

impl Contrast {
    /// From where on a pixel may be a faint line's.
    pub(super) fn faint(&self) -> u8 {
        (self.threshold / 2).max(FAINTEST)
    }
}

/// Whether ink is darker than paper: what differs most from the edge of the picture and from most of it. Where light
/// falls so unevenly, or a border is around, that these do not say it clearly, it is what thin things are.
fn is_dark_on_light(plane: &Plane) -> bool {
    let whole = Histogram::of(&plane.values);
    let extremes = (whole.percentile(0.001), whole.percentile(0.999));
    let lighter = |paper: u8| (f32::from(paper - extremes.0.min(paper)), f32::from(extremes.1.max(paper) - paper));
    let (below_edge, above_edge) = lighter(edge(plane).percentile(0.5));
    let (below_most, above_most) = lighter(whole.percentile(0.5));
    let clear = |more: f32, less: f32| more >= less * CLEARLY;
    if clear(below_edge, above_edge) && clear(below_most, above_most) {
        return true;
    }
    if clear(above_edge, below_edge) && clear(above_most, below_most) {
        return false;
    }
    let (dark, light) = thin_things(plane);
    let is_cut_out = plane.width > plane.height * 2 || plane.height > plane.width * 2;
    if !is_cut_out && (clear(dark, light) || clear(light, dark)) { dark > light } else { below_edge >= above_edge }
}

/// Values near the edge of the picture.
fn edge(plane: &Plane) -> Histogram {
    let depth = (plane.width.min(plane.height) / 20).max(1);
    let mut edge = Histogram::of([]);
    for y in 0..plane.height {
        let row = plane.row(y);
        if y < depth || y + depth >= plane.height {
            edge.add(row);
        } else {
            edge.add(&row[..depth]);
            edge.add(&row[plane.width - depth..]);
        }
    }
    edge
}

/// How much there is of thin things that are darker than what is around them, and of those that are lighter: black and
/// white top-hat.
fn thin_things(plane: &Plane) -> (f32, f32) {
    let whole = Area { left: 0, top: 0, right: plane.width, bottom: plane.height };
    let coarse = Plane::shrunk(&plane.values, plane.width, whole, block(plane));
    let radius = ((mean_side(&coarse) * WIDER_THAN_THIN) as usize).max(2);
    let dark = excess(&coarse.dilated(radius).eroded(radius), &coarse);
    let light = excess(&coarse, &coarse.eroded(radius).dilated(radius));
    (dark, light)
}

/// Sum of the difference over what may be noise.
fn excess(upper: &Plane, lower: &Plane) -> f32 {
    let contrast: Vec<u8> = upper.values.iter().zip(&lower.values).map(|(upper, lower)| upper - lower).collect();
    let noise = Histogram::of(&contrast).percentile(0.5).saturating_mul(3).max(THIN_NOISE);
    contrast.iter().map(|&value| u32::from(value.saturating_sub(noise))).sum::<u32>() as f32
}

/// White top-hat: what is lighter than the opening by a square wider than any stroke (Meyer 1979), so that uneven
/// light and the edges of shadows are background. The opening is that of blocks of pixels.
fn above_paper(plane: &Plane, strokes: Strokes) -> Plane {
    let block = block(plane);
    let share = match strokes {
        Strokes::Usual if mean_side(plane) >= SMALL => WIDER_THAN_USUAL,
        _ => WIDER_THAN_FAT,
    };
    let radius = ((mean_side(plane) * share / block as f32) as usize).max(2);
    above(plane, &darkest(plane, block).eroded(radius).dilated(radius), block)
}

fn block(plane: &Plane) -> usize {
    (plane.width.max(plane.height) / BLOCKS).max(1)
}

fn mean_side(plane: &Plane) -> f32 {
    ((plane.width * plane.height) as f32).sqrt()
}

fn above(plane: &Plane, background: &Plane, block: usize) -> Plane {
    let mut contrast = plane.clone();
    let mut paper = vec![0; background.width * block];
    for (y, row) in contrast.values.chunks_exact_mut(plane.width).enumerate() {
        if y % block == 0 {
            let blocks = background.row(y / block);
            paper.chunks_exact_mut(block).zip(blocks).for_each(|(paper, &value)| paper.fill(value));
        }
        row.iter_mut().zip(&paper).for_each(|(value, &paper)| *value = value.saturating_sub(paper));
    }
    contrast
}

/// The least value of each `block` x `block` pixels.
fn darkest(plane: &Plane, block: usize) -> Plane {
    let mut out = Plane::new(plane.width.div_ceil(block), plane.height.div_ceil(block));
    let mut least = vec![255; plane.width];
    for (rows, out) in plane.values.chunks(plane.width * block).zip(out.values.chunks_exact_mut(out.width)) {
        least.fill(255);
        for row in rows.chunks_exact(plane.width) {
            least.iter_mut().zip(row).for_each(|(least, &value)| *least = value.min(*least));
        }
        for (out, least) in out.iter_mut().zip(least.chunks(block)) {
            *out = least.iter().copied().fold(255, u8::min);
        }
    }
    out
}
