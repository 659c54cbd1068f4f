use std::path::PathBuf;

use super::listing::{Page, Query};
use super::*;
use crate::event::make::EventName;

const BUCKET: &str = "bucket";

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create_bucket(BUCKET).unwrap();
    (dir, store)
}

fn stage(store: &Store, bytes: &[u8]) -> Staged {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut staging = store.stage(Default::default()).await.unwrap();
        staging.write(bytes).await.unwrap();
        staging.finish().await.unwrap()
    })
}

fn put(store: &Store, key: &str, bytes: &[u8]) -> Written {
    let staged = stage(store, bytes);
    store.put(BUCKET, key, &staged, &Attributes::default(), &Condition::Always, EventName::Put).unwrap()
}

fn read(store: &Store, key: &str) -> Vec<u8> {
    use futures_util::TryStreamExt;
    let (version, body) = store.get(BUCKET, key, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let chunks: Vec<_> = runtime.block_on(body.stream(0..version.size).try_collect()).unwrap();
    chunks.concat()
}

/// The files of blobs and of unfinished uploads.
fn files(store: &Store) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![store.dir().join("blobs"), store.dir().join("tmp")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn everything_outlives_a_restart() {
    let (dir, store) = open();
    put(&store, "a", b"one");
    put(&store, "b", b"");
    let queued = store.pending(10).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(read(&store, "a"), b"one");
    assert_eq!(read(&store, "b"), b"");
    assert_eq!(store.pending(10).unwrap(), queued);
    assert_eq!(queued.len(), 2);
}

#[test]
fn one_process_at_a_time() {
    let (dir, store) = open();
    let Err(error) = Store::open(dir.path()) else { panic!("opened twice") };
    assert!(matches!(&error, StoreError::InUse(folder) if error.to_string().contains(&folder.display().to_string())));
    drop(store);
    Store::open(dir.path()).unwrap();
}

#[test]
fn another_layout_is_refused() {
    let (dir, store) = open();
    store.connection().pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let error = Store::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("layout 99") && error.contains("use that version"), "{error}");
}

#[test]
fn what_fails_leaves_neither_object_nor_notification_nor_file() {
    let (_dir, store) = open();
    put(&store, "a", b"one");
    let staged = stage(&store, b"two");
    let attributes = Attributes::default();
    let refused = store.put(BUCKET, "a", &staged, &attributes, &Condition::Absent, EventName::Put);
    assert!(matches!(refused, Err(StoreError::PreconditionFailed)));
    let refused = store.put("nope", "a", &staged, &attributes, &Condition::Always, EventName::Put);
    assert!(matches!(refused, Err(StoreError::NoSuchBucket)));
    drop(staged);
    assert_eq!(read(&store, "a"), b"one");
    assert_eq!(store.pending(10).unwrap().len(), 1);
    assert_eq!(files(&store).len(), 1);
}

/// The object's row and its notification are one: whichever of the two cannot be written, neither is.
#[test]
fn an_object_whose_notification_cannot_be_queued_is_not_there() {
    let (_dir, store) = open();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk on fire'); END";
    store.connection().execute_batch(refuse).unwrap();
    let staged = stage(&store, b"one");
    let failed = store.put(BUCKET, "a", &staged, &Attributes::default(), &Condition::Always, EventName::Put);
    assert!(matches!(failed, Err(StoreError::Database { .. })));
    drop(staged);
    assert!(matches!(store.head(BUCKET, "a", None), Err(StoreError::NoSuchKey)));
    assert!(store.pending(10).unwrap().is_empty());
    assert_eq!(files(&store), Vec::<PathBuf>::new());
}

#[test]
fn a_crash_leaves_orphans_that_the_next_start_removes() {
    let (dir, store) = open();
    put(&store, "a", b"one");
    // Killed while receiving, and between the rename and the commit.
    std::mem::forget(stage(&store, b"unfinished"));
    let orphan = store.dir().join("blobs").join("ab");
    fs::create_dir_all(&orphan).unwrap();
    fs::write(orphan.join("ab".repeat(32)), b"orphan").unwrap();
    assert_eq!(files(&store).len(), 3);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(files(&store).len(), 1);
    assert_eq!(read(&store, "a"), b"one");
}

/// Whoever names a folder of their own with `--data` keeps what was in it, and what its links lead to.
#[cfg(unix)]
#[test]
fn files_that_are_not_the_stores_stay() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (tmp, blobs, blob) = (dir.path().join("tmp"), dir.path().join("blobs"), "ab".repeat(32));
    let theirs = [
        tmp.join("letter.txt"),
        tmp.join("1.bak"),
        blobs.join("photos/1.jpg"),
        blobs.join("ab/notes"),
        blobs.join("ab").join("cd".repeat(32)),
        elsewhere.path().join(&blob),
        elsewhere.path().join("7"),
    ];
    for file in &theirs {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, b"theirs").unwrap();
    }
    std::os::unix::fs::symlink(elsewhere.path(), blobs.join("ac")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("7"), tmp.join("7")).unwrap();
    let orphan = blobs.join("ab").join(&blob);
    fs::write(&orphan, b"orphan").unwrap();

    let store = Store::open(dir.path()).unwrap();
    for file in &theirs {
        assert_eq!(fs::read(file).unwrap(), b"theirs", "{}", file.display());
    }
    assert!(!orphan.exists() && !tmp.join("7").exists(), "what is named as the store names it goes");
    store.create_bucket(BUCKET).unwrap();
    put(&store, "a", b"one");
    assert_eq!(read(&store, "a"), b"one");
}

