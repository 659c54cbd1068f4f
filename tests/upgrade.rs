//! What a former version left is opened by this one: nothing is lost, what was queued is answered, and it goes on.
//!
//! `upgrade/` has data folders as SQL, written by the last version of each schema (`upgrade/write.py`).

mod middle;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use libtest_mimic::{Failed, Trial};
use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest, Sha256};
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::sample;
use crate::harness::{self, on_runtime, root, until};
use crate::serve::{self, Served};

/// What one version left.
struct Former {
    schema: i32,
    model: &'static str,
    /// What people said of 8.bmp; the first version had no corrections.
    corrected: Option<&'static str>,
    records: &'static str,
    objects: &'static str,
}

const FIRST: Former = Former {
    schema: 1,
    model: "digits/1",
    corrected: None,
    records: include_str!("upgrade/records-1.sql"),
    objects: include_str!("upgrade/objects-1.sql"),
};
const FORMER: [Former; 3] = [
    FIRST,
    Former {
        schema: 2,
        model: "digits/1",
        corrected: Some("3"),
        records: include_str!("upgrade/records-2.sql"),
        objects: include_str!("upgrade/objects-2.sql"),
    },
    Former {
        schema: 3,
        model: "digits/2",
        corrected: Some("3"),
        records: include_str!("upgrade/records-3.sql"),
        objects: include_str!("upgrade/objects-3.sql"),
    },
];

pub fn trials() -> Vec<Trial> {
    let answered = FORMER.iter().map(|former| {
        let name = format!("upgrade::a_folder_of_schema_{}_is_answered_and_goes_on", former.schema);
        Trial::test(name, || on_runtime(goes_on(former)))
    });
    answered.chain(middle::trials()).collect()
}

