//! The queue, through the AWS SDK: SQS itself, ElasticMQ, LocalStack.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Region;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use serde_json::{Value, json};

use crate::objects::{DEFAULT_REGION, S3Settings, causes, sdk_config};

/// The most that SQS hands out, deletes and changes in one request.
const BATCH: i32 = 10;
/// The longest that SQS waits for a message.
pub(super) const LONG_POLL: Duration = Duration::from_secs(20);
/// An answer to a long poll may take that much longer.
const READ_TIMEOUT: Duration = Duration::from_secs(LONG_POLL.as_secs() + 10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// What SQS has if a queue is made without.
const DEFAULT_VISIBILITY: Duration = Duration::from_secs(30);

/// Which queue, and how to get there.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// URL or name.
    pub queue: String,
    /// Region, profile and endpoint, as for the bucket.
    pub home: S3Settings,
    /// The SDK finds a custom endpoint for the queue in the environment.
    pub endpoint_in_env: bool,
}

/// A queue that was there when it was looked for.
#[derive(Debug)]
pub struct Queue {
    client: Client,
    url: String,
    arn: Option<String>,
    /// How long a message that was received stays hidden from others.
    pub visibility: Duration,
    /// After so many receives a message goes to the dead-letter queue; `None` where there is none.
    pub max_receives: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// May pass: try again.
    #[error("{0}")]
    Away(String),
    /// No such queue, no access, no credentials: somebody has to do something.
    #[error("{0}")]
    Refused(String),
}

impl QueueSettings {
    /// A URL says where its queue is, unless an endpoint is configured: behind one, the same queue may have another
    /// address.
    pub(super) async fn client(&self) -> Client {
        let shared = sdk_config(&self.home).await;
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let mut builder = aws_sdk_sqs::config::Builder::from(&shared).timeout_config(timeouts);
        if let (Some(origin), None, false) = (self.origin(), shared.endpoint_url(), self.endpoint_in_env) {
            builder = builder.endpoint_url(origin);
            if let Some(region) = region_of(origin) {
                builder = builder.region(Region::new(region.to_owned()));
            }
        }
        Client::from_conf(builder.build())
    }

    /// `https://host:port` of a queue's URL.
    fn origin(&self) -> Option<&str> {
        let (scheme, rest) = self.queue.split_once("://")?;
        let host = rest.split('/').next().filter(|host| !host.is_empty())?;
        Some(&self.queue[..scheme.len() + "://".len() + host.len()])
    }
}

/// Of `https://sqs.eu-central-1.amazonaws.com`.
fn region_of(origin: &str) -> Option<&str> {
    let (_, host) = origin.split_once("://")?;
    let labels: Vec<&str> = host.split('.').collect();
    let of_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    let at = labels.iter().position(|label| *label == "sqs").filter(|_| of_aws)?;
    labels.get(at + 1).copied().filter(|region| region.contains('-'))
}

