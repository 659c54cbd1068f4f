//! `docs/configuration.md` is made of this table, and held to what is read.
#![allow(clippy::unwrap_used)] // a panic is a failed test

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::*;
use crate::notify::NotifyConfig;
use crate::telemetry::DEFAULT_LEVELS;

/// A variable, its default, who heeds it, and what it says.
type Row = (&'static str, String, &'static str, &'static str);

const ALL: &str = "all";
const LOOKS: &str = "function, `serve`, `worker`, `backfill`, `invoke`";
const ASKS: &str = "all that has records";

fn table() -> Vec<(&'static str, Vec<Row>)> {
    let none = || "–".to_owned();
    let records = vec![
        (
            CASSANDRA,
            "records in a file".into(),
            ASKS,
            "Cassandra's nodes, `host:port[,host:port…]`; the port is 9042 where none is named. A function needs it",
        ),
        (KEYSPACE, format!("`{DEFAULT_KEYSPACE}`"), ASKS, "the keyspace; `spotter schema apply` makes it"),
        (
            CASSANDRA_DC,
            "the only one".into(),
            ASKS,
            "the data centre whose nodes are asked and whose quorum counts; must be named where there are several",
        ),
        (CASSANDRA_USER, none(), ASKS, "a login's name; the password goes with it"),
        (CASSANDRA_PASSWORD, none(), ASKS, "its password"),
        (
            CASSANDRA_TLS,
            "off, on with a CA".into(),
            ASKS,
            "`on` or `off`: TLS, by the system's certificate authorities",
        ),
        (CASSANDRA_CA, none(), ASKS, "a file of certificate authorities (PEM), which replace the system's"),
        (
            DATA,
            "the platform's data folder".into(),
            "command line",
            "folder of the records without Cassandra, and of `serve`'s objects",
        ),
    ];
    let pictures = vec![
        (
            MODEL,
            "the one in the binary".into(),
            ALL,
            "a folder with `model.onnx` and `manifest.toml`, or `s3://bucket/prefix#sha256=…` ([your-model.md](your-model.md)). A function also takes what a layer puts into `/opt/model`",
        ),
        (
            MAX_PIXELS,
            format!("`{}`", Limits::default().pixels),
            ALL,
            "pictures of more pixels are rejected: it bounds the memory (6 bytes a pixel)",
        ),
        (MAX_BYTES, format!("`{DEFAULT_MAX_BYTES}`"), ALL, "larger objects are rejected and never fetched"),
        (
            INCLUDE,
            "every key".into(),
            LOOKS,
            "globs with commas between, as in a `.gitignore`: only such keys are looked at",
        ),
        (EXCLUDE, none(), LOOKS, "globs of keys that are left out, whatever includes them"),
        (
            EVENTBRIDGE_KEYS,
            "`plain`".into(),
            "function, `worker`, `invoke`",
            "`plain` or `encoded`: how keys in EventBridge's events are written; LocalStack encodes them",
        ),
        (
            S3_ADDRESSING,
            "`path` with an endpoint of your own, else `virtual`".into(),
            ALL,
            "where the bucket's name goes: into the path or into the host's name",
        ),
    ];
    let after = vec![
        (
            NOTIFY,
            "nobody".into(),
            LOOKS,
            "who is told of a record once it is written, with commas between: ARNs of SNS, SQS or EventBridge, https URLs ([telling.md](telling.md)). A URL may be a secret",
        ),
        (NOTIFY_ONLY, "everything".into(), LOOKS, "of what: statuses and `label:NAME`, with commas between"),
        (NOTIFY_SECRET, none(), LOOKS, "signs what goes to URLs (HMAC-SHA256)"),
        (TAG, "`off`".into(), LOOKS, "`on`: objects are tagged with their label"),
    ];
    let serving = vec![
        (QUEUE, none(), "`worker`", "URL or name of the SQS queue"),
        (WEBHOOK_TOKEN, none(), "`serve`, `worker`", "what MinIO's and Ceph's webhooks must send as a bearer token"),
        (
            PAGE_TOKEN,
            "none on loopback".into(),
            "`serve`, the page's function",
            "what the page asks people for; at least 16 characters",
        ),
        (PAGE_BUCKET, none(), "the page's function", "the bucket that the page uploads to"),
        (PAGE_PREFIX, none(), "the page's function", "what its keys begin with"),
    ];
    let logs = vec![
        (
            "RUST_LOG",
            format!("`{DEFAULT_LEVELS}`; on the command line Spotter's own warnings"),
            ALL,
            "levels, as tracing-subscriber's `EnvFilter` reads them: `warn`, `spotter::records=trace`",
        ),
        (LOG_FORMAT, "`text`".into(), "command line", "`json`: lines as the functions write them"),
        (
            LOG_SAMPLE,
            "`1`".into(),
            LOOKS,
            "the share of successes that are logged, `0` to `1`; failures, rejections and doubts always are",
        ),
        (
            "NO_COLOR",
            none(),
            "command line",
            "anything but nothing: no colours (<https://no-color.org>); `TERM=dumb` says so too",
        ),
    ];
    vec![
        ("Records", records),
        ("Pictures", pictures),
        ("After the record", after),
        ("Serving", serving),
        ("Logs", logs),
    ]
}

fn rendered() -> String {
    let mut text = String::from(
        "# Configuration\n\nEvery variable that Spotter reads; the same ones in the functions, in containers and on the command line, where a flag of the same name \
         goes before its variable.\nAn empty value counts as none, and a bad one is an error that names its variable. `template.yaml` sets them from its parameters.\n\n\
         This page is made of `src/config/documented.rs`, and a test holds it to what is read.\n",
    );
    for (title, rows) in table() {
        writeln!(text, "\n## {title}\n\n| variable | default | read by | what it says |\n|---|---|---|---|").unwrap();
        for (name, default, by, what) in rows {
            writeln!(text, "| `{name}` | {default} | {by} | {what} |").unwrap();
        }
    }
    text.push_str(
        "\n## The bucket's and the queue's side\n\nWhat the AWS SDK reads: `AWS_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, roles, \
         `AWS_ENDPOINT_URL`\nand its forms for one service (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_SQS`), as the AWS CLI does \
         ([reference](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html)).\n`demo` and `serve` take none of them: samples never land in somebody's bucket.\n",
    );
    text
}

/// What is read where everything is set that asks for more.
fn asked() -> BTreeSet<&'static str> {
    let asked = RefCell::new(BTreeSet::new());
    let get = |name: &'static str| {
        asked.borrow_mut().insert(name);
        match name {
            CASSANDRA => Some("a".into()),
            NOTIFY => Some("https://example.com".into()),
            MODEL => Some("fruit".into()),
            _ => None,
        }
    };
    let _: Option<NotifyConfig> = Settings::read(get).unwrap().notify;
    colours(|name| {
        asked.borrow_mut().insert(name);
        None
    });
    asked.borrow_mut().insert(LOG_FORMAT); // read by the command line alone
    asked.into_inner()
}

#[test]
fn each_variable_that_is_read_is_documented_and_none_else() {
    let documented: BTreeSet<&str> = table().into_iter().flat_map(|(_, rows)| rows).map(|row| row.0).collect();
    let others = ["TERM", TASK_ROOT].into_iter().chain(ENDPOINTS).chain(QUEUE_ENDPOINTS);
    let read: BTreeSet<&str> = asked().into_iter().chain(["RUST_LOG"]).collect();
    let expected: BTreeSet<&str> = documented.iter().copied().chain(others).collect();
    assert_eq!(read, expected);
}

/// `SPOTTER_WRITE_DOCS=1 cargo test --lib configuration` writes it.
#[test]
fn the_page_of_the_configuration_is_this_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("SPOTTER_WRITE_DOCS").is_some() {
        std::fs::write(&page, rendered()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(page).unwrap_or_default(), rendered());
}
