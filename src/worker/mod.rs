//! The worker: what Lambda's event source mapping is, outside Lambda. It takes messages from an SQS queue, hands them
//! to the same [`Function`] in the same envelope, and deletes those that are done.
//!
//! Nothing is lost, because a message is deleted only after its objects are recorded; whatever happens before (a kill,
//! a delete that failed) makes it come again, and the same rows are written again. A failed message comes again after a
//! growing pause. While the records' home is away nothing is received, and what is in hand is kept and handled when
//! it is back: so an outage costs a message no receive, and none goes to the dead-letter queue for it.

mod gate;
pub mod probe;
mod queue;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::Message;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::gate::{Change, Gate};
pub use self::queue::{Queue, QueueError, QueueSettings};
use crate::function::{Answer, Function, TIME_LIMIT};
use crate::pipeline::Outcome;
use crate::records::Records;

/// Between attempts to reach the queue.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest that a failed message is hidden.
const LONGEST_HIDING: Duration = Duration::from_secs(3_600);
/// How often in its visibility a message under way is hidden anew: two requests may fail.
const BEATS: u32 = 3;

/// What there is to tell while it works.
pub enum Told<'a> {
    Answer(&'a Answer),
    /// So many more messages.
    Messages(Fate, usize),
    /// Whether the records' home takes records, each time that this changes.
    Available(bool),
    /// A sentence.
    Note(String),
}

/// What became of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Received,
    /// Handled and deleted.
    Done,
    /// Handled, but the delete failed: they are seen again.
    Undeleted,
    /// Failed, and left to come again.
    Failed,
    /// Not begun when it was stopped, or waiting for the records' home.
    GivenBack,
}

pub struct Worker<T> {
    queue: Queue,
    function: Function,
    gate: Gate,
    /// Batches that are under way at once.
    concurrency: usize,
    tell: T,
    counts: Counts,
    trouble: std::sync::Mutex<Trouble>,
}

/// Messages so far.
#[derive(Debug, Default)]
pub struct Counts {
    pub received: AtomicUsize,
    pub done: AtomicUsize,
    pub undeleted: AtomicUsize,
    pub failed: AtomicUsize,
    pub given_back: AtomicUsize,
    /// Objects.
    pub recorded: AtomicUsize,
}

impl Counts {
    fn of(&self, fate: Fate) -> &AtomicUsize {
        match fate {
            Fate::Received => &self.received,
            Fate::Done => &self.done,
            Fate::Undeleted => &self.undeleted,
            Fate::Failed => &self.failed,
            Fate::GivenBack => &self.given_back,
        }
    }
}

