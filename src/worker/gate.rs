//! Nothing is received while the records' home is away: each receive counts towards the dead-letter queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::records::{Records, RecordsError};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Gate {
    records: Arc<dyn Records>,
    /// Held by the one that asks: the others wait for its answer.
    is_away: Mutex<bool>,
}

/// What has changed.
pub(super) enum Change {
    Away(RecordsError),
    Back,
}

impl Gate {
    pub(super) fn new(records: Arc<dyn Records>) -> Gate {
        Gate { records, is_away: Mutex::new(false) }
    }

    /// Returns once the home is available. It may be dropped at any time.
    pub(super) async fn open(&self, changed: impl Fn(Change)) {
        let mut is_away = self.is_away.lock().await;
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.records.available().await {
            if !*is_away {
                *is_away = true;
                changed(Change::Away(error));
            }
            tokio::time::sleep(super::around(pause, fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if *is_away {
            *is_away = false;
            changed(Change::Back);
        }
    }

    pub(super) async fn is_open(&self) -> bool {
        self.records.available().await.is_ok()
    }
}
