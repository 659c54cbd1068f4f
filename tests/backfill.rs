//! `spotter backfill`: what is in a bucket and not in the records, whatever happened to the events.

mod batch;
mod delete;
mod faults;
mod resume;

use std::collections::BTreeMap;
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::backfill::{Backfill, Gap, Pace, Round, Scope, Seen};
use spotter::filter::Filter;
use spotter::objects::S3Objects;
use spotter::pipeline::Outcome;
use spotter::record::Status;
use spotter::records;
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::{self, BUCKET, Cloud, sample};
use crate::harness::on_runtime;

const MODEL: &str = "digits/2";
const LIMIT: Duration = Duration::from_secs(60);

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("backfill::fills_what_is_missing_or_stale_and_nothing_else", || on_runtime(fills())),
        Trial::test("backfill::true_events_outrank_it", || on_runtime(true_events())),
        Trial::test("backfill::a_bucket_of_versions", || on_runtime(versions())),
        Trial::test("backfill::orphans_are_found_and_left_alone", || on_runtime(orphans())),
        Trial::test("backfill::listings_have_pages_and_odd_keys", || on_runtime(pages())),
        Trial::test("backfill::the_command_says_what_it_does", || on_runtime(command())),
        Trial::test("backfill::a_dry_run_has_formats_and_changes_nothing", || on_runtime(dry_run())),
        Trial::test("backfill::every_minute_until_ctrl_c", || on_runtime(every())),
        Trial::test("backfill::a_bucket_that_is_away_is_a_failure", || on_runtime(away())),
        Trial::test("backfill::what_failed_is_a_file_and_the_file_is_tried_again", || on_runtime(failures())),
        Trial::test("backfill::a_rescan_writes_the_same_rows", || on_runtime(rescan())),
    ];
    trials.extend(batch::trials());
    trials.extend(delete::trials());
    trials.extend(faults::trials());
    trials.extend(resume::trials());
    trials
}

pub fn backfill(cloud: &Cloud, prefix: &str) -> Backfill {
    Backfill {
        objects: std::sync::Arc::new(S3Objects::new(cloud.s3.clone())),
        records: cloud.records.clone(),
        model: MODEL.into(),
        bucket: BUCKET.into(),
        prefix: prefix.into(),
        filter: Filter::default(),
        pace: Pace::new(4),
    }
}

pub fn gaps() -> Round {
    Round { scope: Scope::Gaps { after: None }, limit: LIMIT }
}

/// Gap and outcome of each key that was not right.
async fn run(cloud: &Cloud, prefix: &str) -> Result<BTreeMap<String, (Gap, bool)>, Failed> {
    let backfill = backfill(cloud, prefix);
    let pipeline = cloud::pipeline(cloud.s3.clone(), cloud.records.clone())?;
    let filled: Vec<_> = backfill.fill(&pipeline, gaps(), pending().boxed()).try_collect().await?;
    let done = |outcome: &Outcome| matches!(outcome, Outcome::Recorded(_));
    let gaps = filled.into_iter().filter_map(|filled| {
        let (_, handled) = filled.handled?;
        Some((filled.key, (filled.gap?, done(&handled.outcome))))
    });
    Ok(gaps.collect())
}

async fn current(cloud: &Cloud, key: &str) -> Result<(Status, Option<String>), Failed> {
    let record = records::get(&*cloud.records, BUCKET, key, MODEL).await?.ok_or(format!("no record of {key}"))?;
    Ok((record.status, record.label))
}

async fn fills() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    for key in ["in/known.png", "in/replaced.png", "in/missing.png", "other.png"] {
        cloud.put(key, &sample("1.png")?).await?;
        let event = cloud.notifications()?.remove(0).body;
        if ["in/known.png", "in/replaced.png"].contains(&key) {
            cloud.answer(&event).await?.body?;
        }
    }
    cloud.put("in/replaced.png", &sample("8.bmp")?).await?;
    cloud.put("in/notes.png", &sample("notes.png")?).await?;
    let gaps = run(&cloud, "in/").await?;
    let expected = [("in/missing.png", Gap::Missing), ("in/notes.png", Gap::Missing), ("in/replaced.png", Gap::Stale)];
    assert_eq!(gaps, expected.map(|(key, gap)| (key.to_owned(), (gap, true))).into());
    assert_eq!(current(&cloud, "in/replaced.png").await?, (Status::Classified, Some("8".into())));
    assert_eq!(current(&cloud, "in/missing.png").await?, (Status::Classified, Some("1".into())));
    assert_eq!(current(&cloud, "in/notes.png").await?.0, Status::Rejected);
    assert!(records::get(&*cloud.records, BUCKET, "other.png", MODEL).await?.is_none(), "outside of the prefix");
    assert!(run(&cloud, "in/").await?.is_empty(), "the second time there is nothing to do");
    // A delete that the records know, and an object that came back without an event.
    cloud.s3.delete_object().bucket(BUCKET).key("in/known.png").send().await?;
    let events = cloud.notifications()?;
    cloud.answer(&events.last().ok_or("no event")?.body).await?.body?;
    assert_eq!(current(&cloud, "in/known.png").await?.0, Status::Deleted);
    assert!(run(&cloud, "in/").await?.is_empty());
    cloud.put("in/known.png", &sample("8.bmp")?).await?;
    assert_eq!(run(&cloud, "in/").await?, [("in/known.png".to_owned(), (Gap::Stale, true))].into());
    assert_eq!(current(&cloud, "in/known.png").await?, (Status::Classified, Some("8".into())));
    Ok(())
}

