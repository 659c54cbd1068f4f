//! Spotter's side of `benches/beside_python.py`: from encoded bytes to a label, by the code and the flags of the function.
//!
//! Takes lines of `WHAT COUNT PATH` and answers each with a line of the seconds of the processor that all COUNT took, the peak of
//! resident memory in kB, and the last label. WHAT is `label` (bytes to label), or `model` (the network alone, on what it would see).

#![allow(clippy::print_stdout)] // answers are what it is for

use std::error::Error;
use std::hint::black_box;

use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::preprocess::Prepared;
use spotter::record;

fn main() -> Result<(), Box<dyn Error>> {
    let model = Model::embedded()?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let [what, count, path] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            return Err(format!("no WHAT COUNT PATH: {line}").into());
        };
        let (count, bytes): (usize, Vec<u8>) = (count.parse()?, std::fs::read(path)?);
        let (seconds, label) = match what {
            "model" => network(&model, &bytes, count)?,
            _ => labels(&model, &bytes, count)?,
        };
        println!("{seconds} {} {label}", peak()?);
    }
    Ok(())
}

fn labels(model: &Model, bytes: &[u8], count: usize) -> Result<(f64, String), Box<dyn Error>> {
    let mut label = None;
    let started = processor_time()?;
    for _ in 0..count {
        let verdict = record::verdict(black_box(bytes), model, Limits::default());
        label = verdict.reading.and_then(|reading| reading.top.into_iter().next());
    }
    let seconds = processor_time()? - started;
    Ok((seconds, label.ok_or("no label")?.label))
}

fn network(model: &Model, bytes: &[u8], count: usize) -> Result<(f64, String), Box<dyn Error>> {
    let Prepared { tensor, .. } =
        record::look(bytes, model, Limits::default()).map_err(|r| r.sentence)?.found.prepared();
    let mut logits = Vec::new();
    let started = processor_time()?;
    for _ in 0..count {
        logits = model.logits(black_box(&tensor))?;
    }
    let seconds = processor_time()? - started;
    let best = model.confidences(&logits).into_iter().next().ok_or("no label")?;
    Ok((seconds, best.label))
}

/// Seconds that this thread has had: other processes' turns are not in it, as they are on a clock.
fn processor_time() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

/// `VmHWM`, in kB; 0 where there is no `/proc`.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|line| line.split_whitespace().next()).map_or(Ok(0), str::parse)?)
}
