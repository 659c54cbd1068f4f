use proptest::prelude::*;

use super::*;
use crate::event::{Change, Envelope, EventBridgeKeys, ObjectEvent, parse};

fn change(name: EventName, names_version: bool) -> Change {
    match name {
        EventName::DeleteMarkerCreated => Change::Deleted,
        EventName::Delete if names_version => Change::VersionRemoved,
        EventName::Delete => Change::Deleted,
        _ => Change::Created,
    }
}

fn read_back(made: &Value) -> (Envelope, ObjectEvent) {
    let delivery = parse(made, EventBridgeKeys::Plain).unwrap();
    assert_eq!(delivery.items.len(), 1, "{made}");
    let events = delivery.items.into_iter().next().unwrap().events;
    assert_eq!(events.len(), 1, "{made}");
    (delivery.envelope, events.into_iter().next().unwrap().unwrap())
}

fn check(of: &Notification<'_>, shape: Shape) {
    let made = event(of, shape);
    assert_eq!(made, event(of, shape), "no clock and no chance");
    let (envelope, parsed) = read_back(&made);
    let expected_envelope = match shape {
        Shape::S3 => Envelope::S3,
        Shape::Sqs => Envelope::Sqs,
        Shape::Sns => Envelope::Sns,
        Shape::EventBridge => Envelope::EventBridge,
        Shape::Batch => Envelope::Batch { schema: "1.0".to_owned(), invocation_id: parsed.trace_id.clone().unwrap() },
        Shape::Minio => Envelope::Webhook,
    };
    assert_eq!(envelope, expected_envelope);
    let says_what_happened = shape != Shape::Batch;
    let expected = ObjectEvent {
        bucket: of.bucket.to_owned(),
        key: of.key.to_owned(),
        change: if says_what_happened { change(of.name, of.version_id.is_some()) } else { Change::Observed },
        version_id: of.version_id.map(str::to_owned),
        etag: of.etag.filter(|_| says_what_happened).map(str::to_owned),
        size: of.size.filter(|_| says_what_happened),
        sequencer: of.sequencer.filter(|_| says_what_happened).map(str::to_owned),
        event_time: says_what_happened.then_some(of.event_time),
        region: says_what_happened.then(|| of.region.to_owned()),
        account: (shape == Shape::EventBridge).then(|| ACCOUNT.to_owned()),
        trace_id: parsed.trace_id.clone(),
    };
    assert_eq!(parsed, expected, "{made}");
    assert!(parsed.trace_id.is_some());
}

#[test]
fn hard_keys_in_every_shape() {
    let longest = format!("{}.png", "é".repeat(510));
    assert_eq!(longest.len(), 1024);
    let keys = [
        "7.png",
        "3+chalk.webp",
        "9 scan%2Bcopy.tiff",
        "%",
        "%%41",
        "100%.png",
        " ",
        "+",
        "../1.png",
        "a//b",
        "/a",
        "photos/",
        "\"quoted\".png",
        "it's.png",
        "back\\slash",
        "a\nb",
        "\u{0}",
        "五.png",
        "fünf.jpg",
        "e\u{301}",
        "😀.png",
        "a&b=c?d#e;f",
        "null",
        &longest,
    ];
    for key in keys {
        for shape in Shape::ALL {
            for name in EventName::ALL {
                for version_id in [None, Some("null"), Some("096fKKXTRTtl3on89fVO.nfljtsv6qko")] {
                    let of = Notification { name, key, version_id, ..plain() };
                    check(&of, shape);
                }
            }
        }
    }
}

fn plain() -> Notification<'static> {
    Notification {
        name: EventName::Put,
        bucket: "demo",
        key: "7.png",
        size: Some(1024),
        etag: Some("d41d8cd98f00b204e9800998ecf8427e"),
        version_id: None,
        sequencer: Some("0055AED6DCD90281E5"),
        event_time: Timestamp(1_795_226_584_567),
        region: "eu-central-1",
    }
}

#[test]
fn keys_are_written_as_each_transport_writes_them() {
    let of = Notification { key: "a b/3+ü*~.png", ..plain() };
    let at =
        |shape, pointer: &str| event(&of, shape).pointer(pointer).and_then(Value::as_str).map(str::to_owned).unwrap();
    let aws = "a+b/3%2B%C3%BC*%7E.png";
    assert_eq!(at(Shape::S3, "/Records/0/s3/object/key"), aws);
    assert_eq!(at(Shape::Batch, "/tasks/0/s3Key"), aws);
    assert!(at(Shape::Sqs, "/Records/0/body").contains(aws));
    assert!(at(Shape::Sns, "/Records/0/Sns/Message").contains(aws));
    assert_eq!(at(Shape::EventBridge, "/detail/object/key"), of.key);
    assert_eq!(at(Shape::Minio, "/Records/0/s3/object/key"), "a+b%2F3%2B%C3%BC%2A~.png");
    assert_eq!(at(Shape::Minio, "/Key"), "demo/a b/3+ü*~.png");
}

#[test]
fn ids_tell_changes_apart() {
    let id = |of: &Notification<'_>| event(of, Shape::Sqs).pointer("/Records/0/messageId").cloned();
    assert_eq!(id(&plain()), id(&plain()));
    assert_ne!(id(&plain()), id(&Notification { sequencer: Some("0055AED6DCD90281E6"), ..plain() }));
    assert_ne!(id(&plain()), id(&Notification { bucket: "dem", key: "o7.png", ..plain() }));
}

fn text() -> impl Strategy<Value = String> {
    // What a key is made of, with what breaks decoders more often than chance would have it.
    proptest::collection::vec(
        prop_oneof![
            3 => any::<char>().prop_map(String::from),
            1 => proptest::sample::select(vec!["+", "%", "%2B", "%25", " ", "../", "/", "\"", "\\", "&", "=", "é"])
                .prop_map(String::from),
        ],
        1..64,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_is_made_is_parsed_back(
        key in text(),
        version in proptest::option::of("[A-Za-z0-9._]{1,32}"),
        etag in proptest::option::of("[0-9a-f]{32}(-[1-9][0-9]{0,3})?"),
        sequencer in proptest::option::of("[0-9A-F]{1,32}"),
        size in proptest::option::of(any::<u64>()),
        millis in 0..253_402_300_799_999_i64,
        (name, shape) in (0..EventName::ALL.len(), 0..Shape::ALL.len()),
    ) {
        let of = Notification {
            name: EventName::ALL[name],
            key: &key,
            size,
            etag: etag.as_deref(),
            version_id: version.as_deref(),
            sequencer: sequencer.as_deref(),
            event_time: Timestamp(millis),
            ..plain()
        };
        check(&of, Shape::ALL[shape]);
    }
}
