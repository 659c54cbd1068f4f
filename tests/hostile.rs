//! What nobody sends by accident: pictures that ask for too much, events of any shape, keys of any byte.
//!
//! `SPOTTER_HOSTILE_EVENTS=1000000` tries so many events instead of some ten thousand; `SPOTTER_HOSTILE_SEED` begins
//! elsewhere, or again where a trial failed.

mod bombs;
mod buckets;
mod envelopes;
mod jpeg;
pub(crate) mod keys;
mod mutate;
mod smoke;
mod work;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = bombs::trials();
    trials.extend(buckets::trials());
    trials.extend(envelopes::trials());
    trials.extend(keys::trials());
    trials.extend(smoke::trials());
    trials.extend(work::trials());
    trials
}

/// Where chance begins.
fn seed() -> u64 {
    number("SPOTTER_HOSTILE_SEED").unwrap_or(20_261_121)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
