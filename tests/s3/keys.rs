//! Keys are opaque: no key is a path, and none touches another.

use libtest_mimic::{Failed, Trial};

use super::{BUCKET, Bench, refusal, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("keys are opaque", opaque), trial("a key has at most 1,024 bytes", lengths)]
}

fn zoo() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a",
        "a/",
        "a/b",
        "a//b",
        "a/./b",
        "a/../b",
        "../x",
        "/../../etc/passwd",
        "/lead",
        "//lead",
        ".",
        "..",
        "A",
        "Straße",
        "STRASSE",
        "e\u{301}",
        "é",
        "日本語/図.png",
        "🦊",
        "a b",
        "a+b",
        "a%2Bb",
        "a%20b",
        "%",
        "%00",
        "%zz",
        "a&b=c?d#e",
        "\"quoted\"",
        "<xml>&amp;",
        "back\\slash",
        "C:\\x",
        "con",
        "nul.txt",
        "trailing.",
        "trailing ",
        " leading",
        "*",
        "~",
        "a\tb",
        "comma,semi;colon:",
        "$(x)",
        "'",
        "|",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push("k".repeat(1024));
    keys.push("ü".repeat(512));
    keys.push(format!("{}/x", "d/".repeat(500)));
    keys.sort();
    keys
}

async fn opaque(s3: Bench) -> Result<(), Failed> {
    let keys = zoo();
    for key in &keys {
        s3.put(key, format!("body of {key}").as_bytes()).await?;
    }
    for key in &keys {
        assert_eq!(s3.get(key).await?, format!("body of {key}").as_bytes(), "{key:?}");
    }
    let listed = s3.client.list_objects_v2().bucket(BUCKET).send().await?;
    let names: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(names, keys, "in the order of their bytes");
    let notified = s3.notified()?;
    assert_eq!(notified.len(), keys.len());
    for key in &keys {
        let encoded: String = form_urlencoded(key);
        assert!(notified.iter().any(|(_, notified)| *notified == encoded), "{key:?} as {encoded:?}");
        s3.client.delete_object().bucket(BUCKET).key(key).send().await?;
        assert_eq!(refusal(s3.client.get_object().bucket(BUCKET).key(key).send().await).0, 404);
    }
    assert_eq!(s3.client.list_objects_v2().bucket(BUCKET).send().await?.key_count(), Some(0));
    Ok(())
}

async fn lengths(s3: Bench) -> Result<(), Failed> {
    let longer = "k".repeat(1025);
    let refused = s3.client.put_object().bucket(BUCKET).key(&longer).send().await;
    assert_eq!(refusal(refused), (400, "KeyTooLongError".into()));
    assert_eq!(s3.notified()?, []);
    Ok(())
}

/// As S3 encodes keys in notifications.
fn form_urlencoded(key: &str) -> String {
    key.bytes().fold(String::new(), |text, byte| match byte {
        b' ' => text + "+",
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'*' => {
            text + &char::from(byte).to_string()
        }
        _ => text + &format!("%{byte:02X}"),
    })
}
