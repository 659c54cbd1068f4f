//! Changes by chance, of bytes and of JSON.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Between them are the edges that parsers forget.
const BYTES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xfe, 0xff, b'"', b'%'];

/// Up to eight changes: bytes set, bits turned, parts removed, doubled, or taken from elsewhere.
pub(super) fn bytes(chance: &mut Rng, of: &[u8]) -> Vec<u8> {
    let mut bytes = of.to_vec();
    for _ in 0..chance.usize(1..=8) {
        if bytes.is_empty() {
            return vec![chance.u8(..)];
        }
        let at = chance.usize(..bytes.len());
        let length = chance.usize(..16.min(bytes.len() - at).max(1));
        match chance.u8(..7) {
            0 => bytes[at] = BYTES[chance.usize(..BYTES.len())],
            1 => bytes[at] ^= 1 << chance.u8(..8),
            2 => bytes[at] = chance.u8(..),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let part = bytes[at..at + length].to_vec();
                bytes.splice(at..at, part);
            }
            5 => {
                let from = chance.usize(..=bytes.len() - length);
                bytes.copy_within(from..from + length, at);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// Some JSON that an event would not have where it is put.
pub(super) fn junk(chance: &mut Rng) -> Value {
    match chance.u8(..16) {
        0 => Value::Null,
        1 => json!(chance.bool()),
        2 => json!(chance.u64(..)),
        3 => json!(-(chance.u32(..) as f64) / 3.0),
        4 => json!(1e308),
        5 => json!(chance.u32(..).to_string()),
        6 => json!(""),
        7 => json!([]),
        8 => json!({}),
        9 => json!("\u{202e}gnp.7\0\u{1b}[31m\r\n"),
        10 => json!("x".repeat(chance.usize(1_000..3_000))),
        11 => json!("%".repeat(chance.usize(1..50))),
        12 => json!("{\"Records\":[]}"),
        13 => (0..chance.usize(1..200)).fold(Value::Null, |inner, _| json!([inner])),
        14 => json!({ "Records": [{ "eventSource": "aws:s3" }] }),
        _ => json!("'; DROP TABLE by_object; --<script>alert(1)</script>../../%2e%2e/+\\"),
    }
}

/// One change anywhere in it, also in JSON that is in its strings.
pub(super) fn json(chance: &mut Rng, value: &mut Value) {
    // Likelier near the root, where shapes are decided.
    if chance.u8(..6) == 0 {
        *value = junk(chance);
        return;
    }
    match value {
        Value::Object(fields) if !fields.is_empty() => object(chance, fields),
        Value::Array(items) if !items.is_empty() => {
            let at = chance.usize(..items.len());
            match chance.u8(..5) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, items[at].clone()),
                2 => items.insert(at, junk(chance)),
                _ => json(chance, &mut items[at]),
            }
        }
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(mut inner @ (Value::Object(_) | Value::Array(_))) => {
                json(chance, &mut inner);
                *text = inner.to_string();
            }
            _ => *text = String::from_utf8_lossy(&bytes(chance, text.as_bytes())).into_owned(),
        },
        Value::Number(number) => *value = json!(number.to_string()),
        other => *other = junk(chance),
    }
}

fn object(chance: &mut Rng, fields: &mut Map<String, Value>) {
    let names: Vec<String> = fields.keys().cloned().collect();
    let name = &names[chance.usize(..names.len())];
    match chance.u8(..6) {
        0 => drop(fields.remove(name)),
        1 => {
            let value = fields.remove(name).unwrap_or_default();
            fields.insert(name.to_uppercase(), value);
        }
        2 => {
            let other = fields[&names[chance.usize(..names.len())]].clone();
            fields.insert(name.clone(), other);
        }
        _ => json(chance, &mut fields[name]),
    }
}
