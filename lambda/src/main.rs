//! `bootstrap`: Spotter on AWS Lambda. It answers every envelope in its own shape.
//!
//! INIT loads the model and makes the S3 client, neither of which needs the network, and connects to the database
//! beside them. It never fails: what is wrong is the answer of every invocation instead, so that events come again.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use spotter::classifier::Model;
use spotter::config::{self, Settings};
use spotter::function::{Function, FunctionError};
use spotter::notify::Notifier;
use spotter::objects::S3Objects;
use spotter::pipeline::{After, Pipeline};
use spotter::records::cassandra::Cassandra;
use spotter::telemetry;

/// Kept free of an invocation's time, so that what is not done is answered and not cut off.
const TO_ANSWER: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::to_json();
    let function = &init().await;
    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Value, Diagnostic> {
        let function = function.as_ref().map_err(|problem| told("Configuration", problem))?;
        let body = function.answer(&event.payload, deadline(&event.context)).await.body;
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

async fn init() -> Result<Function, String> {
    let settings = Settings::from_env(None).map_err(|error| error.to_string())?;
    let Some(cassandra) = settings.cassandra else {
        return Err(format!("{} must name the database's nodes, as host:port[,host:port…]", config::CASSANDRA));
    };
    let records = Arc::new(Cassandra::new(cassandra));
    let connecting = Arc::clone(&records);
    // The first write waits for it, and tries again if it failed.
    tokio::spawn(async move { connecting.connect().await });
    let model = Arc::new(Model::load(settings.model.as_deref()).map_err(|error| error.to_string())?);
    let objects = Arc::new(S3Objects::connect(&settings.s3).await);
    let after = After::new(settings.tag, settings.notify.map(|notify| Notifier::new(notify, None)));
    let pipeline = Pipeline::new(objects, records, model, settings.limits, settings.max_bytes)
        .filtered(settings.filter)
        .followed_by(after);
    Ok(Function::new(pipeline, settings.eventbridge_keys))
}
