//! `bootstrap`: Spotter on AWS Lambda. It answers every envelope in its own shape.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use spotter::classifier::Model;
use spotter::config::Settings;
use spotter::event::Timestamp;
use spotter::function::{Call, Function, FunctionError};
use spotter::init::{Init, deadline};
use spotter::metrics::Emf;
use spotter::notify::Notifier;
use spotter::pipeline::{After, Pipeline};
use spotter::telemetry::{self, Context};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::to_json();
    let spotter = &Init::from_env().await.map(|init| Spotter { init, work: OnceLock::new() });
    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Value, Diagnostic> {
        let spotter = spotter.as_ref().map_err(|problem| told("Configuration", problem))?;
        let deadline = deadline(event.context.deadline());
        let Work { function, emf } = spotter.work(deadline).await.map_err(|problem| told("Model", &problem))?;
        let of = &event.context;
        let context =
            Context { request_id: Some(&of.request_id), trace_id: of.xray_trace_id.as_deref(), attempt: None };
        let answer = function.answer_to(Call { deadline, context }, &event.payload).await;
        if let Some(line) = emf.line(&of.env_config.function_name, &answer, Timestamp::now()) {
            telemetry::measured(line);
        }
        answer.body.map_err(|error| match error {
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
    work: OnceLock<Work>,
}

/// What a sandbox has once it has its model.
struct Work {
    function: Function,
    emf: Emf,
}

impl Spotter {
    async fn work(&self, deadline: Instant) -> Result<&Work, String> {
        let model = self.init.model(deadline).await?;
        Ok(self.work.get_or_init(|| self.with(model)))
    }

    fn with(&self, model: Arc<Model>) -> Work {
        let Init { settings, records, objects, .. } = &self.init;
        let Settings { limits, max_bytes, filter, tag, notify, eventbridge_keys, logged, .. } = settings;
        let emf = Emf::new(model.id(), &model.manifest().labels);
        let after = After::new(*tag, notify.clone().map(|notify| Notifier::new(notify, None)));
        let pipeline = Pipeline::new(objects.clone(), records.clone(), model, *limits, *max_bytes)
            .filtered(filter.clone())
            .followed_by(after);
        Work { function: Function::new(pipeline, *eventbridge_keys).logging(*logged), emf }
    }
}
