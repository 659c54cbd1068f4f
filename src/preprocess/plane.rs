//! A grey picture of floats, and the filters that finding ink needs.

/// Row by row, 0..1.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
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
        Plane { width, height, values: vec![0.0; width * height] }
    }

    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// `area` of an 8-bit picture, each `step` x `step` block averaged to one pixel.
    pub(super) fn shrunk(pixels: &[u8], stride: usize, area: Area, step: usize) -> Plane {
        let (width, height) = (area.width().div_ceil(step), area.height().div_ceil(step));
        let mut plane = Plane::new(width, height);
        let mut sums = vec![0u32; width];
        for y in 0..height {
            let top = area.top + y * step;
            let bottom = (top + step).min(area.bottom);
            sums.fill(0);
            for row in top..bottom {
                let line = &pixels[row * stride + area.left..row * stride + area.right];
                for (sum, block) in sums.iter_mut().zip(line.chunks(step)) {
                    *sum += block.iter().map(|&value| u32::from(value)).sum::<u32>();
                }
            }
            for (x, sum) in sums.iter().enumerate() {
                let across = step.min(area.width() - x * step);
                plane.values[y * width + x] = *sum as f32 / ((bottom - top) * across) as f32 / 255.0;
            }
        }
        plane
    }

    pub(super) fn inverted(mut self) -> Plane {
        self.values.iter_mut().for_each(|value| *value = 1.0 - *value);
        self
    }

    /// The largest value within `radius` in each direction (grey dilation by a square).
    pub(super) fn dilated(&self, radius: usize) -> Plane {
        self.by_rows(radius, f32::max).transposed().by_rows(radius, f32::max).transposed()
    }

    /// The smallest value within `radius` in each direction (grey erosion by a square).
    pub(super) fn eroded(&self, radius: usize) -> Plane {
        self.by_rows(radius, f32::min).transposed().by_rows(radius, f32::min).transposed()
    }

    /// Running extreme of each row (van Herk 1992; Gil and Werman 1993): three comparisons a value for any radius.
    fn by_rows(&self, radius: usize, pick: fn(f32, f32) -> f32) -> Plane {
        let window = 2 * radius + 1;
        let mut out = Plane::new(self.width, self.height);
        let padded = (self.width + 2 * radius).div_ceil(window) * window;
        let (mut line, mut forward, mut backward) = (vec![0.0; padded], vec![0.0; padded], vec![0.0; padded]);
        for y in 0..self.height {
            let row = self.row(y);
            line[..radius].fill(row[0]);
            line[radius..radius + self.width].copy_from_slice(row);
            line[radius + self.width..].fill(row[self.width - 1]);
            for start in (0..padded).step_by(window) {
                forward[start] = line[start];
                for i in start + 1..start + window {
                    forward[i] = pick(forward[i - 1], line[i]);
                }
                backward[start + window - 1] = line[start + window - 1];
                for i in (start..start + window - 1).rev() {
                    backward[i] = pick(backward[i + 1], line[i]);
                }
            }
            for x in 0..self.width {
                out.values[y * self.width + x] = pick(backward[x], forward[x + 2 * radius]);
            }
        }
        out
    }

    fn transposed(&self) -> Plane {
        let mut out = Plane::new(self.height, self.width);
        for y in 0..self.height {
            for (x, value) in self.row(y).iter().enumerate() {
                out.values[x * self.height + y] = *value;
            }
        }
        out
    }

    /// The value below which `share` (0..1) of the values lie.
    pub(super) fn percentile(&self, share: f32) -> f32 {
        percentile(self.values.clone(), share)
    }

    pub(super) fn cropped(&self, area: Area) -> Plane {
        let mut out = Plane::new(area.width(), area.height());
        for (y, row) in out.values.chunks_exact_mut(area.width()).enumerate() {
            row.copy_from_slice(&self.row(area.top + y)[area.left..area.right]);
        }
        out
    }
}

/// The value below which `share` (0..1) of `values` lie; 0 of none.
pub(super) fn percentile(mut values: Vec<f32>, share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let rank = ((values.len() - 1) as f32 * share).round() as usize;
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}