/// Events that come late, after a backfill saw what they announce.
async fn true_events() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    cloud.put("a.png", &sample("8.bmp")?).await?;
    let late = cloud.notifications()?;
    run(&cloud, "").await?;
    for event in late.iter().rev() {
        cloud.answer(&event.body).await?.body?;
    }
    assert_eq!(current(&cloud, "a.png").await?, (Status::Classified, Some("8".into())));
    assert!(run(&cloud, "").await?.is_empty());
    cloud.s3.delete_object().bucket(BUCKET).key("a.png").send().await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    assert_eq!(current(&cloud, "a.png").await?.0, Status::Deleted);
    Ok(())
}

async fn versions() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.keep_versions().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    assert!(run(&cloud, "").await?.is_empty());
    cloud.put("a.png", &sample("8.bmp")?).await?;
    let late = cloud.notifications()?;
    assert_eq!(run(&cloud, "").await?, [("a.png".to_owned(), (Gap::Stale, true))].into());
    assert_eq!(current(&cloud, "a.png").await?.1.as_deref(), Some("8"));
    cloud.answer(&late[0].body).await?.body?;
    assert_eq!(current(&cloud, "a.png").await?.1.as_deref(), Some("8"));
    // A delete marker is in no listing.
    cloud.s3.delete_object().bucket(BUCKET).key("a.png").send().await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    assert!(run(&cloud, "").await?.is_empty());
    Ok(())
}

async fn orphans() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    for key in ["gone.png", "here.png", "deleted.png", "out/gone.png", "back.png"] {
        cloud.put(key, &sample("1.png")?).await?;
    }
    for event in cloud.notifications()? {
        cloud.answer(&event.body).await?.body?;
    }
    for key in ["gone.png", "out/gone.png", "back.png", "deleted.png"] {
        cloud.s3.delete_object().bucket(BUCKET).key(key).send().await?;
    }
    // Of these deletes only one event came.
    let deletes = cloud.notifications()?;
    cloud.answer(&deletes.last().ok_or("no event")?.body).await?.body?;
    let backfill = backfill(&cloud, "");
    let mut seen = Seen::default();
    for checked in backfill.check().try_collect::<Vec<_>>().await? {
        assert_eq!(checked.gap, None);
        seen.add(BUCKET, &checked.listed.key);
    }
    // Uploaded after the listing: no orphan, although the listing does not have it.
    cloud.put("back.png", &sample("1.png")?).await?;
    let seen = seen.sorted();
    let found: Vec<_> = backfill.orphans(&seen).try_collect().await?;
    let mut keys: Vec<&str> = found.iter().map(|row| row.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["gone.png", "out/gone.png"]);
    let rows = cloud.records.rows(BUCKET, "gone.png", None).await?;
    assert_eq!(rows.len(), 1, "it is reported, and recorded only where that is asked for");
    Ok(())
}

async fn pages() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    let odd = ["a+b c.png", "a%2Bb.png", "七/ü.png", "new\nline.png", "back\\slash&<>\".png", "dir/../up.png"];
    let blank = b"no picture";
    for key in odd {
        cloud.put(key, blank).await?;
    }
    const MANY: usize = 1_050;
    for at in 0..MANY {
        cloud.put(&format!("many/{at:04}"), blank).await?;
    }
    let checked: Vec<_> = backfill(&cloud, "").check().try_collect().await?;
    assert_eq!(checked.len(), MANY + odd.len());
    let keys: Vec<&str> = checked.iter().map(|checked| checked.listed.key.as_str()).collect();
    assert!(keys.is_sorted(), "in the order of keys");
    let gaps = run(&cloud, "").await?;
    assert_eq!(gaps.len(), MANY + odd.len());
    for key in odd {
        assert_eq!(gaps.get(key), Some(&(Gap::Missing, true)), "{key:?}");
    }
    assert!(run(&cloud, "").await?.is_empty());
    Ok(())
}

