//! What kind of run a seed is: how much happens, how fast, and how much of it goes wrong.

use super::bucket::{Bucket, Sequencers, Versioning};
use super::queue::{TRANSPORTS, Transport};
use super::world::World;

pub struct Plan {
    /// Changes of objects that are still to come.
    pub acts: u32,
    /// Weights of the next change and of the next delivery.
    pub haste: u32,
    pub hunger: u32,
    /// Invocations and backfills at once.
    pub concurrency: usize,
    /// Messages in one invocation.
    pub batch: usize,
    /// Backfills beside the events, still to come.
    pub mendings: u32,
    /// Whether there were any.
    pub mended: bool,
    /// One of them ended in the middle: whom it would have told, nobody tells.
    pub mending_crashed: bool,
    /// Some notifications never come, and a last backfill mends that.
    pub lossy: bool,
    pub tags: bool,
    /// Of each bucket.
    pub transports: Vec<Transport>,
}

const KEYS: [&str; 2] = ["a.png", "b c+%.png"];

impl Plan {
    pub fn make(world: &mut World) -> Plan {
        let chance = &mut world.chance;
        let mendings = [0, 0, 0, 1, 2][chance.usize(0..5)];
        let lossy = chance.u32(0..4) == 0;
        let mut transports = Vec::new();
        for name in &["pictures", "archive"][..chance.usize(1..=2)] {
            let versioning = [Versioning::Never, Versioning::Enabled, Versioning::Suspended][chance.usize(0..3)];
            let sequencers = match chance.u32(0..6) {
                0 => Sequencers::Constant,
                1 => Sequencers::Absent,
                _ => Sequencers::Real,
            };
            transports.push(TRANSPORTS[chance.usize(0..TRANSPORTS.len())]);
            world.buckets.push(Bucket::new(name, versioning, sequencers, &KEYS[..chance.usize(1..=2)]));
        }
        world.tables.page = chance.usize(1..=4);
        world.tables.skew = [0, 5, 700_000][chance.usize(0..3)];
        world.trouble = ([0, 4, 12, 35][chance.usize(0..4)], chance.u32(1..25));
        Plan {
            acts: chance.u32(2..14),
            haste: chance.u32(1..4),
            hunger: chance.u32(1..6),
            concurrency: chance.usize(1..=4),
            batch: chance.usize(1..=4),
            mendings,
            mended: mendings > 0,
            mending_crashed: false,
            lossy,
            tags: chance.u32(0..4) == 0,
            transports,
        }
    }
}
