//! `spotter event`: the event of an object that is there.

use clap::Args;

use super::failure::Failure;
use super::object_url::ObjectUrl;
use super::output::line;
use crate::config::Settings;
use crate::event::make::{self, EventName, Notification, Shape};
use crate::objects::{Objects, Pinned, S3Objects};

/// Looks at the object (HEAD), so that version id, ETag and size are the true ones. Only S3 gives sequencers, so the
/// event stands below those that have one; after a lost event, `--as batch` has the object looked at anew.
#[derive(Debug, Args)]
pub(super) struct Event {
    /// s3://bucket/key
    object: ObjectUrl,
    /// The envelope: s3, sqs, sns, eventbridge, batch or minio
    #[arg(long = "as", value_parser = shape, value_name = "ENVELOPE", default_value = "s3")]
    shape: Shape,
}

impl Event {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let ObjectUrl { bucket, key } = self.object;
        let pinned = Pinned { bucket, key, version_id: None, etag: None };
        let objects = S3Objects::connect(&settings.s3).await;
        let head = objects.head(&pinned).await?;
        let Some(event_time) = head.last_modified else {
            return Err(Failure::Failed(format!("{pinned} has no Last-Modified, so its event would have no time")));
        };
        let notification = Notification {
            name: EventName::Put,
            bucket: &pinned.bucket,
            key: &pinned.key,
            size: Some(head.size),
            etag: head.etag.as_deref(),
            version_id: head.version_id.as_deref(),
            sequencer: None,
            event_time,
            region: objects.region(),
        };
        line(&serde_json::to_string_pretty(&make::event(&notification, self.shape))?)
    }
}

fn shape(text: &str) -> Result<Shape, String> {
    Shape::ALL.into_iter().find(|shape| shape.as_str() == text).ok_or_else(|| {
        let names: Vec<&str> = Shape::ALL.iter().map(|shape| shape.as_str()).collect();
        format!("use one of {}", names.join(", "))
    })
}
