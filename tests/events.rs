//! Every notification in events/, read to the last field.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use libtest_mimic::{Failed, Trial};
use md5::{Digest, Md5};
use serde_json::Value;
use spotter::event::{Delivery, Envelope, EventBridgeKeys, parse};

use crate::harness::{needs, root};

pub(crate) fn trials() -> Vec<Trial> {
    let samples = root().join("samples");
    let drawn = || if samples.is_dir() { Ok(()) } else { Err("samples/ is not drawn yet".to_owned()) };
    let mut trials: Vec<Trial> = fixtures()
        .into_iter()
        .map(|fixture| needs(&format!("events::{}", fixture.name), drawn(), move |()| fixture.check()))
        .collect();
    trials.push(Trial::test("events::every_file_has_its_test_and_its_line", every_file));
    trials.push(Trial::test("events::region_account_and_trace", region_account_and_trace));
    trials
}

/// A file, and all that is in it.
struct Fixture {
    name: &'static str,
    envelope: &'static str,
    keys: EventBridgeKeys,
    items: Vec<(&'static str, Vec<Expected>)>,
}

enum Expected {
    Event(Event),
    /// The start of the error.
    Error(&'static str),
}

/// One line of `invoke --dry-run`.
struct Event {
    action: &'static str,
    key: Option<String>,
    version_id: Option<String>,
    /// The picture whose MD5 and size these are.
    etag_of: Option<&'static str>,
    size_of: Option<&'static str>,
    sequencer: Option<String>,
    event_time: Option<String>,
}

/// An empty object: a folder marker, and the ETag of a delete marker.
const EMPTY: &str = "";
const SEVEN: &str = "photos/7 phone.jpg";
const SIX: &str = "photos/6 on squared paper.jpg";
/// Ids that events/make.py derives from names.
const SEVENTH: &str = "O6jQKxb9KgHBqLoaHwNtfOOG7ZU2lvpX";
const MARKER: &str = "7VuBIGAWQcUW0C7Z3GQ6WWSFJCSNXir4";

impl Event {
    /// The n-th event of events/make.py.
    fn new(n: u64, action: &'static str, key: &str) -> Event {
        Event {
            action,
            key: Some(key.to_owned()),
            version_id: None,
            etag_of: None,
            size_of: None,
            sequencer: Some(format!("{:018X}", 0x674F_4C10_0000_0000_u64 + n * 0x100_0001)),
            event_time: Some(format!("2026-11-21T02:{:02}:{:02}.567Z", n / 60, n % 60)),
        }
    }

    fn version(mut self, id: &str) -> Event {
        self.version_id = Some(id.to_owned());
        self
    }

    fn etag(mut self, picture: &'static str) -> Event {
        self.etag_of = Some(picture);
        self
    }

    fn sequencer(mut self, sequencer: Option<&str>) -> Event {
        self.sequencer = sequencer.map(str::to_owned);
        self
    }

    /// EventBridge's times have no fraction.
    fn whole_second(mut self) -> Event {
        self.event_time = self.event_time.map(|time| time.replace(".567Z", ".000Z"));
        self
    }

