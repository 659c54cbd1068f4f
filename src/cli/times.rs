//! Times as people at this machine read and write them: in its time zone.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
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
    time_in(&Local, text, now())
}

/// By the clock of this machine.
pub(super) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

fn shown_in<Z: TimeZone>(zone: &Z, at: Timestamp) -> String {
    // What no calendar has is shown as data show it.
    match zone.timestamp_millis_opt(at.0).single() {
        Some(time) => time.naive_local().format(SHOWN).to_string(),
        None => at.to_string(),
    }
}

fn time_in<Z: TimeZone>(zone: &Z, text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let date = || Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
    let Some(here) = NaiveDateTime::parse_from_str(text, SHOWN).ok().or_else(date) else {
        return ask::when(text, now);
    };
    // Clocks are put forward at midnight in some places: then a day begins later.
    match zone.from_local_datetime(&here).earliest() {
        Some(time) => Ok(Timestamp(time.timestamp_millis())),
        None => Err(format!("'{text}' is skipped here, where clocks are put forward; write it in RFC 3339")),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, Utc};

    use super::*;

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
}
