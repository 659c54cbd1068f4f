//! Bytes and numbers as text: digests on the wire, cursors, small pictures in JSON, figures for people; and strangers'
//! text where it must not do anything.

use std::borrow::Cow;
use std::fmt::Write;

/// Base64 with padding (RFC 4648, section 4), as S3 uses it for digests.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0u32, |bits, (i, &byte)| bits | (u32::from(byte) << (16 - 8 * i)));
        for i in 0..4 {
            let symbol = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= group.len() { char::from(symbol) } else { '=' });
        }
    }
    text
}

/// Whether a character does something to the lines around it: control characters, line ends, and what turns the
/// direction of the text (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
fn misleads(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A stranger's text (a key, say) on one line, with what would do something there as `\u{1b}`.
pub(crate) fn visible(text: &str) -> String {
    let shown = |c: char| if misleads(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// The same for text in JSON, as `\u001b`: it stays the same JSON, with the line ends between its parts.
pub(crate) fn visible_json(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| c == '\n' || !misleads(c);
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    // What misleads is below U+FFFF.
    let shown = |c: char| if harmless(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The reverse of [`hex`]; `None` where the text is not hexadecimal.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

/// The reverse of [`base64`]; `None` where the text is nothing that it says.
pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let symbol = |symbol: &u8| match symbol {
        b'A'..=b'Z' => Some(u32::from(symbol - b'A')),
        b'a'..=b'z' => Some(u32::from(symbol - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(symbol - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().try_fold(0, |bits, next| Some(bits << 6 | symbol(next)?))? << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    // Neither a lone symbol, nor padding that is too short or too long, nor bits that no byte has.
    (base64(&bytes) == text).then_some(bytes)
}

/// In threes: `14,203`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (14_203, "14,203"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn base64_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
            assert_eq!(unbase64(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
        assert_eq!(unbase64("+/8="), Some(vec![0xfb, 0xff]));
        for none in
            ["=", "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9v=", "Zm9v====", "Zm 9", "Zm9v\n", "-_8=", "Zg==Zg==", "ä"]
        {
            assert_eq!(unbase64(none), None, "{none:?}");
        }
    }

    #[test]
    fn hex_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
        assert_eq!(unhex("ää"), None);
    }
}
