use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::{Change, Timestamp};

fn record(name: &str, object: Value) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name,
        "eventTime": "2026-11-21T02:03:04.567Z",
        "s3": { "bucket": { "name": "demo" }, "object": object },
    })
}

/// The only event of a record.
fn read(record: Value) -> Result<ObjectEvent, EventError> {
    let mut delivery = parse(&json!({ "Records": [record] }), EventBridgeKeys::Plain).unwrap();
    delivery.items.remove(0).events.remove(0)
}

fn message(id: &str, body: &Value) -> Value {
    json!({ "messageId": id, "eventSource": "aws:sqs", "body": body.to_string() })
}

fn notification(inner: &Value) -> Value {
    json!({ "Type": "Notification", "Message": inner.to_string() })
}

/// As `notify` sends it, in each envelope in which a wrong setting could bring it back.
#[test]
fn a_record_that_was_told_is_no_event() {
    let told = json!({
        "bucket": "demo", "key": "7.png", "status": "classified", "label": "7", "model": "digits/2",
        "event_time": "2026-11-21T02:03:04.567Z", "seq": null, "version": "e",
    });
    let bus = json!({ "source": "spotter", "detail-type": "Spotter Record", "detail": told });
    for event in [told.clone(), bus.clone()] {
        let error = parse(&event, EventBridgeKeys::Plain).unwrap_err();
        assert_eq!(error, EventError::OwnRecord { part: "the event" });
    }
    let bodies = [told.clone(), bus, notification(&told)];
    let messages: Vec<Value> = bodies.iter().map(|body| message("m", body)).collect();
    let delivery = parse(&json!({ "Records": messages }), EventBridgeKeys::Plain).unwrap();
    for item in delivery.items {
        assert!(matches!(&item.events[..], [Err(EventError::OwnRecord { .. })]), "{item:?}");
    }
}

#[test]
fn event_names() {
    for (name, without_version, with_version) in [
        ("ObjectCreated:Put", Change::Created, Change::Created),
        ("s3:ObjectCreated:CompleteMultipartUpload", Change::Created, Change::Created),
        ("ObjectCreated:SomethingNew", Change::Created, Change::Created),
        ("s3:ObjectCreated:PutTagging", Change::Other, Change::Other),
        ("s3:ObjectCreated:PutRetention", Change::Other, Change::Other),
        ("ObjectRemoved:Delete", Change::Deleted, Change::VersionRemoved),
        ("s3:ObjectRemoved:Delete", Change::Deleted, Change::VersionRemoved),
        ("LifecycleExpiration:Delete", Change::Deleted, Change::VersionRemoved),
        ("ObjectRemoved:DeleteMarkerCreated", Change::Deleted, Change::Deleted),
        ("LifecycleExpiration:DeleteMarkerCreated", Change::Deleted, Change::Deleted),
        ("s3:ObjectRemoved:DeleteAllVersions", Change::Deleted, Change::Deleted),
        ("s3:ObjectRemoved:NoOP", Change::Other, Change::Other),
        ("s3:ObjectLifecycle:Expiration:Current", Change::Deleted, Change::Deleted),
        ("s3:ObjectLifecycle:Expiration:NonCurrent", Change::Deleted, Change::VersionRemoved),
        ("s3:ObjectLifecycle:Expiration:AbortMultipartUpload", Change::Other, Change::Other),
        ("s3:ObjectSynced:Create", Change::Created, Change::Created),
        ("ObjectRestore:Completed", Change::Other, Change::Other),
        ("ObjectTagging:Put", Change::Other, Change::Other),
        ("ObjectAcl:Put", Change::Other, Change::Other),
        ("LifecycleTransition", Change::Other, Change::Other),
        ("IntelligentTiering", Change::Other, Change::Other),
        ("Replication:OperationFailedReplication", Change::Other, Change::Other),
        ("ReducedRedundancyLostObject", Change::Other, Change::Other),
        ("s3:TestEvent", Change::Test, Change::Test),
        ("s3:s3:ObjectCreated:Put", Change::Other, Change::Other),
    ] {
        for (version, change) in [
            (Value::Null, without_version),
            (json!(""), without_version),
            (json!("null"), with_version),
            (json!("3sL4kqtJlcpXroDTDmJ"), with_version),
        ] {
            let event = read(record(name, json!({ "key": "7.png", "versionId": version }))).unwrap();
            assert_eq!(event.change, change, "{name} with version {version}");
            assert_eq!(event.version_id.as_deref(), version.as_str().filter(|id| !id.is_empty()));
        }
    }
}

