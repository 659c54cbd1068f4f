//! What is gone and no event has said so: `--delete`, and whatever happens at the same time.

use std::future::pending;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::backfill::Seen;
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::objects::{
    FetchError, Head, ListAfter, ListedPage, Object, Objects, Pinned, Presigned, S3Objects, Tag, TagError, Tagged,
    Upload,
};
use spotter::pipeline::{Outcome, Pipeline};
use spotter::record::{Record, Status};
use tempfile::TempDir;

use super::resume::{signal, until};
use super::{LIMIT, backfill, current, on, run, said};
use crate::cloud::{BUCKET, Cloud, MAX_BYTES, sample};
use crate::harness::on_runtime;
use crate::notify::receiver::{Receiver, Script};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("backfill::delete::the_same_row_each_time", || on_runtime(same_row())),
        Trial::test("backfill::delete::an_upload_before_the_question_is_seen", || on_runtime(before())),
        Trial::test("backfill::delete::an_upload_after_the_question_outranks_it", || on_runtime(after())),
        Trial::test("backfill::delete::without_sequencers_too", || on_runtime(without_sequencers())),
        Trial::test("backfill::delete::a_marker_that_is_removed_undeletes", || on_runtime(marker())),
        Trial::test("backfill::delete::an_observation_after_it_stands_above", || on_runtime(observed_again())),
        Trial::test("backfill::delete::nobody_told_is_a_failure", || on_runtime(untold())),
        Trial::test("backfill::delete::who_was_not_told_is_told_in_the_next_round", || on_runtime(told_again())),
        Trial::test("backfill::delete::the_command_asks_or_is_told_yes", || on_runtime(command())),
    ]
}

/// Somebody uploads just before or just after the bucket is asked for the object.
struct Busy {
    bucket: S3Objects,
    cloud: Arc<Cloud>,
    uploads_first: bool,
    done: AtomicBool,
}

impl Busy {
    async fn upload(&self, now: bool, key: &str) {
        if now && !self.done.swap(true, Relaxed) {
            self.cloud.put(key, &sample("8.bmp").unwrap()).await.unwrap();
        }
    }
}

#[async_trait]
impl Objects for Busy {
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        self.bucket.get(pinned, max_bytes).await
    }

    async fn head(&self, pinned: &Pinned) -> Result<Head, FetchError> {
        self.upload(self.uploads_first, &pinned.key).await;
        let head = self.bucket.head(pinned).await;
        self.upload(!self.uploads_first, &pinned.key).await;
        head
    }

    async fn list(&self, bucket: &str, prefix: &str, after: Option<&ListAfter>) -> Result<ListedPage, FetchError> {
        self.bucket.list(bucket, prefix, after).await
    }

    async fn tag(&self, pinned: &Pinned, tags: &[Tag]) -> Result<Tagged, TagError> {
        self.bucket.tag(pinned, tags).await
    }

    async fn presign(&self, upload: &Upload, valid: Duration) -> Result<Presigned, FetchError> {
        self.bucket.presign(upload, valid).await
    }
}

fn pipeline(objects: Arc<dyn Objects>, cloud: &Cloud) -> Result<Pipeline, Failed> {
    Ok(Pipeline::new(objects, cloud.records.clone(), Arc::new(Model::embedded()?), Limits::default(), MAX_BYTES))
}

/// A recorded object whose delete nobody heard of.
async fn orphan(key: &str) -> Result<Arc<Cloud>, Failed> {
    let cloud = Cloud::start().await?;
    cloud.put(key, &sample("1.png")?).await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    cloud.s3.delete_object().bucket(BUCKET).key(key).send().await?;
    cloud.notifications()?;
    Ok(Arc::new(cloud))
}

async fn forget(cloud: &Cloud, pipeline: &Pipeline, key: &str) -> Result<Outcome, Failed> {
    let backfill = backfill(cloud, "");
    let mut forgotten = backfill.forget(pipeline, vec![key.into()], LIMIT, pending().boxed());
    let filled = forgotten.next().await.ok_or("nothing was done")?;
    Ok(filled.handled.ok_or("not handled")?.1.outcome)
}

