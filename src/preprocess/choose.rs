//! Which blobs are the character, and whether there is another one.

use super::blobs::{Blob, Blobs};
use super::plane::Area;

/// Parts of a character beside its main one; thousands of specks are none, and would take long to compare.
const MOST_PARTS: usize = 64;
/// How far a part may be from the rest, as a share of the main one's longer side.
const REACH: f32 = 0.25;
/// Least size of a part, as a share of the main one's.
const SMALLEST_PART: f32 = 0.04;
/// What a frame weighs beside other blobs.
const FRAME: f32 = 0.02;
/// A line is so many times as long as it is thick.
const SLENDER: usize = 5;
/// Characters that stand side by side are further apart than halves of one, by the higher one's height.
const APART: f32 = 0.09;
/// Both together are no wider than one may be.
const APART_IF_NARROW: f32 = 0.2;
/// Of stacked ones: texts have more between their lines.
const APART_IF_STACKED: f32 = 0.5;
/// Least height and ink of another character, as shares of the main one's.
const COMPARABLE: (f32, f32) = (0.6, 0.2);
/// A character that the picture's edge cuts touches it with its strokes only: this share of its longer side at most.
const CUT: f32 = 0.34;
/// Height of a 1 beside another character, by that one's height, at most.
const HIGHEST_ONE: f32 = 1.4;
/// In pictures with a shorter side, what spans them may be the character.
const SPANNED: usize = 22;
/// In pictures with a shorter side, strokes are broken more often than there is another character.
const SMALL: usize = 40;

pub(super) struct Choice {
    /// Indices of the blobs that are one character.
    pub(super) blobs: Vec<usize>,
    /// More than one character is there.
    pub(super) several: bool,
}

/// The heaviest blob near the middle, and what lies close to it.
pub(super) fn character(found: &Blobs, width: usize, height: usize) -> Option<Choice> {
    let blobs = &found.blobs;
    let frames = frames(found, width, height);
    let score = |at: usize| {
        let blob = &blobs[at];
        blob.mass as f32 * centrality(blob, width, height) * if frames[at] { FRAME } else { 1.0 }
    };
    let main = (0..blobs.len()).max_by(|&a, &b| score(a).total_cmp(&score(b)))?;
    let (reach, smallest) = (blobs[main].area.longer_side() as f32 * REACH, blobs[main].pixels as f32 * SMALLEST_PART);
    let mut parts: Vec<usize> = (0..blobs.len())
        .filter(|&at| at != main && blobs[at].pixels as f32 >= smallest && !frames[at])
        .filter(|&at| !at_edge(&blobs[at], width, height) && !is_line_beside(&blobs[at], &blobs[main]))
        .collect();
    parts.sort_by_key(|&part| std::cmp::Reverse(blobs[part].mass));
    parts.truncate(MOST_PARTS);
    let (others, mut parts): (Vec<usize>, Vec<usize>) =
        parts.into_iter().partition(|&part| width.min(height) >= SMALL && is_another(&blobs[part], &blobs[main]));
    let mut area = blobs[main].area;
    let mut chosen = vec![main];
    while let Some(near) = parts.iter().position(|&part| blobs[part].area.gap(area) as f32 <= reach) {
        let part = parts.swap_remove(near);
        area = area.union(blobs[part].area);
        chosen.push(part);
    }
    let several =
        !others.is_empty() || (width.min(height) >= SMALL && has_neighbour_cut_off(found, main, width, height));
    Some(Choice { blobs: chosen, several })
}

/// Whether the picture's edge cuts another character. What it cuts may as well be a shadow, a finger or a line: those are
/// solid or slender, or lie along the edge.
fn has_neighbour_cut_off(found: &Blobs, main: usize, width: usize, height: usize) -> bool {
    let is_like_one = |blob: &Blob| {
        let (across, down) = (blob.area.width(), blob.area.height());
        let slender = across.max(down) >= across.min(down) * SLENDER;
        !slender && blob.pixels * 5 < across * down * 3 && is_another(blob, &found.blobs[main])
    };
    let cut = |at: usize| {
        let runs = found.runs.iter().filter(|run| run.blob == at);
        let touching = runs.map(|run| match run.y == 0 || run.y + 1 == height {
            true => run.right - run.left,
            false => usize::from(run.left == 0) + usize::from(run.right == width),
        });
        touching.sum::<usize>() as f32 <= found.blobs[at].area.longer_side() as f32 * CUT
    };
    let blobs = found.blobs.iter().enumerate().filter(|&(at, blob)| at != main && at_edge(blob, width, height));
    blobs.filter(|(_, blob)| is_like_one(blob)).any(|(at, _)| cut(at))
}

