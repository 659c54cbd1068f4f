//! `spotter worker`: consumes a queue, takes webhooks, or both, until it is told to end.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::future::OptionFuture;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::filter::FilterArgs;
use super::home;
use super::observed::{MetricsArgs, Observed};
use super::output::{line, note};
use super::signals::Signals;
use super::webhook::WebhookArgs;
use crate::config::{NOTIFY, PROGRAM, QUEUE, Settings};
use crate::function::Answer;
use crate::local::scraped;
use crate::metrics::{self, Metric, Teller};
use crate::objects::S3Objects;
use crate::worker::{self, Counts, Fate, Queue, QueueError, QueueSettings, Told};

/// What a shell says of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

#[derive(Debug, Args)]
pub(super) struct Worker {
    /// URL or name of an SQS queue [env: SPOTTER_QUEUE]
    #[arg(long, value_name = "URL|NAME")]
    queue: Option<String>,
    /// Batches of up to ten messages that are under way at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

impl Worker {
    pub(super) async fn run(self, mut settings: Settings) -> Result<(), Failure> {
        self.filter.replace(&mut settings.filter);
        let queue = home::queue(self.queue, &settings)?;
        if queue.is_none() && !self.webhook.is_asked_for() {
            let problem = format!("nothing to work on: name a queue with --queue or {QUEUE}, or take --webhook");
            return Err(Failure::Usage(problem));
        }
        if let (Some(queue), Some(notify)) = (&queue, &settings.notify)
            && notify.names_queue(queue)
        {
            let problem = format!("{NOTIFY} names the queue that is consumed, {queue}: tell another one");
            return Err(Failure::Usage(problem));
        }
        let mut signals = Signals::new()?;
        let (records, model) = (home::records(&settings)?, home::model(&settings).await?);
        let objects = Arc::new(S3Objects::connect(&settings.s3).await);
        let function = || home::function(&settings, objects.clone(), records.clone(), model.clone());

        let (started, stop) = (Instant::now(), CancellationToken::new());
        let observed = Observed::new(Teller::Worker, &model)?;
        let tell = |told: Told<'_>| tell(&observed, &told);
        let listener = self.webhook.listen(&settings).await?;
        let webhook = listener.map(|listener| {
            let observed = observed.clone();
            let answered = move |answer: &Answer| observed.answered(answer);
            listener.serve(function(), records.clone(), answered, stop.cancelled())
        });
        let scraped = self.metrics.listen().await?;
        let scraped = scraped.map(|listener| scraped::serve(listener, observed.exposition(), stop.cancelled()));
        let work = async {
            let Some(queue) = queue else { return Ok(None) };
            let found = stop.run_until_cancelled(worker::find(&self::settings(queue, &settings), tell)).await;
            let Some(queue) = found.transpose().inspect_err(|_| stop.cancel())? else { return Ok(None) };
            introduce(&queue);
            tell(Told::Available(true)); // until it is asked, and then at each change
            let concurrency = usize::from(self.concurrency);
            let worker = worker::Worker::new(queue, function(), records.clone(), concurrency, tell);
            Ok::<_, QueueError>(Some(worker.run(&stop).await))
        };
        let interrupted = async {
            signals.next().await;
            note("finishing what is under way; Ctrl-C again ends at once");
            stop.cancel();
            signals.next().await;
        };
        let all = async {
            let webhook = OptionFuture::from(webhook);
            let done = async {
                let (_, counts) = tokio::join!(webhook, work);
                stop.cancel();
                counts
            };
            tokio::join!(OptionFuture::from(scraped), done).1
        };
        let counts = tokio::select! {
            counts = all => counts,
            // Not by way of the runtime, which would wait for pictures that are being classified.
            () = interrupted => std::process::exit(INTERRUPTED),
        };
        let counts = counts.map_err(|error| Failure::Failed(error.to_string()))?;
        counts.map_or(Ok(()), |counts| line(&summary(&counts, started.elapsed())))
    }
}

fn settings(queue: String, settings: &Settings) -> QueueSettings {
    QueueSettings { queue, home: settings.s3.clone(), endpoint_in_env: settings.queue_endpoint_in_env.is_some() }
}

fn tell(observed: &Observed, told: &Told<'_>) {
    match told {
        Told::Answer(answer) => {
            observed.answered(answer);
            observed.tell(&metrics::PROCESSING, "", answer.took.as_secs_f64());
        }
        Told::Messages(fate, count) => {
            let (metric, value) = counted(*fate);
            observed.tell(metric, value, *count as f64);
        }
        Told::Available(available) => observed.tell(&metrics::AVAILABLE, "", f64::from(u8::from(*available))),
        Told::Note(sentence) => note(&format!("{PROGRAM}: {sentence}")),
    }
}

fn counted(fate: Fate) -> (&'static Metric, &'static str) {
    let [done, undeleted, failed, given_back] = metrics::SETTLEMENTS;
    match fate {
        Fate::Received => (&metrics::RECEIVED, ""),
        Fate::Done => (&metrics::SETTLED, done),
        Fate::Undeleted => (&metrics::SETTLED, undeleted),
        Fate::Failed => (&metrics::SETTLED, failed),
        Fate::GivenBack => (&metrics::SETTLED, given_back),
    }
}

fn introduce(queue: &Queue) {
    let last = match queue.max_receives {
        Some(count) => format!("to its dead-letter queue after {count} receives"),
        None => "no dead-letter queue: what always fails comes again until its retention is over".into(),
    };
    note(&format!("queue {}  visibility {} s, {last}", queue.name(), queue.visibility.as_secs()));
}

fn summary(counts: &Counts, elapsed: Duration) -> String {
    let Counts { received, done, undeleted, failed, given_back, recorded } = counts;
    let [received, done, undeleted, failed, given_back, recorded] =
        [received, done, undeleted, failed, given_back, recorded].map(|count| count.load(Relaxed));
    let mut text = format!("{received} messages received: {done} done, {failed} left to come again");
    for (count, what) in [(undeleted, "done but not deleted"), (given_back, "given back")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    format!("{text} · {recorded} objects recorded   {:.1} s", elapsed.as_secs_f64())
}
