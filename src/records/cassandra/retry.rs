//! Trying again what may pass, until shortly before a deadline.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::errors::At;
use crate::records::RecordsError::{self, Unavailable};

/// Pauses double from the first to the longest; half of each is random, so that many writers do not come at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Kept of the time, so that the error is there before who waits for it gives up.
const TO_SAY_IT: Duration = Duration::from_millis(100);

/// The first success, the first error that will not pass, or the last one before `deadline`.
pub(super) async fn until<T, F>(deadline: Instant, at: &At, mut attempt: impl FnMut() -> F) -> Result<T, RecordsError>
where
    F: Future<Output = Result<T, RecordsError>>,
{
    let started = Instant::now();
    let end = deadline.checked_sub(TO_SAY_IT).unwrap_or(started);
    let mut longest = FIRST_PAUSE;
    let mut said = None;
    let mut tries = 0;
    loop {
        tries += 1;
        said = match timeout_at(end.into(), attempt()).await {
            Ok(Err(Unavailable(why))) => Some(why),
            Ok(done) => return done,
            // Why the attempts before it failed says more than that the last one was cut short.
            Err(_) => said,
        };
        let pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
        if Instant::now() + pause >= end {
            let spent = started.elapsed();
            return Err(match said {
                None => at.silent(spent),
                Some(why) if tries == 1 => Unavailable(why),
                Some(why) => Unavailable(format!("{why}; tried {tries} times in {:.1} s", spent.as_secs_f64())),
            });
        }
        sleep(pause).await;
        longest = (longest * 2).min(LONGEST_PAUSE);
    }
}
