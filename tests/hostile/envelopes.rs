//! Events of every shape. Each record of an event is handled, ignored for a reason that is named, or an error; none
//! vanishes, whatever is around it.

use std::fs;
use std::time::Instant;

use fastrand::Rng;
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::event::{Delivery, EventBridgeKeys, EventError, ObjectEvent, parse};

use super::{mutate, number, seed, smoke};
use crate::harness::root;

/// Events of each trial, unless the environment says how many.
const EVENTS: u64 = 5_000;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("hostile::no_record_of_an_event_vanishes", nothing_vanishes),
        Trial::test("hostile::fixtures_changed_anywhere_are_read_or_refused", fixtures_changed),
        Trial::test("hostile::deep_events_end", deep),
        Trial::test("hostile::ten_thousand_records_are_ten_thousand_outcomes", many),
        Trial::test("hostile::an_event_takes_time_by_its_length", linear),
    ]
}

fn events() -> u64 {
    number("SPOTTER_HOSTILE_EVENTS").map_or(EVENTS, |events| events / 2)
}

fn fixtures() -> Result<Vec<Value>, Failed> {
    let mut paths: Vec<_> =
        fs::read_dir(root().join("events"))?.map(|entry| Ok(entry?.path())).collect::<Result<_, Failed>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().map(|path| Ok(serde_json::from_slice(&fs::read(path)?)?)).collect()
}

/// What is in an event at last: records of S3, and events of EventBridge, from all fixtures.
fn leaves(value: &Value, out: &mut Vec<Value>) {
    let of_s3 = value.get("s3").is_some_and(|s3| s3.get("object").is_some());
    let of_bus = value.pointer("/detail/object").is_some();
    if of_s3 || of_bus {
        out.push(value.clone());
        return;
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, out)),
        Value::Array(items) => items.iter().for_each(|value| leaves(value, out)),
        Value::String(text) => {
            if let Ok(inner @ Value::Object(_)) = serde_json::from_str(text) {
                leaves(&inner, out);
            }
        }
        _ => {}
    }
}

/// An event, and the keys that are in it, a list for each of its answers. A key of no meaning stands for a record
/// that was damaged.
struct Made {
    value: Value,
    keys: Vec<Vec<String>>,
}

struct Maker {
    chance: Rng,
    leaves: Vec<Value>,
    made: u64,
}

impl Maker {
    /// A leaf with a key of its own, one in four damaged, and what its key is.
    fn leaf(&mut self, of_bus: bool) -> (Value, String) {
        let fitting: Vec<&Value> = self.leaves.iter().filter(|leaf| leaf.get("detail").is_some() == of_bus).collect();
        let mut leaf = fitting[self.chance.usize(..fitting.len())].clone();
        self.made += 1;
        let key = format!("{}.png", self.made);
        let place = if of_bus { "/detail/object/key" } else { "/s3/object/key" };
        if let Some(name) = leaf.pointer_mut(place) {
            *name = json!(key);
        }
        if self.chance.u8(..4) > 0 {
            return (leaf, key);
        }
        // Its shape is decided by its source and what it holds: these stay, so that it is still one of its list.
        let kept = leaf.clone();
        mutate::json(&mut self.chance, &mut leaf);
        for field in ["eventSource", "s3", "source", "detail-type", "detail"] {
            if let (Some(before), true) =
                (kept.get(field), leaf.get(field).is_none() || field != "s3" && field != "detail")
            {
                match &mut leaf {
                    Value::Object(fields) => drop(fields.insert(field.to_owned(), before.clone())),
                    _ => leaf = json!({ field: before }),
                }
            }
        }
        (leaf, String::new())
    }

