//! Trying again what may pass, until shortly before a deadline.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::errors::At;
use crate::records::RecordsError::{self, Unavailable};

/// Pauses double from the first to the longest; half of each is random, so that many writers do not come at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Attempts at a read.
const READS: u32 = 3;
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
        let pause = jittered(longest);
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

/// For who asks and waits: a hiccup passes, and a database that is away is told soon.
pub(super) async fn a_few_times<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, RecordsError>
where
    F: Future<Output = Result<T, RecordsError>>,
{
    for tries in 1..READS {
        match attempt().await {
            Err(Unavailable(_)) => sleep(jittered(FIRST_PAUSE * tries)).await,
            done => return done,
        }
    }
    attempt().await
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::CassandraConfig;
    use super::*;

    fn at() -> At {
        At::of(&CassandraConfig { nodes: vec!["db:9042".into()], ..CassandraConfig::default() })
    }

    fn within(time: Duration) -> Instant {
        Instant::now() + TO_SAY_IT + time
    }

    fn message(done: Result<(), RecordsError>) -> String {
        done.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[tokio::test]
    async fn what_passes_is_tried_until_it_has_passed() {
        let tries = Cell::new(0);
        let attempt = async || {
            tries.set(tries.get() + 1);
            if tries.get() < 4 { Err(Unavailable("away".into())) } else { Ok(tries.get()) }
        };
        assert!(matches!(until(within(Duration::from_secs(60)), &at(), attempt).await, Ok(4)));
    }

    #[tokio::test]
    async fn a_read_is_tried_a_few_times() {
        for (passes_at, tried) in [(1, 1), (3, 3), (9, 3)] {
            let tries = Cell::new(0);
            let attempt = async || {
                tries.set(tries.get() + 1);
                if tries.get() < passes_at { Err(Unavailable("away".into())) } else { Ok(()) }
            };
            let done = a_few_times(attempt).await;
            assert_eq!((tries.get(), done.is_ok()), (tried, passes_at <= 3));
        }
    }

    #[tokio::test]
    async fn what_does_not_pass_is_tried_once() {
        let tries = Cell::new(0);
        let attempt = async || {
            tries.set(tries.get() + 1);
            Err(RecordsError::Broken("no such table".into()))
        };
        assert_eq!(message(until(within(Duration::from_secs(60)), &at(), attempt).await), "no such table");
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test]
    async fn the_last_error_comes_before_the_deadline() {
        let deadline = within(Duration::from_millis(300));
        let said = message(until(deadline, &at(), async || Err(Unavailable("away".into()))).await);
        assert!(Instant::now() < deadline);
        assert!(said.starts_with("away; tried ") && said.contains(" times in "), "{said}");
    }

    #[tokio::test]
    async fn an_attempt_that_hangs_is_cut_off() {
        let said = message(until(within(Duration::from_millis(50)), &at(), std::future::pending).await);
        assert!(said.starts_with("Cassandra at db:9042 did not answer within "), "{said}");
        // With the reason of the one before it, where there was one.
        let tries = Cell::new(0);
        let attempt = async || {
            tries.set(tries.get() + 1);
            if tries.get() == 1 { Err(Unavailable("away".into())) } else { std::future::pending().await }
        };
        let said = message(until(within(Duration::from_millis(300)), &at(), attempt).await);
        assert!(said.starts_with("away; tried 2 times"), "{said}");
    }

    #[tokio::test]
    async fn a_deadline_that_has_passed_is_an_error_at_once() {
        let said = message(until(Instant::now(), &at(), std::future::pending).await);
        assert!(said.starts_with("Cassandra at db:9042 did not answer"), "{said}");
    }
}
