//! The pipeline, the records and the telling under a simulation that one number repeats: notifications are dropped,
//! doubled, delayed and reordered, requests to the bucket, the database and the receiver fail, hang and are torn,
//! processes end at any await, objects are overwritten, deleted and restored, clocks are apart. Once all has been
//! delivered, the records are held against what happened in the buckets.
//!
//! `SPOTTER_SEEDS=100000` runs more seeds than CI does, `SPOTTER_SEED=7` runs one and prints what happens in it.

mod acts;
mod bucket;
pub mod home;
mod mend;
mod pictures;
mod plan;
mod queue;
mod receiver;
mod run;
mod store;
mod truth;
mod wire;
pub mod world;

use std::collections::BTreeMap;
use std::ops::Range;

use libtest_mimic::{Failed, Trial};
use spotter::classifier::Model;

use crate::harness::root;
use run::Lab;
use world::lock;

/// As many as take half a minute in a debug build on an idle core.
const SEEDS: u64 = 3_000;
/// Lines of a failed seed's trace that are printed.
const LAST_LINES: usize = 40;
/// Kinds of things that a thousand seeds must have seen, or they show nothing.
const SEEN: [&str; 24] = [
    "answer",
    "backfill",
    "chatter",
    "clock",
    "comes again",
    "crash",
    "delete",
    "duplicate",
    "fail after",
    "fail before",
    "gap",
    "hang",
    "ignored",
    "lost for good",
    "mark",
    "put",
    "reach",
    "recorded",
    "remove a version",
    "retry",
    "superseded",
    "time up",
    "told",
    "versioning",
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("simulation: whatever happens, the records say in the end what is true", seeds),
        Trial::test("simulation: the same seed is the same run", same),
    ]
}

fn lab() -> Result<Lab, Failed> {
    Ok(Lab::new(Model::from_folder(&root().join("tests/model/colours"))?)?)
}

fn number(variable: &str) -> Result<Option<u64>, Failed> {
    let Some(text) = std::env::var_os(variable) else { return Ok(None) };
    let number = text.to_str().and_then(|text| text.parse().ok());
    Ok(Some(number.ok_or_else(|| format!("{variable} must be a whole number, and it is {}", text.display()))?))
}

#[allow(clippy::print_stdout)] // a trace, and what was seen
fn seeds() -> Result<(), Failed> {
    let lab = lab()?;
    if let Some(seed) = number("SPOTTER_SEED")? {
        let (world, outcome) = lab.run(seed, true);
        for line in lock(&world).trace() {
            println!("{line}");
        }
        return outcome.map_err(|why| format!("seed {seed}: {why}").into());
    }
    let counts = many(&lab, 0..number("SPOTTER_SEEDS")?.unwrap_or(SEEDS))?;
    let seeds = counts.get("seeds").copied().unwrap_or_default();
    let unseen: Vec<_> = SEEN.iter().filter(|kind| !counts.contains_key(*kind)).collect();
    if seeds >= 1_000 && !unseen.is_empty() {
        return Err(format!("{seeds} seeds have never seen {unseen:?}").into());
    }
    println!("{counts:?}");
    Ok(())
}

#[allow(clippy::print_stdout)] // how far an hour's run is
fn many(lab: &Lab, seeds: Range<u64>) -> Result<BTreeMap<&'static str, u64>, Failed> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        let (world, outcome) = lab.run(seed, false);
        if let Err(why) = outcome {
            return Err(failure(lab, seed, &why).into());
        }
        *counts.entry("seeds").or_default() += 1;
        for (kind, count) in &lock(&world).counts {
            *counts.entry(*kind).or_default() += count;
        }
        if seed % 10_000 == 9_999 {
            println!("{} seeds", seed + 1);
        }
    }
    Ok(counts)
}

/// The seed once more, for its trace.
fn failure(lab: &Lab, seed: u64, why: &str) -> String {
    let (world, again) = lab.run(seed, true);
    let world = lock(&world);
    let trace = world.trace();
    let last = trace[trace.len().saturating_sub(LAST_LINES)..].join("\n");
    let again = if again.is_err() { "" } else { "\nIt did not fail the second time: something is not from the seed." };
    format!(
        "seed {seed}: {why}{again}\nThe last of {} lines of its trace:\n{last}\nAll of it: \
         SPOTTER_SEED={seed} cargo test --test spotter simulation",
        trace.len()
    )
}

fn same() -> Result<(), Failed> {
    let lab = lab()?;
    for seed in 0..60 {
        let [one, two] = [lab.run(seed, true).0, lab.run(seed, true).0];
        let (one, two) = (lock(&one), lock(&two));
        let differs = one.trace().iter().zip(two.trace()).position(|(one, two)| one != two);
        if let Some(at) = differs {
            return Err(format!("seed {seed} differs: {}, then {}", one.trace()[at], two.trace()[at]).into());
        }
        if one.trace().len() != two.trace().len() || one.trace().is_empty() {
            return Err(format!("seed {seed}: {} and {} lines", one.trace().len(), two.trace().len()).into());
        }
    }
    Ok(())
}
