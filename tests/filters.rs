//! What is left out is never fetched: counted at the port to the bucket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::EventBridgeKeys;
use spotter::filter::{Filter, Glob};
use spotter::function::Function;
use spotter::objects::{
    FetchError, Head, ListAfter, ListedPage, Object, Objects, Pinned, Presigned, S3Objects, Tag, TagError, Tagged,
    Upload,
};
use spotter::pipeline::{Outcome, Pipeline};
use spotter::record::{Reason, Record};

use crate::cloud::{BUCKET, Cloud, MAX_BYTES, sample};
use crate::harness::{deadline, on_runtime};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("filters::what_is_left_out_is_neither_fetched_nor_recorded", || on_runtime(left_out())),
        Trial::test("filters::what_is_announced_as_too_large_is_not_fetched", || on_runtime(too_large())),
    ]
}

/// The bucket, and how often it was asked for bytes.
struct Counting {
    bucket: S3Objects,
    gets: AtomicUsize,
}

#[async_trait]
impl Objects for Counting {
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        self.gets.fetch_add(1, Relaxed);
        self.bucket.get(pinned, max_bytes).await
    }

    async fn head(&self, pinned: &Pinned) -> Result<Head, FetchError> {
        self.bucket.head(pinned).await
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

fn function(cloud: &Cloud, filter: Filter) -> Result<(Arc<Counting>, Function), Failed> {
    let counting = Arc::new(Counting { bucket: S3Objects::new(cloud.s3.clone()), gets: AtomicUsize::new(0) });
    let (model, limits) = (Arc::new(Model::embedded()?), Limits::default());
    let pipeline = Pipeline::new(counting.clone(), cloud.records.clone(), model, limits, MAX_BYTES).filtered(filter);
    Ok((counting, Function::new(pipeline, EventBridgeKeys::Plain)))
}

async fn left_out() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    let filter = Filter { include: Glob::list("*.bmp,photos/**")?, exclude: Glob::list("photos/thumbs/")? };
    let (bucket, function) = function(&cloud, filter)?;
    let picture = sample("8.bmp")?;
    for key in ["8.bmp", "8.png", "photos/8", "photos/thumbs/8.bmp"] {
        cloud.put(key, &picture).await?;
    }
    cloud.s3.delete_object().bucket(BUCKET).key("8.png").send().await?;
    cloud.s3.delete_object().bucket(BUCKET).key("8.bmp").send().await?;
    cloud.put("8.bmp", &picture).await?;
    let mut told = Vec::new();
    for notification in cloud.notifications()? {
        let answer = function.answer(&serde_json::from_str::<Value>(&notification.body)?, deadline()).await;
        answer.body?;
        for (event, handled) in answer.objects {
            let what = match handled.outcome {
                Outcome::Recorded(record) => record.status.as_str(),
                Outcome::Ignored(why) => why,
                Outcome::Superseded(_) => "superseded",
                Outcome::Retry(why) => return Err(why.into()),
            };
            told.push((event.key, what));
        }
    }
    let left_out = "left out by the filters";
    let expected = [
        ("8.bmp", "classified"), // the content is the same, so its ETag is
        ("8.png", left_out),
        ("photos/8", "classified"),
        ("photos/thumbs/8.bmp", left_out),
        ("8.png", left_out),
        ("8.bmp", "deleted"),
        ("8.bmp", "classified"),
    ];
    assert_eq!(told.iter().map(|(key, what)| (key.as_str(), *what)).collect::<Vec<_>>(), expected);
    assert_eq!(bucket.gets.load(Relaxed), 3);
    for key in ["8.png", "photos/thumbs/8.bmp"] {
        assert!(cloud.records.rows(BUCKET, key, None).await?.is_empty(), "{key}");
    }
    Ok(())
}

/// An event that does not say how large its object is finds it out by asking, and writes the same row.
async fn too_large() -> Result<(), Failed> {
    let mut cloud = Cloud::start().await?;
    cloud.put("huge.bin", &vec![0; MAX_BYTES as usize + 1]).await?;
    let mut announced: Value = serde_json::from_str(&cloud.notifications()?[0].body)?;
    let (bucket, first) = function(&cloud, Filter::default())?;
    first.answer(&announced, deadline()).await.body?;
    assert_eq!(bucket.gets.load(Relaxed), 0);
    let rows = cloud.records.rows(BUCKET, "huge.bin", None).await?;

    cloud.records_anew("silent.sqlite")?;
    let (bucket, second) = function(&cloud, Filter::default())?;
    announced["Records"][0]["s3"]["object"].as_object_mut().ok_or("an object")?.remove("size");
    second.answer(&announced, deadline()).await.body?;
    assert_eq!(bucket.gets.load(Relaxed), 1);
    assert_eq!(cloud.records.rows(BUCKET, "huge.bin", None).await?, rows);
    assert!(
        matches!(&rows[..], [Record { reason: Some(Reason::TooLarge), size: Some(size), .. }] if *size == MAX_BYTES + 1)
    );
    Ok(())
}