async fn plain(cloud: &Cloud, key: &str) -> Result<Outcome, Failed> {
    forget(cloud, &pipeline(Arc::new(S3Objects::new(cloud.s3.clone())), cloud)?, key).await
}

async fn rows(cloud: &Cloud, key: &str) -> Result<Vec<Record>, Failed> {
    Ok(cloud.records.rows(BUCKET, key, None).await?)
}

async fn same_row() -> Result<(), Failed> {
    let mut tables = Vec::new();
    let cloud = orphan("a.png").await?;
    let picture = rows(&cloud, "a.png").await?;
    for _ in 0..2 {
        assert!(matches!(plain(&cloud, "a.png").await?, Outcome::Recorded(_) | Outcome::Ignored(_)));
        tables.push(rows(&cloud, "a.png").await?);
    }
    assert_eq!(current(&cloud, "a.png").await?.0, Status::Deleted);
    assert_eq!(tables[0], tables[1]);
    // A pure function of the rows: no clock.
    let (deleted, known) = (&tables[0][0], &picture[0]);
    assert_eq!((deleted.order.seq.as_str(), deleted.order.version.as_str()), (known.order.seq.as_str(), ""));
    assert_eq!(deleted.order.event_time.0, known.order.event_time.0 + 1);
    let seen = Seen::default().sorted();
    assert!(backfill(&cloud, "").orphans(&seen).try_next().await?.is_none(), "no orphan any more");
    Ok(())
}

async fn before() -> Result<(), Failed> {
    let cloud = orphan("a.png").await?;
    let bucket = S3Objects::new(cloud.s3.clone());
    let busy = Busy { bucket, cloud: cloud.clone(), uploads_first: true, done: AtomicBool::new(false) };
    let outcome = forget(&cloud, &pipeline(Arc::new(busy), &cloud)?, "a.png").await?;
    assert_eq!(outcome, Outcome::Ignored("it is there"));
    assert_eq!(rows(&cloud, "a.png").await?.len(), 1);
    Ok(())
}

async fn after() -> Result<(), Failed> {
    for event_first in [false, true] {
        let cloud = orphan("a.png").await?;
        let bucket = S3Objects::new(cloud.s3.clone());
        let busy = Busy { bucket, cloud: cloud.clone(), uploads_first: false, done: AtomicBool::new(false) };
        let busy = pipeline(Arc::new(busy), &cloud)?;
        if event_first {
            // Its event is handled before the row of the absence is written: as if the writer had slept.
            let stale = pipeline(Arc::new(Stale(S3Objects::new(cloud.s3.clone()), cloud.clone())), &cloud)?;
            assert!(matches!(forget(&cloud, &stale, "a.png").await?, Outcome::Recorded(_)));
        } else {
            assert!(matches!(forget(&cloud, &busy, "a.png").await?, Outcome::Recorded(_)));
            cloud.answer(&cloud.notifications()?[0].body).await?.body?;
        }
        assert_eq!(current(&cloud, "a.png").await?, (Status::Classified, Some("8".into())), "{event_first}");
        assert!(run(&cloud, "").await?.is_empty(), "and a backfill finds it right");
    }
    Ok(())
}

/// After its HEAD an upload comes, and its event is handled before the HEAD's answer is.
struct Stale(S3Objects, Arc<Cloud>);

#[async_trait]
impl Objects for Stale {
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        self.0.get(pinned, max_bytes).await
    }

    async fn head(&self, pinned: &Pinned) -> Result<Head, FetchError> {
        let head = self.0.head(pinned).await;
        self.1.put(&pinned.key, &sample("8.bmp").unwrap()).await.unwrap();
        let event = self.1.notifications().unwrap().remove(0);
        self.1.answer(&event.body).await.unwrap().body.unwrap();
        head
    }

    async fn list(&self, bucket: &str, prefix: &str, after: Option<&ListAfter>) -> Result<ListedPage, FetchError> {
        self.0.list(bucket, prefix, after).await
    }

    async fn tag(&self, pinned: &Pinned, tags: &[Tag]) -> Result<Tagged, TagError> {
        self.0.tag(pinned, tags).await
    }

    async fn presign(&self, upload: &Upload, valid: Duration) -> Result<Presigned, FetchError> {
        self.0.presign(upload, valid).await
    }
}

