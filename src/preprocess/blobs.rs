//! Connected ink, and which of it is the character.

use super::plane::{Area, Plane};

/// Parts of a character beside its main one; thousands of specks are none, and would take long to compare.
const MOST_PARTS: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) area: Area,
    pub(super) pixels: Vec<usize>,
    /// Sum of ink.
    mass: f32,
}

/// The 8-connected blobs of pixels with more ink than `threshold`.
pub(super) fn find(ink: &Plane, threshold: f32) -> Vec<Blob> {
    let mut seen = vec![false; ink.values.len()];
    let mut blobs = Vec::new();
    let mut stack = Vec::new();
    for start in 0..ink.values.len() {
        if seen[start] || ink.values[start] <= threshold {
            continue;
        }
        seen[start] = true;
        stack.push(start);
        let mut pixels = Vec::new();
        let mut area = Area { left: usize::MAX, top: usize::MAX, right: 0, bottom: 0 };
        let mut mass = 0.0;
        while let Some(at) = stack.pop() {
            let (x, y) = (at % ink.width, at / ink.width);
            area = area.union(Area { left: x, top: y, right: x + 1, bottom: y + 1 });
            mass += ink.values[at];
            pixels.push(at);
            for near_y in y.saturating_sub(1)..(y + 2).min(ink.height) {
                for near_x in x.saturating_sub(1)..(x + 2).min(ink.width) {
                    let near = near_y * ink.width + near_x;
                    if !seen[near] && ink.values[near] > threshold {
                        seen[near] = true;
                        stack.push(near);
                    }
                }
            }
        }
        blobs.push(Blob { area, pixels, mass });
    }
    blobs
}

/// The blobs that are one character: the heaviest near the middle, and what lies close to it.
pub(super) fn character(mut blobs: Vec<Blob>, width: usize, height: usize) -> Vec<Blob> {
    let score = |blob: &Blob| {
        blob.mass * centrality(blob, width, height) * if is_frame(blob, width, height) { 0.02 } else { 1.0 }
    };
    let Some(main) = (0..blobs.len()).max_by(|&a, &b| score(&blobs[a]).total_cmp(&score(&blobs[b]))) else {
        return Vec::new();
    };
    let main = blobs.swap_remove(main);
    let (reach, smallest) = (main.area.longer_side() as f32 * 0.25, main.pixels.len() as f32 * 0.04);
    blobs.retain(|blob| {
        blob.pixels.len() as f32 >= smallest && !is_frame(blob, width, height) && !at_edge(blob, width, height)
    });
    blobs.sort_by(|a, b| b.mass.total_cmp(&a.mass));
    blobs.truncate(MOST_PARTS);
    let mut area = main.area;
    let mut chosen = vec![main];
    loop {
        let Some(near) = blobs.iter().position(|blob| blob.area.gap(area) as f32 <= reach) else {
            return chosen;
        };
        let blob = blobs.swap_remove(near);
        area = area.union(blob.area);
        chosen.push(blob);
    }
}

/// 1 in the middle, a half in the corners.
fn centrality(blob: &Blob, width: usize, height: usize) -> f32 {
    let x = (blob.area.left + blob.area.right) as f32 / width as f32 - 1.0;
    let y = (blob.area.top + blob.area.bottom) as f32 / height as f32 - 1.0;
    1.0 - 0.5 * ((x * x + y * y) / 2.0).sqrt()
}

/// Lines from edge to edge and borders of a cell: long, and with little ink for the area they enclose.
fn is_frame(blob: &Blob, width: usize, height: usize) -> bool {
    let crosses = (blob.area.width() == width && blob.area.height() * 8 < height)
        || (blob.area.height() == height && blob.area.width() * 8 < width);
    let encloses = blob.area.width() * 10 >= width * 9
        && blob.area.height() * 10 >= height * 9
        && blob.pixels.len() * 8 < blob.area.width() * blob.area.height();
    width > 40 && height > 40 && (crosses || encloses)
}

fn at_edge(blob: &Blob, width: usize, height: usize) -> bool {
    blob.area.left == 0 || blob.area.top == 0 || blob.area.right == width || blob.area.bottom == height
}
