//! The function: an event in any envelope comes in, every object goes its way, the answer has the envelope's shape.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::event::{self, Envelope, EventBridgeKeys, EventError, ObjectEvent};
use crate::pipeline::{Handled, Outcome, Pipeline};
use crate::telemetry::{self, Context, Sample};

/// For one event where no service sets a limit. What is not done by then must come again.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Objects of one event that are under way at once.
const CONCURRENT_OBJECTS: usize = 8;
/// Objects that an error names one by one.
const NAMED_FAILURES: usize = 5;
/// S3 Batch Operations cuts its report's result strings here.
const RESULT_STRING: usize = 1_024;

pub struct Function {
    pipeline: Pipeline,
    eventbridge_keys: EventBridgeKeys,
    logged: Sample,
}

/// What is known of one call beside its event.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// By when there must be an answer.
    pub deadline: Instant,
    /// What log lines say of it.
    pub context: Context<'a>,
}

impl Call<'_> {
    /// What is known of one message of several.
    fn of(self, attempt: Option<u32>) -> Self {
        Call { context: Context { attempt: attempt.or(self.context.attempt), ..self.context }, ..self }
    }
}

/// What one delivery came to.
#[derive(Debug)]
pub struct Answer {
    /// What the service is told; an error makes it deliver again.
    pub body: Result<Value, FunctionError>,
    /// Every object that the event named, in its order.
    pub objects: Vec<(ObjectEvent, Handled)>,
    /// Events, or parts of this one, that nobody could read.
    pub unreadable: usize,
    /// Objects whose event had come before.
    pub redelivered: usize,
    pub took: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The event is in no known envelope.
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("{failed} of {all} must come again: {details}")]
    Retry { failed: usize, all: usize, details: String },
}

/// An SQS message or a batch task with what became of it; the whole event in the other envelopes.
struct Item {
    id: String,
    attempt: Option<u32>,
    results: Vec<Result<(ObjectEvent, Handled), EventError>>,
}

impl Function {
    pub fn new(pipeline: Pipeline, eventbridge_keys: EventBridgeKeys) -> Function {
        Function { pipeline, eventbridge_keys, logged: Sample::default() }
    }

    /// Of what went well, only some is logged.
    pub fn logging(self, logged: Sample) -> Function {
        Function { logged, ..self }
    }

    /// [`Function::answer_to`] a call of which nothing else is known.
    pub async fn answer(&self, payload: &Value, deadline: Instant) -> Answer {
        self.answer_to(Call { deadline, context: Context::default() }, payload).await
    }

    /// Handles every object of one event, whatever its envelope. The answer comes by the call's deadline: an object
    /// that is still under way then must come again.
    pub async fn answer_to(&self, call: Call<'_>, payload: &Value) -> Answer {
        let started = Instant::now();
        let delivery = match event::parse(payload, self.eventbridge_keys) {
            Ok(delivery) => delivery,
            Err(error) => {
                let took = started.elapsed();
                return Answer { body: Err(error.into()), objects: Vec::new(), unreadable: 1, redelivered: 0, took };
            }
        };
        let item = |item: &event::Item| Item { id: item.id.clone(), attempt: item.attempt, results: Vec::new() };
        let mut items: Vec<Item> = delivery.items.iter().map(item).collect();
        let events = delivery.items.into_iter().enumerate();
        let events = events.flat_map(|(at, item)| {
            let attempt = item.attempt;
            item.events.into_iter().map(move |event| (at, event, attempt))
        });
        let mut results = stream::iter(events)
            .map(|(at, event, attempt)| async move { (at, self.handle(event, call.of(attempt)).await) })
            .buffered(CONCURRENT_OBJECTS);
        while let Some((at, result)) = results.next().await {
            items[at].results.push(result);
        }
        let body = body(&delivery.envelope, &items);
        let unreadable = items.iter().flat_map(|item| &item.results).filter(|result| result.is_err()).count();
        let again = items.iter().filter(|item| item.attempt.or(call.context.attempt) > Some(1));
        let redelivered = again.flat_map(|item| &item.results).filter(|result| result.is_ok()).count();
        let objects = items.into_iter().flat_map(|item| item.results).filter_map(Result::ok).collect();
        Answer { body, objects, unreadable, redelivered, took: started.elapsed() }
    }

    async fn handle(
        &self,
        event: Result<ObjectEvent, EventError>,
        Call { deadline, context }: Call<'_>,
    ) -> Result<(ObjectEvent, Handled), EventError> {
        let event = event.inspect_err(|error| {
            let Context { request_id, trace_id, attempt } = context;
            tracing::error!(%error, attempt, request_id, trace_id, "unreadable event");
        })?;
        let handled = self.pipeline.handle(&event, deadline).await;
        telemetry::outcome(&event, &handled, context, self.logged);
        Ok((event, handled))
    }
}

fn body(envelope: &Envelope, items: &[Item]) -> Result<Value, FunctionError> {
    match envelope {
        Envelope::Sqs => {
            let failed = items.iter().filter(|item| item.failures().next().is_some());
            let failures: Vec<Value> = failed.map(|item| json!({ "itemIdentifier": item.id })).collect();
            Ok(json!({ "batchItemFailures": failures }))
        }
        Envelope::Batch { schema, invocation_id } => Ok(json!({
            "invocationSchemaVersion": schema,
            "treatMissingKeysAs": "TemporaryFailure",
            "invocationId": invocation_id,
            "results": items.iter().map(task_result).collect::<Vec<_>>(),
        })),
        Envelope::S3 | Envelope::Sns | Envelope::EventBridge | Envelope::Webhook => whole(items),
    }
}

/// Shapes with one answer for all: done, or everything again (a replay writes the same rows).
fn whole(items: &[Item]) -> Result<Value, FunctionError> {
    let failures: Vec<String> = items.iter().flat_map(Item::failures).collect();
    let all = items.iter().map(|item| item.results.len()).sum();
    if failures.is_empty() {
        return Ok(json!({ "objects": all }));
    }
    let mut details = failures[..failures.len().min(NAMED_FAILURES)].join("; ");
    if failures.len() > NAMED_FAILURES {
        details.push_str("; …");
    }
    Err(FunctionError::Retry { failed: failures.len(), all, details })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html>
fn task_result(item: &Item) -> Value {
    let (code, text) = match item.results.first() {
        None => ("PermanentFailure", "the task names no object".to_owned()),
        Some(Err(error)) => ("PermanentFailure", error.to_string()),
        Some(Ok((_, handled))) => match &handled.outcome {
            Outcome::Recorded(record) => ("Succeeded", record.listed_as().to_owned()),
            Outcome::Ignored(why) => ("Succeeded", (*why).to_owned()),
            Outcome::Superseded(why) => ("PermanentFailure", why.clone()),
            Outcome::Retry(why) => ("TemporaryFailure", why.clone()),
        },
    };
    let text: String = text.chars().take(RESULT_STRING).collect();
    json!({ "taskId": item.id, "resultCode": code, "resultString": text })
}

impl Item {
    /// Why this item must come again.
    fn failures(&self) -> impl Iterator<Item = String> {
        self.results.iter().filter_map(|result| match result {
            Err(error) => Some(error.to_string()),
            Ok((_, Handled { outcome: Outcome::Retry(why), .. })) => Some(why.clone()),
            Ok(_) => None,
        })
    }
}