impl Queue {
    /// Looks for the queue.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub async fn find(settings: &QueueSettings) -> Result<Queue, QueueError> {
        Queue::open(settings.client().await, &settings.queue).await
    }

    /// Looks for the queue of that URL or name.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub async fn open(client: Client, name: &str) -> Result<Queue, QueueError> {
        let url = if name.contains("://") {
            name.to_owned()
        } else {
            let found = client.get_queue_url().queue_name(name).send().await;
            let found = found.map_err(|error| failure(&client, name, &error))?;
            found.queue_url.ok_or_else(|| QueueError::Away(format!("queue {name}: SQS gives no URL of it")))?
        };
        let wanted =
            [QueueAttributeName::VisibilityTimeout, QueueAttributeName::RedrivePolicy, QueueAttributeName::QueueArn];
        let request = client.get_queue_attributes().queue_url(&url).set_attribute_names(Some(wanted.to_vec()));
        let answer = request.send().await.map_err(|error| failure(&client, name, &error))?;
        let attribute = |name| answer.attributes().and_then(|attributes| attributes.get(&name)).map(String::as_str);
        let visibility = attribute(QueueAttributeName::VisibilityTimeout).and_then(|seconds| seconds.parse().ok());
        let visibility = visibility.filter(|seconds| *seconds > 0).map_or(DEFAULT_VISIBILITY, Duration::from_secs);
        let max_receives = attribute(QueueAttributeName::RedrivePolicy).and_then(max_receives);
        let arn = attribute(QueueAttributeName::QueueArn).map(str::to_owned);
        Ok(Queue { client, url, arn, visibility, max_receives })
    }

    /// The last part of its URL.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Waits for messages up to [`LONG_POLL`]; none is no error.
    pub(super) async fn receive(&self) -> Result<Vec<Message>, QueueError> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(LONG_POLL.as_secs() as i32)
            .visibility_timeout(whole_seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request.send().await.map_err(|error| failure(&self.client, self.name(), &error))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Deletes messages by their receipt handles, ten at most.
    ///
    /// # Errors
    /// Where any was not deleted: it comes again.
    pub(super) async fn delete(&self, handles: &[String]) -> Result<(), String> {
        let mut request = self.client.delete_message_batch().queue_url(&self.url);
        for (at, handle) in handles.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(handle);
            request = request.entries(entry.build().map_err(|error| causes(&error))?);
        }
        let answer = request.send().await;
        let answer = answer.map_err(|error| failure(&self.client, self.name(), &error).to_string())?;
        all_done(answer.failed())
    }

    /// Hides messages for as long as it says from now on, ten at most; zero gives them back.
    ///
    /// # Errors
    /// Where any was not changed: it comes again when its time is over.
    pub(super) async fn hide(&self, handles: &[(String, Duration)]) -> Result<(), String> {
        let mut request = self.client.change_message_visibility_batch().queue_url(&self.url);
        for (at, (handle, time)) in handles.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(handle)
                .visibility_timeout(whole_seconds(*time));
            request = request.entries(entry.build().map_err(|error| causes(&error))?);
        }
        let answer = request.send().await;
        let answer = answer.map_err(|error| failure(&self.client, self.name(), &error).to_string())?;
        all_done(answer.failed())
    }

    /// What Lambda's event source mapping would hand to a function.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
    pub(super) fn event(&self, messages: &[Message]) -> Value {
        let region = self.client.config().region().map_or(DEFAULT_REGION, Region::as_ref);
        let record = |message: &Message| {
            let attributes = message.attributes().into_iter().flatten();
            json!({
                "messageId": id(message),
                "receiptHandle": message.receipt_handle(),
                "body": message.body().unwrap_or_default(),
                "attributes": attributes.map(|(name, value)| (name.as_str().to_owned(), value.clone().into())).collect::<serde_json::Map<String, Value>>(),
                "messageAttributes": {},
                "md5OfBody": message.md5_of_body(),
                "eventSource": "aws:sqs",
                "eventSourceARN": self.arn,
                "awsRegion": region,
            })
        };
        json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
    }
}

pub(super) fn id(message: &Message) -> &str {
    // Every message has one; a receipt handle is as good.
    message.message_id().or(message.receipt_handle()).unwrap_or_default()
}

pub(super) fn handle(message: &Message) -> String {
    message.receipt_handle().unwrap_or_default().to_owned()
}

/// How often the message was handed out, this time included.
pub(super) fn receives(message: &Message) -> u32 {
    let count = message.attributes().and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

pub(super) fn max_receives(redrive_policy: &str) -> Option<u32> {
    let policy: Value = serde_json::from_str(redrive_policy).ok()?;
    let count = &policy["maxReceiveCount"];
    count.as_u64().or_else(|| count.as_str()?.parse().ok()).and_then(|count| u32::try_from(count).ok())
}

/// A batch request succeeds as a whole even where entries of it do not.
fn all_done(failed: &[BatchResultErrorEntry]) -> Result<(), String> {
    match failed.first() {
        Some(first) => Err(first.message().unwrap_or(first.code()).to_owned()),
        None => Ok(()),
    }
}

/// SQS counts in seconds; what is not zero stays at least one.
fn whole_seconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(i32::MAX)
}

