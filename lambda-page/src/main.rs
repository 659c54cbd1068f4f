//! `page`: the page and its API on AWS Lambda, behind a Function URL.
//!
//! It is never public by mistake: with `SPOTTER_PAGE_TOKEN` the API asks for the token, without it only what AWS has
//! authenticated is answered. As in the other function INIT never fails: what is wrong is in the log, and every
//! request is told so; a model that cannot be had is asked for again by each request.

use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use spotter::config::{self, Settings};
use spotter::model_source::{LAYER, SourceError};
use spotter::objects::{Objects, S3Objects, Upload};
use spotter::page::function_url::{FunctionUrl, unavailable};
use spotter::page::{PageState, Token, Uploads};
use spotter::records::cassandra::Cassandra;
use spotter::telemetry;
use tokio::sync::OnceCell;
use tokio::time::timeout_at;

/// Kept free of an invocation's time, so that what takes too long is answered and not cut off.
const TO_ANSWER: Duration = Duration::from_millis(500);
/// Of the 10 s that INIT may take; over them Lambda would begin anew.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_TIME: Duration = Duration::from_secs(8);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::to_json();
    let page = &init().await;
    match page {
        Err(problem) => telemetry::misconfigured(problem),
        // What keeps it from its model is the next request's to tell, if it is still so.
        Ok(page) => drop(page.get(Instant::now() + INIT_TIME).await),
    }
    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Value, Diagnostic> {
        let Ok(page) = page else {
            return Ok(unavailable("This function's settings are wrong: its log says which."));
        };
        let deadline = deadline(&event.context);
        let Ok(page) = page.get(deadline).await else {
            return Ok(unavailable("This function has no model now: its log says why."));
        };
        match timeout_at(deadline.into(), page.answer(&event.payload)).await {
            Ok(answer) => answer.map_err(|error| told("UnreadableEvent", &error)),
            Err(_) => Ok(unavailable("This took longer than the function may: ask for less, such as a shorter time.")),
        }
    }))
    .await
}

/// As whoever invoked the function without its URL sees it.
fn told(error_type: &str, error: &impl ToString) -> Diagnostic {
    Diagnostic { error_type: error_type.into(), error_message: error.to_string() }
}

/// [`TO_ANSWER`] before Lambda ends the process.
fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(TO_ANSWER)
}

/// What there is before the model.
struct Page {
    settings: Settings,
    records: Arc<Cassandra>,
    objects: Arc<dyn Objects>,
    /// Where browsers upload to, and what they reach it by.
    uploads: Option<(String, Uploads)>,
    function: OnceCell<FunctionUrl>,
}

async fn init() -> Result<Page, String> {
    let mut settings = Settings::from_env(None).map_err(|error| error.to_string())?;
    let Some(cassandra) = settings.cassandra.take() else {
        return Err(format!("{} must name the database's nodes, as host:port[,host:port…]", config::CASSANDRA));
    };
    settings.model = settings.model.or_layer(Path::new(LAYER));
    let records = Arc::new(Cassandra::new(cassandra));
    let connecting = Arc::clone(&records);
    // The first question waits for it, and tries again if it failed.
    tokio::spawn(async move { connecting.connect().await });
    let objects = Arc::new(S3Objects::connect(&settings.s3).await);
    let uploads = match settings.page_bucket.clone() {
        None => None,
        Some(bucket) => {
            let prefix = settings.page_prefix.clone();
            Some((origin(&*objects, &bucket).await?, Uploads { bucket, any_bucket: false, prefix }))
        }
    };
    Ok(Page { settings, records, objects, uploads, function: OnceCell::new() })
}

impl Page {
    /// The page with its model, which is loaded once.
    async fn get(&self, deadline: Instant) -> Result<&FunctionUrl, String> {
        let model = &self.settings.model;
        let loaded = timeout_at(deadline.into(), self.function.get_or_try_init(|| self.load())).await;
        let page = match loaded {
            Ok(page) => page.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the time was up while still loading the model from {model}")),
        };
        page.inspect_err(|problem| telemetry::no_model(problem))
    }

    async fn load(&self) -> Result<FunctionUrl, SourceError> {
        let Settings { model, temp, limits, max_bytes, page_token, .. } = &self.settings;
        let (s3_endpoint, uploads) = self.uploads.clone().unzip();
        Ok(FunctionUrl::new(PageState {
            records: self.records.clone(),
            model: Arc::new(model.load(ready(Arc::clone(&self.objects)), temp).await?),
            objects: self.objects.clone(),
            limits: *limits,
            max_bytes: *max_bytes,
            s3_endpoint: s3_endpoint.unwrap_or_default(),
            uploads,
            live: None,
            samples: None,
            hosts: None,
            token: page_token.as_ref().map(|token| Token::new(token.expose())),
        }))
    }
}

/// Where browsers reach the bucket: scheme and host of what they are given to upload with.
async fn origin(objects: &dyn Objects, bucket: &str) -> Result<String, String> {
    let upload = Upload { bucket: bucket.into(), key: "key".into(), size: 1, content_type: "image/png".into() };
    let presigned = objects.presign(&upload, Duration::from_secs(60)).await.map_err(|error| error.to_string())?;
    Ok(presigned.url.split('/').take(3).collect::<Vec<_>>().join("/"))
}
