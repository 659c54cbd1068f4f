//! `spotter event`: the event of an object that is there.

use clap::Args;

use super::failure::Failure;
use super::object_url::ObjectUrl;
use super::output::line;
use crate::config::Settings;
use crate::event::make::{self, EventName, Notification, Shape};
use crate::objects::{DEFAULT_REGION, Objects, Pinned, S3Objects};

/// Looks at the object (HEAD), so that version id, ETag and size are the true ones. It has no sequencer: only
/// S3 gives those.
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
        let head = S3Objects::connect(&settings.s3).await.head(&pinned).await?;
        let notification = Notification {
            name: EventName::Put,
            bucket: &pinned.bucket,
            key: &pinned.key,
            size: Some(head.size),
            etag: head.etag.as_deref(),
            version_id: head.version_id.as_deref(),
            sequencer: None,
            event_time: head.last_modified.unwrap_or_default(),
            region: settings.s3.region.as_deref().unwrap_or(DEFAULT_REGION),
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