fn on(home: &TempDir, cloud: &Cloud, arguments: &[&str]) -> Command {
    let mut command = spotter(home);
    command
        .arg("backfill")
        .args(arguments)
        .env("AWS_ENDPOINT_URL", &cloud.url)
        .env("AWS_ACCESS_KEY_ID", &cloud.credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &cloud.credentials.secret_access_key);
    command
}

/// Exit code, stdout, stderr.
fn said(mut command: Command) -> Result<(Option<i32>, String, String), Failed> {
    let output = command.output()?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

async fn command() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    cloud.put("in/8.bmp", &sample("8.bmp")?).await?;
    cloud.put("in/notes.png", &sample("notes.png")?).await?;
    let (code, out, err) = said(on(&home, &cloud, &["s3://demo/in/"]))?;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("s3://demo/in/8.bmp  classified  8"), "{out}");
    assert!(out.contains("\n2 listed · 0 right · 2 missing · 0 stale · 2 recorded (1 rejected) · 0 failed  "), "{out}");
    let (code, out, _) = said(on(&home, &cloud, &["s3://demo"]))?;
    assert_eq!(code, Some(0));
    assert!(out.starts_with("2 listed · 2 right · 0 missing · 0 stale · 0 recorded · 0 failed  "), "{out}");
    let (code, _, err) = said(on(&home, &cloud, &["demo/in"]))?;
    assert_eq!((code, err.contains("did you mean s3://demo/in?")), (Some(2), true), "{err}");
    // What is left out is not there.
    cloud.put("in/8.tmp", &sample("8.bmp")?).await?;
    let (_, out, _) = said(on(&home, &cloud, &["s3://demo", "--exclude", "*.tmp", "--include", "in/**"]))?;
    assert!(out.starts_with("2 listed · 2 right"), "{out}");
    cloud.s3.delete_object().bucket(BUCKET).key("in/8.tmp").send().await?;
    // Who is to be told and does not listen: the object is not done, and said.
    cloud.put("in/1.png", &sample("1.png")?).await?;
    let mut deaf = on(&home, &cloud, &["s3://demo"]);
    deaf.env("SPOTTER_NOTIFY", "http://127.0.0.1:1/");
    let (code, out, err) = said(deaf)?;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("s3://demo/in/1.png  failed: recorded, but http://127.0.0.1:1 could not be told"), "{err}");
    assert!(out.contains("3 listed · 2 right · 1 missing · 0 stale · 0 recorded · 1 retried · 1 failed  "), "{out}");
    Ok(())
}

async fn dry_run() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for (key, name) in [("gone.png", "1.png"), ("stale \"1\".png", "1.png")] {
        cloud.put(key, &sample(name)?).await?;
    }
    assert_eq!(said(on(&home, &cloud, &["s3://demo"]))?.0, Some(0));
    cloud.s3.delete_object().bucket(BUCKET).key("gone.png").send().await?;
    cloud.put("stale \"1\".png", &sample("8.bmp")?).await?;
    cloud.put("new\n.png", &sample("8.bmp")?).await?;
    let (code, out, err) = said(on(&home, &cloud, &["s3://demo", "--dry-run", "--format", "table"]))?;
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    let expected =
        ["missing   s3://demo/new\\u{a}.png", "stale     s3://demo/stale \"1\".png", "orphaned  s3://demo/gone.png"];
    assert_eq!(lines[..3], expected, "{out}");
    assert!(lines[3].starts_with("2 listed · 0 right · 1 missing · 1 stale · 1 orphaned  "), "{out}");
    let (_, out, err) = said(on(&home, &cloud, &["s3://demo", "--dry-run", "--json"]))?;
    let found: Vec<Value> = out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let gaps: Vec<_> = found.iter().map(|line| (line["gap"].as_str(), line["key"].as_str())).collect();
    let expected = [("missing", "new\n.png"), ("stale", "stale \"1\".png"), ("orphaned", "gone.png")];
    assert_eq!(gaps, expected.map(|(gap, key)| (Some(gap), Some(key))));
    assert!(found.iter().all(|line| line["etag"].is_string() && line["size"].is_u64()), "{out}");
    assert!(err.contains("1 orphaned"), "the summary is no data: {err}");
    let (_, out, _) = said(on(&home, &cloud, &["s3://demo", "--dry-run", "--format", "csv"]))?;
    assert!(
        out.starts_with("gap,bucket,key,etag,size\n") && out.contains("stale,demo,\"stale \"\"1\"\".png\","),
        "{out}"
    );
    let (_, out, _) = said(on(&home, &cloud, &["s3://demo", "--dry-run", "--json"]))?;
    assert_eq!(out.lines().count(), 3, "nothing was changed");
    Ok(())
}

