//! `page`: the page and its API on AWS Lambda, behind a Function URL.
//!
//! It is never public by mistake: with `SPOTTER_PAGE_TOKEN` the API asks for the token, without it only what AWS has
//! authenticated is answered. As in the other function INIT never fails: what is wrong is in the log, and every
//! request is told so.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use spotter::classifier::Model;
use spotter::config::{self, Secret, Settings};
use spotter::objects::{Objects, S3Objects, Upload};
use spotter::page::function_url::{FunctionUrl, unavailable};
use spotter::page::{PageState, Token, Uploads};
use spotter::records::cassandra::Cassandra;
use spotter::telemetry;

/// Kept free of an invocation's time, so that what takes too long is answered and not cut off.
const TO_ANSWER: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::to_json();
    let page = &init().await;
    if let Err(problem) = page {
        telemetry::misconfigured(problem);
    }
    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Value, Diagnostic> {
        let Ok(page) = page else {
            return Ok(unavailable("This function's settings are wrong: its log says which."));
        };
        match tokio::time::timeout(left(&event.context), page.answer(&event.payload)).await {
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

fn left(context: &Context) -> Duration {
    context.deadline().duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(TO_ANSWER)
}

async fn init() -> Result<FunctionUrl, String> {
    let settings = Settings::from_env(None).map_err(|error| error.to_string())?;
    let Some(cassandra) = settings.cassandra else {
        return Err(format!("{} must name the database's nodes, as host:port[,host:port…]", config::CASSANDRA));
    };
    let records = Arc::new(Cassandra::new(cassandra));
    let connecting = Arc::clone(&records);
    // The first question waits for it, and tries again if it failed.
    tokio::spawn(async move { connecting.connect().await });
    let model = Arc::new(Model::load(settings.model.as_deref()).map_err(|error| error.to_string())?);
    let objects = Arc::new(S3Objects::connect(&settings.s3).await);
    let (s3_endpoint, uploads) = match settings.page_bucket {
        None => (String::new(), None),
        Some(bucket) => (
            origin(&*objects, &bucket).await?,
            Some(Uploads { bucket, any_bucket: false, prefix: settings.page_prefix }),
        ),
    };
    let state = PageState {
        records,
        model,
        objects,
        limits: settings.limits,
        max_bytes: settings.max_bytes,
        s3_endpoint,
        uploads,
        live: None,
        samples: None,
        hosts: None,
        token: settings.page_token.map(|Secret(token)| Token::new(&token)),
    };
    Ok(FunctionUrl::new(state))
}

/// Where browsers reach the bucket: scheme and host of what they are given to upload with.
async fn origin(objects: &dyn Objects, bucket: &str) -> Result<String, String> {
    let upload = Upload { bucket: bucket.into(), key: "key".into(), size: 1, content_type: "image/png".into() };
    let presigned = objects.presign(&upload, Duration::from_secs(60)).await.map_err(|error| error.to_string())?;
    Ok(presigned.url.split('/').take(3).collect::<Vec<_>>().join("/"))
}
