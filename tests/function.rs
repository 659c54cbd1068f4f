//! The function in front of real parts: what it answers in each envelope, and what it writes.

use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::local::{Credentials, client};
use spotter::pipeline::{After, Outcome};
use spotter::record::{Reason, Status};
use spotter::records;
use tokio::net::TcpListener;

use crate::cloud::{BUCKET, Cloud, MAX_BYTES, fixture, function, sample};
use crate::harness::{self, on_runtime};

const MODEL: &str = "digits/2";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("function::every_fixture_is_answered_in_its_own_shape", || on_runtime(every_fixture())),
        Trial::test("function::one_bad_message_never_blocks_its_batch", || on_runtime(one_bad_message())),
        Trial::test("function::a_batch_task_gets_its_own_result", || on_runtime(batch_tasks())),
        Trial::test("function::what_is_gone_or_replaced_is_superseded", || on_runtime(superseded())),
        Trial::test("function::a_bucket_that_is_away_makes_the_event_come_again", || on_runtime(bucket_away())),
        Trial::test("function::a_bucket_that_hangs_makes_the_event_come_again_in_time", || on_runtime(bucket_hangs())),
        Trial::test("function::bad_objects_are_recorded_with_their_reason", || on_runtime(bad_objects())),
        Trial::test("function::an_observation_takes_the_order_of_its_event", || on_runtime(observation())),
        Trial::test("function::an_unknown_event_is_told_by_its_fields", || on_runtime(unknown_event())),
    ]
}

/// The samples are in the bucket with their true ETags, so what a fixture names is there.
async fn every_fixture() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put_samples().await?;
    for name in ["s3.json", "sns.json", "eventbridge.json", "minio.json", "ceph.json", "several.json", "plus.json"] {
        let answer = cloud.answer(&fixture(name)?).await?;
        let body = answer.body.map_err(|error| format!("{name}: {error}"))?;
        if body != json!({ "objects": answer.objects.len() }) || answer.objects.is_empty() {
            return Err(format!("{name}: {body}").into());
        }
        for (event, handled) in &answer.objects {
            if !matches!(handled.outcome, Outcome::Recorded(_)) {
                return Err(format!("{name}: {}: {:?}", event.key, handled.outcome).into());
            }
            if records::get(&*cloud.records, &event.bucket, &event.key, MODEL).await?.is_none() {
                return Err(format!("{name}: no record of {}", event.key).into());
            }
        }
    }
    for name in ["sqs.json", "sqs-sns.json", "sqs-sns-raw.json", "sqs-eventbridge.json", "sqs-mixed.json"] {
        let answer = cloud.answer(&fixture(name)?).await?;
        let recorded = answer.objects.iter().filter(|(_, handled)| matches!(handled.outcome, Outcome::Recorded(_)));
        assert!(recorded.count() > 0, "{name}: {:?}", answer.objects);
        assert_eq!(answer.body?, json!({ "batchItemFailures": [] }), "{name}");
    }
    for name in ["test.json", "sqs-test.json", "sns-test.json", "restored.json", "eventbridge-restored.json"] {
        let answer = cloud.answer(&fixture(name)?).await?;
        assert!(answer.body.is_ok(), "{name}");
        assert!(answer.objects.iter().all(|(_, handled)| matches!(handled.outcome, Outcome::Ignored(_))), "{name}");
    }
    Ok(())
}

async fn one_bad_message() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put_samples().await?;
    let event: Value = serde_json::from_str(&fixture("sqs-one-bad.json")?)?;
    let answer = cloud.function.answer(&event, harness::deadline()).await;
    let failures = answer.body?["batchItemFailures"].as_array().cloned().unwrap_or_default();
    let messages = event["Records"].as_array().map_or(0, Vec::len);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(answer.objects.len() >= messages - 1, "{:?}", answer.objects);
    assert!(answer.objects.iter().all(|(_, handled)| matches!(handled.outcome, Outcome::Recorded(_))));
    Ok(())
}

async fn batch_tasks() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("0 blue marker.png", &sample("0 blue marker.png")?).await?;
    let task = |id: &str, key: &str| json!({ "taskId": id, "s3Key": key, "s3VersionId": null, "s3BucketArn": "arn:aws:s3:::demo" });
    let event = json!({
        "invocationSchemaVersion": "1.0",
        "invocationId": "i",
        "job": { "id": "j" },
        "tasks": [task("there", "0+blue+marker.png"), task("gone", "nothing.png")],
    });
    let body = cloud.function.answer(&event, harness::deadline()).await.body?;
    assert_eq!(body["invocationSchemaVersion"], "1.0");
    assert_eq!(body["invocationId"], "i");
    let results = &body["results"];
    assert_eq!((&results[0]["taskId"], &results[0]["resultCode"]), (&json!("there"), &json!("Succeeded")), "{body}");
    assert_eq!(results[0]["resultString"], "0");
    assert_eq!((&results[1]["taskId"], &results[1]["resultCode"]), (&json!("gone"), &json!("PermanentFailure")));
    Ok(())
}