#[test]
fn versions_of_the_format() {
    for version in [json!("2.0"), json!("2.1"), json!("2.6"), json!("2.17"), json!("2"), json!(2.2), Value::Null] {
        let mut record = record("ObjectCreated:Put", json!({ "key": "7.png" }));
        record["eventVersion"] = version.clone();
        assert!(read(record).is_ok(), "{version}");
    }
    for version in [json!("3.0"), json!("1.0"), json!("20"), json!(""), json!("v2"), json!([2])] {
        let mut record = record("ObjectCreated:Put", json!({ "key": "7.png" }));
        record["eventVersion"] = version.clone();
        let error = read(record).unwrap_err().to_string();
        assert!(error.starts_with("s3://demo/7.png: eventVersion is "), "{error}");
    }
}

/// As a real VersityGW 1.8.0 sent it.
#[test]
fn versitygw_encodes_no_key_and_its_counter_orders_nothing() {
    let mut sent = record("s3:ObjectCreated:Put", json!({ "key": "9 scan%2Bcopy+.tiff", "sequencer": "5" }));
    sent["s3"]["configurationId"] = json!("webhook-global");
    let event = read(sent).unwrap();
    assert_eq!((event.key.as_str(), event.sequencer), ("9 scan%2Bcopy+.tiff", None));
}

#[test]
fn versitygw_does_not_encode_what_it_removes_with_others() {
    let event =
        read(record("s3:ObjectRemoved:DeleteObjects", json!({ "key": "a+b %2B.png", "versionId": null }))).unwrap();
    assert_eq!((event.change, event.key.as_str()), (Change::Deleted, "a+b %2B.png"));
    let event = read(record("s3:ObjectRemoved:DeleteObjects", json!({ "key": "7.png", "versionId": "v" }))).unwrap();
    assert_eq!(event.change, Change::VersionRemoved);
    let event = read(record("s3:ObjectRemoved:Delete", json!({ "key": "a%20b.png" }))).unwrap();
    assert_eq!(event.key, "a b.png");
}

#[test]
fn facts_of_an_object() {
    let object = json!({ "key": "7.png", "size": "1024", "eTag": "\"abc-2\"", "sequencer": "", "versionId": null });
    let event = read(record("ObjectCreated:Put", object)).unwrap();
    assert_eq!((event.size, event.etag.as_deref()), (Some(1024), Some("abc-2")));
    assert_eq!((event.sequencer, event.version_id), (None, None));
    assert_eq!(event.event_time, Some(Timestamp(1_795_226_584_567)));
    for (etag, expected) in [("\"\"", None), ("", None), ("abc", Some("abc"))] {
        let event = read(record("ObjectCreated:Put", json!({ "key": "7.png", "eTag": etag }))).unwrap();
        assert_eq!(event.etag.as_deref(), expected);
    }
    for size in [json!(-1), json!("many"), json!(1.5), json!({}), Value::Null] {
        let event = read(record("ObjectCreated:Put", json!({ "key": "7.png", "size": size }))).unwrap();
        assert_eq!(event.size, None);
    }
}

#[test]
fn an_unreadable_time_is_an_error_and_a_missing_one_is_none() {
    for (time, expected) in [
        (json!("1970-01-01T00:00:00.000Z"), Some(Some(Timestamp(0)))),
        (Value::Null, Some(None)),
        (json!(""), Some(None)),
        (json!("yesterday"), None),
        (json!(1_795_226_584_567_u64), None),
    ] {
        let mut record = record("ObjectCreated:Put", json!({ "key": "7.png" }));
        record["eventTime"] = time.clone();
        assert_eq!(read(record.clone()).ok().map(|event| event.event_time), expected, "{time}");
        record["eventName"] = json!("ObjectRestore:Completed");
        assert!(read(record).is_ok(), "nobody acts upon a restore");
    }
}

