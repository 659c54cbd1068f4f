//! Whether all that Spotter hangs on is as it should be, each thing in a sentence, with what mends it.
//!
//! Nothing is written anywhere and no message is received: what only a write would show (the permission to write records, to
//! send, to tag) is not seen. Each look has a time limit, and they run at once.

mod aws;
mod bucket;
mod database;
mod disk;
mod queue;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::classifier::Finding;
use crate::config::{MODEL, PROGRAM, Settings};
use crate::model_source::ModelSource;
use crate::objects::{Objects, S3Objects};
use aws::Command;

/// More than the SDK's three attempts to connect take, and than a session with Cassandra does.
const LIMIT: Duration = Duration::from_secs(15);

/// What is looked at.
#[derive(Debug)]
pub struct Examined {
    pub bucket: Option<String>,
    /// URL or name; without one, the queue that the bucket tells.
    pub queue: Option<String>,
    /// How long a function may take that consumes the queue.
    pub function_timeout: Duration,
    /// Of the embedded records and of `serve`; an error is a sentence.
    pub folder: Result<PathBuf, String>,
    /// In that folder.
    pub records_file: &'static str,
}

/// In the order in which people read them.
pub async fn examine(examined: &Examined, settings: &Settings) -> Vec<Finding> {
    let command = Command::of(&settings.s3, settings.queue_endpoint_in_env.as_deref());
    let (around, database, model, disk) = futures_util::join!(
        bucket::around(examined, settings, &command),
        within("database", database::look(examined, settings)),
        within("model", model(settings)),
        within("disk", disk::look(examined, settings)),
    );
    let mut findings = around;
    findings.extend(database);
    findings.extend(model.into_iter().chain(disk));
    findings
}

/// What takes longer is away.
async fn within(check: &'static str, look: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let late = |_| vec![Finding::fail(check, format!("no answer within {} s", LIMIT.as_secs()))];
    tokio::time::timeout(LIMIT, look).await.unwrap_or_else(late)
}

async fn model(settings: &Settings) -> Vec<Finding> {
    let bucket = async { Arc::new(S3Objects::connect(&settings.s3).await) as Arc<dyn Objects> };
    vec![match settings.model.load(bucket, &settings.temp).await {
        Ok(model) => {
            let labels = model.manifest().labels.len();
            Finding::ok("model", format!("{}, {labels} labels, from {}", model.id(), settings.model))
        }
        Err(error) => Finding::fail("model", error.to_string()).way_out(match &settings.model {
            ModelSource::Folder(folder) => format!("{PROGRAM} model check {}", folder.display()),
            _ => format!("{MODEL} or --model names another one; docs/your-model.md has what each error means"),
        }),
    }]
}
