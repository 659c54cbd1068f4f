//! Telling others: each record that was written goes to topics, queues, buses and URLs, at least once.

mod aws;
mod message;
mod target;
mod webhook;

use std::fmt;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::future::join_all;

use crate::record::Record;
use crate::secret::Secret;
use message::Message;
pub use target::{Arn, Only, Target};

/// For one receiver, its answer included; less where the deadline is nearer.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Who is told, and of what.
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    pub targets: Vec<Target>,
    pub only: Only,
    /// Signs what goes to URLs.
    pub secret: Option<Secret>,
}

impl NotifyConfig {
    /// Whether one of the receivers is this queue, by its ARN, URL or name: whoever reads from it must not tell it.
    pub fn names_queue(&self, queue: &str) -> bool {
        self.targets.iter().any(|target| matches!(target, Target::Queue(arn) if arn.is_queue(queue)))
    }
}

/// Made once, shared by all records. Its clients are made when there is first something to tell.
pub struct Notifier {
    receivers: Vec<Receiver>,
    only: Only,
}

enum Receiver {
    Topic(aws::Topic),
    Queue(aws::Queue),
    Bus(aws::Bus),
    Webhook(webhook::Webhook),
}

/// A receiver did not take a record. All of it may pass: it is told again when the event comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTold {
    receiver: String,
    why: String,
}

impl fmt::Display for NotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recorded, but {} could not be told: {}", self.receiver, self.why)
    }
}

impl std::error::Error for NotTold {}

impl Notifier {
    /// Touches no network. `profile` is one of the AWS configuration's; regions are those of the ARNs.
    pub fn new(config: NotifyConfig, profile: Option<&str>) -> Notifier {
        let NotifyConfig { targets, only, secret } = config;
        let receiver = |target| match target {
            Target::Topic(arn) => Receiver::Topic(aws::Topic::new(arn, profile)),
            Target::Queue(arn) => Receiver::Queue(aws::Queue::new(arn, profile)),
            Target::Bus(arn) => Receiver::Bus(aws::Bus::new(arn, profile)),
            Target::Url(url) => Receiver::Webhook(webhook::Webhook::new(url, secret.clone())),
        };
        Notifier { receivers: targets.into_iter().map(receiver).collect(), only }
    }

    /// URLs are told by `network` instead of this machine's.
    pub fn over(mut self, network: &SharedHttpConnector) -> Notifier {
        for receiver in &mut self.receivers {
            if let Receiver::Webhook(webhook) = receiver {
                webhook.tell_over(network.clone());
            }
        }
        self
    }

    pub fn only(&self) -> &Only {
        &self.only
    }

    /// Tells every receiver at once, if the record is one of those to tell.
    ///
    /// # Errors
    /// The first receiver that did not take it. The others may have: they get it again.
    pub async fn tell(&self, record: &Record, deadline: Instant) -> Result<(), NotTold> {
        if !self.only.includes(record) {
            return Ok(());
        }
        let not_told = |receiver: &Receiver, why| NotTold { receiver: receiver.to_string(), why };
        let message = &Message::of(record);
        let timeout = TIMEOUT.min(deadline.saturating_duration_since(Instant::now()));
        let tell = async |receiver: &Receiver| match tokio::time::timeout(timeout, receiver.tell(message)).await {
            Ok(told) => told.map_err(|why| not_told(receiver, why)),
            Err(_) => Err(not_told(receiver, format!("no answer within {:.1} s", timeout.as_secs_f64()))),
        };
        join_all(self.receivers.iter().map(tell)).await.into_iter().collect()
    }
}

impl Receiver {
    async fn tell(&self, message: &Message<'_>) -> Result<(), String> {
        match self {
            Receiver::Topic(topic) => topic.publish(message).await,
            Receiver::Queue(queue) => queue.send(message).await,
            Receiver::Bus(bus) => bus.put(message).await,
            Receiver::Webhook(webhook) => webhook.post(message).await,
        }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Receiver::Topic(topic) => topic.arn.fmt(f),
            Receiver::Queue(queue) => queue.arn.fmt(f),
            Receiver::Bus(bus) => bus.arn.fmt(f),
            Receiver::Webhook(webhook) => webhook.fmt(f),
        }
    }
}
