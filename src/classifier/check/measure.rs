//! What a model costs: time and memory to load it, time for one picture.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tract_onnx::prelude::TypedRunnableModel;

use super::super::{Manifest, Model, ModelError, Network, onnx_model, runnable};
use super::Finding;
use super::probes::tensor;

const WARM_UP: usize = 3;
/// Ends a measurement, whichever comes first; but five runs are the least.
const MOST_RUNS: usize = 200;
const LONGEST: Duration = Duration::from_secs(1);
const LEAST_RUNS: usize = 5;

pub(super) struct Loaded {
    pub(super) model: Model,
    pub(super) network: Arc<TypedRunnableModel>,
    took: Duration,
    memory: Option<Memory>,
}

impl Loaded {
    /// Whatever the manifest says of the file and of its outputs.
    pub(super) fn new(onnx: &[u8], manifest: &Manifest) -> Result<Loaded, String> {
        let begun = Instant::now();
        let network = onnx_model(onnx).map_err(|error| format!("{error:#}"))?;
        let network = runnable(network, manifest.input.shape).map_err(|error| format!("{error:#}"))?;
        let model = Model { manifest: manifest.clone(), network: Network::Any(Arc::clone(&network)) };
        let took = begun.elapsed();
        // A first picture, whose tensors stay: it belongs to the peak. What fails here is looked at later.
        let _: Result<Vec<f32>, ModelError> = model.logits(&any_input(manifest));
        Ok(Loaded { model, network, took, memory: Memory::now() })
    }

    pub(super) fn took(&self) -> Finding {
        let says = format!("tract makes it ready in {}", shown(self.took));
        Finding::ok("load", says).figures([("load_ms", milliseconds(self.took))])
    }

    pub(super) fn memory(&self, before: Memory) -> Option<Finding> {
        let after = self.memory?;
        let more = after.peak.saturating_sub(before.peak);
        let of_files = after.of_files.saturating_sub(before.of_files).min(more);
        let says = format!(
            "{} to load it and read a picture, at the peak; and {} of program code that this uses; {} of this process in all",
            size(more - of_files),
            size(of_files),
            size(after.peak)
        );
        let figures = [
            ("model_bytes", (more - of_files) as f64),
            ("code_bytes", of_files as f64),
            ("process_peak_bytes", after.peak as f64),
        ];
        Some(Finding::ok("memory", says).figures(figures))
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

/// What is resident of this process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// The most so far.
    peak: u64,
    /// Mapped from files, such as the program itself.
    of_files: u64,
}

impl Memory {
    /// Where Linux says it: `VmHWM` and `RssFile` of proc_pid_status(5).
    pub(super) fn now() -> Option<Memory> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let bytes = |field: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
            let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kibibytes * 1024)
        };
        Some(Memory { peak: bytes("VmHWM")?, of_files: bytes("RssFile")? })
    }
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
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
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
            ["21 µs", "1.3 ms", "300 ms", "12.0 s"].map(str::to_owned)
        );
        assert_eq!([size(12), size(3_286), size(45_040_000)], ["12 bytes", "3.3 kB", "45.0 MB"].map(str::to_owned));
    }

    #[test]
    fn the_peak_of_memory_only_grows() {
        let Some(before) = Memory::now() else { return };
        let filled = vec![1u8; 8_000_000];
        let after = Memory::now().map_or(0, |memory| memory.peak);
        assert!(before.peak > 0 && after >= before.peak, "{before:?} {after} {}", filled.len());
    }
}
