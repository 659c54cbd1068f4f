//! A look at a queue and its dead letters. No message is received.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::queue::{QueueError, QueueSettings, failure, max_receives};

/// What a queue is set to, and how much is in it.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    pub url: String,
    pub arn: String,
    /// How long a message that was received stays hidden.
    pub visibility: Duration,
    /// How long a message is kept at all.
    pub retention: Duration,
    /// Messages that wait, about.
    pub waiting: u64,
    /// Those that were received and are not done, about.
    pub under_way: u64,
    pub redrive: Option<Redrive>,
}

/// Where a message goes that was received too often.
#[derive(Debug, Clone)]
pub struct Redrive {
    pub arn: String,
    pub max_receives: u32,
    /// That queue, or why it cannot be looked at.
    pub queue: Result<Box<Looked>, QueueError>,
}

/// # Errors
/// See [`QueueError`].
pub async fn look(settings: &QueueSettings) -> Result<Looked, QueueError> {
    let client = settings.client().await;
    let (url, attributes) = attributes(&client, &settings.queue, None).await?;
    let mut looked = looked(url, &attributes);
    if let Some(policy) = attributes.get(&QueueAttributeName::RedrivePolicy)
        && let Some((arn, max_receives)) = target(policy).zip(max_receives(policy))
    {
        // arn:aws:sqs:region:account:name, of the region and the account of its queue.
        let mut parts = arn.rsplit(':');
        let (name, account) = (parts.next().unwrap_or_default(), parts.next());
        let queue = self::attributes(&client, name, account).await;
        let queue = queue.map(|(url, attributes)| Box::new(self::looked(url, &attributes)));
        looked.redrive = Some(Redrive { arn, max_receives, queue });
    }
    Ok(looked)
}

type Attributes = HashMap<QueueAttributeName, String>;

async fn attributes(client: &Client, name: &str, account: Option<&str>) -> Result<(String, Attributes), QueueError> {
    let url = if name.contains("://") {
        name.to_owned()
    } else {
        let request =
            client.get_queue_url().queue_name(name).set_queue_owner_aws_account_id(account.map(str::to_owned));
        let found = request.send().await.map_err(|error| refused(client, name, &error, "sqs:GetQueueUrl"))?;
        found.queue_url.ok_or_else(|| QueueError::Away(format!("queue {name}: SQS gives no URL of it")))?
    };
    let request = client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All);
    let answer = request.send().await.map_err(|error| refused(client, name, &error, "sqs:GetQueueAttributes"))?;
    Ok((url, answer.attributes.unwrap_or_default()))
}

/// As [`failure`], but for a permission: which one it is.
fn refused<E>(client: &Client, name: &str, error: &SdkError<E>, action: &str) -> QueueError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.code() {
        Some(code @ ("AccessDenied" | "AccessDeniedException")) => {
            QueueError::Refused(format!("queue {name}: access denied ({code}): {action} is missing"))
        }
        _ => failure(client, name, error),
    }
}

fn looked(url: String, attributes: &Attributes) -> Looked {
    let text = |name: QueueAttributeName| attributes.get(&name).cloned().unwrap_or_default();
    let number = |name| text(name).parse().unwrap_or_default();
    Looked {
        url,
        arn: text(QueueAttributeName::QueueArn),
        visibility: Duration::from_secs(number(QueueAttributeName::VisibilityTimeout)),
        retention: Duration::from_secs(number(QueueAttributeName::MessageRetentionPeriod)),
        waiting: number(QueueAttributeName::ApproximateNumberOfMessages),
        under_way: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        redrive: None,
    }
}

fn target(redrive_policy: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(redrive_policy).ok()?;
    Some(policy["deadLetterTargetArn"].as_str()?.to_owned())
}
