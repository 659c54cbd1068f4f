//! `page`: the page and its API on AWS Lambda, behind a Function URL.
//!
//! It is never public by mistake: with `SPOTTER_PAGE_TOKEN` the API asks for the token, without it only what AWS has
//! authenticated is answered. What is wrong with its settings or its model is in the log, and every request is told so.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use spotter::classifier::Model;
use spotter::config::Settings;
use spotter::init::{Init, deadline};
use spotter::objects::{Objects, Upload};
use spotter::page::function_url::{FunctionUrl, unavailable};
use spotter::page::{PageState, Token, Uploads};
use spotter::telemetry;
use tokio::time::timeout_at;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::to_json();
    let page = &Page::from_env().await.inspect_err(|problem| telemetry::misconfigured(problem));
    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Value, Diagnostic> {
        let Ok(page) = page else {
            return Ok(unavailable("This function's settings are wrong: its log says which."));
        };
        let deadline = deadline(event.context.deadline());
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

struct Page {
    init: Init,
    /// Where browsers upload to, and what they reach it by.
    uploads: Option<(String, Uploads)>,
    function: OnceLock<FunctionUrl>,
}

impl Page {
    async fn from_env() -> Result<Page, String> {
        let init = Init::from_env().await?;
        let uploads = match init.settings.page_bucket.clone() {
            None => None,
            Some(bucket) => {
                let prefix = init.settings.page_prefix.clone();
                Some((origin(&*init.objects, &bucket).await?, Uploads { bucket, any_bucket: false, prefix }))
            }
        };
        Ok(Page { init, uploads, function: OnceLock::new() })
    }

    async fn get(&self, deadline: Instant) -> Result<&FunctionUrl, String> {
        let model = self.init.model(deadline).await?;
        Ok(self.function.get_or_init(|| self.with(model)))
    }

    fn with(&self, model: Arc<Model>) -> FunctionUrl {
        let Settings { limits, max_bytes, page_token, .. } = &self.init.settings;
        let (s3_endpoint, uploads) = self.uploads.clone().unzip();
        FunctionUrl::new(PageState {
            records: self.init.records.clone(),
            model,
            objects: self.init.objects.clone(),
            limits: *limits,
            max_bytes: *max_bytes,
            s3_endpoint: s3_endpoint.unwrap_or_default(),
            uploads,
            live: None,
            samples: None,
            metrics: None,
            hosts: None,
            token: page_token.as_ref().map(|token| Token::new(token.expose())),
        })
    }
}

/// Where browsers reach the bucket: scheme and host of what they are given to upload with.
async fn origin(objects: &dyn Objects, bucket: &str) -> Result<String, String> {
    let upload = Upload { bucket: bucket.into(), key: "key".into(), size: 1, content_type: "image/png".into() };
    let presigned = objects.presign(&upload, Duration::from_secs(60)).await.map_err(|error| error.to_string())?;
    Ok(presigned.url.split('/').take(3).collect::<Vec<_>>().join("/"))
}