#[test]
fn what_is_missing_is_named() {
    let error = |record: Value| read(record).unwrap_err().to_string();
    for name in ["ObjectCreated:Put", "ObjectRemoved:Delete", "LifecycleExpiration:DeleteMarkerCreated"] {
        assert_eq!(error(record(name, json!({}))), "s3://demo: `s3.object.key` is missing or empty");
        let mut nameless = record(name, json!({ "key": "7.png" }));
        nameless["s3"]["bucket"] = Value::Null;
        assert_eq!(error(nameless), "the event's `s3.bucket.name` is missing or empty");
    }
    assert_eq!(error(json!({ "eventSource": "aws:s3" })), "the event's `eventName` is missing or empty");
    assert!(read(record("ObjectRestore:Post", json!({}))).is_ok());
}

#[test]
fn bad_keys_are_errors_and_say_what_to_do() {
    let error = read(record("ObjectCreated:Put", json!({ "key": "50% off.png" }))).unwrap_err().to_string();
    assert_eq!(
        error,
        "the key in `s3.object.key` of bucket demo is not URL-encoded: a `%` without two hex digits, in \
         \"50% off.png\"; send the notification as the bucket wrote it"
    );
    assert!(read(record("ObjectCreated:Put", json!({ "key": "%FF.png" }))).is_err());
    let restored = read(record("ObjectRestore:Post", json!({ "key": "50% off.png" }))).unwrap();
    assert_eq!(restored.key, "50% off.png");

    let mut ceph = record("s3:ObjectCreated:Put", json!({ "key": "50% off+.png" }));
    ceph["eventSource"] = json!("ceph:s3");
    assert_eq!(read(ceph).unwrap().key, "50% off+.png");

    let event = json!({
        "detail-type": "Object Created", "source": "aws.s3",
        "detail": { "bucket": { "name": "demo" }, "object": { "key": "50%+off" } },
    });
    let key = |keys| parse(&event, keys).unwrap().items.remove(0).events.remove(0).map(|event| event.key);
    assert_eq!(key(EventBridgeKeys::Plain).as_deref(), Ok("50%+off"));
    let error = key(EventBridgeKeys::Encoded).unwrap_err().to_string();
    assert!(error.ends_with("set SPOTTER_EVENTBRIDGE_KEYS=plain"), "{error}");
}

#[test]
fn one_bad_record_spares_its_neighbours() {
    let good = |key: &str| record("ObjectCreated:Put", json!({ "key": key }));
    let bad = record("ObjectCreated:Put", json!({ "key": "%" }));
    let s3 = json!({ "Records": [good("1.png"), bad, good("2.png"), 7] });
    let outcome = |events: &[Result<ObjectEvent, EventError>]| {
        events.iter().map(|event| event.as_ref().ok().map(|event| event.key.clone())).collect::<Vec<_>>()
    };
    let expected = [Some("1.png".to_owned()), None, Some("2.png".to_owned()), None];
    let delivery = parse(&s3, EventBridgeKeys::Plain).unwrap();
    assert_eq!(outcome(&delivery.items[0].events), expected);

    let batch = json!({ "Records": [message("a", &s3), message("b", &json!({ "Records": [good("3.png")] })), {}] });
    let delivery = parse(&batch, EventBridgeKeys::Plain).unwrap();
    assert_eq!(delivery.envelope, Envelope::Sqs);
    let ids: Vec<&str> = delivery.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", ""]);
    assert_eq!(outcome(&delivery.items[0].events), expected);
    assert_eq!(outcome(&delivery.items[1].events), [Some("3.png".to_owned())]);
    assert_eq!(outcome(&delivery.items[2].events), [None]);
}