/// A lookalike's event, which only time puts in order.
fn without_sequencer(body: &str) -> Result<String, Failed> {
    let mut event: Value = serde_json::from_str(body)?;
    event["Records"][0]["s3"]["object"].as_object_mut().ok_or("no object")?.remove("sequencer");
    Ok(event.to_string())
}

async fn without_sequencers() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    cloud.answer(&without_sequencer(&cloud.notifications()?[0].body)?).await?.body?;
    cloud.s3.delete_object().bucket(BUCKET).key("a.png").send().await?;
    cloud.notifications()?;
    assert!(matches!(plain(&cloud, "a.png").await?, Outcome::Recorded(_)));
    assert_eq!(current(&cloud, "a.png").await?.0, Status::Deleted);
    cloud.put("a.png", &sample("8.bmp")?).await?;
    cloud.answer(&without_sequencer(&cloud.notifications()?[0].body)?).await?.body?;
    assert_eq!(current(&cloud, "a.png").await?, (Status::Classified, Some("8".into())));
    Ok(())
}

async fn marker() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.keep_versions().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    let removed = cloud.s3.delete_object().bucket(BUCKET).key("a.png").send().await?;
    let marker = removed.version_id.ok_or("no marker")?;
    let late = cloud.notifications()?;
    assert!(matches!(plain(&cloud, "a.png").await?, Outcome::Recorded(_)));
    assert_eq!(current(&cloud, "a.png").await?.0, Status::Deleted);
    assert_eq!(rows(&cloud, "a.png").await?[0].version_id.as_deref(), Some(marker.as_str()));
    // The marker is removed, which an event says: the picture is there again, whether or not the marker's own event
    // ever comes.
    cloud.s3.delete_object().bucket(BUCKET).key("a.png").version_id(&marker).send().await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    assert_eq!(current(&cloud, "a.png").await?, (Status::Classified, Some("1".into())));
    cloud.answer(&late[0].body).await?.body?;
    assert_eq!(current(&cloud, "a.png").await?, (Status::Classified, Some("1".into())));
    Ok(())
}

/// The upload's event is lost too: the next backfill sees what is there.
async fn observed_again() -> Result<(), Failed> {
    let cloud = orphan("a.png").await?;
    plain(&cloud, "a.png").await?;
    // The same content as before.
    cloud.put("a.png", &sample("1.png")?).await?;
    assert_eq!(run(&cloud, "").await?.len(), 1);
    assert_eq!(current(&cloud, "a.png").await?, (Status::Classified, Some("1".into())));
    Ok(())
}

async fn untold() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for key in ["gone.png", "here.png"] {
        cloud.put(key, &sample("1.png")?).await?;
    }
    assert_eq!(said(on(&home, &cloud, &["s3://demo"]))?.0, Some(0));
    cloud.s3.delete_object().bucket(BUCKET).key("gone.png").send().await?;
    let file = home.path().join("failed.jsonl");
    let name = file.to_str().ok_or("no text")?;
    let mut deaf = on(&home, &cloud, &["s3://demo", "--delete", "--yes", "--failures", name]);
    deaf.env("SPOTTER_NOTIFY", "http://127.0.0.1:1/");
    let (code, out, err) = said(deaf)?;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("s3://demo/gone.png  failed: recorded, but http://127.0.0.1:1 could not be told"), "{err}");
    assert!(out.contains("1 orphaned · 1 failed  "), "{out}");
    assert!(std::fs::read_to_string(&file)?.contains("gone.png"));
    // Its row is there, so no listing and no orphan leads to it, but its name does.
    let receiver = Receiver::http(Script(vec![(204, "")]))?;
    let mut again = on(&home, &cloud, &["s3://demo", "--keys", name, "--delete", "--yes"]);
    again.env("SPOTTER_NOTIFY", format!("http://{}/", receiver.address));
    let (code, out, err) = said(again)?;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("1 named · 0 recorded · 1 gone meanwhile · 1 orphaned · 1 recorded as deleted"), "{out}");
    assert_eq!(deletes(&receiver)?, ["gone.png"]);
    // A name that nobody knows is no orphan.
    std::fs::write(&file, "{\"key\":\"never.png\"}\n")?;
    let (code, out, _) = said(on(&home, &cloud, &["s3://demo", "--keys", name, "--delete", "--yes"]))?;
    assert_eq!((code, out.contains("1 named · 0 recorded · 1 gone meanwhile · 0 failed")), (Some(0), true), "{out}");
    Ok(())
}

