//! Everything that is not Spotter, in one value that one seed makes: buckets, database, queue, receiver, clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use super::bucket::Bucket;
use super::home::Tables;
use super::queue::Queue;
use super::receiver::Told;
use super::wire::Flight;

pub type Shared = Arc<Mutex<World>>;

pub struct World {
    pub chance: Rng,
    /// Milliseconds since 1970, as everybody would say who has the right time.
    pub clock: i64,
    pub buckets: Vec<Bucket>,
    pub tables: Tables,
    pub queue: Queue,
    pub told: Told,
    pub flights: BTreeMap<u64, Flight>,
    /// Whose code runs.
    pub task: u64,
    /// How often something goes wrong, in percent, and how often at most.
    pub trouble: (u32, u32),
    /// Requests are answered at once, and nothing fails.
    pub calm: bool,
    /// How often each kind of thing happened.
    pub counts: BTreeMap<&'static str, u64>,
    /// What must never happen, and did.
    pub broken: Vec<String>,
    trace: Vec<String>,
    traced: bool,
    last_id: u64,
}

/// A panic while it was held is the failure that is reported anyway.
pub fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub fn new(seed: u64, traced: bool) -> World {
        World {
            chance: Rng::with_seed(seed),
            clock: 1_795_226_584_567,
            buckets: Vec::new(),
            tables: Tables::default(),
            queue: Queue::default(),
            told: Told::default(),
            flights: BTreeMap::new(),
            task: 0,
            trouble: (0, 0),
            calm: false,
            counts: BTreeMap::new(),
            broken: Vec::new(),
            trace: Vec::new(),
            traced,
            last_id: 0,
        }
    }

    /// One in which all goes well, at once.
    pub fn calm() -> Shared {
        Arc::new(Mutex::new(World { calm: true, ..World::new(0, false) }))
    }

    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Every line counts as an event of its kind; its text is made only where it is kept.
    pub fn note(&mut self, kind: &'static str, text: impl FnOnce() -> String) {
        *self.counts.entry(kind).or_default() += 1;
        if self.traced {
            let line = format!("{:>5} {kind}: {}", self.trace.len(), text());
            self.trace.push(line);
        }
    }

    pub fn trace(&self) -> &[String] {
        &self.trace
    }

    /// Whether something goes wrong now. Each run has an end to its troubles.
    pub fn trouble(&mut self) -> bool {
        let (percent, left) = self.trouble;
        let goes_wrong = left > 0 && !self.calm && self.odds(percent);
        self.trouble.1 -= u32::from(goes_wrong);
        goes_wrong
    }

    /// True in `percent` of a hundred cases.
    pub fn odds(&mut self, percent: u32) -> bool {
        self.chance.u32(0..100) < percent
    }
}