/// 1 in the middle, a half in the corners.
fn centrality(blob: &Blob, width: usize, height: usize) -> f32 {
    let x = (blob.area.left + blob.area.right) as f32 / width as f32 - 1.0;
    let y = (blob.area.top + blob.area.bottom) as f32 / height as f32 - 1.0;
    1.0 - 0.5 * ((x * x + y * y) / 2.0).sqrt()
}

/// For each blob, whether it is a line from edge to edge, a border of a cell, or a box or circle around something.
fn frames(found: &Blobs, width: usize, height: usize) -> Vec<bool> {
    let mut rim = vec![0; found.blobs.len()];
    for run in &found.runs {
        let area = found.blobs[run.blob].area;
        let (across, down) = (area.width() / 12 + 1, area.height() / 12 + 1);
        rim[run.blob] += if run.y < area.top + down || run.y + down >= area.bottom {
            run.right - run.left
        } else {
            (area.left + across).min(run.right).saturating_sub(run.left)
                + run.right.saturating_sub((area.right - across.min(area.width())).max(run.left))
        };
    }
    let is_frame = |(blob, rim): (&Blob, usize)| {
        let hollow = blob.pixels * 5 < blob.area.width() * blob.area.height() * 2;
        let rimmed = hollow && rim * 3 >= blob.pixels * 2;
        spans(blob, width, height)
            || rimmed
                && found.blobs.iter().any(|inner| encloses(blob.area, inner.area) && inner.pixels * 20 >= blob.pixels)
    };
    found.blobs.iter().zip(rim).map(is_frame).collect()
}

fn spans(blob: &Blob, width: usize, height: usize) -> bool {
    let crosses = (blob.area.width() == width && blob.area.height() * 8 < height)
        || (blob.area.height() == height && blob.area.width() * 8 < width);
    let encloses = blob.area.width() * 10 >= width * 9
        && blob.area.height() * 10 >= height * 9
        && blob.pixels * 8 < blob.area.width() * blob.area.height();
    width.min(height) > SPANNED && (crosses || encloses)
}

/// Something of a character's size, all around.
fn encloses(outer: Area, inner: Area) -> bool {
    outer.left < inner.left
        && outer.top < inner.top
        && outer.right > inner.right
        && outer.bottom > inner.bottom
        && inner.height() * 5 >= outer.height() * 2
}

fn at_edge(blob: &Blob, width: usize, height: usize) -> bool {
    blob.area.left == 0 || blob.area.top == 0 || blob.area.right == width || blob.area.bottom == height
}

/// No stroke of the main blob: a line below or above it, as long as it or at a distance, or one beside it that is too
/// high for a 1.
fn is_line_beside(blob: &Blob, main: &Blob) -> bool {
    let (a, b) = (blob.area, main.area);
    let level = a.width() >= a.height() * SLENDER;
    let upright = a.height() >= a.width() * SLENDER;
    if level && (a.top >= b.bottom || a.bottom <= b.top) {
        // A 5's bar is above, and longer than what is left of it.
        let longest_stroke = b.width() as f32 * if a.top >= b.bottom { 0.95 } else { 1.2 };
        return a.gap(b) * 10 > b.longer_side() || a.width() as f32 > longest_stroke;
    }
    upright && (a.left >= b.right || a.right <= b.left) && a.height() as f32 > b.height() as f32 * HIGHEST_ONE
}

/// As large and as dark as the main blob, and beside, above or below it rather than in it.
fn is_another(blob: &Blob, main: &Blob) -> bool {
    let (a, b) = (blob.area, main.area);
    let comparable = a.height() as f32 >= b.height() as f32 * COMPARABLE.0
        && blob.mass as f32 >= main.mass as f32 * COMPARABLE.1
        && a.height() <= b.height() * 2;
    let both = a.union(b);
    let beside = a.left >= b.right || b.left >= a.right;
    let apart = match beside {
        true if both.width() * 4 < both.height() * 3 => APART_IF_NARROW,
        true => APART,
        false => APART_IF_STACKED,
    };
    comparable && a.gap(b) as f32 >= a.height().max(b.height()) as f32 * apart
}
