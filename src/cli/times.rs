//! Times as people at this machine read and write them: in its time zone.

use std::time::Duration;

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use clap::Args;

use crate::ask;
use crate::event::Timestamp;

const SHOWN: &str = "%Y-%m-%d %H:%M:%S";

/// From when to when.
#[derive(Debug, Clone, Args)]
pub(super) struct PeriodArgs {
    /// From this time on: an age (15m, 2h, 7d), a date, a date and time, or RFC 3339
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(super) since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(super) until: Option<Timestamp>,
}

/// `2026-11-21 10:15:03`, here.
pub(super) fn shown(at: Timestamp) -> String {
    shown_in(&Local, at)
}

/// What [`ask::when`] reads; a date, alone or with a time as tables show it, is one of here.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    time_in(&Local, text, Timestamp::now())
}

/// `300ms`, `5s`, `2m`, or seconds without a unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "use a number and ms, s, m or h, as in 5s".to_owned())?;
    let milliseconds = match &text[digits.len()..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        other => return Err(format!("{other} is no unit: use ms, s, m or h")),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".into())
}

/// Between two looks at the same thing.
pub(super) fn pause(text: &str, shortest: Duration) -> Result<Duration, String> {
    match duration(text)? {
        pause if pause < shortest => Err(format!("use {shortest:?} or longer")),
        pause => Ok(pause),
    }
}

fn shown_in<Z: TimeZone>(zone: &Z, at: Timestamp) -> String {
    // What no calendar has is shown as data show it.
    match zone.timestamp_millis_opt(at.0).single() {
        Some(time) => time.naive_local().format(SHOWN).to_string(),
        None => at.to_string(),
    }
}

fn time_in<Z: TimeZone>(zone: &Z, text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let here = if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        beginning_in(zone, date)
    } else if let Ok(time) = NaiveDateTime::parse_from_str(text, SHOWN) {
        zone.from_local_datetime(&time).earliest()
    } else {
        return ask::when(text, now);
    };
    match here {
        Some(time) => Ok(Timestamp(time.timestamp_millis())),
        None => Err(format!("'{text}' is skipped here, where clocks are put forward; write it in RFC 3339")),
    }
}

/// Clocks are put forward at midnight in some places: then a day begins later. One that crosses the date line skips a
/// day, which has no beginning.
fn beginning_in<Z: TimeZone>(zone: &Z, date: NaiveDate) -> Option<DateTime<Z>> {
    let mut half_hours = (0..48).filter_map(|n| NaiveTime::from_num_seconds_from_midnight_opt(n * 30 * 60, 0));
    half_hours.find_map(|time| zone.from_local_datetime(&date.and_time(time)).earliest())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use chrono::{FixedOffset, MappedLocalTime, Offset, TimeDelta, Utc};

    use super::*;

    #[test]
    fn a_pause_must_not_be_a_busy_loop() {
        let (second, tenth) = (Duration::from_secs(1), Duration::from_millis(100));
        for (text, shortest, read) in
            [("1m", second, 60_000), ("1", second, 1_000), ("100ms", tenth, 100), ("2h", tenth, 7_200_000)]
        {
            assert_eq!(pause(text, shortest), Ok(Duration::from_millis(read)), "{text}");
        }
        for text in ["0", "999ms", "0h"] {
            assert_eq!(pause(text, second).unwrap_err(), "use 1s or longer", "{text}");
        }
        assert_eq!(pause("99ms", tenth).unwrap_err(), "use 100ms or longer");
        for no_time in ["", "s", "5 parsecs", "-1s", "99999999999999999999h"] {
            assert!(pause(no_time, tenth).is_err_and(|why| !why.contains("longer")), "{no_time}");
        }
    }

    #[test]
    fn what_a_table_shows_is_read_back() {
        let zones = [-34_200, 0, 19_800].map(FixedOffset::east_opt);
        for zone in zones.into_iter().flatten() {
            for at in [0, 1_795_226_584_000, -1_000, 253_402_200_000_000] {
                let text = shown_in(&zone, Timestamp(at));
                assert_eq!(time_in(&zone, &text, Timestamp(0)), Ok(Timestamp(at)), "{text} {zone}");
            }
        }
        assert_eq!(shown_in(&Utc, Timestamp(1_795_226_584_567)), "2026-11-21 02:03:04");
        assert_eq!(shown_in(&Utc, Timestamp(i64::MAX)), "9223372036854775807 ms");
    }

    #[test]
    fn dates_are_of_here_and_the_rest_is_as_everywhere() {
        let east = FixedOffset::east_opt(7_200);
        for (text, at) in [
            ("2026-11-21", 1_795_219_200_000 - 7_200_000),
            ("2026-11-21 02:03:04", 1_795_226_584_000 - 7_200_000),
            ("2026-11-21T02:03:04Z", 1_795_226_584_000),
            ("2h", 10_000_000 - 7_200_000),
        ] {
            let read = east.map(|east| time_in(&east, text, Timestamp(10_000_000)));
            assert_eq!(read, Some(Ok(Timestamp(at))), "{text}");
        }
        for text in ["yesterday", "2026-02-30", "2026-11-21 25:00:00", ""] {
            assert!(time_in(&Utc, text, Timestamp(0)).is_err(), "{text}");
        }
    }

    /// Santiago, where on 2026-09-06 the clocks go from midnight to 01:00; and 2011-12-30, which Samoa skipped.
    #[derive(Clone)]
    struct Skips;

    impl Skips {
        fn offset(winter: bool) -> FixedOffset {
            FixedOffset::west_opt(if winter { 14_400 } else { 10_800 }).unwrap_or(Utc.fix())
        }

        fn change() -> NaiveDateTime {
            NaiveDate::from_ymd_opt(2026, 9, 6).unwrap_or_default().and_time(NaiveTime::MIN)
        }
    }

    impl TimeZone for Skips {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Skips {
            Skips
        }

        fn offset_from_local_date(&self, date: &NaiveDate) -> MappedLocalTime<FixedOffset> {
            self.offset_from_local_datetime(&date.and_time(NaiveTime::MIN))
        }

        fn offset_from_local_datetime(&self, time: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
            let skipped = (Skips::change()..Skips::change() + TimeDelta::hours(1)).contains(time);
            if skipped || Some(time.date()) == NaiveDate::from_ymd_opt(2011, 12, 30) {
                return MappedLocalTime::None;
            }
            MappedLocalTime::Single(Skips::offset(*time < Skips::change()))
        }

        fn offset_from_utc_date(&self, date: &NaiveDate) -> FixedOffset {
            self.offset_from_utc_datetime(&date.and_time(NaiveTime::MIN))
        }

        fn offset_from_utc_datetime(&self, time: &NaiveDateTime) -> FixedOffset {
            Skips::offset(*time < Skips::change() + TimeDelta::hours(4))
        }
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_later() {
        let utc = |text: &str| ask::when(text, Timestamp(0));
        for (text, begins) in [
            ("2026-09-05", "2026-09-05T04:00:00Z"),
            ("2026-09-06", "2026-09-06T04:00:00Z"),
            ("2026-09-07", "2026-09-07T03:00:00Z"),
        ] {
            assert_eq!(time_in(&Skips, text, Timestamp(0)), utc(begins), "{text}");
        }
        for text in ["2026-09-06 00:30:00", "2011-12-30"] {
            let refused = time_in(&Skips, text, Timestamp(0));
            assert!(refused.is_err_and(|why| why.contains("is skipped here")), "{text}");
        }
    }
}