impl<T: Fn(Told<'_>)> Worker<T> {
    pub fn new(queue: Queue, function: Function, records: Arc<dyn Records>, concurrency: usize, tell: T) -> Worker<T> {
        let gate = Gate::new(records);
        Worker { queue, function, gate, concurrency, tell, counts: Counts::default(), trouble: Default::default() }
    }

    /// Works until `stop` is cancelled, then finishes what is under way and gives back what is not.
    pub async fn run(self, stop: &CancellationToken) -> Counts {
        join_all((0..self.concurrency.max(1)).map(|_| self.lane(stop))).await;
        self.counts
    }

    /// One batch after the other.
    async fn lane(&self, stop: &CancellationToken) {
        // A request that is dropped may have taken messages along: they come again when their time is over.
        while let Some(()) = stop.run_until_cancelled(self.open()).await
            && let Some(received) = stop.run_until_cancelled(self.queue.receive()).await
        {
            match received {
                Ok(messages) => {
                    if self.trouble(Trouble::is_over) {
                        self.note("the queue answers again".into());
                    }
                    self.take(messages, stop).await;
                }
                Err(error) => {
                    if self.trouble(|trouble| trouble.is_new(&error)) {
                        self.note(format!("{error}. Trying again"));
                    }
                    stop.run_until_cancelled(tokio::time::sleep(self.trouble(Trouble::pause))).await;
                }
            }
        }
    }

    fn trouble<R>(&self, ask: impl FnOnce(&mut Trouble) -> R) -> R {
        ask(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn open(&self) {
        self.gate
            .open(|change| match change {
                Change::Away(error) => {
                    (self.tell)(Told::Available(false));
                    self.note(format!("receiving nothing until the records' home is back: {error}"));
                }
                Change::Back => {
                    (self.tell)(Told::Available(true));
                    self.note("the records' home is back: receiving again".into());
                }
            })
            .await;
    }

    /// One batch, hidden from others until it is settled.
    async fn take(&self, messages: Vec<Message>, stop: &CancellationToken) {
        if messages.is_empty() {
            return;
        }
        self.count(Fate::Received, messages.len());
        let held = Mutex::new(messages.iter().map(queue::handle).collect());
        tokio::select! {
            () = self.work(messages, &held, stop) => {}
            never = self.keep_hidden(&held) => match never {},
        }
    }

    async fn work(&self, mut messages: Vec<Message>, held: &Held, stop: &CancellationToken) {
        // What fails because the home went away meanwhile is handled again when it is back.
        while !messages.is_empty() {
            if stop.run_until_cancelled(self.open()).await.is_none() {
                return self.give_back(&messages, held).await;
            }
            let answer = self.function.answer(&self.queue.event(&messages), Instant::now() + TIME_LIMIT).await;
            self.counts.recorded.fetch_add(recorded(&answer), Relaxed);
            (self.tell)(Told::Answer(&answer));
            let failed = failed(&answer);
            let (left, done): (Vec<Message>, Vec<Message>) = messages
                .into_iter()
                .partition(|message| failed.as_ref().is_none_or(|ids| ids.contains(queue::id(message))));
            self.delete(&done, held).await;
            messages = left;
            if !messages.is_empty() && self.gate.is_open().await {
                return self.put_off(&messages, held).await;
            }
        }
    }

    async fn delete(&self, done: &[Message], held: &Held) {
        let handles: Vec<String> = let_go(held, done).await;
        if handles.is_empty() {
            return;
        }
        match self.queue.delete(&handles).await {
            Ok(()) => self.count(Fate::Done, done.len()),
            Err(problem) => {
                self.note(format!("handled, but not deleted, and so seen again: {problem}"));
                self.count(Fate::Undeleted, done.len());
            }
        }
    }

    /// Failed messages come again, later each time.
    async fn put_off(&self, failed: &[Message], held: &Held) {
        self.count(Fate::Failed, failed.len());
        let pauses =
            failed.iter().map(|message| pause(self.queue.visibility, queue::receives(message), fastrand::f64()));
        self.hide(failed, pauses, held).await;
    }

    async fn give_back(&self, messages: &[Message], held: &Held) {
        self.count(Fate::GivenBack, messages.len());
        self.hide(messages, messages.iter().map(|_| Duration::ZERO), held).await;
    }

    async fn hide(&self, messages: &[Message], times: impl Iterator<Item = Duration>, held: &Held) {
        let entries: Vec<(String, Duration)> = let_go(held, messages).await.into_iter().zip(times).collect();
        if let Err(problem) = self.queue.hide(&entries).await {
            // They come again all the same, when the visibility of their receive is over.
            tracing::warn!(problem, "the visibility of failed messages was not changed");
        }
    }

    /// Until it is dropped. What cannot be hidden anew may be handled twice, which writes the same rows.
    async fn keep_hidden(&self, held: &Held) -> Infallible {
        let visibility = self.queue.visibility;
        loop {
            tokio::time::sleep(visibility / BEATS).await;
            // Held over the request, so that it cannot overtake what is said of a message that is let go.
            let handles = held.lock().await;
            let entries: Vec<(String, Duration)> = handles.iter().map(|handle| (handle.clone(), visibility)).collect();
            if !entries.is_empty()
                && let Err(problem) = self.queue.hide(&entries).await
            {
                tracing::warn!(problem, "the visibility of messages under way was not extended");
            }
        }
    }

    fn count(&self, fate: Fate, messages: usize) {
        self.counts.of(fate).fetch_add(messages, Relaxed);
        (self.tell)(Told::Messages(fate, messages));
    }

    fn note(&self, sentence: String) {
        (self.tell)(Told::Note(sentence));
    }
}

/// Receipt handles of what is under way.
type Held = Mutex<HashSet<String>>;

async fn let_go(held: &Held, messages: &[Message]) -> Vec<String> {
    let mut held = held.lock().await;
    let handles: Vec<String> = messages.iter().map(queue::handle).collect();
    for handle in &handles {
        held.remove(handle);
    }
    handles
}

fn recorded(answer: &Answer) -> usize {
    answer.objects.iter().filter(|(_, handled)| matches!(handled.outcome, Outcome::Recorded(_))).count()
}

/// Ids of messages that must come again; `None` is all of them.
fn failed(answer: &Answer) -> Option<HashSet<&str>> {
    let failures = answer.body.as_ref().ok()?["batchItemFailures"].as_array()?;
    failures.iter().map(|failure| failure["itemIdentifier"].as_str()).collect()
}

/// Doubles with each receive, from the queue's own visibility on. What failed together does not come again together.
fn pause(visibility: Duration, receives: u32, chance: f64) -> Duration {
    let doubled = visibility.saturating_mul(2u32.saturating_pow(receives.saturating_sub(1)));
    around(doubled.min(LONGEST_HIDING), chance)
}

/// Half of a pause around it, by a chance of 0 to 1: so that not all workers come at once.
fn around(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.75 + chance / 2.0)
}

/// Looks for the queue for as long as it is only away.
///
/// # Errors
/// Where trying again would not help.
pub async fn find(settings: &QueueSettings, tell: impl Fn(Told<'_>)) -> Result<Queue, QueueError> {
    let mut trouble = Trouble::default();
    loop {
        match Queue::find(settings).await {
            Err(error @ QueueError::Away(_)) => {
                if trouble.is_new(&error) {
                    tell(Told::Note(format!("{error}. Trying again")));
                }
                tokio::time::sleep(trouble.pause()).await;
            }
            found => return found,
        }
    }
}

/// What is wrong with the queue, so that it is said once.
#[derive(Default)]
struct Trouble {
    last: Option<QueueError>,
    attempts: u32,
}

impl Trouble {
    fn is_new(&mut self, error: &QueueError) -> bool {
        self.last.replace(error.clone()).as_ref() != Some(error)
    }

    fn is_over(&mut self) -> bool {
        self.attempts = 0;
        self.last.take().is_some()
    }

    fn pause(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.attempts)).min(LONGEST_PAUSE);
        self.attempts = self.attempts.saturating_add(1);
        around(pause, fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_message_waits_twice_as_long_each_time() {
        let seconds = |receives, chance| pause(Duration::from_secs(30), receives, chance).as_secs_f64();
        assert_eq!([seconds(1, 0.5), seconds(2, 0.5), seconds(5, 0.5)], [30.0, 60.0, 480.0]);
        assert_eq!([seconds(1, 0.0), seconds(1, 1.0)], [22.5, 37.5]);
        assert_eq!(seconds(0, 0.5), 30.0, "a queue that does not count");
        assert_eq!(seconds(u32::MAX, 0.5), 3_600.0);
    }

    #[test]
    fn only_what_the_answer_names_has_failed() {
        let answer = |body| {
            let took = Duration::ZERO;
            Answer { body: Ok(body), objects: Vec::new(), unreadable: 0, redelivered: 0, took }
        };
        let two = answer(json!({ "batchItemFailures": [{ "itemIdentifier": "a" }, { "itemIdentifier": "b" }] }));
        assert_eq!(failed(&two), Some(HashSet::from(["a", "b"])));
        assert_eq!(failed(&answer(json!({ "batchItemFailures": [] }))), Some(HashSet::new()));
        // As Lambda takes it: an answer of another shape is a failure of the whole batch.
        assert_eq!(failed(&answer(json!({ "objects": 2 }))), None);
        assert_eq!(failed(&answer(json!({ "batchItemFailures": [{ "other": "a" }] }))), None);
    }

    #[test]
    fn trouble_is_told_once_and_tried_more_rarely() {
        let mut trouble = Trouble::default();
        let (away, gone) = (QueueError::Away("away".into()), QueueError::Refused("gone".into()));
        assert!(trouble.is_new(&away) && !trouble.is_new(&away) && trouble.is_new(&gone));
        let pauses = [trouble.pause(), trouble.pause(), trouble.pause()];
        assert!(pauses[0] < Duration::from_millis(1_300) && pauses[2] > Duration::from_secs(2), "{pauses:?}");
        assert!((0..100).all(|_| trouble.pause() <= LONGEST_PAUSE.mul_f64(1.25)));
        assert!(trouble.is_over() && !trouble.is_over());
    }
}
