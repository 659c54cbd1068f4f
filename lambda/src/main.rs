//! `bootstrap`: Spotter on AWS Lambda. It answers every envelope in its own shape.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use spotter::classifier::Model;
use spotter::config::Settings;
use spotter::function::{Function, FunctionError};
use spotter::init::{Init, deadline};
use spotter::notify::Notifier;
use spotter::pipeline::{After, Pipeline};
use spotter::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::to_json();
    let spotter = &Init::from_env().await.map(|init| Spotter { init, function: OnceLock::new() });
    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Value, Diagnostic> {
        let spotter = spotter.as_ref().map_err(|problem| told("Configuration", problem))?;
        let deadline = deadline(event.context.deadline());
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

struct Spotter {
    init: Init,
    function: OnceLock<Function>,
}

impl Spotter {
    async fn function(&self, deadline: Instant) -> Result<&Function, String> {
        let model = self.init.model(deadline).await?;
        Ok(self.function.get_or_init(|| self.with(model)))
    }

    fn with(&self, model: Arc<Model>) -> Function {
        let Init { settings, records, objects, .. } = &self.init;
        let Settings { limits, max_bytes, filter, tag, notify, eventbridge_keys, .. } = settings;
        let after = After::new(*tag, notify.clone().map(|notify| Notifier::new(notify, None)));
        let pipeline = Pipeline::new(objects.clone(), records.clone(), model, *limits, *max_bytes)
            .filtered(filter.clone())
            .followed_by(after);
        Function::new(pipeline, *eventbridge_keys)
    }
}
