//! Where a page ended, as text that goes into URLs.

use crate::encoding::{hex, unhex};
use crate::event::Timestamp;
use crate::record::Order;
use crate::records::Cursor;

/// Time, object, seq and version; the version is last because it may hold anything.
pub fn cursor_text(at: &Cursor) -> String {
    let Order { seq, event_time, version } = &at.order;
    format!("{}.{}.{seq}.{version}", event_time.0, hex(&at.object_hash))
}

/// `None` where the text is not one that [`cursor_text`] makes.
pub fn parse_cursor(text: &str) -> Option<Cursor> {
    let mut parts = text.splitn(4, '.');
    let event_time = Timestamp(parts.next()?.parse().ok()?);
    let object_hash = unhex(parts.next()?)?.try_into().ok()?;
    let (seq, version) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let order = Order { seq, event_time, version };
    Some(Cursor { object_hash, order })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back(time: i64, hash: [u8; 16], seq in "[0-9A-F]{32}|", version in any::<String>()) {
            let at = Cursor { object_hash: hash, order: Order { seq, event_time: Timestamp(time), version } };
            prop_assert_eq!(parse_cursor(&cursor_text(&at)), Some(at));
        }

        #[test]
        fn anything_as_a_cursor_is_read_or_refused(text in any::<String>()) {
            parse_cursor(&text);
        }
    }
}
