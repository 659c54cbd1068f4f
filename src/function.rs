//! The function: an event in any envelope comes in, every object goes its way, the answer has the envelope's shape.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::event::{self, Envelope, EventBridgeKeys, EventError, ObjectEvent};
use crate::pipeline::{Handled, Outcome, Pipeline};
use crate::telemetry;

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
}

/// What one delivery came to.
#[derive(Debug)]
pub struct Answer {
    /// What the service is told; an error makes it deliver again.
    pub body: Result<Value, FunctionError>,
    /// Every object that the event named, in its order.
    pub objects: Vec<(ObjectEvent, Handled)>,
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
    results: Vec<Result<(ObjectEvent, Handled), EventError>>,
}

impl Function {
    pub fn new(pipeline: Pipeline, eventbridge_keys: EventBridgeKeys) -> Function {
        Function { pipeline, eventbridge_keys }
    }

    /// Handles every object of one event, whatever its envelope. The answer comes by `deadline`: an object that is
    /// still under way then must come again.
    pub async fn answer(&self, payload: &Value, deadline: Instant) -> Answer {
        let delivery = match event::parse(payload, self.eventbridge_keys) {
            Ok(delivery) => delivery,
            Err(error) => return Answer { body: Err(error.into()), objects: Vec::new() },
        };
        let mut items: Vec<Item> =
            delivery.items.iter().map(|item| Item { id: item.id.clone(), results: Vec::new() }).collect();
        let events = delivery.items.into_iter().map(|item| item.events).enumerate();
        let events = events.flat_map(|(at, events)| events.into_iter().map(move |event| (at, event)));
        let mut results = stream::iter(events)
            .map(|(at, event)| async move { (at, self.handle(event, deadline).await) })
            .buffered(CONCURRENT_OBJECTS);
        while let Some((at, result)) = results.next().await {
            items[at].results.push(result);
        }
        let body = body(&delivery.envelope, &items);
        Answer { body, objects: items.into_iter().flat_map(|item| item.results).filter_map(Result::ok).collect() }
    }

    async fn handle(
        &self,
        event: Result<ObjectEvent, EventError>,
        deadline: Instant,
    ) -> Result<(ObjectEvent, Handled), EventError> {
        let event = event.inspect_err(|error| tracing::error!(%error, "unreadable event"))?;
        let handled = self.pipeline.handle(&event, deadline).await;
        telemetry::outcome(&event, &handled);
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
