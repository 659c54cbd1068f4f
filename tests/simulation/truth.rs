//! What the records must say in the end, by what happened in the buckets. Knows no sequencer's order and no reader.

use futures_util::{FutureExt, TryStreamExt};
use spotter::event::make::EventName;
use spotter::pipeline::Outcome;
use spotter::record::{Record, Status};
use spotter::records::{self, Listing};

use super::bucket::{Act, Bucket, Key, Sequencers, Version};
use super::home::Home;
use super::plan::Plan;
use super::world::{Shared, lock};

/// Its kind, and its words or the row's place.
pub fn outcome(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Recorded(record) => ("recorded", format!("{} {:?}", record.listed_as(), record.order)),
        Outcome::Superseded(why) => ("superseded", why.clone()),
        Outcome::Ignored(why) => ("ignored", (*why).to_owned()),
        Outcome::Retry(why) => ("retry", why.clone()),
    }
}

/// Without what the model saw.
pub fn brief(record: &Record) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

fn briefs(records: &[Record]) -> String {
    records.iter().map(|record| format!("\n  {}", brief(record))).collect()
}

/// Everything that is promised of a world in which nothing more happens.
pub fn check(world: &Shared, plan: &Plan, model: &str) -> Result<(), String> {
    let home = Home(world.clone());
    let places: Vec<(usize, String)> = {
        let buckets = &lock(world).buckets;
        let keys = |(at, bucket): (usize, &Bucket)| bucket.keys.keys().map(move |key| (at, key.clone())).collect();
        buckets.iter().enumerate().map(keys).collect::<Vec<Vec<_>>>().concat()
    };
    let listed = listed(&home, model)?;
    for (at, key) in places {
        let name = lock(world).buckets[at].name.clone();
        let answer = records::get(&home, &name, &key, model).now_or_never().ok_or("a calm world waits")?;
        let answer = answer.map_err(|error| error.to_string())?;
        let world = &mut *lock(world);
        let rows = world.tables.of_object(&name, &key);
        let bucket = &world.buckets[at];
        let object = Object { bucket, key: &bucket.keys[&key], plan, rows: &rows };
        let checked = object.rows_happened().and_then(|()| object.all_is_recorded());
        let checked = checked.and_then(|()| object.history_is_in_order());
        let checked = checked.and_then(|()| object.is_answered(answer.as_ref()));
        checked.map_err(|why| format!("{name}/{key}: {why}"))?;
        for row in &rows {
            if !listed.contains(row) {
                return Err(format!("{name}/{key}: a row is not listed: {}", brief(row)));
            }
            let text = brief(row);
            let excused = plan.mending_crashed && (plan.lossy || object.act_of(row).is_none());
            if world.tables.is_acknowledged(&text) && !world.told.heard(row) && !excused {
                return Err(format!("{name}/{key}: nobody was told of {text}"));
            }
        }
    }
    Ok(())
}

fn listed(home: &Home, model: &str) -> Result<Vec<Record>, String> {
    let mut all = Vec::new();
    for model in [model, ""] {
        let model = model.to_owned();
        let listing = Listing { model, label: None, since: None, until: None, limit: 7, seen: true, after: None };
        let rows = records::listed(home, listing).try_collect::<Vec<_>>().now_or_never();
        all.extend(rows.ok_or("a calm world waits")?.map_err(|error| error.to_string())?);
    }
    Ok(all)
}

struct Object<'a> {
    bucket: &'a Bucket,
    key: &'a Key,
    plan: &'a Plan,
    /// Newest first.
    rows: &'a [Record],
}

impl Object<'_> {
    /// The act whose notification a row is of; an observation's is of none.
    fn act_of(&self, row: &Record) -> Option<usize> {
        let is_of = |act: &Act| {
            let version = act.version_id.clone().or_else(|| act.etag()).unwrap_or_default();
            let numbered = match self.bucket.sequencers {
                Sequencers::Real => {
                    let digits = act.sequencer.as_deref().unwrap_or_default().to_uppercase();
                    row.order.seq.trim_end_matches('0') == digits.trim_end_matches('0')
                }
                Sequencers::Constant => row.order.seq.starts_with("0055AED6DCD90281E5"),
                Sequencers::Absent => row.order.seq.is_empty(),
            };
            numbered && row.order.event_time.0 == act.time && row.order.version == version && says(row, act)
        };
        self.key.acts.iter().position(is_of)
    }

    /// No row is of something that did not happen.
    fn rows_happened(&self) -> Result<(), String> {
        for row in self.rows {
            let was_seen = match row.status {
                Status::Deleted => true,
                Status::VersionRemoved => false,
                _ => self.key.acts.iter().any(|act| act.picture.is_some_and(|picture| picture.is_said_by(row))),
            };
            let observed = (self.plan.mended || self.plan.lossy) && was_seen;
            if self.act_of(row).is_none() && !observed {
                return Err(format!("this never happened: {}", brief(row)));
            }
        }
        Ok(())
    }

    /// Each change has its row, but for pictures that nobody could fetch any more.
    fn all_is_recorded(&self) -> Result<(), String> {
        for (number, act) in self.key.acts.iter().enumerate() {
            let is_there = self.key.versions.iter().any(|version| version.act == number);
            let must = !act.lost && (act.picture.is_none() || is_there);
            if must && !self.rows.iter().any(|row| self.act_of(row) == Some(number)) {
                return Err(format!("no row of {act:?}; the rows are {}", briefs(self.rows)));
            }
        }
        Ok(())
    }

    /// Newest first is last first.
    fn history_is_in_order(&self) -> Result<(), String> {
        let acts: Vec<usize> = self.rows.iter().filter_map(|row| self.act_of(row)).collect();
        if acts.is_sorted_by(|newer, older| newer > older) {
            return Ok(());
        }
        Err(format!("the history is in the order {acts:?}: {}", briefs(self.rows)))
    }

    fn is_answered(&self, answer: Option<&Record>) -> Result<(), String> {
        let there = self.key.versions.last();
        let right = match (there, answer) {
            (Some(Version { picture: Some(picture), act, .. }), Some(row)) => {
                // By content where the event of it may be lost, or come after a backfill saw the object.
                let seen = self.plan.lossy || self.plan.mended;
                let is_it = seen || self.act_of(row) == Some(*act);
                picture.is_said_by(row) && is_it
            }
            (Some(Version { picture: Some(_), .. }), None) => false,
            // A marker, or nothing. What nobody said is not known, either.
            (_, None) => true,
            (_, Some(row)) => row.status == Status::Deleted,
        };
        let marked = there.is_some_and(|version| version.picture.is_none() && !self.key.acts[version.act].lost);
        if right && !(marked && answer.is_none()) {
            return Ok(());
        }
        let answer = answer.map(brief);
        Err(format!("there is {there:?}, and the answer is {answer:?}; the rows are {}", briefs(self.rows)))
    }
}

/// Whether a row says what the act did.
fn says(row: &Record, act: &Act) -> bool {
    let version = row.version_id == act.version_id;
    match (act.picture, act.name) {
        (Some(picture), _) => version && picture.is_said_by(row),
        (None, EventName::DeleteMarkerCreated) => version && row.status == Status::Deleted,
        (None, _) if act.is_removal_of_a_version() => version && row.status == Status::VersionRemoved,
        (None, _) => row.status == Status::Deleted && row.version_id.is_none(),
    }
}
