//! How many objects are under way at once: as many as the bucket, the network and the database bear.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Objects under way at first.
const START: usize = 4;
/// A wait that is shorter is no sign of anything.
const SLOW: Duration = Duration::from_secs(1);
/// So many times as long as usual is one.
const SLOWER: u32 = 4;
/// How much of the usual wait the newest one is.
const NEWEST: f64 = 1.0 / 16.0;

/// TCP's rule (additive increase, multiplicative decrease): one more after each round of objects without trouble, half
/// at a sign of overload. All that were begun before that are of the same trouble, and count once.
pub struct Pace {
    turns: Semaphore,
    ceiling: usize,
    state: Mutex<State>,
}

struct State {
    limit: usize,
    /// Turns to take back as they end.
    owed: usize,
    /// Ends without trouble since the limit was changed.
    calm: usize,
    /// Seconds.
    usual: Option<f64>,
    halved_at: Instant,
}

/// One object's time under way.
pub struct Turn<'a> {
    pace: &'a Pace,
    permit: SemaphorePermit<'a>,
    began: Instant,
}

impl Pace {
    pub fn new(ceiling: usize) -> Pace {
        let ceiling = ceiling.clamp(1, Semaphore::MAX_PERMITS);
        let limit = START.min(ceiling);
        let state = State { limit, owed: 0, calm: 0, usual: None, halved_at: Instant::now() };
        Pace { turns: Semaphore::new(limit), ceiling, state: Mutex::new(state) }
    }

    /// The most that may ever be under way.
    pub fn ceiling(&self) -> usize {
        self.ceiling
    }

    /// Objects that may be under way now.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    pub async fn turn(&self) -> Option<Turn<'_>> {
        // The semaphore is never closed.
        let permit = self.turns.acquire().await.ok()?;
        Some(Turn { pace: self, permit, began: Instant::now() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// The object waited so long for the bucket and the records (`None`: it did not ask both), and they were too busy.
    pub fn end(self, waited: Option<Duration>, overloaded: bool) {
        let mut state = self.pace.state();
        let slow = waited.is_some_and(|waited| state.is_slow(waited));
        if overloaded || slow {
            state.halve(self.began, &self.pace.turns);
        } else {
            state.grow(self.pace);
        }
        if state.owed > 0 {
            state.owed -= 1;
            self.permit.forget();
        }
    }
}

impl State {
    fn is_slow(&mut self, waited: Duration) -> bool {
        let seconds = waited.as_secs_f64();
        let usual = self.usual.unwrap_or(seconds);
        self.usual = Some(usual + (seconds - usual) * NEWEST);
        waited > SLOW && seconds > usual * f64::from(SLOWER)
    }

    fn halve(&mut self, began: Instant, turns: &Semaphore) {
        if began < self.halved_at || self.limit == 1 {
            return;
        }
        let less = self.limit / 2;
        self.limit -= less;
        self.owed += less - turns.forget_permits(less);
        self.calm = 0;
        self.halved_at = Instant::now();
    }

    fn grow(&mut self, pace: &Pace) {
        self.calm += 1;
        if self.calm < self.limit || self.limit >= pace.ceiling {
            return;
        }
        self.limit += 1;
        self.calm = 0;
        if self.owed > 0 {
            self.owed -= 1;
        } else {
            pace.turns.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Option<Duration> = Some(Duration::from_millis(10));

    async fn turns(pace: &Pace, count: usize) -> Vec<Turn<'_>> {
        let mut turns = Vec::new();
        for _ in 0..count {
            turns.push(pace.turn().await.unwrap());
        }
        turns
    }

    fn is_full(pace: &Pace) -> bool {
        pace.turns.available_permits() == 0
    }

    #[tokio::test]
    async fn it_grows_by_one_a_round_up_to_the_ceiling() {
        let pace = Pace::new(6);
        for limit in [4, 5, 6, 6] {
            assert_eq!(pace.limit(), limit);
            let round = turns(&pace, limit).await;
            assert!(is_full(&pace));
            round.into_iter().for_each(|turn| turn.end(QUICK, false));
        }
        assert_eq!(Pace::new(2).limit(), 2);
    }

    #[tokio::test]
    async fn trouble_halves_it_once_for_all_that_were_under_way() {
        let pace = Pace::new(8);
        while pace.limit() < 8 {
            turns(&pace, 1).await.into_iter().for_each(|turn| turn.end(QUICK, false));
        }
        let round = turns(&pace, 8).await;
        round.into_iter().for_each(|turn| turn.end(QUICK, true));
        assert_eq!((pace.limit(), pace.turns.available_permits()), (4, 4));
        // While some are under way, and down to one, but not to none.
        for limit in [2, 1, 1] {
            let round = turns(&pace, pace.limit()).await;
            round.into_iter().for_each(|turn| turn.end(None, true));
            assert_eq!((pace.limit(), pace.turns.available_permits()), (limit, limit));
        }
        turns(&pace, 1).await.into_iter().for_each(|turn| turn.end(QUICK, false));
        assert_eq!(pace.limit(), 2, "and up again");
    }

    #[tokio::test]
    async fn much_slower_than_usual_is_trouble_and_always_slow_is_not() {
        let pace = Pace::new(4);
        let after = async |waited| {
            turns(&pace, 1).await.into_iter().for_each(|turn| turn.end(Some(waited), false));
            pace.limit()
        };
        for _ in 0..8 {
            assert_eq!(after(Duration::from_millis(300)).await, 4);
        }
        assert_eq!(after(Duration::from_millis(900)).await, 4, "too short to say");
        assert_eq!(after(Duration::from_secs(3)).await, 2);
        let slow = Pace::new(4);
        for _ in 0..8 {
            turns(&slow, 1).await.into_iter().for_each(|turn| turn.end(Some(Duration::from_secs(5)), false));
        }
        assert_eq!(slow.limit(), 4);
    }
}