/// The data folder of this home as a version left it when it was killed.
fn left_by(former: &Former, home: &TempDir) -> Result<PathBuf, Failed> {
    let data = serve::data(home);
    let objects = data.join("objects");
    std::fs::create_dir_all(&objects)?;
    fill(&data.join("records.sqlite"), former.records)?;
    let store = fill(&objects.join("objects.sqlite"), former.objects)?;
    let blobs = column(&store, "SELECT blob FROM segments UNION SELECT blob FROM parts")?;
    for picture in std::fs::read_dir(root().join("samples"))? {
        let picture = picture?.path();
        let Ok(bytes) = std::fs::read(&picture) else { continue };
        let name: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if blobs.contains(&name) {
            let folder = objects.join("blobs").join(&name[..2]);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    let credentials = r#"{"access_key_id":"SPOT0123456789ABCDEF","secret_access_key":"not a secret, but long enough"}"#;
    std::fs::write(data.join("credentials.json"), credentials)?;
    Ok(data)
}

fn fill(path: &Path, sql: &str) -> Result<Connection, Failed> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // Tables come in any order.
    database.pragma_update(None, "foreign_keys", false)?;
    database.execute_batch(&format!("BEGIN; {sql} COMMIT;"))?;
    Ok(database)
}

fn column(database: &Connection, sql: &str) -> Result<BTreeSet<String>, Failed> {
    let mut statement = database.prepare(sql)?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// Each record with all that the first schema knew of it.
fn records(path: &Path) -> Result<BTreeSet<String>, Failed> {
    let columns = "bucket, key, seq, event_time, version, model, status, reason, why, label, confidence, top, width, \
                   height, size, content_type, etag, version_id, seen, object_hash, listed_as";
    let quoted: Vec<String> = columns.split(", ").map(|name| format!("quote({name})")).collect();
    column(&Connection::open(path)?, &format!("SELECT {} FROM records", quoted.join(" || ' ' || ")))
}

/// What a file of records is: its version, and its columns, tables and indexes, however they were made.
fn shape(path: &Path) -> Result<BTreeSet<String>, Failed> {
    let database = Connection::open(path)?;
    let mut shape = column(&database, "SELECT 'version ' || user_version FROM pragma_user_version")?;
    let columns = "SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || c.hidden FROM pragma_table_list AS t, \
                   pragma_table_xinfo(t.name) AS c WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'";
    shape.extend(column(&database, columns)?);
    shape.extend(column(&database, "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")?);
    Ok(shape)
}

/// As this version makes one.
fn todays() -> Result<BTreeSet<String>, Failed> {
    let folder = TempDir::new()?;
    let path = folder.path().join("records.sqlite");
    drop(Embedded::open(&path)?);
    shape(&path)
}

/// The records that a command prints.
fn ask(home: &TempDir, arguments: &[&str]) -> Result<Vec<Value>, Failed> {
    let output = spotter(home).args(arguments).arg("--json").stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{arguments:?}: {said}").into());
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// How often each key is listed under each label or status.
fn listed(home: &TempDir, arguments: &[&str]) -> Result<BTreeMap<(String, String), usize>, Failed> {
    let mut listed = BTreeMap::new();
    for row in ask(home, &[&["list", "--limit", "1000"], arguments].concat())? {
        let under = if row["status"] == "classified" { &row["label"] } else { &row["status"] };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        *listed.entry((text(&row["key"]), text(under))).or_default() += 1;
    }
    Ok(listed)
}

fn expected(rows: &[(&str, &str)]) -> BTreeMap<(String, String), usize> {
    rows.iter().map(|(key, under)| (((*key).to_owned(), (*under).to_owned()), 1)).collect()
}

async fn goes_on(former: &Former) -> Result<(), Failed> {
    let home = TempDir::new()?;
    let data = left_by(former, &home)?;
    let file = data.join("records.sqlite");
    let before = records(&file)?;
    let mut served = Served::start(&home)?;
    let s3 = served.client(&home)?;
    answered(former, &home)?;

    // What was queued when it was killed: an upload, and a delete.
    let queued = ask(&home, &["get", "s3://pictures/queued.webp", "--wait", "60s"])?;
    assert_eq!(queued[0]["label"], "3", "{queued:?}");
    let end = harness::deadline();
    until(end, "the queued delete is not recorded", async || {
        Ok(ask(&home, &["get", "s3://pictures/overwritten.png", "--history"])?[0]["status"] == "deleted")
    })
    .await?;

    // Objects, their versions, and an upload in parts that is half done.
    let got = s3.get_object().bucket("pictures").key("8.bmp").send().await?.body.collect().await?.to_vec();
    assert!(got == sample("8.bmp")?, "another picture than was uploaded");
    let kept = s3.list_object_versions().bucket("kept").send().await?;
    assert_eq!((kept.versions().len(), kept.delete_markers().len()), (2, 1));
    let uploads = s3.list_multipart_uploads().bucket("pictures").send().await?;
    let upload = uploads.uploads().first().and_then(|upload| upload.upload_id()).ok_or("no upload is under way")?;
    let parts = s3.list_parts().bucket("pictures").key("parts.png").upload_id(upload).send().await?;
    let etag = parts.parts().first().and_then(|part| part.e_tag()).ok_or("no part")?;
    let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
    let complete = s3.complete_multipart_upload().bucket("pictures").key("parts.png").upload_id(upload);
    complete.multipart_upload(CompletedMultipartUpload::builder().parts(part).build()).send().await?;

    // New uploads stand above what was there.
    let body = ByteStream::from(sample("4.gif")?);
    s3.put_object().bucket("pictures").key("8.bmp").body(body).send().await?;
    let parts = ask(&home, &["get", "s3://pictures/parts.png", "--wait", "60s"])?;
    assert_eq!(parts[0]["label"], "2");
    until(end, "the new upload is not on top", async || {
        Ok(ask(&home, &["get", "s3://pictures/8.bmp", "--history"])?[0]["label"] == "4")
    })
    .await?;
    ask(&home, &["correct", "s3://pictures/a b+c/一.png", "7"])?;
    let corrected = former.corrected.map(|label| ("8.bmp", label));
    let corrected: Vec<_> = corrected.into_iter().chain([("a b+c/一.png", "7")]).collect();
    assert_eq!(listed(&home, &["--model", "human"])?, expected(&corrected));
    ask(&home, &["stats"])?;

    let store = Connection::open(data.join("objects/objects.sqlite"))?;
    until(end, "the queue is not empty", async || Ok(column(&store, "SELECT body FROM outbox")?.is_empty())).await?;
    served.stop()?;
    assert!(records(&file)?.is_superset(&before), "a record is gone or changed");
    assert_eq!(shape(&file)?, todays()?);
    Ok(())
}

/// What was recorded is what it was, by whichever model; nothing new is uploaded yet.
fn answered(former: &Former, home: &TempDir) -> Result<(), Failed> {
    let by = ["--model", former.model];
    for (key, label) in [("8.bmp", "8"), ("a b+c/一.png", "1")] {
        let got = ask(home, &[&["get", &format!("s3://pictures/{key}")], &by[..]].concat())?;
        assert_eq!((&got[0]["label"], &got[0]["model"]), (&label.into(), &former.model.into()));
    }
    let mut all = listed(home, &by)?;
    // Queued, and recorded by now or not: by the model that reads now.
    all.remove(&("queued.webp".to_owned(), "3".to_owned()));
    let versions = [("versions.png", "1"), ("versions.png", "4")];
    let eights = [("8.bmp", "8"), ("gone.png", "8")];
    let others = [("a b+c/一.png", "1"), ("notes.png", "rejected"), ("overwritten.png", "1"), ("overwritten.png", "4")];
    assert_eq!(all, expected(&[&versions[..], &eights, &others].concat()));
    assert_eq!(listed(home, &[&["--label", "8"], &by[..]].concat())?, expected(&eights));
    assert_eq!(listed(home, &[&["--label", "rejected"], &by[..]].concat())?, expected(&others[1..2]));
    let mut deleted = listed(home, &["--deleted"])?;
    deleted.remove(&("overwritten.png".to_owned(), "deleted".to_owned())); // queued too
    assert_eq!(deleted, expected(&[("gone.png", "deleted"), ("versions.png", "deleted")]));
    let corrected: Vec<_> = former.corrected.map(|label| ("8.bmp", label)).into_iter().collect();
    assert_eq!(listed(home, &["--model", "human"])?, expected(&corrected));
    Ok(())
}
