//! How far an interrupted run had come, so that the next need not look at what is done. Only a saving: what has its
//! record is found by looking, too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backfill::{Backfill, Filled, Scope};
use crate::cli::failure::Failure;
use crate::cli::home;
use crate::cli::object_url::PrefixUrl;
use crate::cli::output::note;
use crate::config::Settings;
use crate::encoding::hex;
use crate::event::Timestamp;
use crate::records;

const FOLDER: &str = "backfill";
/// What was uploaded meanwhile below the bookmark waits for the run after this one.
const FRESH: Duration = Duration::from_hours(24);
/// Between writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Below which key everything is done.
pub(super) struct Bookmark {
    file: PathBuf,
    of: Job,
    /// `s3://bucket/`.
    bucket: String,
    after: Option<String>,
    kept_at: Option<Instant>,
}

/// A run of anything else knows nothing of this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    endpoint: Option<String>,
    profile: Option<String>,
    region: Option<String>,
    place: (String, String),
    filter: String,
    model: String,
    records: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    of: Job,
    after: String,
    /// Milliseconds since 1970.
    at: i64,
}

impl Bookmark {
    pub(super) fn of(settings: &Settings, place: &PrefixUrl, model: &str) -> Result<Bookmark, Failure> {
        let s3 = &settings.s3;
        let records = settings.cassandra.iter();
        let records = records.flat_map(|cassandra| [&cassandra.nodes[..], std::slice::from_ref(&cassandra.keyspace)]);
        let of = Job {
            endpoint: s3.endpoint_url.clone().or_else(|| s3.endpoint_in_env.clone()),
            profile: s3.profile.clone(),
            region: s3.region.clone(),
            place: (place.bucket.clone(), place.prefix.clone()),
            filter: format!("{:?}", settings.filter),
            model: model.to_owned(),
            records: records.flatten().cloned().collect(),
        };
        let name = hex(&Sha256::digest(serde_json::to_vec(&of)?)[..16]);
        let file = home::data_folder(settings)?.join(FOLDER).join(format!("{name}.json"));
        Ok(Bookmark { file, of, bucket: format!("s3://{}/", place.bucket), after: None, kept_at: None })
    }

    /// The key behind which an interrupted run goes on, which is said.
    pub(super) async fn resume(&mut self, backfill: &Backfill) -> Result<Option<String>, Failure> {
        let Some(Kept { after, at, .. }) = self.kept() else { return Ok(None) };
        let age = u64::try_from(Timestamp::now().0.saturating_sub(at));
        let is_fresh = age.is_ok_and(|age| Duration::from_millis(age) < FRESH);
        // The records may be others than they were: a file that was removed, a keyspace that was made anew.
        let knows =
            is_fresh && records::get(&*backfill.records, &backfill.bucket, &after, &backfill.model).await?.is_some();
        if !knows {
            return Ok(None);
        }
        note(&format!(
            "going on after {}{after}, where a run was ended; --from-start looks at everything",
            self.bucket
        ));
        self.after = Some(after.clone());
        Ok(Some(after))
    }

    fn kept(&self) -> Option<Kept> {
        let kept: Kept = serde_json::from_slice(&std::fs::read(&self.file).ok()?).ok()?;
        (kept.of == self.of).then_some(kept)
    }

    /// Where the next run goes on.
    pub(super) fn place(&self) -> Option<String> {
        self.after.as_ref().map(|after| format!("{}{after}", self.bucket))
    }

    /// At most once a second.
    pub(super) fn keep(&mut self, low_water: &LowWater) {
        if self.kept_at.is_none_or(|kept_at| kept_at.elapsed() >= PAUSE) {
            self.keep_now(low_water);
        }
    }

    pub(super) fn keep_now(&mut self, low_water: &LowWater) {
        let Some(after) = &low_water.below else { return };
        self.kept_at = Some(Instant::now());
        if self.after.as_ref() == Some(after) {
            return;
        }
        self.after = Some(after.clone());
        let kept = Kept { of: self.of.clone(), after: after.clone(), at: Timestamp::now().0 };
        if let Err(error) = self.write(&kept) {
            tracing::debug!(%error, file = %self.file.display(), "no bookmark: the next run looks at everything");
        }
    }

    /// Renamed into place: a run that is killed leaves the one before.
    fn write(&self, kept: &Kept) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let new = self.file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(kept)?)?;
        std::fs::rename(new, &self.file)
    }

    /// The listing was looked at to its end.
    pub(super) fn forget(&mut self, low_water: &LowWater) {
        if low_water.is_kept {
            self.after = None;
            // None was written, mostly.
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

/// The last key below which everything is done, while objects end in another order. A failure holds it: the next run
/// looks at it again.
#[derive(Default)]
pub(super) struct LowWater {
    /// Of gaps only: what is done whatever the records say has no end that they would know.
    is_kept: bool,
    next: u64,
    /// Those that ended before an earlier one.
    ended: BTreeMap<u64, String>,
    failed: bool,
    below: Option<String>,
}

impl LowWater {
    pub(super) fn of(scope: &Scope) -> LowWater {
        LowWater { is_kept: matches!(scope, Scope::Gaps { .. }), ..LowWater::default() }
    }

    pub(super) fn ended(&mut self, object: &Filled, failed: bool) {
        self.failed |= failed;
        if !self.is_kept || self.failed {
            return;
        }
        self.ended.insert(object.nth, object.key.clone());
        while let Some(key) = self.ended.remove(&self.next) {
            self.next += 1;
            self.below = Some(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(ends: &[(u64, bool)]) -> Option<String> {
        let mut low_water = LowWater::of(&Scope::Gaps { after: None });
        for &(nth, failed) in ends {
            let object = Filled { nth, key: format!("k{nth}"), gap: None, retried: false, handled: None };
            low_water.ended(&object, failed);
        }
        low_water.below
    }

    #[test]
    fn what_is_under_way_and_what_failed_is_not_below_it() {
        assert_eq!(below(&[]), None);
        assert_eq!(below(&[(1, false), (2, false)]), None);
        assert_eq!(below(&[(1, false), (0, false), (3, false)]).as_deref(), Some("k1"));
        assert_eq!(below(&[(0, false), (2, true), (1, false), (3, false)]).as_deref(), Some("k0"));
    }
}