    /// An event without an envelope, or with up to `depth` of them, and the keys in it.
    fn inner(&mut self, depth: usize) -> (Value, Vec<String>) {
        match self.chance.u8(..if depth == 0 { 3 } else { 6 }) {
            0 => {
                let (leaf, key) = self.leaf(true);
                (leaf, vec![key])
            }
            1 => (
                json!({ "Event": "s3:TestEvent", "Bucket": "demo", "Time": "2026-11-21T02:03:04.567Z" }),
                vec![String::new()],
            ),
            2 => {
                let mut made: Vec<_> = (0..self.chance.usize(1..5)).map(|_| self.leaf(false)).collect();
                // What does not belong there: a list is S3's by its first record.
                if self.chance.u8(..4) == 0 {
                    let odd = [json!({ "eventSource": "aws:dynamodb" }), json!({}), mutate::junk(&mut self.chance)];
                    made.push((odd[self.chance.usize(..odd.len())].clone(), String::new()));
                }
                let (records, keys) = made.into_iter().unzip();
                (json!({ "Records": Value::Array(records) }), keys)
            }
            3 => {
                let (message, keys) = self.inner(depth - 1);
                (json!({ "Type": "Notification", "Message": message.to_string() }), keys)
            }
            kind => {
                let of_sns = kind == 4;
                let (mut records, mut all) = (Vec::new(), Vec::new());
                for _ in 0..self.chance.usize(1..4) {
                    let (inner, keys) = self.inner(depth - 1);
                    let text = inner.to_string();
                    records.push(if of_sns {
                        json!({ "EventSource": "aws:sns", "Sns": { "Message": text } })
                    } else {
                        json!({ "eventSource": "aws:sqs", "messageId": "inner", "body": text })
                    });
                    all.extend(keys);
                }
                (json!({ "Records": records }), all)
            }
        }
    }

    /// An SQS batch, whose messages fail on their own, or one event.
    fn event(&mut self) -> Made {
        let depth = self.chance.usize(..6);
        if self.chance.bool() {
            let (value, keys) = self.inner(depth);
            let own_answers = value.pointer("/Records/0/eventSource") == Some(&json!("aws:sqs"));
            // Of an SQS batch that was made as an inner event, who is in which message is not known.
            return if own_answers { self.event() } else { Made { value, keys: vec![keys] } };
        }
        let (mut messages, mut all) = (Vec::new(), Vec::new());
        for number in 0..self.chance.usize(1..6) {
            let (inner, keys) = self.inner(depth);
            let mut message =
                json!({ "eventSource": "aws:sqs", "messageId": number.to_string(), "body": inner.to_string() });
            if self.chance.u8(..8) == 0 {
                message["body"] = mutate::junk(&mut self.chance);
            }
            messages.push(message);
            all.push(keys);
        }
        Made { value: json!({ "Records": messages }), keys: all }
    }
}

