//! The way of an object that may be gone without an event that says so.

use std::time::Instant;

use tokio::time::timeout_at;

use super::{Handled, Outcome, Pipeline, Stage, Way};
use crate::event::ObjectEvent;
use crate::objects::{FetchError, Pinned};
use crate::record::{self, Status};
use crate::records;

impl Pipeline {
    /// Records that the object is gone, if it is. The rows are read first, then the bucket is asked: what comes after
    /// that question has a later event, and outranks the row that is written.
    pub async fn miss(&self, event: &ObjectEvent, deadline: Instant) -> Handled {
        let mut way = Way::until(deadline);
        let looked = timeout_at(deadline.into(), self.look_for(event, &mut way)).await;
        way.end(event, looked.ok().map(|looked| looked.unwrap_or_else(|outcome| outcome)))
    }

    async fn look_for(&self, event: &ObjectEvent, way: &mut Way) -> Result<Outcome, Outcome> {
        let (bucket, key) = (event.bucket.clone(), event.key.clone());
        way.stage = Stage::Known;
        let latest = records::latest(&*self.records, &bucket, &key).await.map_err(|error| way.unrecorded(&error))?;
        let (Some(newest), Some(place)) = (latest.standing, latest.place) else {
            return Ok(Outcome::Ignored("not known to be there"));
        };
        // Perhaps by an attempt before this one, of which nobody could be told. It is the same row.
        if newest.status == Status::Deleted {
            return Ok(self.write(newest, way).await);
        }
        way.stage = Stage::Head;
        let started = Instant::now();
        let head = self.objects.head(&Pinned { bucket, key, version_id: None, etag: None }).await;
        way.steps.fetch = started.elapsed();
        let marker = match head {
            Ok(_) | Err(FetchError::TooLarge { .. }) => return Ok(Outcome::Ignored("it is there")),
            Err(FetchError::Gone { marker, .. }) => marker,
            // Nobody has said that it is gone.
            Err(FetchError::Unaddressable(_)) => return Ok(Outcome::Ignored("it cannot be asked for")),
            Err(error) => return Err(way.refused(&error)),
        };
        Ok(self.write(record::of_absence(event, &place, marker), way).await)
    }
}
