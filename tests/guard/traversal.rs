//! Keys and buckets that look like paths: the folder has what the store names, whatever was asked for.

use std::path::Path;

use libtest_mimic::Failed;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use time::OffsetDateTime;

use crate::s3::raw::{Signer, header, send};
use crate::s3::{BUCKET, Bench};

/// As they stand in a request line: encoded, doubly encoded, half encoded, of Windows, too long for a file's name.
fn targets() -> Vec<String> {
    let mut keys: Vec<String> = [
        "..",
        "../x",
        "../../x",
        "..%2f..%2fx",
        "%2e%2e/%2e%2e/x",
        "%2e%2e%2f%2e%2e%2fx",
        "%252e%252e%252fx",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        "a/%2e%2e/%2e%2e/b",
        "a%00.png",
        "%00",
        "..%5c..%5cx",
        "C:%5Cx",
        "CON",
        "nul.txt",
        "aux",
        "x.",
        "x%20",
        "%ff%fe",
        "blobs%2F..%2Fobjects.sqlite",
        "objects.sqlite",
        "lock",
        ".",
        "~%2Fx",
        "$HOME%2Fx",
        "file:%2F%2F%2Fx",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push("k".repeat(256));
    keys.push("n".repeat(1_024));
    keys
}

/// As it is signed, however it is sent: each byte of the key encoded but for `/` and what RFC 3986 calls unreserved.
fn canonical(target: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    let decoded: Vec<u8> = percent_decode_str(target).collect();
    percent_encode(&decoded, ENCODED).to_string()
}

/// Every file below, but for those that SQLite makes beside its own.
fn files(folder: &Path, below: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}

pub(super) async fn keys() -> Result<(), Failed> {
    let s3 = Bench::start().await?;
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    // By key: some of these are one, and the last body counts.
    let mut bodies = std::collections::BTreeMap::new();
    for key in targets() {
        let body = format!("body of {key}");
        let target = format!("/{BUCKET}/{key}");
        let (mut headers, _) = signer.headers(&s3, "PUT", &canonical(&target), "UNSIGNED-PAYLOAD", &[]);
        headers.push(header("content-length", body.len()));
        let answer = send(&s3, "PUT", &target, &headers, body.as_bytes()).await?;
        if answer.status == 200 {
            bodies.insert(canonical(&target), crate::s3::raw::sha256(body.as_bytes()));
        } else {
            assert!((400..500).contains(&answer.status), "{key}: {answer:?}");
        }
    }
    assert!(bodies.len() > targets().len() / 2, "only {} of them are keys", bodies.len());
    for bucket in ["..", "%2e%2e", "..%2Fx", "%2Fetc", "a%00b", "CON", "a/../b", "objects.sqlite"] {
        let target = format!("/{bucket}");
        let (mut headers, _) = signer.headers(&s3, "PUT", &canonical(&target), "UNSIGNED-PAYLOAD", &[]);
        headers.push(header("content-length", 0));
        let answer = send(&s3, "PUT", &target, &headers, b"").await?;
        assert!(answer.status == 200 || (400..500).contains(&answer.status), "{bucket}: {answer:?}");
    }

    let mut found = Vec::new();
    files(s3.store.dir(), "", &mut found)?;
    let mut blobs = std::collections::BTreeSet::new();
    for name in found {
        match name.strip_prefix("blobs/").and_then(|name| name.split_once('/')) {
            Some((folder, blob)) => {
                assert!(blob.starts_with(folder) && folder.len() == 2, "{name}");
                blobs.insert(blob.to_owned());
            }
            None => {
                assert!(name.starts_with("objects.sqlite") || name == "lock" || name == "credentials.json", "{name}")
            }
        }
    }
    assert_eq!(blobs, bodies.into_values().collect(), "each body is in the file of its hash, and nowhere else");
    Ok(())
}
