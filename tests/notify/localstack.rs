//! Real queues, topics, buses and tags, in LocalStack.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_s3::types as s3;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::event::EventBridgeKeys;
use spotter::function::{Answer, Function};
use spotter::pipeline::{After, Outcome};
use spotter::records::Records;
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::{pipeline, sample};
use crate::harness::{deadline, localstack, needs, on_runtime};

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";
const PATIENCE: Duration = Duration::from_secs(60);

pub fn trials() -> Vec<Trial> {
    vec![
        needs("notify::localstack::queues_topics_and_buses_are_told", localstack::endpoint(), |part| {
            on_runtime(told(part.get()?))
        }),
        needs("notify::localstack::tags_keep_to_their_object_and_start_no_loop", localstack::endpoint(), |part| {
            on_runtime(tags(part.get()?))
        }),
    ]
}

/// Clients of one LocalStack, and a name that no other test uses.
struct Stack {
    url: String,
    name: String,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    config: SdkConfig,
}

impl Stack {
    async fn new(url: &str, test: &str) -> Result<Stack, Failed> {
        let key = aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(url)
            .region(Region::new(REGION))
            .credentials_provider(key)
            .load()
            .await;
        let path_style = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let s3 = aws_sdk_s3::Client::from_conf(path_style);
        let stamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        let name = format!("{test}-{stamp}");
        s3.create_bucket().bucket(&name).send().await?;
        Ok(Stack { url: url.into(), name, s3, sqs: aws_sdk_sqs::Client::new(&config), config })
    }

    /// The URL and the ARN of a new queue.
    async fn queue(&self, suffix: &str, fifo: bool) -> Result<(String, String), Failed> {
        let name = format!("{}-{suffix}{}", self.name, if fifo { ".fifo" } else { "" });
        let mut request = self.sqs.create_queue().queue_name(&name);
        if fifo {
            request = request.attributes(QueueAttributeName::FifoQueue, "true");
        }
        let url = request.send().await?.queue_url.ok_or("no URL")?;
        Ok((url, format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")))
    }

    /// What comes until there are `count`, and for a moment longer.
    async fn receive(&self, queue: &str, count: usize) -> Result<Vec<Message>, Failed> {
        let (mut messages, end) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            let batch = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10).wait_time_seconds(2);
            let batch = batch.message_attribute_names("All").send().await?.messages.unwrap_or_default();
            let quiet = batch.is_empty();
            for message in &batch {
                let handle = message.receipt_handle().ok_or("no receipt")?;
                self.sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await?;
            }
            messages.extend(batch);
            if quiet && (messages.len() >= count || Instant::now() > end) {
                return Ok(messages);
            }
        }
    }

    /// `spotter` on this bucket; its event of an object first, then `invoke` of that.
    fn invoke(&self, home: &TempDir, key: &str, told: &str) -> Result<(), Failed> {
        let object = format!("s3://{}/{key}", self.name);
        let variables = [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", REGION),
            ("SPOTTER_NOTIFY", told),
        ];
        let event = spotter(home).args(["event", &object]).envs(variables).output()?;
        let file = home.path().join("event.json");
        std::fs::write(&file, &event.stdout)?;
        let output = spotter(home).arg("invoke").arg(&file).envs(variables).output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
    }
}

fn body(message: &Message) -> Result<Value, Failed> {
    Ok(serde_json::from_str(message.body().unwrap_or_default())?)
}

async fn told(url: &str) -> Result<(), Failed> {
    let stack = Stack::new(url, "told").await?;
    let (queue, queue_arn) = stack.queue("queue", false).await?;
    let (fifo, fifo_arn) = stack.queue("fifo", true).await?;
    let (subscribed, subscribed_arn) = stack.queue("subscribed", false).await?;
    let (ruled, ruled_arn) = stack.queue("ruled", false).await?;

    let sns = aws_sdk_sns::Client::new(&stack.config);
    let topic = sns.create_topic().name(&stack.name).send().await?.topic_arn.ok_or("no topic")?;
    let filter = json!({ "status": ["classified"], "bucket": [stack.name] }).to_string();
    sns.subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(&subscribed_arn)
        .attributes("RawMessageDelivery", "true")
        .attributes("FilterPolicy", filter)
        .send()
        .await?;

    let events = aws_sdk_eventbridge::Client::new(&stack.config);
    let bus = events.create_event_bus().name(&stack.name).send().await?.event_bus_arn.ok_or("no bus")?;
    let pattern = json!({ "source": ["spotter"], "detail": { "status": ["rejected"] } }).to_string();
    events.put_rule().name(&stack.name).event_bus_name(&stack.name).event_pattern(pattern).send().await?;
    let target = Target::builder().id("q").arn(&ruled_arn).build()?;
    events.put_targets().rule(&stack.name).event_bus_name(&stack.name).targets(target).send().await?;

    let home = TempDir::new()?;
    let told = [&*queue_arn, &fifo_arn, &topic, &bus].join(",");
    for (key, name) in [("8 eight.bmp", "8.bmp"), ("notes.png", "notes.png")] {
        let bytes = sample(name)?;
        stack.s3.put_object().bucket(&stack.name).key(key).body(bytes.into()).send().await?;
        stack.invoke(&home, key, &told)?;
    }
    stack.invoke(&home, "notes.png", &told)?;

    let messages = stack.receive(&queue, 3).await?;
    assert_eq!(messages.len(), 3);
    let first = messages.iter().find(|message| message.body().unwrap_or_default().contains("eight"));
    let first = first.ok_or("8 eight.bmp was not told")?;
    assert_eq!((&body(first)?["label"], &body(first)?["bucket"]), (&json!("8"), &json!(stack.name)));
    let attribute = |name| first.message_attributes()?.get(name)?.string_value();
    let attributes = ["status", "label", "bucket", "model"].map(attribute);
    assert_eq!(attributes, [Some("classified"), Some("8"), Some(&*stack.name), Some("digits/2")]);

    let messages = stack.receive(&fifo, 2).await?;
    assert_eq!(messages.len(), 2, "the row that was told twice is one message of a FIFO queue");

    let messages = stack.receive(&subscribed, 1).await?;
    assert_eq!(messages.len(), 1, "the topic's filter leaves out what was rejected");
    assert_eq!(body(&messages[0])?["key"], "8 eight.bmp");

    let messages = stack.receive(&ruled, 2).await?;
    assert_eq!(messages.len(), 2);
    let event = body(&messages[0])?;
    assert_eq!((&event["detail-type"], &event["detail"]["key"]), (&json!("Spotter Record"), &json!("notes.png")));
    Ok(())
}

