//! Telling others: at least once, after the record, and never in a circle.

mod localstack;
pub mod receiver;

use std::future::pending;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, TryStreamExt};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::backfill::{Round, Scope, Wanted};
use spotter::function::Answer;
use spotter::notify::{Notifier, NotifyConfig};
use spotter::pipeline::{After, Outcome};
use spotter::record::Record;
use spotter::records;
use tempfile::TempDir;

use crate::backfill::gaps;
use crate::cli::spotter;
use crate::cloud::{self, BUCKET, Cloud, sample};
use crate::harness::{deadline, on_runtime};
use receiver::{Receiver, Script};

const MODEL: &str = "digits/2";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("notify::a_record_is_told_as_json_and_signed", || on_runtime(told())),
        Trial::test("notify::who_fails_is_told_again_and_the_record_is_there", || on_runtime(told_again())),
        Trial::test("notify::what_was_replaced_before_it_was_told_is_told_too", || on_runtime(replaced())),
        Trial::test("notify::a_redirect_and_a_closed_port_are_no_success", || on_runtime(not_told())),
        Trial::test("notify::who_never_answers_does_not_hold_up_the_answer", || on_runtime(silence())),
        Trial::test("notify::one_that_fails_does_not_keep_it_from_the_others", || on_runtime(one_of_two())),
        Trial::test("notify::only_some_are_told", || on_runtime(only())),
        Trial::test("notify::a_label_that_the_model_does_not_have_is_said", || on_runtime(unknown_label())),
        Trial::test("notify::https_needs_a_certificate_that_is_trusted", || on_runtime(https())),
        Trial::test("notify::an_entry_that_eventbridge_did_not_take_comes_again", || on_runtime(failed_entry())),
        Trial::test("notify::a_store_without_tags_is_no_failure", || on_runtime(no_tags())),
        Trial::test("notify::a_worker_does_not_tell_its_own_queue", own_queue),
        Trial::test("notify::what_is_told_is_no_event", || on_runtime(own_records())),
        Trial::test("notify::a_backfill_tells_until_it_is_heard", || on_runtime(backfill())),
    ];
    trials.extend(localstack::trials());
    trials
}

fn ok() -> Script {
    Script(vec![(200, "")])
}

fn config(url: &str, only: &str) -> Result<NotifyConfig, Failed> {
    let targets = url.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let only = if only.is_empty() { Default::default() } else { only.parse()? };
    Ok(NotifyConfig { targets, only, secret: Some("hunter2".into()) })
}

async fn telling(url: &str, only: &str) -> Result<Cloud, Failed> {
    let mut cloud = Cloud::start().await?;
    cloud.followed_by(false, Some(Notifier::new(config(url, only)?, None)))?;
    Ok(cloud)
}

/// The row is there after the first attempt, and yet the object is not done: what failed is tried by its key.
async fn backfill() -> Result<(), Failed> {
    let receiver = Receiver::http(Script([&[(500, ""); 4][..], &[(200, "")]].concat()))?;
    let cloud = Cloud::start().await?;
    cloud.put("8.bmp", &sample("8.bmp")?).await?;
    let notifier = Notifier::new(config(&format!("http://{}/", receiver.address), "")?, None);
    let pipeline = cloud::pipeline(cloud.s3.clone(), cloud.records.clone())?;
    let pipeline = pipeline.followed_by(After::new(false, Some(notifier)));
    let backfill = crate::backfill::backfill(&cloud, "");
    let mut rounds = Vec::new();
    let failed = Scope::Keys(vec![Wanted { key: "8.bmp".into(), size: None }]);
    for round in [gaps(), Round { scope: failed, ..gaps() }, gaps()] {
        let filled: Vec<_> = backfill.fill(&pipeline, round, pending().boxed()).try_collect().await?;
        let handled = filled.into_iter().next().ok_or("nothing is listed")?.handled;
        rounds.push(handled.map(|(_, handled)| matches!(handled.outcome, Outcome::Recorded(_))));
    }
    // Three attempts, two of which the second is heard, nothing to do.
    assert_eq!((rounds, receiver.received().len()), (vec![Some(false), Some(true), None], 5));
    Ok(())
}

/// Uploads a sample and hands over its notification.
async fn upload(cloud: &Cloud, key: &str, name: &str) -> Result<Answer, Failed> {
    cloud.put(key, &sample(name)?).await?;
    let notifications = cloud.notifications()?;
    cloud.answer(&notifications.first().ok_or("no notification")?.body).await
}