#[test]
fn no_records_are_no_events() {
    let empty = json!({ "Records": [] });
    let delivery = parse(&empty, EventBridgeKeys::Plain).unwrap();
    assert_eq!(
        delivery,
        Delivery { envelope: Envelope::S3, items: vec![Item { id: String::new(), events: vec![], attempt: None }] }
    );

    let delivery = parse(&json!({ "Records": [message("a", &empty)] }), EventBridgeKeys::Plain).unwrap();
    assert_eq!(delivery.items, [Item { id: "a".to_owned(), events: vec![], attempt: None }]);
}

#[test]
fn envelopes_nest_and_not_for_ever() {
    let mut value = json!({ "Records": [record("ObjectCreated:Put", json!({ "key": "7.png" }))] });
    for depth in 1..=MAX_DEPTH {
        value = notification(&value);
        let in_queue = json!({ "Records": [message("a", &value)] });
        let events = parse(&in_queue, EventBridgeKeys::Plain).unwrap().items.remove(0).events;
        match depth {
            MAX_DEPTH => assert_eq!(events, [Err(EventError::TooDeep { limit: MAX_DEPTH })]),
            _ => assert_eq!(events[0].as_ref().map(|event| event.key.as_str()), Ok("7.png"), "{depth}"),
        }
    }
}

#[test]
fn the_trace_is_the_outermost() {
    let mut inner = record("ObjectCreated:Put", json!({ "key": "7.png" }));
    inner["responseElements"] = json!({ "x-amz-request-id": "C3D13FE58DE4C810" });
    assert_eq!(read(inner.clone()).unwrap().trace_id.as_deref(), Some("C3D13FE58DE4C810"));
    let mut message = message("a", &json!({ "Records": [inner] }));
    let attributes =
        json!({ "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793", "ApproximateReceiveCount": "3" });
    message["attributes"] = attributes;
    let batch = parse(&json!({ "Records": [message.clone()] }), EventBridgeKeys::Plain).unwrap();
    assert_eq!(batch.items[0].attempt, Some(3));
    let event = read(message).unwrap();
    assert_eq!(event.trace_id.as_deref(), Some("Root=1-5759e988-bd862e3fe1be46a994272793"));
}

#[test]
fn unknown_shapes_say_what_they_saw() {
    for (value, saw) in [
        (json!({ "zip": 1, "apple": { "secret": 2 } }), "the event is of no known shape (its fields: apple, zip)"),
        (json!({}), "the event is of no known shape (an object without fields)"),
        (json!([{ "Records": [] }]), "the event is of no known shape (an array)"),
        (json!("Records"), "the event is of no known shape (a string)"),
        (Value::Null, "the event is of no known shape (null)"),
        (json!({ "Records": "none" }), "the event is of no known shape (its fields: Records)"),
        (json!({ "Records": [7] }), "the first of Records is of no known shape (a number)"),
        (
            json!({ "Records": [{ "eventSource": "aws:dynamodb", "dynamodb": {} }] }),
            "the first of Records is of no known shape (its fields: dynamodb, eventSource)",
        ),
        (
            json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }),
            "the event is of no known shape (its fields: detail, detail-type, source)",
        ),
        (
            json!({ "Type": "SubscriptionConfirmation", "Message": "You have chosen", "Token": "t" }),
            "the event is of no known shape (its fields: Message, Token, Type)",
        ),
    ] {
        let error = parse(&value, EventBridgeKeys::Plain).unwrap_err().to_string();
        assert!(error.starts_with(saw), "{error}");
    }
    let events = |body: &str| {
        let batch = json!({ "Records": [{ "messageId": "a", "eventSource": "aws:sqs", "body": body }] });
        parse(&batch, EventBridgeKeys::Plain).unwrap().items.remove(0).events.remove(0).unwrap_err().to_string()
    };
    assert_eq!(events("secret"), "the SQS message's body is not JSON: bad syntax at line 1, column 1");
    assert!(events("{\"Records\":").starts_with("the SQS message's body is not JSON: it ends too early"));
    assert!(events("{\"hello\":1}").starts_with("the SQS message's body is of no known shape (its fields: hello)"));
}