async fn every() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    cloud.put("a.png", &sample("1.png")?).await?;
    let mut child = on(&home, &cloud, &["s3://demo", "--every", "1s"]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
    let mut until = |what: &str| -> Result<(), Failed> {
        loop {
            let line = lines.next().ok_or("it ended")??;
            if line.contains(what) {
                return Ok(());
            }
        }
    };
    until("1 listed · 0 right · 1 missing · 0 stale · 1 recorded")?;
    until("1 listed · 1 right · 0 missing · 0 stale · 0 recorded")?;
    cloud.put("b.png", &sample("8.bmp")?).await?;
    until("s3://demo/b.png  classified  8")?;
    until("2 listed · 1 right · 1 missing · 0 stale · 1 recorded")?;
    // A round that fails is not the last one.
    let records = home.path().join(".local/share/spotter/records.sqlite");
    let embedded = Embedded::open(&records)?;
    assert_eq!(records::get(&embedded, BUCKET, "b.png", MODEL).await?.map(|row| row.label), Some(Some("8".into())));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status()?.success());
    assert_eq!(child.wait()?.code(), Some(0));
    Ok(())
}

async fn failures() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for key in ["in/1\n.png", "in/8.bmp", "out.png"] {
        cloud.put(key, &sample("8.bmp")?).await?;
    }
    let file = home.path().join("failed.jsonl");
    let name = file.to_str().ok_or("no text")?;
    // Recorded, but nobody hears of it.
    let mut deaf = on(&home, &cloud, &["s3://demo/in/", "--failures", name]);
    deaf.env("SPOTTER_NOTIFY", "http://127.0.0.1:1/");
    let (code, _, err) = said(deaf)?;
    assert_eq!((code, err.contains("--keys takes it")), (Some(1), true), "{err}");
    let failed = std::fs::read_to_string(&file)?;
    let failed: Vec<Value> = failed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut keys: Vec<_> = failed.iter().filter_map(|line| line["key"].as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["in/1\n.png", "in/8.bmp"]);
    assert!(failed.iter().all(|line| line["why"].as_str().is_some_and(|why| why.contains("could not be told"))));
    // By its keys what has a row already is done as well, and what is gone is said.
    cloud.s3.delete_object().bucket(BUCKET).key("in/8.bmp").send().await?;
    let (code, out, err) = said(on(&home, &cloud, &["s3://demo/in/", "--keys", name]))?;
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("2 named · 1 recorded · 1 gone meanwhile · 0 failed  "), "{out}");
    let (code, _, err) = said(on(&home, &cloud, &["s3://demo/out", "--keys", name]))?;
    assert_eq!((code, err.contains("failed.jsonl:1: s3://demo/in/")), (Some(1), true), "{err}");
    let (code, _, err) = said(on(&home, &cloud, &["s3://demo", "--keys", name, "--failures", name]))?;
    assert_eq!((code, err.contains("name the same file")), (Some(2), true), "{err}");
    Ok(())
}

async fn rescan() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("a.png", &sample("1.png")?).await?;
    cloud.put("b.png", &sample("8.bmp")?).await?;
    cloud.answer(&cloud.notifications()?[0].body).await?.body?;
    run(&cloud, "").await?;
    let before = [cloud.records.rows(BUCKET, "a.png", None).await?, cloud.records.rows(BUCKET, "b.png", None).await?];
    let pipeline = cloud::pipeline(cloud.s3.clone(), cloud.records.clone())?;
    let everything = Round { scope: Scope::Everything, ..gaps() };
    let filled: Vec<_> = backfill(&cloud, "").fill(&pipeline, everything, pending().boxed()).try_collect().await?;
    assert!(filled.iter().all(|filled| filled.gap.is_none() && filled.handled.is_some()) && filled.len() == 2);
    let after = [cloud.records.rows(BUCKET, "a.png", None).await?, cloud.records.rows(BUCKET, "b.png", None).await?];
    assert!(before == after && before.iter().all(|rows| rows.len() == 1));
    Ok(())
}

async fn away() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    let (code, out, err) = said(on(&home, &cloud, &["s3://nowhere/in"]))?;
    assert_eq!(code, Some(1), "{out}");
    assert!(err.contains("s3://nowhere/in cannot be listed") && err.contains("NoSuchBucket"), "{err}");
    let (code, _, err) = said(on(&home, &cloud, &["s3://demo", "--cassandra", "127.0.0.1:1"]))?;
    assert_eq!(code, Some(1));
    assert!(err.contains("127.0.0.1:1"), "{err}");
    Ok(())
}