/// An answer without an error has its events, one for each record and in their order; with one, it is sent again.
fn is_accounted_for(made: &Made, parsed: &Result<Delivery, EventError>) -> Result<(), String> {
    let Ok(delivery) = parsed else {
        return Ok(());
    };
    if delivery.items.len() != made.keys.len() {
        return Err(format!("{} answers of {}", delivery.items.len(), made.keys.len()));
    }
    for (item, keys) in delivery.items.iter().zip(&made.keys) {
        let seen: Result<Vec<&ObjectEvent>, &EventError> = item.events.iter().map(Result::as_ref).collect();
        let empty = made.value.to_string().contains(r#"{\"Records\":[]}"#) && item.events.is_empty();
        match seen {
            Err(_) => {
                // What is good beside it is recorded all the same, unless a whole envelope could not be read.
                continue;
            }
            Ok(_) if empty => {}
            Ok(seen) if seen.len() != keys.len() => {
                return Err(format!("{} events of {} records, and no error: {seen:?}", seen.len(), keys.len()));
            }
            Ok(seen) => {
                let differs = seen.iter().zip(keys).find(|(event, key)| !key.is_empty() && event.key != **key);
                if let Some((event, key)) = differs {
                    return Err(format!("{key} became {event:?}"));
                }
            }
        }
    }
    Ok(())
}

fn nothing_vanishes() -> Result<(), Failed> {
    let mut all = Vec::new();
    fixtures()?.iter().for_each(|fixture| leaves(fixture, &mut all));
    assert!(all.len() > 40, "{} records in the fixtures", all.len());
    let mut maker = Maker { chance: Rng::with_seed(seed()), leaves: all, made: 0 };
    let (mut read, mut whole) = (0_u64, 0_u64);
    for number in 0..events() {
        let made = maker.event();
        let parsed = parse(&made.value, EventBridgeKeys::Plain);
        if let Err(problem) = is_accounted_for(&made, &parsed) {
            return Err(format!("event {number} of seed {}: {problem}\n{}", seed(), made.value).into());
        }
        smoke::targets::event_value(&made.value);
        let items = parsed.iter().flat_map(|delivery| &delivery.items);
        for item in items {
            read += 1;
            whole += u64::from(!item.events.is_empty() && item.events.iter().all(Result::is_ok));
        }
    }
    // Neither all of them good nor all of them bad, or nothing would have been shown.
    assert!(whole * 4 > read && whole < read, "{whole} of {read} answers without an error");
    Ok(())
}

fn fixtures_changed() -> Result<(), Failed> {
    let fixtures = fixtures()?;
    let mut chance = Rng::with_seed(seed() + 1);
    for number in 0..events() {
        let mut value = fixtures[chance.usize(..fixtures.len())].clone();
        for _ in 0..chance.usize(1..5) {
            mutate::json(&mut chance, &mut value);
        }
        if number % 4 == 0 {
            // As text, where names may come twice and anything may be cut off.
            smoke::targets::event(&mutate::bytes(&mut chance, value.to_string().as_bytes()));
        }
        smoke::targets::event_value(&value);
    }
    Ok(())
}

/// On a thread with as little stack as any has.
fn deep() -> Result<(), Failed> {
    let text = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let mut texts = Vec::new();
    for depth in [100, 127, 128, 1_000, 100_000] {
        texts.push(text("[", "]", depth));
        texts.push(text("{\"Records\":[", "]}", depth));
        texts.push(text("{\"s3\":", "}", depth));
        texts.push("[".repeat(depth));
    }
    // Notifications in notifications: each layer doubles the backslashes of the one in it.
    let mut nested = json!({ "Event": "s3:TestEvent" });
    for _ in 0..12 {
        nested = json!({ "Type": "Notification", "Message": nested.to_string() });
        texts.push(nested.to_string());
    }
    let in_queue = |text: &String| json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m", "body": text }] });
    let trial = move || {
        for text in &texts {
            smoke::targets::event(text.as_bytes());
            let delivery = parse(&in_queue(text), EventBridgeKeys::Plain).map_err(|error| error.to_string())?;
            let events = &delivery.items[0].events;
            if events.is_empty() {
                return Err(format!("{} bytes of nesting vanished", text.len()));
            }
        }
        Ok(())
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1_024).spawn(trial)?;
    Ok(thread.join().map_err(|_| "panicked")??)
}

/// As large as Lambda takes an event: 6 MB.
fn many() -> Result<(), Failed> {
    let record = |number: usize| {
        json!({ "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete",
            "eventTime": "2026-11-21T02:03:04.567Z", "responseElements": { "x-amz-request-id": "r".repeat(200) },
            "s3": { "bucket": { "name": "demo" }, "object": { "key": format!("{number}.png"), "padding": "p".repeat(150) } } })
    };
    let records: Vec<Value> = (0..10_000).map(record).collect();
    let one = json!({ "Records": records });
    assert!(one.to_string().len() > 5_000_000, "{}", one.to_string().len());
    let in_queue = json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m", "body": one.to_string() }] });
    for value in [one, in_queue] {
        let delivery = parse(&value, EventBridgeKeys::Plain)?;
        let events: Vec<_> = delivery.items.iter().flat_map(|item| &item.events).collect();
        assert_eq!(events.len(), 10_000);
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event.as_ref().map_err(|error| error.to_string())?.key, format!("{number}.png"));
        }
    }
    Ok(())
}

/// 64 small events take as long as one that is 64 times as large; were time its square, it would be 64 times as long. Both
/// are timed side by side, and the best of several runs counts, since a machine may do something else meanwhile.
fn linear() -> Result<(), Failed> {
    type Make = fn(usize) -> Value;
    let shapes: [(&str, Make); 4] = [
        ("records", |count| {
            let record = json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1",
                "s3": { "bucket": { "name": "b" }, "object": { "key": "a+b%2Bc" } } });
            json!({ "Records": vec![record; count] })
        }),
        ("a long key", |count| {
            let key = "%2B".repeat(count * 50);
            json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                "s3": { "bucket": { "name": "b" }, "object": { "key": key } } }] })
        }),
        ("backslashes in a message in a message", |count| {
            let inner = json!({ "Type": "Notification", "Message": "\\\"".repeat(count * 50) });
            json!({ "Type": "Notification", "Message": inner.to_string() })
        }),
        ("unknown fields", |count| Value::Object((0..count * 10).map(|n| (format!("f{n}"), Value::Null)).collect())),
    ];
    let time = |value: &Value, times: usize| {
        let started = Instant::now();
        (0..times).for_each(|_| drop(parse(value, EventBridgeKeys::Plain)));
        started.elapsed().as_secs_f64()
    };
    for (name, make) in shapes {
        let (small, large) = (make(50), make(3_200));
        let ratio = (0..5).map(|_| time(&large, 1) / time(&small, 64)).fold(f64::INFINITY, f64::min);
        assert!(ratio < 16.0, "{name}: 64 times as much takes {:.0} times as long", ratio * 64.0);
    }
    Ok(())
}