/// The keys of whose deletes somebody was told, in the order of telling.
fn deletes(receiver: &Receiver) -> Result<Vec<String>, Failed> {
    let bodies = receiver.received().into_iter().map(|received| Ok(serde_json::from_str::<Value>(&received.body)?));
    let bodies = bodies.collect::<Result<Vec<Value>, Failed>>()?;
    let deletes = bodies.iter().filter(|body| body["status"] == "deleted");
    Ok(deletes.filter_map(|body| body["key"].as_str()).map(str::to_owned).collect())
}

async fn told_again() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for key in ["gone.png", "here.png"] {
        cloud.put(key, &sample("1.png")?).await?;
    }
    assert_eq!(said(on(&home, &cloud, &["s3://demo"]))?.0, Some(0));
    cloud.s3.delete_object().bucket(BUCKET).key("gone.png").send().await?;
    // As often as a round tries.
    const TRIES: usize = 3;
    let receiver = Receiver::http(Script([vec![(503, ""); TRIES], vec![(204, "")]].concat()))?;
    let said_to = home.path().join("said");
    let said = || std::fs::read_to_string(&said_to).unwrap_or_default();
    let mut command = on(&home, &cloud, &["s3://demo", "--every", "1s", "--delete", "--yes"]);
    command.env("SPOTTER_NOTIFY", format!("http://{}/", receiver.address)).stdout(std::fs::File::create(&said_to)?);
    let mut child = command.stderr(Stdio::null()).spawn()?;
    until("a round that could not tell", || said().contains("1 orphaned · 1 failed")).await?;
    until("one that could", || said().contains("0 recorded · 1 recorded as deleted · 0 failed")).await?;
    until("one with nothing to tell", || said().contains("1 right · 0 missing · 0 stale · 0 recorded · 0 failed"))
        .await?;
    signal(&child, "-INT")?;
    until("it has ended", || child.try_wait().is_ok_and(|ended| ended.is_some())).await?;
    assert_eq!(deletes(&receiver)?, ["gone.png"; TRIES + 1], "{}", said());
    Ok(())
}

async fn command() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for key in ["in/gone.png", "in/here.png", "out.png"] {
        cloud.put(key, &sample("1.png")?).await?;
    }
    assert_eq!(said(on(&home, &cloud, &["s3://demo"]))?.0, Some(0));
    for key in ["in/gone.png", "out.png"] {
        cloud.s3.delete_object().bucket(BUCKET).key(key).send().await?;
    }
    let (code, _, err) = said(on(&home, &cloud, &["s3://demo/in/", "--delete"]))?;
    assert_eq!((code, err.contains("add --yes")), (Some(2), true), "{err}");
    let (code, out, err) = said(on(&home, &cloud, &["s3://demo/in/", "--delete", "--yes"]))?;
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("s3://demo/in/gone.png  deleted"), "{out}");
    let figures =
        "1 listed · 1 right · 0 missing · 0 stale · 0 recorded · 1 orphaned · 1 recorded as deleted · 0 failed";
    assert!(out.contains(figures), "{out}");
    let (_, out, _) = said(on(&home, &cloud, &["s3://demo", "--dry-run", "--format", "table"]))?;
    assert!(out.starts_with("orphaned  s3://demo/out.png\n1 listed · 1 right"), "below another prefix: {out}");
    Ok(())
}
