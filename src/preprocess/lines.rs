//! Lines that were there before the character: ruled and squared paper, the borders of cells.

use super::blobs::Blobs;
use super::paper::Contrast;
use super::plane::{Area, Plane};

/// Length from which a run of ink may be a piece of a line, as a share of the picture's shorter side: short enough that
/// a line that leans stays one.
const PIECE: f32 = 0.1;
const SHORTEST_PIECE: usize = 8;
/// Thickness up to which it may be one, as a share of the picture's shorter side.
const THICKEST: f32 = 0.055;
/// More pieces are no lines, but texture.
const MOST_PIECES: usize = 400;
/// How far apart pieces of one line may be, as a share of its direction's side: a character fits between.
const GAP: f32 = 0.5;
/// How much a line may lean.
const LEAN: f32 = 0.1;
/// A line that ends so near to two opposite edges of the picture goes from one to the other.
const FROM_EDGE: f32 = 0.05;
/// How much of a line is seen, at least.
const SEEN: f32 = 0.4;
/// In pictures with a shorter side, what goes from edge to edge may be a stroke.
const SMALL: usize = 30;
/// Where borders of cells are, as a share of the picture, and how long they are.
const BORDER: f32 = 0.17;
const SHORTEST_BORDER: f32 = 0.3;
/// Share of a blob's pixels from which it is nothing but lines.
const MOSTLY: f32 = 0.8;

/// `contrast` without its lines, if it has some. They are looked for from faint contrast on.
/// What a line from edge to edge goes through stays whole, because there it is not thin; a border is left out only if
/// nothing else is joined to it.
pub(super) fn without(of_ink: &Contrast) -> Option<Plane> {
    let Contrast { plane: contrast, threshold } = of_ink;
    let mask = contrast.at_least(of_ink.faint());
    let across = Lines::along_rows(&mask);
    let down = Lines::along_rows(&mask.transposed());
    if across.is_none() && down.is_none() {
        return None;
    }
    let across = across.unwrap_or_else(|| Lines::none(contrast));
    let down = down.map_or_else(|| Lines::none(contrast), Lines::transposed);
    let mut out = contrast.clone();
    for lines in [&across.from_edge_to_edge, &down.from_edge_to_edge] {
        out.values.iter_mut().zip(&lines.values).for_each(|(value, line)| *value &= !line);
    }
    let on_line: Vec<u8> = across.all.values.iter().zip(&down.all.values).map(|(across, down)| across | down).collect();
    let left = Blobs::find(&out, *threshold);
    let mut of_lines = vec![0; left.blobs.len()];
    for run in &left.runs {
        let row = run.y * out.width;
        of_lines[run.blob] += on_line[row + run.left..row + run.right].iter().filter(|&&line| line > 0).count();
    }
    for run in &left.runs {
        if of_lines[run.blob] as f32 >= MOSTLY * left.blobs[run.blob].pixels as f32 {
            out.values[run.y * out.width + run.left..][..run.right - run.left].fill(0);
        }
    }
    Some(out)
}

/// 255 where there is a line.
struct Lines {
    all: Plane,
    from_edge_to_edge: Plane,
}

/// Pieces of one line, from left to right.
struct Line {
    pieces: Vec<usize>,
    area: Area,
    /// Where the last piece ends.
    end: (usize, usize),
    /// Sum of the pieces' lengths.
    seen: usize,
}

impl Lines {
    fn none(picture: &Plane) -> Lines {
        let none = Plane::new(picture.width, picture.height);
        Lines { all: none.clone(), from_edge_to_edge: none }
    }

    fn transposed(self) -> Lines {
        Lines { all: self.all.transposed(), from_edge_to_edge: self.from_edge_to_edge.transposed() }
    }

