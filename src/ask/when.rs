//! Times as people write them.

use crate::event::Timestamp;

const UNITS: [(&str, i64); 4] = [("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// An age (`90s`, `15m`, `2h`, `7d`), a date (`2026-11-21`, its beginning in UTC), or RFC 3339.
///
/// # Errors
/// A sentence without an end: what the text is not, and what to write instead.
pub fn when(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &text[..text.len() - unit.len()];
    if let (Some((_, milliseconds)), false) = (UNITS.iter().find(|(name, _)| *name == unit), number.is_empty()) {
        let age = number.parse().ok().and_then(|number: i64| number.checked_mul(*milliseconds));
        let at = age.and_then(|age| now.0.checked_sub(age)).map(Timestamp);
        return at.ok_or_else(|| format!("'{text}' is too long ago"));
    }
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Ok(at);
    }
    if is_shaped(text, "0000-00-00") {
        return Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))
            .ok_or_else(|| format!("'{text}' is no day of the calendar"));
    }
    if is_shaped(text, "0000-00-00T00:00:00") {
        return Err(format!("'{text}' has no time zone: end it with Z for UTC, or with an offset as +02:00"));
    }
    if unit.is_empty() && !number.is_empty() {
        return Err(format!("'{text}' has no unit: write {text}s, {text}m, {text}h or {text}d"));
    }
    Err(format!(
        "'{text}' is no time: write an age (90s, 15m, 2h, 7d), a date (2026-11-21) or RFC 3339 (2026-11-21T10:15:00Z)"
    ))
}

/// Whether the text has digits where the shape has zeros, and the same characters elsewhere.
fn is_shaped(text: &str, shape: &str) -> bool {
    let alike = |(is, should): (u8, u8)| if should == b'0' { is.is_ascii_digit() } else { is == should };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(alike)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_226_584_567); // 2026-11-21T02:03:04.567Z

    #[test]
    fn every_form_is_read() {
        for (text, at) in [
            ("0s", NOW.0),
            ("90s", NOW.0 - 90_000),
            ("15m", NOW.0 - 900_000),
            ("2h", NOW.0 - 7_200_000),
            ("7d", NOW.0 - 604_800_000),
            ("007d", NOW.0 - 604_800_000),
            ("2026-11-21", 1_795_219_200_000),
            ("1970-01-01", 0),
            ("2024-02-29", 1_709_164_800_000),
            ("2026-11-21T02:03:04.567Z", NOW.0),
            ("2026-11-21T04:03:04.567+02:00", NOW.0),
            ("2026-11-21T02:03:04z", 1_795_226_584_000),
        ] {
            assert_eq!(when(text, NOW), Ok(Timestamp(at)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told() {
        for (text, sentence) in [
            ("", "'' is no time: write an age (90s, 15m, 2h, 7d), a date (2026-11-21) or RFC 3339"),
            ("yesterday", "'yesterday' is no time"),
            ("h", "'h' is no time"),
            ("-2h", "'-2h' is no time"),
            ("1.5h", "'1.5h' is no time"),
            ("2 h", "'2 h' is no time"),
            ("2H", "'2H' is no time"),
            ("2w", "'2w' is no time"),
            ("२h", "'२h' is no time"),
            ("2", "'2' has no unit: write 2s, 2m, 2h or 2d"),
            ("9223372036854775807d", "is too long ago"),
            ("99999999999999999999s", "is too long ago"),
            ("9223372036854775s", "'9223372036854775s' is too long ago"),
            ("2026-02-30", "'2026-02-30' is no day of the calendar"),
            ("2026-13-01", "'2026-13-01' is no day of the calendar"),
            ("2026-11-21T10:15:00", "'2026-11-21T10:15:00' has no time zone: end it with Z"),
            ("21.11.2026", "'21.11.2026' is no time"),
        ] {
            // So long before 1970 that the longest age does not fit behind it.
            let said = when(text, Timestamp(-NOW.0 * 1_000_000));
            assert!(said.as_ref().is_err_and(|said| said.contains(sentence)), "{text}: {said:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), now: i64) {
            let _ = when(&text, Timestamp(now));
        }

        #[test]
        fn what_is_printed_is_read(millis in 0..253_402_300_800_000_i64) {
            prop_assert_eq!(when(&Timestamp(millis).to_string(), NOW), Ok(Timestamp(millis)));
        }
    }
}