fn recorded(answer: &Answer) -> Result<&Record, Failed> {
    match &answer.objects.first().ok_or("no object")?.1.outcome {
        Outcome::Recorded(record) => Ok(record),
        other => Err(format!("{other:?}").into()),
    }
}

fn error(answer: &Answer) -> Result<String, Failed> {
    Ok(answer.body.as_ref().err().ok_or("it was told")?.to_string())
}

async fn told() -> Result<(), Failed> {
    let receiver = Receiver::http(ok())?;
    let cloud = telling(&format!("http://{}/in/token?a=1", receiver.address), "").await?;
    let answer = upload(&cloud, "七 \"7\".jpg", "photos/7 phone.jpg").await?;
    let record = recorded(&answer)?;
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].path, "/in/token?a=1");
    assert_eq!(received[0].body, serde_json::to_string(record)?, "as `--format json` prints it");
    let body: Value = serde_json::from_str(&received[0].body)?;
    assert_eq!((&body["key"], &body["label"]), (&json!("七 \"7\".jpg"), &json!("7")));
    assert!(body.get("seen").is_none());
    assert_eq!(received[0].header("content-type"), Some("application/json"));
    let signature = received[0].header("x-spotter-signature").ok_or("no signature")?;
    assert_eq!(signature, format!("sha256={}", hmac_sha256("hunter2", &received[0].body)));
    Ok(())
}

