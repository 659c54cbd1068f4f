//! A point in time by two clocks.

use std::time::{Duration, Instant, SystemTime};

/// The steady clock of a sandbox may stand still while it is frozen; the wall clock may be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Moment {
        Moment { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// The longer of what the two clocks say; a wall clock that was set back says nothing.
    pub(super) fn age(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn time_that_only_one_clock_saw_counts() {
        let now = Moment::now();
        assert!(now.age() < HOUR);
        assert!(Moment { wall: SystemTime::now() - HOUR, ..now }.age() >= HOUR);
        if let Some(steady) = Instant::now().checked_sub(HOUR) {
            assert!(Moment { steady, ..now }.age() >= HOUR);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_not_believed() {
        assert!(Moment { wall: SystemTime::now() + HOUR, ..Moment::now() }.age() < HOUR);
    }
}
