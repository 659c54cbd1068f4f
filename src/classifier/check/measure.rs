//! What a model costs: time and memory to load it, time for one picture.

use std::time::{Duration, Instant};

use super::super::{Manifest, Model, ModelError, onnx_model, runnable};
use super::Finding;
use super::probes::tensor;

const WARM_UP: usize = 3;
/// Ends a measurement, whichever comes first; but five runs are the least.
const MOST_RUNS: usize = 200;
const LONGEST: Duration = Duration::from_secs(1);
const LEAST_RUNS: usize = 5;

pub(super) struct Loaded {
    pub(super) model: Model,
    took: Duration,
    /// Of the process, in bytes.
    peak: Option<u64>,
}

impl Loaded {
    /// Whatever the manifest says of the file and of its outputs.
    pub(super) fn new(onnx: &[u8], manifest: &Manifest) -> Result<Loaded, String> {
        let begun = Instant::now();
        let network = onnx_model(onnx).map_err(|error| format!("{error:#}"))?;
        let runnable = runnable(network, manifest.input.shape).map_err(|error| format!("{error:#}"))?;
        let model = Model { manifest: manifest.clone(), runnable };
        let took = begun.elapsed();
        // A first picture, whose tensors stay: it belongs to the peak. What fails here is looked at later.
        let _: Result<Vec<f32>, ModelError> = model.logits(&any_input(manifest));
        Ok(Loaded { model, took, peak: peak_memory() })
    }

    pub(super) fn took(&self) -> Finding {
        let says = format!("tract makes it ready in {}", shown(self.took));
        Finding::ok("load", says).figures([("load_ms", milliseconds(self.took))])
    }

    pub(super) fn memory(&self, before: u64) -> Option<Finding> {
        let peak = self.peak?;
        let says = format!(
            "{} more at its peak, loading it and reading a picture: {} of this process, {} before (resident)",
            size(peak.saturating_sub(before)),
            size(peak),
            size(before)
        );
        Some(Finding::ok("memory", says).figures([("before_bytes", before as f64), ("peak_bytes", peak as f64)]))
    }
}

/// The network alone, on one picture; `None` where it fails, which others tell.
pub(super) fn time(model: &Model) -> Option<Finding> {
    let input = any_input(model.manifest());
    for _ in 0..WARM_UP {
        model.logits(&input).ok()?;
    }
    let begun = Instant::now();
    let mut runs = Vec::new();
    while runs.len() < LEAST_RUNS || (runs.len() < MOST_RUNS && begun.elapsed() < LONGEST) {
        let run = Instant::now();
        model.logits(&input).ok()?;
        runs.push(run.elapsed());
    }
    runs.sort();
    let (median, slowest) = (runs[runs.len() / 2], runs[runs.len() - 1]);
    let says = format!(
        "{} a picture in the network, on one core (median of {} runs, the slowest {}){}",
        shown(median),
        runs.len(),
        shown(slowest),
        of_build()
    );
    let figures =
        [("median_ms", milliseconds(median)), ("slowest_ms", milliseconds(slowest)), ("runs", runs.len() as f64)];
    Some(Finding::ok("time", says).figures(figures))
}

fn any_input(manifest: &Manifest) -> crate::preprocess::Tensor {
    let (channels, height, width) = manifest.input.dimensions();
    tensor(manifest, (0..channels * height * width).map(|at| (at * 31) as u8).collect())
}

/// The most that was resident of this process so far, in bytes, where Linux says it: `VmHWM` of proc_pid_status(5).
pub(super) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// `3.3 kB`, `45.0 MB`
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        seconds if seconds < 0.1 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 10.0 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{seconds:.0} s"),
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// So that nobody takes its figures for those of a release.
fn of_build() -> &'static str {
    if cfg!(debug_assertions) { "; this is a debug build, a release is faster" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let of = |seconds: f64| shown(Duration::from_secs_f64(seconds));
        assert_eq!(
            [of(0.000_021), of(0.001_26), of(0.3), of(12.0)],
            ["21 µs", "1.3 ms", "300 ms", "12 s"].map(str::to_owned)
        );
        assert_eq!([size(12), size(3_286), size(45_040_000)], ["12 bytes", "3.3 kB", "45.0 MB"].map(str::to_owned));
    }

    #[test]
    fn the_peak_of_memory_only_grows() {
        let Some(before) = peak_memory() else { return };
        let filled = vec![1u8; 8_000_000];
        let after = peak_memory().unwrap_or_default();
        assert!(before > 0 && after >= before, "{before} {after} {}", filled.len());
    }
}