    /// Spelled out, so that names and order of the fields are tested too.
    fn line(&self) -> Result<String, Failed> {
        let text = |value: Option<&str>| value.map_or("null".to_owned(), |text| Value::from(text).to_string());
        let bytes = |picture: &str| match picture {
            EMPTY => Ok(Vec::new()),
            picture => fs::read(root().join("samples").join(picture)),
        };
        let md5 = |bytes: Vec<u8>| Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let etag = self.etag_of.map(bytes).transpose()?.map(md5);
        let size = self.size_of.map(bytes).transpose()?.map(|bytes| bytes.len().to_string());
        Ok(format!(
            r#"{{"bucket":"demo","key":{},"version_id":{},"etag":{},"size":{},"sequencer":{},"event_time":{},"action":{}}}"#,
            text(self.key.as_deref()),
            text(self.version_id.as_deref()),
            text(etag.as_deref()),
            size.unwrap_or("null".to_owned()),
            text(self.sequencer.as_deref()),
            text(self.event_time.as_deref()),
            text(Some(self.action)),
        ))
    }
}

impl From<Event> for Expected {
    fn from(event: Event) -> Expected {
        Expected::Event(event)
    }
}

/// A picture under its own name.
fn created(n: u64, picture: &'static str) -> Event {
    created_as(n, picture, picture)
}

fn created_as(n: u64, picture: &'static str, key: &str) -> Event {
    Event { size_of: Some(picture), ..Event::new(n, "created", key).etag(picture) }
}

fn observed(key: &str) -> Event {
    Event { event_time: None, ..Event::new(0, "observed", key).sequencer(None) }
}

fn test_event(n: u64) -> Event {
    Event { key: None, ..Event::new(n, "test", "").sequencer(None) }
}

fn restored(n: u64) -> Event {
    Event { action: "other", ..created(n, SIX) }
}

fn one(name: &'static str, envelope: &'static str, event: Event) -> Fixture {
    several(name, envelope, vec![event])
}

fn several(name: &'static str, envelope: &'static str, events: Vec<Event>) -> Fixture {
    with_ids(name, envelope, vec![("", events)])
}

fn with_ids(name: &'static str, envelope: &'static str, items: Vec<(&'static str, Vec<Event>)>) -> Fixture {
    let items = items.into_iter().map(|(id, events)| (id, events.into_iter().map(Expected::from).collect()));
    Fixture { name, envelope, keys: EventBridgeKeys::Plain, items: items.collect() }
}

#[rustfmt::skip]
fn fixtures() -> Vec<Fixture> {
    let longest = format!("{}/{}.png", "五".repeat(300), "x".repeat(119));
    let mut fixtures = vec![
        one("s3", "S3", created(1, "0 blue marker.png")),
        with_ids("sqs", "Sqs", vec![("1c5fff03-49e7-4440-a4d5-455b07f0c2b3", vec![created(2, "1.png")])]),
        one("sns", "Sns", created(3, SIX)),
        with_ids("sqs-sns", "Sqs", vec![("03e64b97-bc18-4d3b-a51d-471c9255cea2", vec![created(4, "4.gif")])]),
        with_ids("sqs-sns-raw", "Sqs", vec![("7a288ec3-ff76-4cbc-ac1a-9ff16d44e58c", vec![created(5, "4.gif")])]),
        one("eventbridge", "EventBridge", created(6, "3+chalk.webp").whole_second()),
        Fixture {
            keys: EventBridgeKeys::Encoded,
            ..one("eventbridge-encoded", "EventBridge",
                created(7, "3+chalk.webp").whole_second().sequencer(Some("0055AED6DCD90281E5")))
        },
        with_ids("sqs-eventbridge", "Sqs", vec![("f30000b5-af7b-4a1f-af31-46db1dd5e8cb", vec![created(8, SEVEN).whole_second()])]),
        with_ids("batch-1", "Batch 1.0", vec![
            ("MCBibHVlIG1hcmtlci5wbmc=", vec![observed("0 blue marker.png")]),
            ("cGhvdG9zLzcgcGhvbmUuanBn", vec![observed(SEVEN).version(SEVENTH)]),
        ]),
        with_ids("batch-2", "Batch 2.0", vec![
            ("MytjaGFsay53ZWJw", vec![observed("3+chalk.webp")]),
            ("OSBzY2FuJTJCY29weS50aWZm", vec![observed("9 scan%2Bcopy.tiff")]),
        ]),
        one("minio", "Webhook", created(9, SEVEN).sequencer(Some("18E9ECE871A415C0"))),
        one("ceph", "Webhook", created(10, "9 scan%2Bcopy.tiff").sequencer(Some("F7E6D75D0000000A"))),

        one("plus", "S3", created(11, "3+chalk.webp")),
        one("percent-2b", "S3", created(12, "9 scan%2Bcopy.tiff")),
        several("non-ascii", "S3", vec![created(13, "fünf.jpg"), created(14, "五.png")]),
        one("key-1024", "S3", created_as(15, "1.png", &longest)),
        one("folder", "S3", created_as(16, EMPTY, "photos/")),
        one("dot-dot", "S3", created_as(17, "1.png", "../1.png")),

        several("several", "S3", vec![created(18, "8.bmp"), created(19, "8 small.png"), created(20, "4 cmyk.jpg")]),
        several("duplicates", "S3", vec![created(21, "1.png"), created(21, "1.png")]),
        several("out-of-order", "S3", vec![created_as(23, "8 small.png", "1.png"), created(22, "1.png")]),
        with_ids("sqs-mixed", "Sqs", vec![
            ("b763100c-2b46-4787-a479-b9f8516fdd19", vec![created(24, SIX), created(25, SEVEN)]),
            ("34b4796a-e394-4c01-ab32-99ba680ca901", vec![created(26, "fünf.jpg")]),
            ("4eca4cc9-6229-4a6c-a500-670fc04911cb", vec![created(27, "五.png").whole_second()]),
            ("0c9baafe-352e-4c76-a21d-519eb54afee9", vec![test_event(28)]),
        ]),

        one("deleted", "S3", Event::new(32, "deleted", "1.png")),
        one("delete-marker", "S3", Event::new(33, "deleted", SEVEN).version(MARKER).etag(EMPTY)),
        one("marker-removed", "S3", Event::new(34, "version_removed", SEVEN).version(MARKER)),
        one("version-removed", "S3", Event::new(35, "version_removed", SEVEN).version(SEVENTH)),
        one("noncurrent-expired", "S3", Event::new(36, "version_removed", SEVEN).version(SEVENTH)),
        one("eventbridge-deleted", "EventBridge",
            Event::new(37, "deleted", SEVEN).version(MARKER).etag(EMPTY).whole_second()),
        one("eventbridge-version-removed", "EventBridge",
            Event::new(38, "version_removed", SEVEN).version(SEVENTH).whole_second()),

        one("versioned", "S3", created(39, SEVEN).version(SEVENTH)),
        several("version-null", "S3", vec![
            created(40, "1.png").version("null"),
            Event::new(41, "version_removed", "1.png").version("null"),
        ]),
        several("version-empty", "S3", vec![created(42, "1.png"), Event::new(43, "deleted", "1.png")]),

        one("test", "S3", test_event(44)),
        with_ids("sqs-test", "Sqs", vec![("544be70a-3ff8-41b8-ac63-2c9d3f837104", vec![test_event(45)])]),
        one("sns-test", "Sns", test_event(46)),
        one("restored", "S3", restored(47)),
        one("eventbridge-restored", "EventBridge", restored(48).whole_second()),
        one("missing-optional", "S3", Event { event_time: None, ..created(49, "8.bmp").sequencer(None) }),
    ];
    fixtures.push(Fixture {
        name: "sqs-one-bad",
        envelope: "Sqs",
        keys: EventBridgeKeys::Plain,
        items: vec![
            ("9663979f-2e6a-4a13-aa79-3cecd846645b", vec![created(29, "1.png").into()]),
            ("4727f399-72db-4591-aa24-c1a1b565e26d", vec![Expected::Error("the SQS message's body is not JSON: it ends too early")]),
            ("0ba90810-61c6-4b53-a2be-a97a8f3f1458", vec![created(31, "8.bmp").into()]),
        ],
    });
    fixtures
}

fn read(name: &str, keys: EventBridgeKeys) -> Result<Delivery, Failed> {
    let text = fs::read_to_string(root().join("events").join(format!("{name}.json")))?;
    let value: Value = serde_json::from_str(&text)?;
    Ok(parse(&value, keys)?)
}

impl Fixture {
    fn check(self) -> Result<(), Failed> {
        let delivery = read(self.name, self.keys)?;
        let envelope = match &delivery.envelope {
            Envelope::Batch { schema, invocation_id } if !invocation_id.is_empty() => format!("Batch {schema}"),
            other => format!("{other:?}"),
        };
        same(&envelope, self.envelope)?;
        let mut seen: Vec<(String, Vec<String>)> = Vec::new();
        for item in &delivery.items {
            let lines = item.events.iter().map(|event| match event {
                Ok(event) => serde_json::to_string(&event.dry_run()).map_err(Failed::from),
                Err(error) => Ok(error.to_string()),
            });
            seen.push((item.id.clone(), lines.collect::<Result<_, _>>()?));
        }
        let mut expected: Vec<(String, Vec<String>)> = Vec::new();
        for ((id, events), (_, seen)) in self.items.iter().zip(&seen) {
            let lines = events.iter().enumerate().map(|(place, event)| match event {
                Expected::Event(event) => event.line(),
                Expected::Error(start) => {
                    Ok(seen.get(place).filter(|seen| seen.starts_with(start)).map_or(start.to_string(), Clone::clone))
                }
            });
            expected.push((id.to_string(), lines.collect::<Result<_, _>>()?));
        }
        if self.items.len() != seen.len() {
            return Err(format!("{} items, expected {}", seen.len(), self.items.len()).into());
        }
        same(&seen, &expected)
    }
}

fn same<A: PartialEq<B> + std::fmt::Debug + ?Sized, B: std::fmt::Debug + ?Sized>(
    seen: &A,
    expected: &B,
) -> Result<(), Failed> {
    if seen == expected { Ok(()) } else { Err(format!("saw      {seen:#?}\nexpected {expected:#?}").into()) }
}

fn every_file() -> Result<(), Failed> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(root().join("events"))? {
        let path = entry?.path();
        if let (Some("json"), Some(stem)) = (path.extension().and_then(|e| e.to_str()), path.file_stem()) {
            files.insert(stem.to_string_lossy().into_owned());
        }
    }
    let tested: BTreeSet<String> = fixtures().iter().map(|fixture| fixture.name.to_owned()).collect();
    same(&files, &tested)?;
    let readme = fs::read_to_string(root().join("events/README.md"))?;
    let listed: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(".json`"))
        .map(|(name, _)| name.to_owned())
        .collect();
    same(&listed, &files)
}

fn region_account_and_trace() -> Result<(), Failed> {
    let expected = BTreeMap::from([
        ("s3", (Some("eu-central-1"), None, "38E0DB6AA69463B5")),
        ("sqs", (Some("eu-central-1"), None, "Root=1-")),
        ("eventbridge", (Some("eu-central-1"), Some("111122223333"), "")),
        ("sqs-eventbridge", (Some("eu-central-1"), Some("111122223333"), "")),
        ("minio", (None, None, "")),
        ("ceph", (Some("zonegroup1"), None, "")),
        ("batch-1", (None, None, "")),
    ]);
    for (name, (region, account, trace)) in expected {
        let delivery = read(name, EventBridgeKeys::Plain)?;
        for event in delivery.items.iter().flat_map(|item| &item.events) {
            let event = event.as_ref().map_err(Clone::clone)?;
            same(&(event.region.as_deref(), event.account.as_deref()), &(region, account))?;
            if !event.trace_id.as_deref().is_some_and(|id| !id.is_empty() && id.starts_with(trace)) {
                return Err(format!("{name}: trace id {:?}", event.trace_id).into());
            }
        }
    }
    Ok(())
}