/// Error codes by which it is not the service that is at fault. Newer SDKs get the first, the query protocol has the
/// second.
const NO_QUEUE: [&str; 2] = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
const NO_ACCESS: [&str; 8] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "InvalidAddress",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

pub(super) fn failure<E>(client: &Client, queue: &str, error: &SdkError<E>) -> QueueError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let region = client.config().region().map_or(DEFAULT_REGION, Region::as_ref);
    match (error, error.code().unwrap_or_default()) {
        (_, code) if NO_QUEUE.contains(&code) => {
            QueueError::Refused(format!("there is no queue {queue} in {region} (is the name right, and the region?)"))
        }
        (_, code) if NO_ACCESS.contains(&code) => QueueError::Refused(format!(
            "queue {queue}: {} ({code}). Consuming needs sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage, \
             sqs:DeleteMessage and sqs:ChangeMessageVisibility",
            error.message().unwrap_or("no access")
        )),
        (SdkError::ServiceError(_), code) if !code.is_empty() => {
            QueueError::Away(format!("queue {queue}: {} ({code})", error.message().unwrap_or("no message")))
        }
        (SdkError::ConstructionFailure(_), _) => {
            let causes = causes(error);
            let hint = if causes.contains("region") { "no usable region, set AWS_REGION or --region: " } else { "" };
            QueueError::Refused(format!("queue {queue}: {hint}{causes}"))
        }
        _ => unanswered(queue, &causes(error)),
    }
}

fn unanswered(queue: &str, causes: &str) -> QueueError {
    if causes.contains("credential") {
        let hint = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        return QueueError::Refused(format!(
            "no credentials for queue {queue}. {hint} ({})",
            causes.trim_end_matches('.')
        ));
    }
    QueueError::Away(format!("queue {queue} cannot be reached: {causes}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(queue: &str) -> QueueSettings {
        QueueSettings { queue: queue.into(), home: S3Settings::default(), endpoint_in_env: false }
    }

    #[test]
    fn a_url_says_where_the_queue_is() {
        for (url, origin, region) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/1/q",
                "https://sqs.eu-central-1.amazonaws.com",
                Some("eu-central-1"),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/1/q",
                "https://sqs.cn-north-1.amazonaws.com.cn",
                Some("cn-north-1"),
            ),
            ("http://127.0.0.1:9324/000000000000/q", "http://127.0.0.1:9324", None),
            (
                "http://sqs.us-east-1.localhost.localstack.cloud:4566/0/q",
                "http://sqs.us-east-1.localhost.localstack.cloud:4566",
                None,
            ),
            (
                "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q",
                "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com",
                Some("eu-west-1"),
            ),
        ] {
            assert_eq!(settings(url).origin(), Some(origin));
            assert_eq!(region_of(origin), region, "{origin}");
        }
        assert_eq!(settings("pictures").origin(), None);
        assert_eq!(settings("http://").origin(), None);
    }

    #[test]
    fn a_redrive_policy_counts_in_either_way() {
        assert_eq!(max_receives(r#"{"deadLetterTargetArn":"a","maxReceiveCount":5}"#), Some(5));
        assert_eq!(max_receives(r#"{"deadLetterTargetArn":"a","maxReceiveCount":"10"}"#), Some(10));
        assert_eq!(max_receives("{}"), None);
    }

    #[test]
    fn seconds_are_rounded_up_and_zero_stays() {
        let seconds = |millis| whole_seconds(Duration::from_millis(millis));
        assert_eq!([seconds(0), seconds(1), seconds(1_000), seconds(1_001)], [0, 1, 1, 2]);
    }
}
