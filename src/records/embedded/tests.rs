#![allow(clippy::unwrap_used)] // a panic is a failed test

use super::*;

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn row(version: &str) -> Record {
    Record {
        bucket: "pictures".into(),
        key: "7.png".into(),
        order: Order { seq: String::new(), event_time: Timestamp(1), version: version.into() },
        model: "digits/2".into(),
        status: Status::Rejected,
        reason: Some(Reason::Broken),
        why: String::new(),
        label: None,
        confidence: None,
        top: Vec::new(),
        dimensions: None,
        size: None,
        content_type: None,
        etag: None,
        version_id: None,
        seen: vec![7; 4000],
    }
}

fn opening(path: &Path) -> String {
    match Embedded::open(path) {
        Ok(_) => "opened".into(),
        Err(RecordsError::Broken(message)) => message,
        Err(RecordsError::Unavailable(message)) => panic!("may pass, it says: {message}"),
    }
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.sqlite");
    let text = "not a database at all\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let message = opening(&path);
    assert!(message.starts_with(&format!("{} is not a SQLite database", path.display())), "{message}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.sqlite");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE cookies (name TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(opening(&path).contains("is a database of another program"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_schema_asks_for_an_update() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.sqlite");
    drop(Embedded::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let message = opening(&path);
    assert!(message.contains("newer spotter (schema 7, this one knows 4)"), "{message}");
}

#[test]
fn a_folder_in_the_files_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = opening(folder.path());
    assert!(message.contains("cannot be opened as a file"), "{message}");
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.sqlite");
    drop(Embedded::open(&path).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100..200].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let message = opening(&path);
    assert!(message.contains("is damaged"), "{message}");
}

#[tokio::test]
async fn a_full_disk_may_pass() {
    let folder = tempfile::tempdir().unwrap();
    let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
    let pages = |count: i64| {
        home.on(|file| &file.writer, move |connection| connection.pragma_update(None, "max_page_count", count))
    };
    pages(8).await.unwrap();
    let mut refused = None;
    for version in 0..20 {
        refused = refused.or(home.write(&row(&version.to_string()), deadline()).await.err());
    }
    let Some(RecordsError::Unavailable(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("the disk is full"), "{message}");

    pages(1_000_000).await.unwrap();
    home.write(&row("later"), deadline()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
    // What SQLite says of a read-only file too; permissions do not stop root.
    home.on(|file| &file.writer, |connection| connection.pragma_update(None, "query_only", true)).await.unwrap();
    let Err(RecordsError::Broken(message)) = home.write(&row("1"), deadline()).await else { panic!() };
    assert!(message.contains("records.sqlite cannot be written"), "{message}");
}

#[tokio::test]
async fn an_unknown_status_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
    home.write(&row("1"), deadline()).await.unwrap();
    let spoil = |connection: &mut Connection| connection.execute("UPDATE records SET status = 'dreamt'", []);
    home.on(|file| &file.writer, spoil).await.unwrap();
    let Err(RecordsError::Broken(message)) = home.rows("pictures", "7.png", None).await else { panic!() };
    assert!(message.contains("the status 'dreamt' is unknown to this version of spotter"), "{message}");
}

/// What the first version of the schema made.
const VERSION_1: &str = "CREATE TABLE records (
    bucket TEXT NOT NULL, key TEXT NOT NULL, seq TEXT NOT NULL, event_time INTEGER NOT NULL, version TEXT NOT NULL,
    model TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, why TEXT NOT NULL, label TEXT, confidence REAL,
    top TEXT NOT NULL, width INTEGER, height INTEGER, size INTEGER, content_type TEXT, etag TEXT, version_id TEXT,
    seen BLOB NOT NULL, object_hash BLOB NOT NULL, listed_as TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX by_object ON records (bucket, key, seq DESC, event_time DESC, version DESC, model);
CREATE INDEX by_time ON records (model, event_time DESC, object_hash DESC, seq DESC, version DESC);
CREATE INDEX by_label ON records (model, listed_as, event_time DESC, object_hash DESC, seq DESC, version DESC);
PRAGMA application_id = 1397772116;
PRAGMA user_version = 1;";

#[tokio::test]
async fn a_file_of_version_1_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.sqlite");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    let rows = ["v2", "v1"].map(row);
    for row in &rows {
        insert_row(&old, row).unwrap();
    }
    drop(old);

    let listing = |model: &str| Listing {
        model: model.to_owned(),
        label: None,
        since: None,
        until: None,
        limit: 10,
        seen: true,
        after: None,
    };
    let correction = Record::correction(&rows[0], Some("7"), Timestamp(0));
    for home in [Embedded::open(&path).unwrap(), Embedded::open(&path).unwrap()] {
        assert_eq!(home.list(&listing("digits/2")).await.unwrap().records, rows);
        home.write(&correction, deadline()).await.unwrap();
        home.serve(Some("digits/2")).await.unwrap();
        assert_eq!(home.list(&listing("human")).await.unwrap().records.len(), 1);
        assert_eq!(home.rows("pictures", "7.png", None).await.unwrap().len(), 3);
    }

    let fresh = folder.path().join("fresh.sqlite");
    drop(Embedded::open(&fresh).unwrap());
    let [migrated, made] = [&path, &fresh].map(|path| {
        let connection = Connection::open(path).unwrap();
        let columns = "SELECT group_concat(name) FROM pragma_table_xinfo('records')";
        let indexes =
            "SELECT group_concat(sql, ' ') FROM (SELECT sql FROM sqlite_schema WHERE type = 'index' ORDER BY 1)";
        let version = "SELECT user_version || '' FROM pragma_user_version";
        [columns, indexes, version].map(|sql| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap())
    });
    assert_eq!(migrated, made);
}

/// Paging must enter an index at the cursor, not read everything before it.
#[tokio::test]
async fn no_question_reads_the_whole_table_or_sorts() {
    let folder = tempfile::tempdir().unwrap();
    let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
    let rest = "event_time>? AND (event_time,object_hash,seq,version)<(?,?,?,?)";
    let log = |index: &str, of: &str| format!("SEARCH records USING INDEX {index} ({of} AND {rest})");
    let object = |of: &str| format!("SEARCH records USING INDEX by_object (bucket=? AND key=?{of})");
    for (sql, plan) in [
        (list_sql(false, true), vec![log("by_time", "listed_model=?")]),
        (
            list_sql(true, false),
            // Both in the order that is asked for, so that they are merged as far as is read.
            vec![
                "MERGE (UNION ALL)".into(),
                "LEFT".into(),
                log("by_label", "listed_model=? AND listed_as=?"),
                "RIGHT".into(),
                format!("SEARCH of USING INDEX by_other_label (model=? AND label=? AND {rest})"),
                object(" AND seq=? AND event_time=? AND version=? AND model=?"),
            ],
        ),
        (rows_sql(false), vec![object("")]),
        (rows_sql(true), vec![object(" AND (seq,event_time,version)<(?,?,?)")]),
    ] {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let steps = home
            .on(
                |file| &file.reader,
                move |connection| {
                    let mut statement = connection.prepare(&explain)?;
                    let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
                    steps.collect::<rusqlite::Result<Vec<_>>>()
                },
            )
            .await
            .unwrap();
        assert_eq!(steps, plan, "{sql}");
    }
}

/// Bytes of the log after `writes` have begun while somebody else held the connection.
async fn log_of_crowd(writes: usize, home: &Embedded, folder: &Path) -> u64 {
    let file = Arc::clone(&home.file);
    let (taken, is_taken) = tokio::sync::oneshot::channel();
    let held = tokio::task::spawn_blocking(move || {
        let connection = file.writer.lock().unwrap();
        taken.send(()).unwrap();
        while file.queue.lock().unwrap().len() < writes {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(connection);
    });
    // A write that is committed before is never in the queue again.
    is_taken.await.unwrap();
    let rows: Vec<Record> = (0..writes).map(|version| row(&version.to_string())).collect();
    let written = rows.iter().map(|row| home.write(row, deadline()));
    for written in futures_util::future::join_all(written).await {
        written.unwrap();
    }
    held.await.unwrap();
    std::fs::metadata(folder.join("records.sqlite-wal")).unwrap().len()
}

#[tokio::test]
async fn writes_that_wait_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
    let crowd = log_of_crowd(50, &home, folder.path()).await;
    assert_eq!(home.rows("pictures", "7.png", None).await.unwrap().len(), 50);
    let apart = tempfile::tempdir().unwrap();
    let home = Embedded::open(&apart.path().join("records.sqlite")).unwrap();
    for version in 0..50 {
        home.write(&row(&version.to_string()), deadline()).await.unwrap();
    }
    let apart = std::fs::metadata(apart.path().join("records.sqlite-wal")).unwrap().len();
    assert!(crowd * 2 < apart, "{crowd} bytes, and {apart} one by one");
}

#[tokio::test]
async fn a_row_that_is_refused_takes_no_other_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.version = '3' \
                  BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    home.on(|file| &file.writer, move |connection| connection.execute_batch(refuse)).await.unwrap();
    let rows: Vec<Record> = (0..8).map(|version| row(&version.to_string())).collect();
    let written = futures_util::future::join_all(rows.iter().map(|row| home.write(row, deadline()))).await;
    for (version, written) in written.iter().enumerate() {
        match written {
            Err(error) => assert!(version == 3 && error.to_string().contains("not this one"), "{version}: {error}"),
            Ok(()) => assert_ne!(version, 3),
        }
    }
    assert_eq!(home.rows("pictures", "7.png", None).await.unwrap().len(), 7);
}
