//! Keys of any byte, from an event in each envelope to what the command line prints.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::event::make::{EventName, Notification, Shape, event};
use spotter::event::{EventBridgeKeys, Timestamp, parse};
use tempfile::TempDir;

use crate::cli::spotter;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("hostile::keys_come_out_as_they_went_in", as_they_went_in),
        Trial::test("hostile::what_is_longer_than_s3_has_it_is_an_error", too_long),
        Trial::test("hostile::what_says_which_version_is_a_text", texts),
    ]
}

/// Every ASCII character alone, all of them together, characters of each length, and what others have tripped over.
pub(crate) fn keys() -> Vec<String> {
    let ascii = (0..128_u8).map(char::from);
    let mut keys: Vec<String> = ascii.clone().map(|c| format!("a{c}b")).collect();
    keys.push(ascii.collect());
    let scripts = ('\u{80}'..='\u{7ff}').chain('\u{fff0}'..='\u{ffff}').chain('\u{1f5fa}'..='\u{1f64f}');
    let scripts: Vec<char> = scripts.chain(['\u{d7ff}', '\u{e000}', '\u{10ffff}']).collect();
    // A character has four bytes at most, a key 1,024.
    keys.extend(scripts.chunks(256).map(String::from_iter));
    keys.extend(["é".repeat(512), "\u{10ffff}".repeat(256), "%".repeat(1_024), "\0".repeat(1_024)]);
    keys.extend(
        [
            "../../etc/passwd",
            "..",
            ".",
            "/",
            "//",
            "a/../b",
            "C:\\x",
            "%2e%2e%2f",
            "%252e",
            "%00",
            "%",
            "%zz",
            "+",
            "%2B",
            "e\u{301}",
            "é",
            "\u{202e}gnp.7",
            "\u{2066}a\u{2069}",
            "\u{feff}a",
            "\u{200b}",
            "a\r\nSet-Cookie: b",
            "\u{1b}[31m",
            "'; DROP TABLE by_object; --",
            "' OR '1'='1",
            "$$ OR $$",
            "{\"$ne\": null}",
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "\"><svg/onload=alert(1)>",
            "{{7*7}}",
            "${jndi:ldap://x}",
            "`id`",
            "$(id)",
            "=1+1",
            "s3://demo/7.png",
            "https://example.com/?a=b&c#d",
            "null",
            "None",
            "-1",
            "1e400",
            "true",
            "[]",
            "\\",
            "\\u0000",
            "\"",
            "a\tb\u{b}c",
            "\u{85}\u{2028}\u{2029}",
            "7.png ",
            " 7.png",
            "7.PNG",
            "ſ.png",
            "ß",
            "SS",
            "İ",
        ]
        .map(str::to_owned),
    );
    keys
}

/// A removal in one of the envelopes, which no bucket has to be asked about.
pub(crate) fn removal(key: &str, number: usize, shape: Shape) -> Value {
    let of = Notification {
        name: EventName::Delete,
        bucket: "demo",
        key,
        size: None,
        etag: None,
        version_id: None,
        sequencer: Some("0055AED6DCD90281E5"),
        event_time: Timestamp(1_795_226_584_567 + number as i64),
        region: "eu-central-1",
    };
    event(&of, shape)
}

/// The envelopes that say what happened; S3 Batch Operations only names objects.
pub(crate) fn shapes() -> impl Iterator<Item = Shape> {
    Shape::ALL.into_iter().filter(|shape| *shape != Shape::Batch)
}

