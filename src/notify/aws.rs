//! Topics, queues and buses, through the AWS SDK. Each has the client of its ARN's region, made when first needed.

use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_runtime_api::client::result::SdkError;
use tokio::sync::OnceCell;

use super::message::Message;
use super::target::Arn;
use crate::objects::{S3Settings, causes, sdk_config};

/// Of EventBridge's events.
const SOURCE: &str = "spotter";
const DETAIL_TYPE: &str = "Spotter Record";

pub(super) struct Topic {
    pub(super) arn: Arn,
    home: S3Settings,
    client: OnceCell<aws_sdk_sns::Client>,
}

impl Topic {
    pub(super) fn new(arn: Arn, profile: Option<&str>) -> Topic {
        Topic { home: home(&arn, profile), arn, client: OnceCell::new() }
    }

    pub(super) async fn publish(&self, message: &Message<'_>) -> Result<(), String> {
        use aws_sdk_sns::types::MessageAttributeValue;
        let connect = async || aws_sdk_sns::Client::new(&sdk_config(&self.home).await);
        let client = self.client.get_or_init(connect).await;
        let mut request = client.publish().topic_arn(self.arn.to_string()).message(&message.body);
        for (name, value) in message.attributes() {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value);
            request = request.message_attributes(name, value.build().map_err(|error| error.to_string())?);
        }
        if self.arn.is_fifo() {
            request = request.message_group_id(message.group()).message_deduplication_id(message.deduplication());
        }
        request.send().await.map(drop).map_err(|error| problem(&error))
    }
}

pub(super) struct Queue {
    pub(super) arn: Arn,
    home: S3Settings,
    /// With the queue's URL, which only SQS knows.
    client: OnceCell<(aws_sdk_sqs::Client, String)>,
}

impl Queue {
    pub(super) fn new(arn: Arn, profile: Option<&str>) -> Queue {
        Queue { home: home(&arn, profile), arn, client: OnceCell::new() }
    }

    pub(super) async fn send(&self, message: &Message<'_>) -> Result<(), String> {
        use aws_sdk_sqs::types::MessageAttributeValue;
        let (client, url) = self.client.get_or_try_init(async || self.connect().await).await?;
        let mut request = client.send_message().queue_url(url).message_body(&message.body);
        for (name, value) in message.attributes() {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value);
            request = request.message_attributes(name, value.build().map_err(|error| error.to_string())?);
        }
        if self.arn.is_fifo() {
            request = request.message_group_id(message.group()).message_deduplication_id(message.deduplication());
        }
        request.send().await.map(drop).map_err(|error| problem(&error))
    }

    async fn connect(&self) -> Result<(aws_sdk_sqs::Client, String), String> {
        let client = aws_sdk_sqs::Client::new(&sdk_config(&self.home).await);
        let named = client.get_queue_url().queue_name(&self.arn.name).queue_owner_aws_account_id(&self.arn.account);
        let url = named.send().await.map_err(|error| problem(&error))?.queue_url;
        Ok((client, url.ok_or("SQS gives no URL of it")?))
    }
}

pub(super) struct Bus {
    pub(super) arn: Arn,
    home: S3Settings,
    client: OnceCell<aws_sdk_eventbridge::Client>,
}

impl Bus {
    pub(super) fn new(arn: Arn, profile: Option<&str>) -> Bus {
        Bus { home: home(&arn, profile), arn, client: OnceCell::new() }
    }

    pub(super) async fn put(&self, message: &Message<'_>) -> Result<(), String> {
        let connect = async || aws_sdk_eventbridge::Client::new(&sdk_config(&self.home).await);
        let client = self.client.get_or_init(connect).await;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(self.arn.to_string())
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .detail(&message.body)
            .build();
        let answer = client.put_events().entries(entry).send().await.map_err(|error| problem(&error))?;
        // The call as a whole succeeds even where the entry does not.
        if answer.failed_entry_count == 0 {
            return Ok(());
        }
        let failed = answer.entries().iter().find(|entry| entry.error_code().is_some());
        let code = failed.and_then(|entry| entry.error_code()).unwrap_or("no code");
        let text = failed.and_then(|entry| entry.error_message()).unwrap_or("the event was not taken");
        Err(format!("{text} ({code})"))
    }
}

/// The ARN names the region; credentials and endpoints are those of the environment and the profile.
fn home(arn: &Arn, profile: Option<&str>) -> S3Settings {
    S3Settings { region: Some(arn.region.clone()), profile: profile.map(str::to_owned), ..S3Settings::default() }
}

fn problem<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match (error, error.code()) {
        (SdkError::ServiceError(_), Some(code)) => format!("{} ({code})", error.message().unwrap_or("refused")),
        _ => causes(error),
    }
}
