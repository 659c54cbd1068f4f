//! The worker against a real SQS API: nothing is lost, whatever ends it, and nothing is put aside that a retry saves.

mod faults;
pub(crate) mod site;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::EventBridgeKeys;
use spotter::function::Function;
use spotter::objects::{Objects, S3Objects};
use spotter::pipeline::Pipeline;
use spotter::records::Records;
use spotter::worker::{self, Counts, Queue, Told};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::cli::spotter;
use crate::cloud::fixture;
use crate::harness::{localstack, needs, on_runtime};
use faults::{Flaky, Slow};
use site::{Site, until};

type Test = fn(&'static str) -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let with_queue: [(&str, Test); 9] = [
        ("worker::an_upload_is_a_record", |at| on_runtime(upload(at))),
        ("worker::a_bad_message_stays_and_blocks_nothing", |at| on_runtime(bad_message(at))),
        ("worker::a_polite_end_in_mid_work_loses_nothing", |at| on_runtime(ended(at, "-TERM"))),
        ("worker::a_kill_in_mid_work_loses_nothing", |at| on_runtime(ended(at, "-KILL"))),
        ("worker::while_the_database_is_away_nothing_is_received", |at| on_runtime(away_at_first(at))),
        ("worker::an_outage_in_mid_work_puts_nothing_aside", |at| on_runtime(away_in_mid_work(at))),
        ("worker::a_slow_object_stays_hidden_from_others", |at| on_runtime(slow(at))),
        ("worker::a_queue_that_is_gone_is_told_and_waited_for", |at| on_runtime(queue_gone(at))),
        ("worker::a_wrong_name_is_an_error", |at| on_runtime(wrong_name(at))),
    ];
    let with_queue = with_queue.into_iter().map(|(name, test)| {
        let test = move |part: crate::harness::Part<String>| test(part.get()?);
        needs(name, localstack::endpoint(), test)
    });
    with_queue.chain([Trial::test("worker::what_it_cannot_do_is_said", cannot)]).collect()
}

async fn upload(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 30, 5).await?;
    let worker = site.start(&["--exclude", "1.png"])?;
    let keys = site.upload(3).await?;
    let records = site.embedded()?;
    site.all_recorded(&records, &[keys[0].clone(), keys[2].clone()]).await?;
    site.all_deleted().await?;
    worker.signal("-TERM")?;
    let introduction = format!("queue {}  visibility 30 s, to its dead-letter queue after 5", site.name);
    assert!(worker.introduction.starts_with(&introduction), "{}", worker.introduction);
    let (code, stdout, stderr) = worker.end()?;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains(&format!("s3://{}/0.png  classified  8  ", site.name)), "{stdout}");
    assert!(stdout.contains("1.png  ignored: left out by the filters"), "{stdout}");
    // The bucket's test event is one of four.
    let last = stdout.lines().last().ok_or("no last line")?;
    assert!(last.starts_with("4 messages received: 4 done, 0 left to come again · 2 objects recorded"), "{last}");
    assert!(records.rows(&site.name, "1.png", None).await?.is_empty());
    Ok(())
}

/// What is no event goes to the dead-letter queue in the end; the good ones, twice each, do not wait for it.
async fn bad_message(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 1, 2).await?;
    site.send("no event").await?;
    let keys = site.upload(4).await?;
    let again = fixture("s3.json")?.replace("demo", &site.name);
    for _ in 0..2 {
        site.send(&again).await?; // of an object that is not there: superseded, and done
    }
    let worker = site.start(&[])?;
    site.all_recorded(&site.embedded()?, &keys).await?;
    until("the bad message is not in the dead-letter queue alone", async || {
        Ok(site.messages(&site.url).await? == 0 && site.messages(&site.dead_letters).await? == 1)
    })
    .await?;
    worker.signal("-INT")?;
    let (code, stdout, stderr) = worker.end()?;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("the SQS message's body is not JSON"), "{stderr}");
    assert!(stdout.contains("2 left to come again"), "twice, as the queue allows: {stdout}");
    Ok(())
}

/// In the middle of forty uploads, three times.
async fn ended(endpoint: &'static str, signal: &str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 3, 20).await?;
    let keys = site.upload(40).await?;
    let records = site.embedded()?;
    for part in [5, 15, 25] {
        let worker = site.start(&["--concurrency", "1"])?;
        site.all_recorded(&records, &keys[..part]).await?;
        worker.signal(signal)?;
        let (code, _, stderr) = worker.end()?;
        assert_eq!(code, (signal == "-TERM").then_some(0), "{stderr}");
    }
    let _worker = site.start(&[])?;
    site.all_recorded(&records, &keys).await?;
    site.all_deleted().await?;
    assert_eq!(site.messages(&site.dead_letters).await?, 0);
    Ok(())
}

/// A worker inside this process.
struct Inside {
    stop: CancellationToken,
    notes: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<Counts>,
}

impl Inside {
    async fn start(site: &Site, objects: Arc<dyn Objects>, records: Arc<dyn Records>) -> Result<Inside, Failed> {
        let (model, limits) = (Arc::new(Model::embedded()?), Limits::default());
        let pipeline = Pipeline::new(objects, records.clone(), model, limits, u64::MAX);
        let function = Function::new(pipeline, EventBridgeKeys::Plain);
        let notes: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = notes.clone();
        let tell = move |what: Told<'_>| {
            if let Told::Note(note) = what {
                told.lock().unwrap().push(note);
            }
        };
        let queue = Queue::open(site.sqs.clone(), &site.name).await?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let worker = worker::Worker::new(queue, function, records, 3, tell);
        let task = tokio::spawn(async move { worker.run(&stopped).await });
        Ok(Inside { stop, notes, task })
    }

    async fn noted(&self, what: &str, times: usize) -> Result<(), Failed> {
        let count = || self.notes.lock().unwrap().iter().filter(|note| note.contains(what)).count();
        until(what, async || Ok(count() == times)).await
    }

    async fn end(self) -> Result<Counts, Failed> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}