/// By the binary: an event's file, records on disk, and each way to print them.
fn as_they_went_in() -> Result<(), Failed> {
    let (home, keys) = (TempDir::new()?, keys());
    assert!(keys.iter().all(|key| key.len() <= 1_024) && keys.len() > 190, "{}", keys.len());
    for (number, shape) in shapes().enumerate() {
        let data = home.path().join(number.to_string());
        let events: Vec<Value> = keys.iter().enumerate().map(|(at, key)| removal(key, at, shape)).collect();
        for event in &events {
            let read = parse(event, EventBridgeKeys::Plain)?.items.remove(0).events.remove(0)?;
            assert!(keys.contains(&read.key), "{shape:?}: {:?}", read.key);
        }
        // One event of all, where the envelope has room for many.
        let together = match events[0]["Records"].as_array() {
            Some(_) => vec![
                json!({ "Records": events.iter().flat_map(|one| one["Records"].as_array().cloned().unwrap_or_default()).collect::<Vec<_>>() }),
            ],
            None => events.into_iter().step_by(25).collect(),
        };
        let all = together.len() == 1;
        for event in &together {
            let path = home.path().join("event.json");
            fs::File::create(&path)?.write_all(event.to_string().as_bytes())?;
            let mut invoke = spotter(&home);
            let output = invoke.arg("--data").arg(&data).arg("invoke").arg(&path).stdin(Stdio::null()).output()?;
            assert!(output.status.success(), "{shape:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let wanted: BTreeSet<&str> = keys.iter().step_by(if all { 1 } else { 25 }).map(String::as_str).collect();
        let output = spotter(&home)
            .arg("--data")
            .arg(&data)
            .args(["list", "--deleted", "--limit", "100000", "--json"])
            .output()?;
        let printed = String::from_utf8(output.stdout)?;
        let seen: Vec<String> = printed
            .lines()
            .map(|line| Ok(serde_json::from_str::<Value>(line)?["key"].as_str().unwrap_or_default().to_owned()))
            .collect::<Result<_, Failed>>()?;
        let missing: Vec<_> = wanted.iter().filter(|key| !seen.iter().any(|seen| seen == *key)).collect();
        assert!(
            missing.is_empty() && seen.len() == wanted.len(),
            "{shape:?}: {missing:?}, {} of {}",
            seen.len(),
            wanted.len()
        );
        let output = spotter(&home)
            .arg("--data")
            .arg(&data)
            .args(["list", "--deleted", "--limit", "100000", "--format", "table"])
            .output()?;
        let table = String::from_utf8(output.stdout)?;
        let sent = table
            .chars()
            .find(|c| c.is_control() && *c != '\n' || matches!(*c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        assert_eq!((sent, table.lines().count()), (None, wanted.len() + 1), "{shape:?}");
    }
    Ok(())
}

fn record(object: Value) -> Value {
    json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete", "eventVersion": "2.1",
        "s3": { "bucket": { "name": "demo" }, "object": object } }] })
}

fn refused(event: &Value) -> Result<String, Failed> {
    match parse(event, EventBridgeKeys::Plain)?.items.remove(0).events.remove(0) {
        Err(error) => Ok(error.to_string()),
        Ok(event) => Err(format!("was taken: {} bytes of key", event.key.len()).into()),
    }
}

/// A database refuses a key of 64 kB each time: the event would come again until it is put aside, and nobody would know
/// why.
fn too_long() -> Result<(), Failed> {
    for length in [1_025, 70_000, 6_000_000] {
        let text = "k".repeat(length);
        for (field, event) in [
            ("s3.object.key", record(json!({ "key": text }))),
            ("s3.object.versionId", record(json!({ "key": "7.png", "versionId": text }))),
            ("s3.object.eTag", record(json!({ "key": "7.png", "eTag": text }))),
            ("s3.object.sequencer", record(json!({ "key": "7.png", "sequencer": "A".repeat(length) }))),
        ] {
            let error = refused(&event)?;
            assert!(
                error.contains(&format!("`{field}` has {length} bytes, and S3 has none of more than 1024")),
                "{error}"
            );
            assert!(error.len() < 400, "{} bytes", error.len());
        }
    }
    // Encoded, each byte has three.
    let longest = "%00".repeat(1_024);
    let read = parse(&record(json!({ "key": longest })), EventBridgeKeys::Plain)?.items.remove(0).events.remove(0)?;
    assert_eq!(read.key, "\0".repeat(1_024));
    Ok(())
}

/// A version id that is a number is none to a lenient reader, and the removal of one version is the object's then.
fn texts() -> Result<(), Failed> {
    for (odd, saw) in
        [(json!(7), "a number"), (json!(["v"]), "an array"), (json!(true), "a boolean"), (json!({}), "an object")]
    {
        for name in ["versionId", "eTag", "sequencer"] {
            let error = refused(&record(json!({ "key": "7.png", name: odd })))?;
            assert_eq!(error, format!("s3://demo/7.png: `s3.object.{name}` is {saw}, and must be a text"));
        }
    }
    for absent in [Value::Null, json!("")] {
        let event = record(json!({ "key": "7.png", "versionId": absent }));
        assert!(parse(&event, EventBridgeKeys::Plain)?.items[0].events[0].is_ok());
    }
    Ok(())
}