#[test]
fn equal_bytes_are_kept_once_and_go_with_their_last_object() {
    let (_dir, store) = open();
    put(&store, "a", b"same");
    put(&store, "b", b"same");
    store.copy((BUCKET, "a", None), (BUCKET, "c"), None, |_| Ok(())).unwrap();
    assert_eq!(files(&store).len(), 1);
    for key in ["a", "b"] {
        store.delete(BUCKET, key, None, &Condition::Always).unwrap();
    }
    assert_eq!(read(&store, "c"), b"same");
    put(&store, "c", b"other");
    assert_eq!(read(&store, "c"), b"other");
    assert_eq!(files(&store).len(), 1);
    put(&store, "c", b"");
    assert_eq!(files(&store), Vec::<PathBuf>::new());
}

#[test]
fn what_is_being_read_may_be_deleted() {
    use futures_util::TryStreamExt;
    let (_dir, store) = open();
    put(&store, "a", b"one");
    let (version, body) = store.get(BUCKET, "a", None).unwrap();
    store.delete(BUCKET, "a", None, &Condition::Always).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let chunks: Vec<_> = runtime.block_on(body.stream(0..version.size).try_collect()).unwrap();
    assert_eq!(chunks.concat(), b"one");
}

#[test]
fn a_damaged_blob_is_an_error_and_not_another_object() {
    let (_dir, store) = open();
    put(&store, "a", b"one");
    fs::write(&files(&store)[0], b"on").unwrap();
    assert!(matches!(store.get(BUCKET, "a", None), Err(StoreError::Corrupt(_))));
}

#[test]
fn sequencers_rise_whatever_the_clock_does() {
    let (dir, store) = open();
    put(&store, "a", b"1");
    // A clock that was far ahead once, as after a wrong date.
    store.connection().execute("UPDATE clock SET last = last + 1000000000000", []).unwrap();
    put(&store, "a", b"2");
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    put(&store, "a", b"3");
    store.delete(BUCKET, "a", None, &Condition::Always).unwrap();
    let field = |name: &str| -> Vec<String> {
        let bodies = store.pending(10).unwrap();
        let events = bodies.iter().map(|queued| serde_json::from_str::<serde_json::Value>(&queued.body).unwrap());
        events
            .map(|event| {
                let record = &event["Records"][0];
                let value = if name == "eventTime" { &record[name] } else { &record["s3"]["object"][name] };
                value.as_str().unwrap().to_owned()
            })
            .collect()
    };
    let sequencers = field("sequencer");
    assert!(sequencers.is_sorted_by(|a, b| a < b), "{sequencers:?}");
    assert!(sequencers.iter().all(|hex| hex.len() == 18 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())));
    assert!(field("eventTime").is_sorted());
    assert_eq!(sequencers.len(), 4);
}

#[test]
fn notifications_stay_until_done() {
    let (_dir, store) = open();
    for key in ["a", "b", "c"] {
        put(&store, key, b"x");
    }
    let queued = store.pending(2).unwrap();
    assert_eq!(queued.len(), 2);
    assert_eq!(store.pending(2).unwrap(), queued, "given out again until it is done");
    store.done(queued[0].id).unwrap();
    store.done(queued[0].id).unwrap();
    let later = Timestamp(4_000_000_000_000);
    store.retry(queued[1].id, later).unwrap();
    let now = store.pending(10).unwrap();
    assert_eq!(now.len(), 1, "the second waits");
    store.done(now[0].id).unwrap();
    assert_eq!(store.next_due().unwrap(), Some(later));
    store.retry(queued[1].id, Timestamp(0)).unwrap();
    assert_eq!(store.pending(10).unwrap()[0].attempts, 2);
    store.done(queued[1].id).unwrap();
    assert_eq!(store.next_due().unwrap(), None);
}