/// RFC 2104, word by word, in hex.
fn hmac_sha256(secret: &str, text: &str) -> String {
    use sha2::{Digest, Sha256};
    let secret = secret.as_bytes();
    let padded = |pad: u8| (0..64).map(move |at| secret.get(at).copied().unwrap_or(0) ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn told_again() -> Result<(), Failed> {
    let receiver = Receiver::http(Script(vec![(500, ""), (200, "")]))?;
    let cloud = telling(&format!("http://{}/in/token", receiver.address), "").await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    let event = cloud.notifications()?.remove(0).body;
    let error = error(&cloud.answer(&event).await?)?;
    assert!(error.contains(&format!("recorded, but http://{}", receiver.address)), "{error}");
    assert!(error.contains("it answered 500") && !error.contains("token"), "{error}");
    let before = cloud.records.rows(BUCKET, "a.png", None).await?;
    assert_eq!(before.len(), 1, "the record does not wait for being told");
    let answer = cloud.answer(&event).await?;
    assert!(answer.body.is_ok());
    assert_eq!(recorded(&answer)?, &before[0]);
    assert_eq!(cloud.records.rows(BUCKET, "a.png", None).await?, before, "the same row again");
    let bodies: Vec<String> = receiver.received().into_iter().map(|received| received.body).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
    Ok(())
}

/// Its event comes again, as that of a version that is gone: its row stays, and so it is told.
async fn replaced() -> Result<(), Failed> {
    let receiver = Receiver::http(Script(vec![(500, ""), (200, "")]))?;
    let cloud = telling(&format!("http://{}/", receiver.address), "").await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    let event = cloud.notifications()?.remove(0).body;
    error(&cloud.answer(&event).await?)?;
    cloud.put("a.png", &sample("8.bmp")?).await?;
    let answer = cloud.answer(&event).await?;
    let rows = cloud.records.rows(BUCKET, "a.png", None).await?;
    assert_eq!((recorded(&answer)?, rows.len()), (&rows[0], 1));
    let bodies: Vec<String> = receiver.received().into_iter().map(|received| received.body).collect();
    assert_eq!(bodies, vec![serde_json::to_string(&rows[0])?; 2]);
    // Nothing is known of what was replaced before it was recorded.
    let another = event.replace("a.png", "b.png");
    let answer = cloud.answer(&another).await?;
    assert!(matches!(answer.objects[0].1.outcome, Outcome::Superseded(_)), "{answer:?}");
    Ok(())
}

async fn not_told() -> Result<(), Failed> {
    let receiver = Receiver::http(Script(vec![(307, "")]))?;
    let cloud = telling(&format!("http://{}/", receiver.address), "").await?;
    let answer = upload(&cloud, "a.png", "1.png").await?;
    assert!(error(&answer)?.contains("it answered 307"), "{}", error(&answer)?);
    assert_eq!(receiver.received().len(), 1, "not followed");
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let cloud = telling(&format!("http://{closed}/"), "").await?;
    let answer = upload(&cloud, "a.png", "1.png").await?;
    assert!(error(&answer)?.contains("refused"), "{}", error(&answer)?);
    assert!(records::get(&*cloud.records, BUCKET, "a.png", MODEL).await?.is_some());
    Ok(())
}

async fn silence() -> Result<(), Failed> {
    let cloud = telling(&format!("http://{}/", receiver::silent()?), "").await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    let event: Value = serde_json::from_str(&cloud.notifications()?[0].body)?;
    // Classifying is over long before on any machine.
    let answer = cloud.function.answer(&event, Instant::now() + Duration::from_secs(9)).await;
    let error = error(&answer)?;
    assert!(error.contains("no answer within") || error.contains("telling of its record"), "{error}");
    assert!(records::get(&*cloud.records, BUCKET, "a.png", MODEL).await?.is_some());
    Ok(())
}

async fn one_of_two() -> Result<(), Failed> {
    let (bad, good) = (Receiver::http(Script(vec![(503, "")]))?, Receiver::http(ok())?);
    let cloud = telling(&format!("http://{}/,http://{}/", bad.address, good.address), "").await?;
    let answer = upload(&cloud, "a.png", "1.png").await?;
    assert!(error(&answer)?.contains(&bad.address.to_string()), "{}", error(&answer)?);
    assert_eq!((bad.received().len(), good.received().len()), (1, 1));
    Ok(())
}

async fn only() -> Result<(), Failed> {
    let receiver = Receiver::http(ok())?;
    let cloud = telling(&format!("http://{}/", receiver.address), "rejected,label:8,deleted").await?;
    for (key, name) in [("1.png", "1.png"), ("8.bmp", "8.bmp"), ("notes.png", "notes.png")] {
        upload(&cloud, key, name).await?.body?;
    }
    cloud.s3.delete_object().bucket(BUCKET).key("1.png").send().await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    let mut told = Vec::new();
    for received in receiver.received() {
        let body: Value = serde_json::from_str(&received.body)?;
        told.push(format!("{} {}", body["key"].as_str().unwrap_or("?"), body["status"].as_str().unwrap_or("?")));
    }
    assert_eq!(told, ["8.bmp classified", "notes.png rejected", "1.png deleted"]);
    Ok(())
}

async fn unknown_label() -> Result<(), Failed> {
    let (cloud, receiver) = (Cloud::start().await?, Receiver::http(ok())?);
    let url = format!("http://{}/", receiver.address);
    let (code, said) =
        invoke(&cloud, &[("SPOTTER_NOTIFY", &url), ("SPOTTER_NOTIFY_ONLY", "label:8,label:acht")]).await?;
    assert_eq!((code, receiver.received().len()), (Some(0), 1), "{said}");
    let warnings: Vec<&str> =
        said.lines().filter(|line| line.contains("a label that the model does not have")).collect();
    assert!(matches!(warnings[..], [one] if one.contains("acht") && one.contains(MODEL)), "{said}");
    Ok(())
}

/// `spotter invoke` of an upload to a bucket of this process.
async fn invoke(cloud: &Cloud, variables: &[(&str, &str)]) -> Result<(Option<i32>, String), Failed> {
    let home = TempDir::new()?;
    cloud.put("8.bmp", &sample("8.bmp")?).await?;
    let event = home.path().join("event.json");
    std::fs::write(&event, &cloud.notifications()?[0].body)?;
    let output = spotter(&home)
        .arg("invoke")
        .arg(&event)
        .env("AWS_ENDPOINT_URL_S3", &cloud.url)
        .env("AWS_ACCESS_KEY_ID", &cloud.credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &cloud.credentials.secret_access_key)
        .env("AWS_REGION", "us-east-1")
        .envs(variables.iter().copied())
        .output()?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

async fn https() -> Result<(), Failed> {
    let receiver = Receiver::https(ok())?;
    let cloud = Cloud::start().await?;
    let folder = TempDir::new()?;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &receiver.ca)?;
    let ca = ca.to_string_lossy();
    let port = receiver.address.port();
    let (right, wrong) = (format!("https://localhost:{port}/"), format!("https://127.0.0.1:{port}/"));
    let (code, told) = invoke(&cloud, &[("SPOTTER_NOTIFY", &right), ("SSL_CERT_FILE", &ca)]).await?;
    assert_eq!(code, Some(0), "{told}");
    assert!(receiver.received()[0].body.contains("\"label\":\"8\""));
    assert_eq!(receiver.received()[0].header("x-spotter-signature"), None, "there is no secret");
    // Another name than the certificate's, and a CA that nobody trusts.
    let other = Receiver::https(ok())?;
    std::fs::write(folder.path().join("other.pem"), &other.ca)?;
    let other_ca = folder.path().join("other.pem");
    for variables in [[wrong.as_str(), &ca], [right.as_str(), &other_ca.to_string_lossy()]] {
        let (code, told) = invoke(&cloud, &[("SPOTTER_NOTIFY", variables[0]), ("SSL_CERT_FILE", variables[1])]).await?;
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("retry  recorded, but https://") && told.contains("certificate"), "{told}");
    }
    assert_eq!(receiver.received().len(), 1);
    Ok(())
}

/// The call succeeds, the entry does not: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
async fn failed_entry() -> Result<(), Failed> {
    let refused =
        r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"Too fast."}]}"#;
    let taken = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#;
    let bus = Receiver::http(Script(vec![(200, refused), (200, taken)]))?;
    let cloud = Cloud::start().await?;
    let url = format!("http://{}", bus.address);
    let arn = "arn:aws:events:us-east-1:000000000000:event-bus/seen";
    let variables = [("SPOTTER_NOTIFY", arn), ("AWS_ENDPOINT_URL_EVENTBRIDGE", &*url)];
    let (code, told) = invoke(&cloud, &variables).await?;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(&format!("{arn} could not be told: Too fast. (ThrottlingException)")), "{told}");
    let (code, told) = invoke(&cloud, &variables).await?;
    assert_eq!(code, Some(0), "{told}");
    let sent: Value = serde_json::from_str(&bus.received()[1].body)?;
    let entry = &sent["Entries"][0];
    assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("spotter"), &json!("Spotter Record")));
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap_or_default())?;
    assert_eq!((&detail["key"], &detail["label"]), (&json!("8.bmp"), &json!("8")));
    Ok(())
}

