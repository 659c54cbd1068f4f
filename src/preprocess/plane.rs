//! A grey picture of bytes, and the filters that finding ink needs. Loops are over whole rows or planes, so that the
//! compiler makes vector instructions of them.

/// Row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<u8>,
}

/// A rectangle of pixels: `left..right`, `top..bottom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Area {
    pub(super) fn width(self) -> usize {
        self.right - self.left
    }

    pub(super) fn height(self) -> usize {
        self.bottom - self.top
    }

    pub(super) fn longer_side(self) -> usize {
        self.width().max(self.height())
    }

    pub(super) fn union(self, other: Area) -> Area {
        Area {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// Pixels between two areas along the axis on which they are further apart; 0 where they touch.
    pub(super) fn gap(self, other: Area) -> usize {
        let across = self.left.max(other.left).saturating_sub(self.right.min(other.right));
        let down = self.top.max(other.top).saturating_sub(self.bottom.min(other.bottom));
        across.max(down)
    }
}

impl Plane {
    pub(super) fn new(width: usize, height: usize) -> Plane {
        Plane { width, height, values: vec![0; width * height] }
    }

    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// `area` of a picture, each `step` x `step` block averaged to one pixel.
    pub(super) fn shrunk(pixels: &[u8], stride: usize, area: Area, step: usize) -> Plane {
        /// So many bytes fit into 16 bits.
        const ROWS: usize = 257;
        let mut plane = Plane::new(area.width().div_ceil(step), area.height().div_ceil(step));
        let line = |y: usize| &pixels[y * stride + area.left..y * stride + area.right];
        let (mut columns, mut blocks) = (vec![0u16; area.width()], vec![0u32; plane.width]);
        for (y, values) in plane.values.chunks_exact_mut(plane.width).enumerate() {
            let (top, bottom) = (area.top + y * step, (area.top + (y + 1) * step).min(area.bottom));
            if step == 1 {
                values.copy_from_slice(line(top));
                continue;
            }
            blocks.fill(0);
            for rows in (top..bottom).step_by(ROWS) {
                columns.fill(0);
                for row in rows..(rows + ROWS).min(bottom) {
                    columns.iter_mut().zip(line(row)).for_each(|(sum, &value)| *sum += u16::from(value));
                }
                for (block, columns) in blocks.iter_mut().zip(columns.chunks(step)) {
                    *block += columns.iter().map(|&sum| u32::from(sum)).sum::<u32>();
                }
            }
            let full = (area.width() / step).min(values.len());
            let mean = Mean::of(step * (bottom - top));
            values[..full].iter_mut().zip(&blocks).for_each(|(value, &sum)| *value = mean.divide(sum));
            if full < values.len() {
                values[full] = Mean::of((area.width() - full * step) * (bottom - top)).divide(blocks[full]);
            }
        }
        plane
    }

    pub(super) fn inverted(&self) -> Plane {
        Plane { values: self.values.iter().map(|value| 255 - value).collect(), ..*self }
    }

    /// The largest value within `radius` in each direction (grey dilation by a square).
    pub(super) fn dilated(&self, radius: usize) -> Plane {
        self.extreme(radius, u8::max)
    }

    /// The smallest value within `radius` in each direction (grey erosion by a square). Beyond the edge is the edge.
    pub(super) fn eroded(&self, radius: usize) -> Plane {
        self.extreme(radius, u8::min)
    }

    fn extreme(&self, radius: usize, pick: impl Fn(u8, u8) -> u8 + Copy) -> Plane {
        if radius == 0 || self.values.is_empty() {
            return self.clone();
        }
        let across = self.extended(radius.min(self.width), 0);
        let (across_width, width) = (across.width, self.width);
        let mut rows = running_extreme(across.values, 1, across_width - width + 1, pick);
        for y in 1..self.height {
            rows.copy_within(y * across_width..y * across_width + width, y * width);
        }
        rows.truncate(width * self.height);
        let down = Plane { values: rows, ..*self }.extended(0, radius.min(self.height));
        let mut values = running_extreme(down.values, width, down.height - self.height + 1, pick);
        values.truncate(width * self.height);
        Plane { values, ..*self }
    }

    /// Half of each value and half of its neighbours (binomial, 3 x 3). Beyond the edge is the edge.
    pub(super) fn smoothed(&self) -> Plane {
        let across = self.extended(1, 0);
        let mut rows = Plane::new(self.width, self.height);
        for (row, from) in rows.values.chunks_exact_mut(self.width).zip(across.values.chunks_exact(across.width)) {
            mean_of_three(row, from, &from[1..], &from[2..]);
        }
        let down = rows.extended(0, 1);
        let mut out = Plane::new(self.width, self.height);
        let (above, here, below) = (&down.values, &down.values[self.width..], &down.values[2 * self.width..]);
        mean_of_three(&mut out.values, above, here, below);
        out
    }

    /// How far neighbours in a row differ from a straight line: half of them by more. A row in four is looked at.
    pub(super) fn roughness(&self) -> u8 {
        let mut rough = Histogram::of([]);
        let mut line = vec![0; self.width.saturating_sub(2)];
        for row in self.values.chunks_exact(self.width).step_by(4) {
            let neighbours = row.iter().zip(row.iter().skip(2)).map(|(&left, &right)| left.midpoint(right));
            line.iter_mut()
                .zip(neighbours.zip(&row[1..]))
                .for_each(|(rough, (mean, &here))| *rough = here.abs_diff(mean));
            rough.add(&line);
        }
        rough.percentile(0.5)
    }

    /// 255 where there is at least `threshold`, else 0.
    pub(super) fn at_least(&self, threshold: u8) -> Plane {
        let values = self.values.iter().map(|&value| if value >= threshold { 255 } else { 0 }).collect();
        Plane { values, ..*self }
    }

    /// Each value as the largest of it, the one above and the one below.
    pub(super) fn thickened_down(&self) -> Plane {
        let mut values = self.values.clone();
        let rows = self.values.len() - self.width;
        values[..rows]
            .iter_mut()
            .zip(&self.values[self.width..])
            .for_each(|(value, &below)| *value = below.max(*value));
        values[self.width..]
            .iter_mut()
            .zip(&self.values[..rows])
            .for_each(|(value, &above)| *value = above.max(*value));
        Plane { values, ..*self }
    }

    /// What of each row a piece of `length` fits into (opening by a line). Beyond the edge is nothing.
    pub(super) fn opened_across(&self, length: usize) -> Plane {
        self.by_padded_rows(length, |rows| {
            let fits = running_extreme(rows, 1, length, u8::min);
            (running_extreme(fits, 1, length, u8::max), 1)
        })
    }

    /// With gaps of less than `length` in a row filled (closing by a line).
    pub(super) fn closed_across(&self, length: usize) -> Plane {
        self.by_padded_rows(length, |rows| {
            let reached = running_extreme(rows, 1, length, u8::max);
            (running_extreme(reached, 1, length, u8::min), 1)
        })
    }

    /// What of each column a piece of `length` fits into.
    pub(super) fn opened_down(&self, length: usize) -> Plane {
        let mut padded = vec![0; self.width * (self.height + 2 * length)];
        padded[self.width * length..][..self.values.len()].copy_from_slice(&self.values);
        let fits = running_extreme(padded, self.width, length, u8::min);
        let mut covered = running_extreme(fits, self.width, length, u8::max);
        covered.drain(..self.width);
        covered.truncate(self.values.len());
        Plane { values: covered, ..*self }
    }

    /// `change` of the rows with `by` zeros at each side, of which the first so many that it says are left out.
    fn by_padded_rows(&self, by: usize, change: impl Fn(Vec<u8>) -> (Vec<u8>, usize)) -> Plane {
        let width = self.width + 2 * by;
        let mut padded = vec![0; width * self.height];
        for (padded, row) in padded.chunks_exact_mut(width).zip(self.values.chunks_exact(self.width)) {
            padded[by..by + self.width].copy_from_slice(row);
        }
        let (changed, skip) = change(padded);
        let mut out = self.clone();
        for (row, changed) in out.values.chunks_exact_mut(self.width).zip(changed.chunks_exact(width)) {
            row.copy_from_slice(&changed[skip..skip + self.width]);
        }
        out
    }

    pub(super) fn transposed(&self) -> Plane {
        /// Pixels of a row or column that stay in the nearest cache meanwhile.
        const BLOCK: usize = 16;
        let mut out = Plane::new(self.height, self.width);
        for top in (0..self.height).step_by(BLOCK) {
            for x in 0..self.width {
                let bottom = (top + BLOCK).min(self.height);
                let column = &mut out.values[x * self.height + top..x * self.height + bottom];
                column.iter_mut().enumerate().for_each(|(i, value)| *value = self.values[(top + i) * self.width + x]);
            }
        }
        out
    }

    /// With `across` and `down` more pixels at each side, each as the edge beside it.
    fn extended(&self, across: usize, down: usize) -> Plane {
        let mut out = Plane::new(self.width + 2 * across, self.height + 2 * down);
        for (y, row) in out.values.chunks_exact_mut(self.width + 2 * across).enumerate() {
            let line = self.row(y.saturating_sub(down).min(self.height - 1));
            row[..across].fill(line[0]);
            row[across..across + self.width].copy_from_slice(line);
            row[across + self.width..].fill(line[self.width - 1]);
        }
        out
    }

    pub(super) fn cropped(&self, area: Area) -> Plane {
        let mut out = Plane::new(area.width(), area.height());
        for (y, row) in out.values.chunks_exact_mut(area.width()).enumerate() {
            row.copy_from_slice(&self.row(area.top + y)[area.left..area.right]);
        }
        out
    }

    /// With `by` more pixels of 0 at each side.
    pub(super) fn padded(&self, by: usize) -> Plane {
        let mut out = Plane::new(self.width + 2 * by, self.height + 2 * by);
        for y in 0..self.height {
            let start = (y + by) * out.width + by;
            out.values[start..start + self.width].copy_from_slice(self.row(y));
        }
        out
    }

    /// The smallest area with all values above `threshold`.
    pub(super) fn area_above(&self, threshold: u8) -> Option<Area> {
        let inked = |y: usize| self.row(y).iter().any(|&value| value > threshold);
        let top = (0..self.height).find(|&y| inked(y))?;
        let bottom = (0..self.height).rfind(|&y| inked(y))? + 1;
        let mut largest = vec![0; self.width];
        for y in top..bottom {
            largest.iter_mut().zip(self.row(y)).for_each(|(most, &value)| *most = value.max(*most));
        }
        let left = largest.iter().position(|&value| value > threshold)?;
        let right = largest.iter().rposition(|&value| value > threshold)? + 1;
        Some(Area { left, top, right, bottom })
    }
}

/// The middle one counts twice.
fn mean_of_three(out: &mut [u8], before: &[u8], here: &[u8], after: &[u8]) {
    for (out, ((&before, &here), &after)) in out.iter_mut().zip(before.iter().zip(here).zip(after)) {
        *out = ((u16::from(before) + 2 * u16::from(here) + u16::from(after) + 2) / 4) as u8;
    }
}

/// At `i`, the extreme of `window` values from `i` on, `stride` apart: of windows of 2, 4, 8, and two of these.
fn running_extreme(mut values: Vec<u8>, stride: usize, window: usize, pick: impl Fn(u8, u8) -> u8 + Copy) -> Vec<u8> {
    let mut next = values.clone();
    let mut covered = 1;
    while covered < window {
        let step = covered.min(window - covered);
        for (out, (&here, &ahead)) in next.iter_mut().zip(values.iter().zip(&values[step * stride..])) {
            *out = pick(here, ahead);
        }
        std::mem::swap(&mut values, &mut next);
        covered += step;
    }
    values
}

/// Divides sums of so many bytes, rounded, by multiplying.
#[derive(Clone, Copy)]
struct Mean {
    count: u64,
    reciprocal: u64,
}

impl Mean {
    fn of(count: usize) -> Mean {
        let count = (count as u64).max(1);
        Mean { count, reciprocal: (1 << 40) / count + 1 }
    }

    fn divide(self, sum: u32) -> u8 {
        (((u64::from(sum) + self.count / 2) * self.reciprocal) >> 40).min(255) as u8
    }
}

/// How often each value is there.
#[derive(Clone)]
pub(super) struct Histogram([u32; 256]);

impl Histogram {
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a u8>) -> Histogram {
        let mut counts = [0; 256];
        values.into_iter().for_each(|&value| counts[usize::from(value)] += 1);
        Histogram(counts)
    }

    pub(super) fn add(&mut self, values: &[u8]) {
        values.iter().for_each(|&value| self.0[usize::from(value)] += 1);
    }

    /// Without what is not above `value`.
    pub(super) fn above(mut self, value: u8) -> Histogram {
        self.0[..=usize::from(value)].fill(0);
        self
    }

    /// The value below which `share` (0..1) of the values lie; 0 of none.
    pub(super) fn percentile(&self, share: f32) -> u8 {
        let count: u32 = self.0.iter().sum();
        let rank = (count.saturating_sub(1) as f32 * share).round() as u32;
        let mut below = 0;
        let at = self.0.iter().position(|&here| {
            below += here;
            below > rank
        });
        at.unwrap_or(0) as u8
    }
}