#[test]
fn a_notification_wakes_the_dispatcher() {
    let (_dir, store) = open();
    let wake = store.wake();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    put(&store, "a", b"x");
    // Queued before anybody waited: the permit is kept.
    runtime.block_on(wake.notified());
    let queued = store.pending(1).unwrap();
    store.retry(queued[0].id, Timestamp(0)).unwrap();
    runtime.block_on(wake.notified());
}

#[test]
fn keys_are_any_bytes_of_utf_8() {
    let (_dir, store) = open();
    let keys = ["\0", "a", "a\0", "a\0b", "a/b", "b", "\u{10ffff}"];
    for key in keys {
        put(&store, key, key.as_bytes());
    }
    for key in keys {
        assert_eq!(read(&store, key), key.as_bytes());
    }
    let Page { entries, .. } = store.list(BUCKET, &Query { max: 100, ..Query::default() }).unwrap();
    assert_eq!(entries.len(), keys.len());
    let staged = stage(&store, b"x");
    for (key, length) in [(String::new(), 0), ("k".repeat(1025), 1025)] {
        let refused = store.put(BUCKET, &key, &staged, &Attributes::default(), &Condition::Always, EventName::Put);
        assert!(matches!(refused, Err(StoreError::KeyLength(found)) if found == length));
    }
}

#[test]
fn a_full_disk_is_named() {
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let error = io_error(Path::new("/data/tmp/1"), full);
    assert!(matches!(&error, StoreError::Full(folder) if folder == Path::new("/data/tmp")));
    assert_eq!(error.to_string(), "the disk of /data/tmp is full; free some space, then try again");
    let error = io_error(Path::new("/data/lock"), io::ErrorKind::ReadOnlyFilesystem.into());
    let said = "/data/lock cannot be written: read-only filesystem or storage medium; change that, or name another folder with --data";
    assert_eq!(error.to_string(), said);
}

/// SQLite's own way of being full: no page more may be added.
#[test]
fn a_full_database_loses_nothing_and_says_so() {
    let (dir, store) = open();
    put(&store, "a", b"one");
    store.connection().pragma_update(None, "max_page_count", 1).unwrap();
    let mut refused = None;
    for i in 0..2000 {
        let staged = stage(&store, b"");
        let key = format!("{i:04}{}", "k".repeat(1000));
        let put = store.put(BUCKET, &key, &staged, &Attributes::default(), &Condition::Always, EventName::Put);
        if let Err(error) = put {
            refused = Some((i, error));
            break;
        }
    }
    let (kept, error) = refused.unwrap();
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.pending(10_000).unwrap().len(), kept + 1);
    assert_eq!(read(&store, "a"), b"one");
}

#[test]
fn a_bucket_goes_only_when_it_is_empty_and_takes_its_uploads_along() {
    let (_dir, store) = open();
    put(&store, "a", b"one");
    assert!(matches!(store.delete_bucket(BUCKET), Err(StoreError::BucketNotEmpty)));
    store.delete(BUCKET, "a", None, &Condition::Always).unwrap();
    let upload = store.create_upload(BUCKET, "b", &Attributes::default()).unwrap();
    store.put_part((BUCKET, "b", &upload), 1, &stage(&store, b"part")).unwrap();
    assert_eq!(files(&store).len(), 1);
    store.delete_bucket(BUCKET).unwrap();
    assert_eq!(files(&store), Vec::<PathBuf>::new());
    assert!(matches!(store.bucket(BUCKET), Err(StoreError::NoSuchBucket)));
}

#[test]
fn parts_that_are_replaced_or_left_out_or_aborted_leave_no_file() {
    let (_dir, store) = open();
    let upload = store.create_upload(BUCKET, "a", &Attributes::default()).unwrap();
    let id = (BUCKET, "a", upload.as_str());
    store.put_part(id, 1, &stage(&store, b"first")).unwrap();
    let kept = store.put_part(id, 1, &stage(&store, b"second")).unwrap();
    store.put_part(id, 2, &stage(&store, b"left out")).unwrap();
    assert_eq!(files(&store).len(), 2);
    store.complete_upload(id, &[(1, kept.etag)], Checksums::default(), &Condition::Always).unwrap();
    assert_eq!(read(&store, "a"), b"second");
    assert_eq!(files(&store).len(), 1);
    let upload = store.create_upload(BUCKET, "a", &Attributes::default()).unwrap();
    store.put_part((BUCKET, "a", &upload), 1, &stage(&store, b"aborted")).unwrap();
    store.abort_upload((BUCKET, "a", &upload)).unwrap();
    assert_eq!(files(&store).len(), 1);
}
