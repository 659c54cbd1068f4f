//! A queue, its dead-letter queue and a bucket of their own, on a real SQS API.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration};
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use libtest_mimic::Failed;
use spotter::records;
use spotter::records::Records;
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::sample;
use crate::harness;

pub const MODEL: &str = "digits/2";
const REGION: &str = "us-east-1";
const KEY: &str = "test";
/// A long poll of a queue that is gone may hang until the client gives it up, some times.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Site {
    pub endpoint: &'static str,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    /// Of the bucket, and of the queue.
    pub name: String,
    pub url: String,
    pub dead_letters: String,
    pub home: TempDir,
}

impl Site {
    /// Everything that is created in the bucket is announced in the queue.
    pub async fn new(endpoint: &'static str, visibility: u32, max_receives: u32) -> Result<Site, Failed> {
        static SITES: AtomicUsize = AtomicUsize::new(0);
        let started = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis();
        let name = format!("worker-{}-{}-{started}", std::process::id(), SITES.fetch_add(1, Relaxed));
        let key = || Credentials::new(KEY, KEY, None, None, "test");
        let (region, version) = (|| Region::from_static(REGION), BehaviorVersion::latest);
        let s3 = aws_sdk_s3::Config::builder().behavior_version(version()).endpoint_url(endpoint).region(region());
        let s3 = aws_sdk_s3::Client::from_conf(s3.credentials_provider(key()).force_path_style(true).build());
        let sqs = aws_sdk_sqs::Config::builder().behavior_version(version()).endpoint_url(endpoint).region(region());
        let sqs = aws_sdk_sqs::Client::from_conf(sqs.credentials_provider(key()).build());
        let mut site =
            Site { endpoint, s3, sqs, url: String::new(), dead_letters: String::new(), home: TempDir::new()?, name };
        let dead_letters = format!("{}-dead", site.name);
        site.dead_letters = site.create_queue(&dead_letters, &[]).await?;
        let to = site.attribute(&site.dead_letters, QueueAttributeName::QueueArn).await?;
        let redrive = format!(r#"{{"deadLetterTargetArn":"{to}","maxReceiveCount":"{max_receives}"}}"#);
        let visibility = visibility.to_string();
        let attributes =
            [(QueueAttributeName::VisibilityTimeout, &*visibility), (QueueAttributeName::RedrivePolicy, &*redrive)];
        site.url = site.create_queue(&site.name, &attributes).await?;
        site.s3.create_bucket().bucket(&site.name).send().await?;
        let to = site.attribute(&site.url, QueueAttributeName::QueueArn).await?;
        let queue = QueueConfiguration::builder().queue_arn(to).events(Event::from("s3:ObjectCreated:*")).build()?;
        let notify = NotificationConfiguration::builder().queue_configurations(queue).build();
        let request = site.s3.put_bucket_notification_configuration().bucket(&site.name);
        request.notification_configuration(notify).send().await?;
        Ok(site)
    }

    pub async fn create_queue(&self, name: &str, with: &[(QueueAttributeName, &str)]) -> Result<String, Failed> {
        let mut request = self.sqs.create_queue().queue_name(name);
        for (attribute, value) in with {
            request = request.attributes(attribute.clone(), *value);
        }
        Ok(request.send().await?.queue_url.ok_or("no URL")?)
    }

    async fn attribute(&self, queue: &str, name: QueueAttributeName) -> Result<String, Failed> {
        let request = self.sqs.get_queue_attributes().queue_url(queue).attribute_names(name.clone());
        let attributes = request.send().await?.attributes.unwrap_or_default();
        Ok(attributes.get(&name).cloned().ok_or("no such attribute")?)
    }

    /// Messages that are in the queue, those included that are hidden.
    pub async fn messages(&self, queue: &str) -> Result<usize, Failed> {
        let mut sum = 0;
        for name in
            [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible]
        {
            sum += self.attribute(queue, name).await?.parse::<usize>()?;
        }
        Ok(sum)
    }

    /// Pictures of an eight, `0.png` and on.
    pub async fn upload(&self, count: usize) -> Result<Vec<String>, Failed> {
        let (picture, keys) = (sample("8 small.png")?, (0..count).map(|at| format!("{at}.png")).collect::<Vec<_>>());
        for key in &keys {
            let body = ByteStream::from(picture.clone());
            self.s3.put_object().bucket(&self.name).key(key).body(body).send().await?;
        }
        Ok(keys)
    }

    pub async fn send(&self, body: &str) -> Result<(), Failed> {
        self.sqs.send_message().queue_url(&self.url).message_body(body).send().await?;
        Ok(())
    }

    pub fn embedded(&self) -> Result<Embedded, Failed> {
        let folder = self.home.path().join("records");
        std::fs::create_dir_all(&folder)?;
        Ok(Embedded::open(&folder.join("records.sqlite"))?)
    }

    /// `spotter worker` as a process of its own, with records in [`Site::embedded`].
    pub fn worker(&self, queue: &str) -> Command {
        let mut command = spotter(&self.home);
        command.args(["worker", "--queue", queue]);
        command.env("SPOTTER_DATA", self.home.path().join("records")).env("AWS_ENDPOINT_URL", self.endpoint);
        command.envs([("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", KEY), ("AWS_REGION", REGION)]);
        command
    }

    pub fn start(&self, arguments: &[&str]) -> Result<Worker, Failed> {
        let mut child =
            self.worker(&self.name).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Its first line says that it is at the queue. What comes after it is left to be read.
        let introduction = line(child.stderr.as_mut().ok_or("stderr")?)?;
        Ok(Worker { child: Some(child), introduction })
    }

    pub async fn all_recorded(&self, records: &dyn Records, keys: &[String]) -> Result<(), Failed> {
        for key in keys {
            until(key, async || Ok(records::get(records, &self.name, key, MODEL).await?.is_some())).await?;
        }
        Ok(())
    }

    pub async fn all_deleted(&self) -> Result<(), Failed> {
        until("the queue is not empty", async || Ok(self.messages(&self.url).await? == 0)).await
    }
}

pub struct Worker {
    child: Option<Child>,
    pub introduction: String,
}

/// No byte more: what comes after it is somebody else's.
fn line(from: &mut impl Read) -> Result<String, Failed> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

impl Worker {
    /// The next line of standard output.
    pub fn prints(&mut self) -> Result<String, Failed> {
        line(self.child.as_mut().and_then(|child| child.stdout.as_mut()).ok_or("it has ended")?)
    }

    pub fn signal(&self, signal: &str) -> Result<(), Failed> {
        let id = self.child.as_ref().ok_or("it has ended")?.id().to_string();
        if Command::new("kill").args([signal, &id]).status()?.success() { Ok(()) } else { Err("kill failed".into()) }
    }

    /// Exit code, stdout and stderr, once it has ended.
    pub fn end(mut self) -> Result<(Option<i32>, String, String), Failed> {
        let output = self.child.take().ok_or("it has ended")?.wait_with_output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((output.status.code(), text(output.stdout), text(output.stderr)))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// As [`harness::until`], with [`PATIENCE`].
pub async fn until(what: &str, holds: impl AsyncFnMut() -> Result<bool, Failed>) -> Result<(), Failed> {
    harness::until(Instant::now() + PATIENCE, what, holds).await
}
