//! What stands behind the `?`: which records, and where to go on.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::ask::{cursor_text, parse_cursor};
use crate::record::Status;
use crate::records::{Cursor, Listing};

/// Everything but RFC 3986's unreserved characters, and `/`, which a query may hold, to keep keys readable.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// All texts, so that what is wrong with one is said in our words. An empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Params {
    pub(super) label: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) cursor: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
}

impl Params {
    /// The listing of `model` that is asked for; an error is a sentence.
    pub(super) fn listing(&self, model: &str, limit: usize, most: usize) -> Result<Listing, String> {
        let label = self.label.clone().filter(|label| !label.is_empty());
        // Deletes and removals are no model's.
        let of_none = [Status::Deleted, Status::VersionRemoved].iter().any(|of| label.as_deref() == Some(of.as_str()));
        let limit = match self.limit.as_deref() {
            None | Some("") => limit,
            Some(text) => match text.parse() {
                Ok(limit) if (1..=most).contains(&limit) => limit,
                _ => return Err(format!("The limit '{text}' is not a number from 1 to {most}.")),
            },
        };
        let after = match self.cursor.as_deref() {
            None | Some("") => None,
            Some(text) => Some(parse_cursor(text).ok_or_else(|| {
                format!("The cursor '{text}' is not one that an answer gave as its next; leave it out to start anew.")
            })?),
        };
        let model = if of_none { String::new() } else { model.to_owned() };
        Ok(Listing { model, label, since: None, until: None, limit, seen: true, after })
    }

    /// The way to the page of the same listing that starts at `next`.
    pub(super) fn older(&self, next: &Cursor) -> String {
        let mut way = format!("/?cursor={}", encode(&cursor_text(next)));
        for (name, value) in [("label", &self.label), ("limit", &self.limit)] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                way = format!("{way}&{name}={}", encode(value));
            }
        }
        way
    }
}

/// Percent-encoded for a query.
pub(super) fn encode(value: &str) -> String {
    utf8_percent_encode(value, VALUE).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_encoded_value_comes_back(value in any::<String>()) {
            let encoded = encode(&value);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b);
            prop_assert!(encoded.bytes().all(plain), "{}", encoded);
            prop_assert_eq!(percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap(), value);
        }
    }

    #[test]
    fn limits_are_bounded() {
        let asked = |limit: &str| {
            let params = Params { limit: Some(limit.into()), ..Params::default() };
            params.listing("digits/1", 25, 200).map(|listing| listing.limit)
        };
        assert_eq!(asked(""), Ok(25));
        assert_eq!(asked("200"), Ok(200));
        for limit in ["0", "201", "-1", "x", "99999999999999999999"] {
            assert_eq!(asked(limit), Err(format!("The limit '{limit}' is not a number from 1 to 200.")));
        }
    }
}
