//! Times as S3 sends them and as Cassandra keeps them.

use std::fmt;
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970 in UTC, as Cassandra's `timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// By the clock of this machine.
    pub fn now() -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// RFC 3339 in any offset and precision, cut to milliseconds; `None` for anything else.
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        i64::try_from(nanos.div_euclid(1_000_000)).ok().map(Timestamp)
    }
}

/// RFC 3339 in UTC with milliseconds, `2026-11-21T02:03:04.567Z`. RFC 3339 ends at the year 9999: outside of the
/// years 0 to 9999 it is the number of milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000);
        match at {
            Ok(at) if (0..=9999).contains(&at.year()) => write!(
                out,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                at.year(),
                u8::from(at.month()),
                at.day(),
                at.hour(),
                at.minute(),
                at.second(),
                at.millisecond()
            ),
            _ => write!(out, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_the_senders_write() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2021-11-12T00:00:00Z", 1_636_675_200_000),        // EventBridge
            ("2019-11-22T13:47:35.124724Z", 1_574_430_455_124), // Ceph
            ("2026-11-21T02:03:04.567Z", 1_795_226_584_567),
            ("2026-11-21T04:03:04.567+02:00", 1_795_226_584_567),
            ("1969-12-31T23:59:59.9999Z", -1),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Some(Timestamp(millis)), "{text}");
        }
        for text in ["", "yesterday", "2026-11-21", "2026-13-01T00:00:00Z", "1795226584567", "2026-11-21T02:03:04"] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn prints_milliseconds_always() {
        assert_eq!(Timestamp(1_795_226_584_567).to_string(), "2026-11-21T02:03:04.567Z");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), "9223372036854775807 ms");
        assert_eq!(Timestamp(i64::MIN).to_string(), "-9223372036854775808 ms");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(millis in -62_167_219_200_000_i64..253_402_300_800_000) {
            let at = Timestamp(millis);
            prop_assert_eq!(Timestamp::parse_rfc3339(&at.to_string()), Some(at));
        }
    }
}
