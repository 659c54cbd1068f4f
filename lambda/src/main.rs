//! `bootstrap`: Spotter on AWS Lambda. It answers every envelope in its own shape.
//!
//! INIT loads the model and makes the S3 client, and connects to the database beside them. It never fails: what is
//! wrong is the answer of every invocation instead, so that events come again. A model that cannot be had is asked for
//! again by each invocation, since a bucket may be back by then.

use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use spotter::config::{self, Settings};
use spotter::function::{Function, FunctionError};
use spotter::model_source::{LAYER, SourceError};
use spotter::notify::Notifier;
use spotter::objects::{Objects, S3Objects};
use spotter::pipeline::{After, Pipeline};
use spotter::records::cassandra::Cassandra;
use spotter::telemetry;
use tokio::sync::OnceCell;
use tokio::time::timeout_at;

/// Kept free of an invocation's time, so that what is not done is answered and not cut off.
const TO_ANSWER: Duration = Duration::from_millis(500);
/// Of the 10 s that INIT may take; over them Lambda would begin anew.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_TIME: Duration = Duration::from_secs(8);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::to_json();
    let spotter = &init().await;
    if let Ok(spotter) = spotter {
        // What keeps it from its model is the next invocation's to tell, if it is still so.
        let _ = spotter.function(Instant::now() + INIT_TIME).await;
    }
    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Value, Diagnostic> {
        let spotter = spotter.as_ref().map_err(|problem| told("Configuration", problem))?;
        let deadline = deadline(&event.context);
        let function = spotter.function(deadline).await.map_err(|problem| told("Model", &problem))?;
        let body = function.answer(&event.payload, deadline).await.body;
        body.map_err(|error| match error {
            FunctionError::Event(_) => told("UnreadableEvent", &error),
            FunctionError::Retry { .. } => told("Retry", &error),
        })
    }))
    .await
}

/// As whoever invoked the function sees it: `errorType` is for programs, `errorMessage` for people.
fn told(error_type: &str, error: &impl ToString) -> Diagnostic {
    Diagnostic { error_type: error_type.into(), error_message: error.to_string() }
}

/// [`TO_ANSWER`] before Lambda ends the process.
fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(TO_ANSWER)
}

/// What there is before the model.
struct Spotter {
    settings: Settings,
    records: Arc<Cassandra>,
    objects: Arc<dyn Objects>,
    function: OnceCell<Function>,
}

async fn init() -> Result<Spotter, String> {
    let mut settings = Settings::from_env(None).map_err(|error| error.to_string())?;
    let Some(cassandra) = settings.cassandra.take() else {
        return Err(format!("{} must name the database's nodes, as host:port[,host:port…]", config::CASSANDRA));
    };
    settings.model = settings.model.or_layer(Path::new(LAYER));
    let records = Arc::new(Cassandra::new(cassandra));
    let connecting = Arc::clone(&records);
    // The first write waits for it, and tries again if it failed.
    tokio::spawn(async move { connecting.connect().await });
    let objects = Arc::new(S3Objects::connect(&settings.s3).await);
    Ok(Spotter { settings, records, objects, function: OnceCell::new() })
}

impl Spotter {
    /// The function with its model, which is loaded once.
    async fn function(&self, deadline: Instant) -> Result<&Function, String> {
        let model = &self.settings.model;
        let loaded = timeout_at(deadline.into(), self.function.get_or_try_init(|| self.load())).await;
        let function = match loaded {
            Ok(function) => function.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the time was up while still loading the model from {model}")),
        };
        function.inspect_err(|problem| telemetry::no_model(problem))
    }

    async fn load(&self) -> Result<Function, SourceError> {
        let Settings { model, temp, limits, max_bytes, filter, tag, notify, eventbridge_keys, .. } = &self.settings;
        let model = Arc::new(model.load(ready(Arc::clone(&self.objects)), temp).await?);
        let after = After::new(*tag, notify.clone().map(|notify| Notifier::new(notify, None)));
        let pipeline = Pipeline::new(self.objects.clone(), self.records.clone(), model, *limits, *max_bytes)
            .filtered(filter.clone())
            .followed_by(after);
        Ok(Function::new(pipeline, *eventbridge_keys))
    }
}
