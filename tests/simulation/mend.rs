//! The backfill of every bucket: what is missing or stale, then what is gone.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use spotter::backfill::{Backfill, Pace, Round, Scope, Seen};
use spotter::filter::Filter;
use spotter::pipeline::Pipeline;

use super::home::Home;
use super::store::Store;
use super::world::{Shared, lock};

pub struct Mending {
    world: Shared,
    pipeline: Pipeline,
    model: String,
    /// What the last run found to do.
    gaps: Mutex<Vec<String>>,
}

impl Mending {
    pub fn new(world: Shared, pipeline: Pipeline, model: String) -> Mending {
        Mending { world, pipeline, model, gaps: Mutex::default() }
    }

    pub fn last_gap(&self) -> Option<String> {
        self.gaps.lock().unwrap().first().cloned()
    }

    pub async fn run(&self) -> Result<(), String> {
        self.gaps.lock().unwrap().clear();
        let buckets: Vec<String> = lock(&self.world).buckets.iter().map(|bucket| bucket.name.clone()).collect();
        for bucket in buckets {
            self.mend(bucket).await.map_err(|error| format!("a backfill ended with {error}"))?;
        }
        Ok(())
    }

    async fn mend(&self, bucket: String) -> Result<(), spotter::backfill::BackfillError> {
        let backfill = Backfill {
            objects: Arc::new(Store(Arc::clone(&self.world))),
            records: Arc::new(Home(Arc::clone(&self.world))),
            model: self.model.clone(),
            bucket: bucket.clone(),
            prefix: String::new(),
            filter: Filter::default(),
            // One object after the other: which of two ends first would be the machine's choice.
            pace: Pace::new(1),
        };
        let limit = Duration::from_secs(100_000);
        let round = Round { scope: Scope::Gaps { after: None }, limit };
        let mut seen = Seen::default();
        let mut filled = backfill.fill(&self.pipeline, round, pending().boxed());
        while let Some(object) = filled.try_next().await? {
            seen.add(&bucket, &object.key);
            if let Some(gap) = object.gap {
                self.found(format!("{bucket}/{} was {}", object.key, gap.as_str()));
            }
        }
        let seen = seen.sorted();
        let orphans: Vec<String> = backfill.orphans(&seen).map_ok(|row| row.key).try_collect().await?;
        for orphan in &orphans {
            self.found(format!("{bucket}/{orphan} was orphaned"));
        }
        backfill.forget(&self.pipeline, orphans, limit, pending().boxed()).collect::<Vec<_>>().await;
        Ok(())
    }

    fn found(&self, gap: String) {
        lock(&self.world).note("gap", || gap.clone());
        self.gaps.lock().unwrap().push(gap);
    }
}