    fn along_rows(mask: &Plane) -> Option<Lines> {
        let shorter = mask.width.min(mask.height) as f32;
        let thickest = ((shorter * THICKEST) as usize).max(2);
        let piece = ((shorter * PIECE) as usize).max(SHORTEST_PIECE);
        let mut thin = mask.clone();
        let thick = mask.opened_down(thickest + 1);
        thin.values.iter_mut().zip(&thick.values).for_each(|(thin, thick)| *thin &= !thick);
        let mut pieces = thin.thickened_down().closed_across(thickest + 2).opened_across(piece);
        pieces.values.iter_mut().zip(&thin.values).for_each(|(piece, thin)| *piece &= thin);
        let found = Blobs::find(&pieces.closed_across(thickest + 2), 1);
        if found.blobs.is_empty() || found.blobs.len() > MOST_PIECES {
            return None;
        }
        let mut kinds = vec![(false, false); found.blobs.len()];
        for line in lines(&found, mask.width, piece) {
            let from_edge_to_edge = line.is_from_edge_to_edge(mask);
            let kind = (from_edge_to_edge || line.is_border(mask), from_edge_to_edge);
            line.pieces.iter().for_each(|&piece| kinds[piece] = kind);
        }
        if kinds.iter().all(|(line, _)| !line) {
            return None;
        }
        let mut lines = Lines::none(mask);
        for run in &found.runs {
            let at = run.y * mask.width + run.left..run.y * mask.width + run.right;
            let (line, from_edge_to_edge) = kinds[run.blob];
            if line {
                lines.all.values[at.clone()].copy_from_slice(&pieces.values[at.clone()]);
            }
            if from_edge_to_edge {
                lines.from_edge_to_edge.values[at.clone()].copy_from_slice(&pieces.values[at]);
            }
        }
        Some(lines)
    }
}

/// The blobs that follow each other in one direction.
fn lines(found: &Blobs, width: usize, piece: usize) -> Vec<Line> {
    let mut first = vec![(usize::MAX, 0); found.blobs.len()];
    let mut last = vec![(0, 0); found.blobs.len()];
    for run in &found.runs {
        first[run.blob] = first[run.blob].min((run.left, run.y));
        last[run.blob] = last[run.blob].max((run.right, run.y));
    }
    let mut order: Vec<usize> =
        (0..found.blobs.len()).filter(|&at| found.blobs[at].area.width() * 2 >= piece).collect();
    order.sort_by_key(|&at| first[at]);
    let mut lines: Vec<Line> = Vec::new();
    for at in order {
        let (area, (left, y)) = (found.blobs[at].area, first[at]);
        let follows = |line: &Line| {
            let gap = left.saturating_sub(line.end.0);
            left + piece >= line.end.0
                && gap as f32 <= width as f32 * GAP
                && line.end.1.abs_diff(y) as f32 <= gap as f32 * LEAN + 2.5
        };
        match lines.iter_mut().filter(|line| follows(line)).min_by_key(|line| line.end.1.abs_diff(y)) {
            Some(line) => {
                line.pieces.push(at);
                line.area = line.area.union(area);
                line.end = line.end.max(last[at]);
                line.seen += area.width();
            }
            None => lines.push(Line { pieces: vec![at], area, end: last[at], seen: area.width() }),
        }
    }
    lines
}

impl Line {
    fn is_level(&self, mask: &Plane) -> bool {
        let shorter = mask.width.min(mask.height) as f32;
        self.area.height() as f32 <= self.area.width() as f32 * LEAN + shorter * THICKEST + 2.0
    }

    fn is_from_edge_to_edge(&self, mask: &Plane) -> bool {
        let near = (mask.width as f32 * FROM_EDGE + 1.0) as usize;
        self.is_level(mask)
            && self.area.left <= near
            && self.area.right + near >= mask.width
            && self.seen as f32 >= mask.width as f32 * SEEN
            && mask.width.min(mask.height) >= SMALL
    }

    fn is_border(&self, mask: &Plane) -> bool {
        let (width, height) = (mask.width as f32, mask.height as f32);
        let middle = (self.area.top + self.area.bottom) as f32 / 2.0;
        self.is_level(mask)
            && self.area.width() as f32 >= width * SHORTEST_BORDER
            && self.seen as f32 >= self.area.width() as f32 * SEEN
            && (middle < height * BORDER || middle > height * (1.0 - BORDER))
    }
}
