//! Connected ink.

use super::plane::{Area, Plane};

/// Neighbouring pixels of a row, all of one blob.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) y: usize,
    pub(super) left: usize,
    pub(super) right: usize,
    pub(super) blob: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Blob {
    pub(super) area: Area,
    pub(super) pixels: usize,
    /// Sum of ink.
    pub(super) mass: usize,
}

/// All blobs of a picture and the runs that they are made of, from the top.
#[derive(Debug, Clone, Default)]
pub(super) struct Blobs {
    pub(super) blobs: Vec<Blob>,
    pub(super) runs: Vec<Run>,
}

impl Blobs {
    /// The 8-connected blobs of pixels with at least `threshold` ink.
    pub(super) fn find(ink: &Plane, threshold: u8) -> Blobs {
        let mut runs: Vec<Run> = Vec::new();
        let mut same = SameBlobs::default();
        let mut above = 0..0;
        for y in 0..ink.height {
            let first = runs.len();
            let row = ink.row(y);
            let mut x = 0;
            while let Some(start) = row[x..].iter().position(|&value| value >= threshold) {
                let left = x + start;
                let length = row[left..].iter().position(|&value| value < threshold).unwrap_or(row.len() - left);
                let right = left + length;
                // Above are none that end before this one begins.
                while above.start < above.end && runs[above.start].right < left {
                    above.start += 1;
                }
                let touching = runs[above.clone()].iter().take_while(|run| run.left <= right).map(|run| run.blob);
                let blob = same.joined(touching);
                runs.push(Run { y, left, right, blob });
                x = right;
            }
            above = first..runs.len();
        }
        let blobs = same.numbered(ink, &mut runs);
        Blobs { blobs, runs }
    }
}

/// Which of the blobs that were begun are one (union-find).
#[derive(Default)]
struct SameBlobs(Vec<usize>);

impl SameBlobs {
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    /// All `touching` become one; a new one if there are none.
    fn joined(&mut self, touching: impl Iterator<Item = usize>) -> usize {
        let mut joined = None;
        for blob in touching {
            let blob = self.root(blob);
            let least = joined.map_or(blob, |joined: usize| joined.min(blob));
            let most = joined.map_or(blob, |joined: usize| joined.max(blob));
            self.0[most] = least;
            joined = Some(least);
        }
        joined.unwrap_or_else(|| {
            self.0.push(self.0.len());
            self.0.len() - 1
        })
    }

    fn numbered(mut self, ink: &Plane, runs: &mut [Run]) -> Vec<Blob> {
        let mut number = vec![usize::MAX; self.0.len()];
        let mut blobs: Vec<Blob> = Vec::new();
        for run in runs {
            let root = self.root(run.blob);
            let area = Area { left: run.left, top: run.y, right: run.right, bottom: run.y + 1 };
            if number[root] == usize::MAX {
                number[root] = blobs.len();
                blobs.push(Blob { area, pixels: 0, mass: 0 });
            }
            run.blob = number[root];
            let blob = &mut blobs[run.blob];
            blob.area = blob.area.union(area);
            blob.pixels += run.right - run.left;
            blob.mass += ink.row(run.y)[run.left..run.right].iter().map(|&value| usize::from(value)).sum::<usize>();
        }
        blobs
    }
}