const AWAY: &str = "receiving nothing until the records' home is back: the test says so";
const BACK: &str = "the records' home is back: receiving again";

async fn away_at_first(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 1, 1).await?;
    let records = Flaky::new(site.embedded()?, 0);
    let worker = Inside::start(&site, Arc::new(S3Objects::new(site.s3.clone())), records.clone()).await?;
    worker.noted(AWAY, 1).await?;
    let keys = site.upload(12).await?;
    // A time does have to pass here: one in which a receive would have shown, and cost all that the queue allows.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(site.messages(&site.url).await?, keys.len() + 1);
    records.last_write.store(usize::MAX, Relaxed);
    records.is_away.store(false, Relaxed);
    site.all_recorded(&*records, &keys).await?;
    site.all_deleted().await?;
    worker.noted(BACK, 1).await?;
    assert_eq!(worker.end().await?.received.load(Relaxed), keys.len() + 1);
    assert_eq!(site.messages(&site.dead_letters).await?, 0);
    Ok(())
}

/// A queue that gives each message one chance, and an outage of several visibilities: what was in hand stays there.
async fn away_in_mid_work(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 2, 1).await?;
    let keys = site.upload(25).await?;
    let records = Flaky::new(site.embedded()?, 3);
    let worker = Inside::start(&site, Arc::new(S3Objects::new(site.s3.clone())), records.clone()).await?;
    worker.noted(AWAY, 1).await?;
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(site.messages(&site.dead_letters).await?, 0, "in the outage");
    records.is_away.store(false, Relaxed);
    site.all_recorded(&*records, &keys).await?;
    site.all_deleted().await?;
    worker.noted(BACK, 1).await?;
    worker.noted(AWAY, 1).await?;
    let counts = worker.end().await?;
    assert_eq!((counts.failed.load(Relaxed), counts.received.load(Relaxed)), (0, keys.len() + 1));
    assert_eq!(site.messages(&site.dead_letters).await?, 0);
    Ok(())
}

/// Three times the queue's visibility, with two more lanes that wait for messages.
async fn slow(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 2, 1).await?;
    let records = Arc::new(site.embedded()?);
    let bucket = S3Objects::new(site.s3.clone());
    let objects = Arc::new(Slow { bucket, time: Duration::from_secs(6), asked: Mutex::default() });
    let worker = Inside::start(&site, objects.clone(), records.clone()).await?;
    let keys = site.upload(1).await?;
    site.all_recorded(&*records, &keys).await?;
    site.all_deleted().await?;
    worker.end().await?;
    assert_eq!(*objects.asked.lock().unwrap(), keys, "asked for once");
    assert_eq!(site.messages(&site.dead_letters).await?, 0);
    Ok(())
}

async fn queue_gone(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 30, 5).await?;
    let records = Arc::new(site.embedded()?);
    let objects = Arc::new(S3Objects::new(site.s3.clone()));
    let worker = Inside::start(&site, objects, records.clone()).await?;
    site.all_deleted().await?;
    site.sqs.delete_queue().queue_url(&site.url).send().await?;
    worker.noted(&format!("there is no queue {} in us-east-1", site.name), 1).await?;
    site.create_queue(&site.name, &[]).await?;
    worker.noted("the queue answers again", 1).await?;
    let keys = site.upload(2).await?;
    site.all_recorded(&*records, &keys).await?;
    worker.end().await?;
    Ok(())
}

async fn wrong_name(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 30, 5).await?;
    let of_url = format!("{endpoint}/000000000000/nothing");
    for queue in ["nothing", &of_url] {
        let output = site.worker(queue).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(&format!("spotter: there is no queue {queue} in us-east-1")), "{stderr}");
    }
    Ok(())
}

/// Needs no queue.
fn cannot() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "k")];
    for (arguments, code, what) in [
        (&["worker"][..], 2, "name a queue with --queue or SPOTTER_QUEUE, or take --webhook"),
        (&["worker", "--webhook", "0.0.0.0:0"], 2, "set a token in SPOTTER_WEBHOOK_TOKEN"),
        (&["serve", "--port", "0", "--page-port", "0", "--webhook", "0.0.0.0:0"], 2, "SPOTTER_WEBHOOK_TOKEN"),
        (&["worker", "--queue", "q", "--include", "["], 2, "'--include <GLOB>': \"[\" is not a glob"),
        (&["worker", "--queue", "q", "--concurrency", "0"], 2, "0 is not in 1..=256"),
    ] {
        let output = spotter(&home).args(arguments).envs(keys).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(what), "{arguments:?}: {stderr}");
    }
    // Nobody is at port 1: it waits for somebody.
    let mut waiting = spotter(&home)
        .args(["worker", "--queue", "http://127.0.0.1:1/000000000000/q"])
        .envs(keys)
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let mut stderr = std::io::BufReader::new(waiting.stderr.take().ok_or("no stderr")?);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line)?;
    assert!(std::process::Command::new("kill").arg(waiting.id().to_string()).status()?.success());
    assert!(line.contains("cannot be reached") && line.contains("Trying again"), "{line}");
    assert_eq!(waiting.wait()?.code(), Some(0), "{line}");
    Ok(())
}