#[test]
fn batch_schemas() {
    let batch = |schema: &str, tasks: Value| {
        let value = json!({ "invocationSchemaVersion": schema, "invocationId": "i", "job": {}, "tasks": tasks });
        parse(&value, EventBridgeKeys::Plain)
    };
    let error = batch("3.0", json!([])).unwrap_err().to_string();
    assert!(error.starts_with("invocationSchemaVersion is \"3.0\""), "{error}");
    let tasks = json!([
        { "taskId": "a", "s3Bucket": "demo", "s3Key": "a+b%2B.png", "s3VersionId": null },
        { "taskId": "b", "s3Bucket": "demo" },
        { "taskId": "c", "s3BucketArn": "arn:aws:s3:::demo", "s3Key": "c" },
    ]);
    let delivery = batch("2.0", tasks).unwrap();
    let outcomes: Vec<_> = delivery
        .items
        .iter()
        .map(|item| match &item.events[..] {
            [Ok(event)] => format!("{} {} {}", item.id, event.key, event.change.action()),
            [Err(error)] => format!("{} {error}", item.id),
            _ => "not one".to_owned(),
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            "a a b+.png observed",
            "b s3://demo: `s3Key` is missing or empty",
            "c the event's `s3Bucket` is missing or empty",
        ]
    );
}

/// JSON of the words that the parser looks for, so that chance reaches its depths.
fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 44] = [
        "Records",
        "eventSource",
        "EventSource",
        "aws:s3",
        "aws:sqs",
        "aws:sns",
        "ceph:s3",
        "minio:s3",
        "eventName",
        "eventVersion",
        "2.1",
        "eventTime",
        "s3",
        "bucket",
        "name",
        "object",
        "key",
        "size",
        "eTag",
        "versionId",
        "sequencer",
        "body",
        "messageId",
        "attributes",
        "AWSTraceHeader",
        "Sns",
        "Message",
        "Type",
        "Notification",
        "detail",
        "detail-type",
        "Object Created",
        "Object Deleted",
        "deletion-type",
        "source",
        "aws.s3",
        "invocationSchemaVersion",
        "1.0",
        "tasks",
        "taskId",
        "s3Key",
        "s3BucketArn",
        "Event",
        "s3:TestEvent",
    ];
    let word = || prop_oneof![proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned), any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        word().prop_map(Value::from),
        Just(json!("ObjectCreated:Put")),
        Just(json!("%zz+%2B")),
        Just(json!("{\"Records\":[{\"eventSource\":\"aws:s3\"}]}")),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((word(), inner.clone()), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            inner.clone().prop_map(|value| json!({ "Records": [value] })),
            inner.prop_map(|value| json!({ "messageId": "m", "eventSource": "aws:sqs", "body": value.to_string() })),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json()) {
        for keys in [EventBridgeKeys::Plain, EventBridgeKeys::Encoded] {
            match parse(&value, keys) {
                Ok(delivery) => for event in delivery.items.iter().flat_map(|item| &item.events) {
                    match event {
                        Ok(event) => prop_assert!(
                            !event.bucket.is_empty() && !event.key.is_empty()
                                || matches!(event.change, Change::Test | Change::Other)
                        ),
                        Err(error) => prop_assert!(!error.to_string().is_empty()),
                    }
                },
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    /// One field of a good event replaced by anything.
    #[test]
    fn no_field_makes_it_panic(junk in any_json(), place in 0..8_usize) {
        let pointer = [
            "/Records/0/s3/bucket/name", "/Records/0/s3/object/key", "/Records/0/s3/object/size",
            "/Records/0/s3/object", "/Records/0/eventName", "/Records/0/eventTime", "/Records/0/eventVersion",
            "/Records/0",
        ][place];
        let object = json!({ "key": "7.png", "size": 1 });
        let mut value = json!({ "Records": [record("ObjectCreated:Put", object)] });
        *value.pointer_mut(pointer).unwrap() = junk;
        let _ = parse(&value, EventBridgeKeys::Plain);
        let _ = parse(&json!({ "Records": [message("m", &value)] }), EventBridgeKeys::Plain);
    }
}