/// The endpoint in this process has no tags, as some stores have none.
async fn no_tags() -> Result<(), Failed> {
    let receiver = Receiver::http(ok())?;
    let mut cloud = Cloud::start().await?;
    let notifier = Notifier::new(config(&format!("http://{}/", receiver.address), "")?, None);
    cloud.followed_by(true, Some(notifier))?;
    recorded(&upload(&cloud, "a.png", "1.png").await?)?;
    assert_eq!(receiver.received().len(), 1, "and others are told");
    let (code, told) = invoke(&cloud, &[("SPOTTER_TAG", "on"), ("RUST_LOG", "warn")]).await?;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("objects are recorded without tags") && told.contains("NotImplemented"), "{told}");
    Ok(())
}

fn own_queue() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let queue = "http://127.0.0.1:1/000000000000/in";
    let output = spotter(&home)
        .args(["worker", "--queue", queue])
        .env("SPOTTER_NOTIFY", "arn:aws:sqs:us-east-1:000000000000:seen,arn:aws:sqs:us-east-1:000000000000:in")
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(&format!("SPOTTER_NOTIFY names the queue that is consumed, {queue}")), "{told}");
    Ok(())
}

/// In each envelope in which a wrong setting could bring it back.
async fn own_records() -> Result<(), Failed> {
    let receiver = Receiver::http(ok())?;
    let cloud = telling(&format!("http://{}/", receiver.address), "").await?;
    upload(&cloud, "a.png", "1.png").await?.body?;
    cloud.s3.delete_object().bucket(BUCKET).key("a.png").send().await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    for told in receiver.received() {
        let sns = json!({ "Type": "Notification", "Message": told.body }).to_string();
        let bus = json!({
            "source": "spotter", "detail-type": "Spotter Record", "detail": serde_json::from_str::<Value>(&told.body)?,
        });
        let sqs = |body: &str| json!({ "Records": [{ "messageId": "m", "eventSource": "aws:sqs", "body": body }] });
        let record: Value = serde_json::from_str(&told.body)?;
        let topic = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": told.body } }] });
        for event in [sqs(&told.body), sqs(&sns), sqs(&bus.to_string()), topic, bus, record] {
            let answer = cloud.function.answer(&event, deadline()).await;
            assert!(answer.objects.is_empty(), "{event}");
            match answer.body {
                Ok(body) => assert_eq!(body, json!({ "batchItemFailures": [{ "itemIdentifier": "m" }] })),
                Err(error) => assert!(error.to_string().contains("SPOTTER_NOTIFY"), "{error}"),
            }
        }
    }
    assert_eq!(receiver.received().len(), 2, "nothing of it is told again");
    assert_eq!(cloud.records.rows(BUCKET, "a.png", None).await?.len(), 2);
    Ok(())
}