async fn tags(url: &str) -> Result<(), Failed> {
    let stack = Stack::new(url, "tags").await?;
    let (queue, queue_arn) = stack.queue("queue", false).await?;
    let versions = s3::VersioningConfiguration::builder().status(s3::BucketVersioningStatus::Enabled).build();
    stack.s3.put_bucket_versioning().bucket(&stack.name).versioning_configuration(versions).send().await?;
    let told = s3::QueueConfiguration::builder().queue_arn(queue_arn);
    let told = told.events(s3::Event::S3ObjectCreated).events(s3::Event::S3ObjectTagging).build()?;
    let told = s3::NotificationConfiguration::builder().queue_configurations(told).build();
    let subscribe = stack.s3.put_bucket_notification_configuration().bucket(&stack.name);
    subscribe.notification_configuration(told).send().await?;
    stack.receive(&queue, 0).await?; // s3:TestEvent

    let folder = TempDir::new()?;
    let records: Arc<dyn Records> = Arc::new(Embedded::open(&folder.path().join("records.sqlite"))?);
    let pipeline = pipeline(stack.s3.clone(), records)?.followed_by(After::new(true, None));
    let function = Function::new(pipeline, EventBridgeKeys::Plain);
    let nine: String = (0..9).map(|at| format!("t{at}=x&")).collect();
    let first = put(&stack, "a.bmp", "8.bmp", "owner=ann&spotter-label=9").await?;
    let second = put(&stack, "a.bmp", "scribble.png", "").await?;
    let full = put(&stack, "full.png", "1.png", nine.trim_end_matches('&')).await?;
    let created = stack.receive(&queue, 3).await?;
    let answer = deliver(&function, &created).await?;
    assert_eq!(outcomes(&answer), ["recorded", "recorded", "recorded"]);
    let own = "owner=ann spotter-label=8 spotter-status=classified";
    assert_eq!(tags_of(&stack, "a.bmp", &first).await?, own, "the version that was classified");
    assert_eq!(tags_of(&stack, "a.bmp", &second).await?, "spotter-status=unsure", "no label of a guess");
    assert_eq!(tags_of(&stack, "full.png", &full).await?.split(' ').count(), 9, "what is full is left alone");

    // The tags were announced to the same queue: nothing comes of it, and then nothing more is announced.
    let tagged = stack.receive(&queue, 2).await?;
    assert_eq!(outcomes(&deliver(&function, &tagged).await?), ["ignored", "ignored"]);
    let again = deliver(&function, &created).await?;
    assert_eq!(outcomes(&again), ["recorded", "recorded", "recorded"]);
    assert_eq!(stack.receive(&queue, 0).await?.len(), 0, "tags that are right are not written again");
    assert_eq!(tags_of(&stack, "a.bmp", &first).await?, own);
    Ok(())
}

/// The new version's id.
async fn put(stack: &Stack, key: &str, name: &str, tags: &str) -> Result<String, Failed> {
    let request = stack.s3.put_object().bucket(&stack.name).key(key).body(sample(name)?.into());
    let request = if tags.is_empty() { request } else { request.tagging(tags) };
    Ok(request.send().await?.version_id.ok_or("no version")?)
}

async fn tags_of(stack: &Stack, key: &str, version: &str) -> Result<String, Failed> {
    let tags = stack.s3.get_object_tagging().bucket(&stack.name).key(key).version_id(version).send().await?;
    let mut tags: Vec<String> = tags.tag_set().iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect();
    tags.sort();
    Ok(tags.join(" "))
}

/// As Lambda would hand over messages of a queue.
async fn deliver(function: &Function, messages: &[Message]) -> Result<Answer, Failed> {
    let messages = messages
        .iter()
        .enumerate()
        .map(|(at, message)| json!({ "messageId": at.to_string(), "eventSource": "aws:sqs", "body": message.body() }));
    let event = json!({ "Records": messages.collect::<Vec<_>>() });
    let answer = function.answer(&event, deadline()).await;
    match &answer.body {
        Ok(body) if *body == json!({ "batchItemFailures": [] }) => Ok(answer),
        other => Err(format!("{other:?}").into()),
    }
}

fn outcomes(answer: &Answer) -> Vec<&'static str> {
    let name = |outcome: &Outcome| match outcome {
        Outcome::Recorded(_) => "recorded",
        Outcome::Superseded(_) => "superseded",
        Outcome::Ignored(_) => "ignored",
        Outcome::Retry(_) => "retry",
    };
    answer.objects.iter().map(|(_, handled)| name(&handled.outcome)).collect()
}