async fn superseded() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    let first = cloud.notifications()?;
    cloud.put("a.png", &sample("8.bmp")?).await?;
    for (event, reason) in [(&first[0].body, "replaced"), (&first[0].body.replace("a.png", "b.png"), "gone")] {
        let answer = cloud.answer(event).await?;
        assert!(answer.body.is_ok());
        match &answer.objects[0].1.outcome {
            Outcome::Superseded(why) => assert!(why.contains(reason), "{why}"),
            other => return Err(format!("{other:?}").into()),
        }
    }
    assert!(cloud.records.rows(BUCKET, "a.png", None).await?.is_empty());
    Ok(())
}

/// A bucket that takes the connection and never answers.
async fn bucket_hangs() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    let event = serde_json::from_str(&cloud.notifications()?[0].body)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let s3 = client(&format!("http://{}", listener.local_addr()?), &Credentials::random()?);
    let function = function(s3, cloud.records.clone(), After::default())?;
    let answer = function.answer(&event, Instant::now() + Duration::from_millis(300)).await;
    let error = answer.body.err().ok_or("an answer")?.to_string();
    assert!(error.contains("s3://demo/a.png: the time was up while still fetching it"), "{error}");
    // One that comes with no time left is answered all the same.
    let late = cloud.function.answer(&event, Instant::now()).await;
    assert!(matches!(late.objects[0].1.outcome, Outcome::Retry(_)), "{late:?}");
    Ok(())
}

async fn bucket_away() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    let missing = cloud.notifications()?[0].body.replace(BUCKET, "nowhere");
    let error = cloud.answer(&missing).await?.body.err().ok_or("an answer")?.to_string();
    assert!(error.contains("s3://nowhere/a.png") && error.contains("NoSuchBucket"), "{error}");
    Ok(())
}

async fn bad_objects() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    let large = vec![0; MAX_BYTES as usize + 1];
    let truncated = sample("truncated.jpg")?;
    let cases: [(&str, &[u8], Reason); 5] = [
        ("photos/", b"", Reason::NotAnImage),
        ("notes.png", b"plain text", Reason::NotAnImage),
        ("../up.jpg", &truncated, Reason::Broken),
        ("huge.bin", &large, Reason::TooLarge),
        ("iphone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Reason::Unsupported),
    ];
    for (key, bytes, reason) in cases {
        cloud.put(key, bytes).await?;
        let answer = cloud.answer(&cloud.notifications()?[0].body).await?;
        assert!(answer.body.is_ok(), "{key}: {:?}", answer.body);
        let record = records::get(&*cloud.records, BUCKET, key, MODEL).await?.ok_or(key)?;
        assert_eq!((record.status, record.reason), (Status::Rejected, Some(reason)), "{key}: {}", record.why);
        assert!(!record.why.is_empty() && record.size == Some(bytes.len() as u64));
    }
    // The SDK makes no request of a blank key, not even to upload: other clients do.
    cloud.put("blank", b"x").await?;
    cloud.answer(&cloud.notifications()?[0].body.replace("\"blank\"", "\"+\"")).await?.body?;
    let record = records::get(&*cloud.records, BUCKET, " ", MODEL).await?.ok_or("a blank key")?;
    assert_eq!((record.reason, record.size), (Some(Reason::Unsupported), Some(1)), "{}", record.why);
    // The next picture works.
    cloud.put("8.bmp", &sample("8.bmp")?).await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    let record = records::get(&*cloud.records, BUCKET, "8.bmp", MODEL).await?.ok_or("8.bmp")?;
    assert_eq!((record.status, record.label.as_deref()), (Status::Classified, Some("8")));
    Ok(())
}

async fn observation() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    let observe = json!({
        "invocationSchemaVersion": "1.0", "invocationId": "i", "job": { "id": "j" },
        "tasks": [{ "taskId": "t", "s3Key": "a.png", "s3BucketArn": "arn:aws:s3:::demo" }],
    });
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    let before = cloud.records.rows(BUCKET, "a.png", None).await?;
    cloud.function.answer(&observe, harness::deadline()).await.body?;
    assert_eq!(cloud.records.rows(BUCKET, "a.png", None).await?, before, "the same version is the same row");
    cloud.put("a.png", &sample("8.bmp")?).await?;
    cloud.function.answer(&observe, harness::deadline()).await.body?;
    let current = records::get(&*cloud.records, BUCKET, "a.png", MODEL).await?.ok_or("no record")?;
    assert_eq!(current.label.as_deref(), Some("8"), "newer than what the last event said");
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    let current = records::get(&*cloud.records, BUCKET, "a.png", MODEL).await?.ok_or("no record")?;
    assert!(current.label.as_deref() == Some("8") && current.order.seq > before[0].order.seq, "the true event wins");
    Ok(())
}

async fn unknown_event() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    let answer = cloud.function.answer(&json!({ "detail": "secret", "who": 1 }), harness::deadline()).await;
    let error = answer.body.err().ok_or("an answer")?.to_string();
    assert!(error.contains("detail") && error.contains("who") && !error.contains("secret"), "{error}");
    Ok(())
}
