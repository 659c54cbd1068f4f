//! A look at a bucket as whoever runs this may see it. Nothing is written, and of no object more than its head is read.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, ProvideCredentials, RuntimeComponents, SharedCredentialsProvider};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::NotificationConfigurationFilter;

use super::s3::{S3Objects, S3Settings, causes, milliseconds, sdk_config, unanswered};
use crate::event::Timestamp;

pub struct Probe {
    client: Client,
    credentials: Option<SharedCredentialsProvider>,
    clock: Clock,
}

/// What requests are signed with; the secret stays where it is.
#[derive(Debug, Clone)]
pub struct Signer {
    /// `AKIA…WXYZ`
    pub key: String,
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The store does not know the key, or the secret is another one's, or they have expired.
    Credentials,
    /// 403: the key is known and may not do this.
    Denied,
    NoBucket,
    /// The bucket is in this region.
    Elsewhere(String),
    /// Not all stores have all of S3.
    Unsupported,
    Other,
}

#[derive(Debug, Clone)]
pub struct Refusal {
    pub is: Refused,
    /// What the store said, or why it said nothing.
    pub says: String,
}

/// Whom a bucket tells of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Queue(String),
    Topic(String),
    Function(String),
    EventBridge,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Queue(arn) | Told::Topic(arn) | Told::Function(arn) => f.write_str(arn),
            Told::EventBridge => f.write_str("EventBridge"),
        }
    }
}

/// One notification of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    pub to: Told,
    /// As `s3:ObjectCreated:*`; EventBridge gets all there are.
    pub events: Vec<String>,
    /// What keys must begin and end with, as `prefix photos/`.
    pub only: Vec<String>,
}

impl Probe {
    /// Touches no network.
    pub async fn connect(settings: &S3Settings) -> Probe {
        let credentials = sdk_config(settings).await.credentials_provider();
        let (objects, clock) = (S3Objects::connect(settings).await, Clock::default());
        let config = objects.client.config().to_builder().interceptor(clock.clone());
        Probe { client: Client::from_conf(config.build()), credentials, clock }
    }

    /// # Errors
    /// Why there are none.
    pub async fn credentials(&self) -> Result<Signer, String> {
        let provider = self.credentials.as_ref().ok_or("nothing provides any")?;
        let found = provider.provide_credentials().await.map_err(|error| causes(&error))?;
        let until = found.expiry().and_then(|until| until.duration_since(SystemTime::UNIX_EPOCH).ok());
        let until = until.and_then(|since| i64::try_from(since.as_millis()).ok()).map(Timestamp);
        Ok(Signer { key: shortened(found.access_key_id()), until })
    }

    /// Lists one object, and says which it is. Needs `s3:ListBucket`.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn first(&self, bucket: &str) -> Result<Option<String>, Refusal> {
        let answer = self.client.list_objects_v2().bucket(bucket).max_keys(1).send().await;
        let answer = answer.map_err(|error| refusal(&error))?;
        Ok(answer.contents().first().and_then(|object| object.key()).map(str::to_owned))
    }

    /// Asks for an object's head, which needs what reading it needs: `s3:GetObject`.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn head(&self, bucket: &str, key: &str) -> Result<(), Refusal> {
        let answer = self.client.head_object().bucket(bucket).key(key).send().await;
        answer.map(drop).map_err(|error| refusal(&error))
    }

    /// Needs `s3:GetBucketNotification`.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn notifications(&self, bucket: &str) -> Result<Vec<Announced>, Refusal> {
        let answer = self.client.get_bucket_notification_configuration().bucket(bucket).send().await;
        let answer = answer.map_err(|error| refusal(&error))?;
        let mut all = Vec::new();
        for queue in answer.queue_configurations() {
            all.push(announced(Told::Queue(queue.queue_arn().to_owned()), queue.events(), queue.filter()));
        }
        for topic in answer.topic_configurations() {
            all.push(announced(Told::Topic(topic.topic_arn().to_owned()), topic.events(), topic.filter()));
        }
        for function in answer.lambda_function_configurations() {
            let to = Told::Function(function.lambda_function_arn().to_owned());
            all.push(announced(to, function.events(), function.filter()));
        }
        if answer.event_bridge_configuration().is_some() {
            all.push(announced(Told::EventBridge, &[], None));
        }
        Ok(all)
    }

    /// By how many milliseconds the store's clock is ahead of this one at least, by the `Date` of its last answer: it was
    /// written between the request and the answer, in whole seconds.
    pub fn ahead(&self) -> Option<i64> {
        self.clock.seen().ahead
    }
}

/// Reads the header of each answer, an error's too.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    sent: Option<Timestamp>,
    ahead: Option<i64>,
}

impl Clock {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Of requests under way at once the first, which makes the time between longer and the difference no greater.
        let mut seen = self.seen();
        seen.sent = seen.sent.or(Some(Timestamp::now()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        let mut seen = self.seen();
        if let (Some(there), Some(sent)) = (date.as_ref().and_then(milliseconds), seen.sent) {
            seen.ahead = Some(ahead(there.0, sent.0, Timestamp::now().0));
        }
        Ok(())
    }
}

/// What was written between two moments of a clock that is right is not ahead of it.
fn ahead(date: i64, sent: i64, received: i64) -> i64 {
    match date {
        _ if date > received => date - received,
        _ if date + 1_000 <= sent => date + 1_000 - sent,
        _ => 0,
    }
}

fn announced(
    to: Told,
    events: &[aws_sdk_s3::types::Event],
    filter: Option<&NotificationConfigurationFilter>,
) -> Announced {
    let rules = filter.and_then(|filter| filter.key()).map(|key| key.filter_rules()).unwrap_or_default();
    let only = rules.iter().filter_map(|rule| match (rule.name()?.as_str(), rule.value()?) {
        (_, "") => None,
        (name, value) => Some(format!("{} {value}", name.to_lowercase())),
    });
    Announced { to, events: events.iter().map(|event| event.as_str().to_owned()).collect(), only: only.collect() }
}

fn shortened(key: &str) -> String {
    match (key.get(..4), key.len().checked_sub(4).and_then(|at| key.get(at..))) {
        (Some(first), Some(last)) if key.len() >= 16 => format!("{first}…{last}"),
        _ => "…".to_owned(),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn refusal<E>(error: &SdkError<E>) -> Refusal
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let response = error.raw_response();
    let region = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
    let is = match (response.map(|response| response.status().as_u16()), error.code().unwrap_or_default()) {
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => Refused::Credentials,
        (Some(301 | 400), _) if region.is_some() => Refused::Elsewhere(region.unwrap_or_default().to_owned()),
        (Some(403), _) => Refused::Denied,
        (_, "NoSuchBucket") => Refused::NoBucket,
        (Some(501), _) | (_, "NotImplemented" | "MethodNotAllowed") => Refused::Unsupported,
        _ => Refused::Other,
    };
    Refusal { is, says: unanswered(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_clock_that_is_off() {
        for (date, expected) in
            [(20_000, 0), (9_000, -1), (9_002, 0), (32_000, 0), (32_001, 1), (-3_590_000, -3_599_001)]
        {
            assert_eq!(ahead(date, 10_001, 32_000), expected, "{date}");
        }
    }

    #[test]
    fn of_a_key_only_its_ends_are_told() {
        assert_eq!(shortened("AKIAIOSFODNN7EXAMPLE"), "AKIA…MPLE");
        for short in ["", "test", "äöüß", "0123456789abcde"] {
            assert_eq!(shortened(short), "…", "{short}");
        }
    }
}
