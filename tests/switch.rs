//! Another model, safely: while pictures come and people ask, a backfill with it runs, the served model is switched, and
//! switched back. No answer is of neither model, and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures_util::TryStreamExt;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::ask::{self, Question};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::EventBridgeKeys;
use spotter::function::Function;
use spotter::objects::S3Objects;
use spotter::page::{self, PageState};
use spotter::pipeline::Pipeline;
use spotter::records;
use spotter::records::cassandra::{Cassandra, CassandraConfig, Wanted};
use spotter::records::embedded::Embedded;
use tempfile::TempDir;
use tower_service::Service;

use crate::cli::spotter;
use crate::cloud::{BUCKET, Cloud, MAX_BYTES, sample};
use crate::harness::{self, needs, on_runtime};

const A: &str = "digits/2";
const B: &str = "mirror/1";
/// Pictures before the switches and during them, each of a key of its own.
const BEFORE: usize = 24;
const DURING: usize = 60;
/// Of which both models are sure.
const PICTURES: [&str; 5] = ["1.png", "4.gif", "8.bmp", "8 small.png", "3+chalk.webp"];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("switch::under_load_in_a_file", || on_runtime(under_load(None))),
        needs("switch::under_load_in_cassandra", harness::cassandra::node(), |node| {
            on_runtime(async move { under_load(Some(node.get()?)).await })
        }),
        Trial::test("switch::the_command_says_what_it_does_and_refuses_a_typo", || on_runtime(command())),
        Trial::test("switch::watch_follows_unless_a_model_is_named", || on_runtime(watched())),
    ]
}

/// The digits under another name, with the labels the other way round: what is 1 for A is 8 for B.
fn mirror() -> Result<TempDir, Failed> {
    let (folder, digits) = (TempDir::new()?, harness::root().join("model/digits"));
    std::fs::copy(digits.join("model.onnx"), folder.path().join("model.onnx"))?;
    let manifest = std::fs::read_to_string(digits.join("manifest.toml"))?;
    let labels: Vec<&str> = manifest.lines().filter(|line| line.starts_with("labels = ")).collect();
    let [labels] = labels[..] else { return Err("the manifest's labels are not in one line".into()) };
    let mirrored: Vec<String> = (0..10).rev().map(|digit| format!("\"{digit}\"")).collect();
    let manifest = manifest.replace(labels, &format!("labels = [{}, \"no-digit\"]", mirrored.join(", ")));
    let manifest = manifest.replace("name = \"digits\"", "name = \"mirror\"").replace("version = 2", "version = 1");
    std::fs::write(folder.path().join("manifest.toml"), manifest)?;
    Ok(folder)
}

struct Scene {
    cloud: Cloud,
    /// A's and B's, each with a queue of its own.
    functions: [Function; 2],
    home: TempDir,
    mirror: TempDir,
    cassandra: Option<CassandraConfig>,
    page: Router,
    /// What A says of each key that both have recorded.
    recorded: Mutex<BTreeMap<String, String>>,
    /// How often the served model was changed: an answer between two changes may be of either model.
    switches: AtomicUsize,
    ended: AtomicBool,
}

impl Scene {
    async fn new(node: Option<&str>) -> Result<Scene, Failed> {
        let (mut cloud, home, mirror) = (Cloud::start().await?, TempDir::new()?, mirror()?);
        let keyspace = format!("switch_{}", std::process::id());
        let cassandra =
            node.map(|node| CassandraConfig { nodes: vec![node.to_owned()], keyspace, ..CassandraConfig::default() });
        cloud.records = match &cassandra {
            Some(config) => {
                let home = Cassandra::new(config.clone());
                home.apply_schema(&Wanted::default()).await?;
                Arc::new(home)
            }
            None => Arc::new(Embedded::open(&home.path().join("records.sqlite"))?),
        };
        let own = Arc::new(Model::embedded()?);
        let functions = [Arc::clone(&own), Arc::new(Model::from_folder(mirror.path())?)].map(|model| {
            let objects = Arc::new(S3Objects::new(cloud.s3.clone()));
            let pipeline = Pipeline::new(objects, cloud.records.clone(), model, Limits::default(), MAX_BYTES);
            Function::new(pipeline, EventBridgeKeys::Plain)
        });
        let page = page::router(PageState {
            // A session of its own, as a page of its own process has.
            records: match &cassandra {
                Some(config) => Arc::new(Cassandra::new(config.clone())),
                None => Arc::new(Embedded::open(&home.path().join("records.sqlite"))?),
            },
            model: own,
            objects: Arc::new(S3Objects::new(cloud.s3.clone())),
            limits: Limits::default(),
            max_bytes: MAX_BYTES,
            s3_endpoint: cloud.url.clone(),
            uploads: None,
            live: None,
            samples: None,
            metrics: None,
            hosts: None,
            token: None,
        });
        let (recorded, switches, ended) = (Mutex::default(), AtomicUsize::new(0), AtomicBool::new(false));
        Ok(Scene { cloud, functions, home, mirror, cassandra, page, recorded, switches, ended })
    }

    /// An upload, and what A's function makes of it; B's too, if it runs yet.
    async fn upload(&self, at: usize, by_both: bool) -> Result<(), Failed> {
        let key = format!("{at:03}.png");
        self.cloud.put(&key, &sample(PICTURES[at % PICTURES.len()])?).await?;
        for notification in self.cloud.notifications()? {
            let event: Value = serde_json::from_str(&notification.body)?;
            for function in &self.functions[..1 + usize::from(by_both)] {
                function.answer(&event, harness::deadline()).await.body?;
            }
        }
        if by_both {
            self.known(&key).await?;
        }
        Ok(())
    }

    /// From here on, whoever asks for it gets an answer of A or of B, and none is allowed to be missing.
    async fn known(&self, key: &str) -> Result<(), Failed> {
        let said = records::get(&*self.cloud.records, BUCKET, key, A).await?.ok_or(format!("no {key} by {A}"))?;
        let label = said.listed_as().to_owned();
        self.recorded.lock().unwrap().insert(key.to_owned(), label);
        Ok(())
    }

    async fn switch(&self, to: Option<&str>) -> Result<(), Failed> {
        self.switches.fetch_add(1, SeqCst);
        self.cloud.records.serve(to).await?;
        self.switches.fetch_add(1, SeqCst);
        Ok(())
    }

    /// Asks as people do, without naming a model, until the end. How many answers there were by each model.
    async fn ask(&self) -> Result<BTreeMap<String, usize>, Failed> {
        let mut by: BTreeMap<String, usize> = BTreeMap::new();
        while !self.ended.load(SeqCst) {
            let keys: Vec<(String, String)> = self.recorded.lock().unwrap().clone().into_iter().collect();
            let Some((key, label)) = fastrand::choice(&keys) else {
                tokio::task::yield_now().await;
                continue;
            };
            let before = self.switches.load(SeqCst);
            let served = self.cloud.records.served().await?;
            let object = self.page(&format!("/api/object?bucket={BUCKET}&key={key}")).await?;
            let listed = self.page("/api/records?limit=1000").await?;
            let settled = before.is_multiple_of(2) && before == self.switches.load(SeqCst);
            let current = &object["current"];
            let model = current["model"].as_str().ok_or(format!("no answer of {key}: {object}"))?;
            let expected = match model {
                A => label.clone(),
                B => mirrored(label),
                other => return Err(format!("an answer of {other}").into()),
            };
            assert_eq!(current["label"], Value::from(expected), "{key} by {model}");
            let rows = listed["records"].as_array().ok_or("no listing")?;
            let models: Vec<&Value> = rows.iter().map(|row| &row["model"]).collect();
            assert!(models.windows(2).all(|pair| pair[0] == pair[1]), "a listing is of one model: {models:?}");
            let missing: Vec<_> = keys.iter().filter(|(key, _)| !rows.iter().any(|row| row["key"] == **key)).collect();
            assert!(missing.is_empty(), "not listed by {:?}: {missing:?}", models.first());
            if settled {
                // Between switches it is the served one's, by every way of asking.
                let served = served.as_deref().unwrap_or(A);
                assert_eq!((model, models.first().copied()), (served, Some(&Value::from(served))));
            }
            *by.entry(model.to_owned()).or_default() += 1;
        }
        Ok(by)
    }

    async fn page(&self, uri: &str) -> Result<Value, Failed> {
        let mut router = self.page.clone();
        let request = Request::get(uri).header("host", "localhost").body(Body::empty())?;
        let response = router.call(request).await?;
        let (status, bytes) = (response.status(), to_bytes(response.into_body(), usize::MAX).await?);
        if status.is_success() {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        Err(format!("{uri}: {status}: {}", String::from_utf8_lossy(&bytes)).into())
    }

    /// The binary, in this scene, as somebody at a terminal would run it.
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = spotter(&self.home);
        command.args(arguments).env("SPOTTER_DATA", self.home.path()).env("AWS_ENDPOINT_URL", &self.cloud.url);
        command.env("AWS_ACCESS_KEY_ID", &self.cloud.credentials.access_key_id);
        command.env("AWS_SECRET_ACCESS_KEY", &*self.cloud.credentials.secret_access_key);
        if let Some(CassandraConfig { nodes, keyspace, .. }) = &self.cassandra {
            command.env("SPOTTER_CASSANDRA", &nodes[0]).env("SPOTTER_KEYSPACE", keyspace);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Standard output and error of a command that must end well.
    async fn run(&self, arguments: &[&str]) -> Result<(String, String), Failed> {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if output.status.success() { Ok((stdout, stderr)) } else { Err(format!("{arguments:?}: {stderr}").into()) }
    }
}

fn mirrored(label: &str) -> String {
    label.parse::<u32>().map_or_else(|_| label.to_owned(), |digit| (9 - digit).to_string())
}

#[allow(clippy::print_stderr)] // what a run measures
async fn under_load(node: Option<&str>) -> Result<(), Failed> {
    let scene = Scene::new(node).await?;
    for at in 0..BEFORE {
        scene.upload(at, false).await?;
    }
    let mirror = scene.mirror.path().to_string_lossy().into_owned();
    let bucket = format!("s3://{BUCKET}");
    let (uploading, asking) = (AtomicUsize::new(BEFORE), async {
        // Two who ask, with people's pauses left out.
        let (one, other) = futures_util::try_join!(scene.ask(), scene.ask())?;
        Ok::<_, Failed>(one.into_iter().chain(other).fold(
            BTreeMap::new(),
            |mut by: BTreeMap<String, usize>, (model, count)| {
                *by.entry(model).or_default() += count;
                by
            },
        ))
    });
    let uploads = async {
        for at in BEFORE..BEFORE + DURING {
            scene.upload(at, true).await?;
            uploading.store(at, SeqCst);
        }
        Ok::<_, Failed>(())
    };
    let switches = async {
        // B sees what was there before it.
        scene.run(&["backfill", &bucket, "--model", &mirror]).await?;
        for at in 0..BEFORE {
            scene.known(&format!("{at:03}.png")).await?;
        }
        let mut times = 0;
        while uploading.load(SeqCst) + 1 < BEFORE + DURING || times < 4 {
            for served in [Some(B), Some(A), Some(B), None] {
                scene.switch(served).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            times += 4;
        }
        scene.switch(Some(B)).await?;
        Ok::<_, Failed>(times + 1)
    };
    let begun = Instant::now();
    let load = async {
        let done = futures_util::try_join!(uploads, switches);
        // Some questions after the last one.
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.ended.store(true, SeqCst);
        done
    };
    let (((), times), by) = futures_util::try_join!(load, asking)?;
    let took = begun.elapsed().as_secs_f64();
    eprintln!("{DURING} uploads, {times} switches, answers {by:?} in {took:.1} s");
    assert!(by.get(A).is_some_and(|count| *count > 0) && by.get(B).is_some_and(|count| *count > 0), "{by:?}");
    whole(&scene).await?;
    if let Some(CassandraConfig { nodes, keyspace, .. }) = &scene.cassandra {
        let session = scylla::client::session_builder::SessionBuilder::new().known_node(&nodes[0]).build().await?;
        session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    }
    Ok(())
}

/// Both models have seen every picture, and every way of asking shows B's answers; after the way back A's.
async fn whole(scene: &Scene) -> Result<(), Failed> {
    for model in [A, B] {
        let question = Question { model: model.into(), ..Question::default() };
        let rows: Vec<_> = ask::answers(&*scene.cloud.records, question, None).try_collect().await?;
        assert_eq!(rows.len(), BEFORE + DURING, "{model}");
    }
    let (confusion, summary) = scene.run(&["model", "diff", A, B, "--confusion", "--format", "csv"]).await?;
    assert!(summary.contains(" 0 only by digits/2 · 0 only by mirror/1"), "{summary}");
    let counted: usize =
        confusion.lines().skip(1).filter_map(|line| line.rsplit(',').next()?.parse::<usize>().ok()).sum();
    assert_eq!(counted, BEFORE + DURING, "{confusion}");
    let object = format!("s3://{BUCKET}/000.png");
    for (to, model) in [(B, B), (A, A), ("--none", A)] {
        scene.run(&["model", "switch", to]).await?;
        for command in [&["get", &*object][..], &["list"], &["export", "--output", "-"]] {
            let (said, _) =
                scene.run(&[command, if command[0] == "export" { &[] } else { &["--json"] }].concat()).await?;
            let models: Vec<Value> = said.lines().map(serde_json::from_str::<Value>).collect::<Result<_, _>>()?;
            assert!(
                !models.is_empty() && models.iter().all(|row| row["model"] == model),
                "{command:?} with {to}: {said}"
            );
        }
        // By a label: under which the served model lists it, and no other one.
        for label in ["1", "5", "8"] {
            let (said, _) = scene.run(&["list", "--label", label, "--limit", "1000", "--json"]).await?;
            let listed: Vec<Value> = said.lines().map(serde_json::from_str::<Value>).collect::<Result<_, _>>()?;
            let keys: BTreeSet<_> = listed.iter().filter_map(|row| row["key"].as_str().map(str::to_owned)).collect();
            let recorded = scene.recorded.lock().unwrap().clone();
            let of_model = |by_a: &str| if model == A { by_a.to_owned() } else { mirrored(by_a) };
            let expected = recorded.into_iter().filter(|(_, by_a)| of_model(by_a) == label).map(|(key, _)| key);
            assert_eq!(keys, expected.collect(), "{label} with {to}");
            assert!(
                listed.iter().all(|row| row["model"] == model && row["label"] == label),
                "{label} with {to}: {said}"
            );
        }
        let (stats, _) = scene.run(&["stats", "--format", "table"]).await?;
        assert!(stats.starts_with(&format!("{} rows of {model}\n", BEFORE + DURING)), "{stats}");
        assert_eq!(scene.page("/api/about").await?["model"], model);
        // Who names a model gets that one, whatever is served.
        let (said, _) = scene.run(&["get", &object, "--json", "--model", B]).await?;
        assert_eq!(serde_json::from_str::<Value>(&said)?["model"], B);
    }
    Ok(())
}

async fn command() -> Result<(), Failed> {
    let scene = Scene::new(None).await?;
    scene.upload(1, true).await?;
    let none = "none: each process shows the answers of its own model\n";
    assert_eq!(scene.run(&["model", "switch"]).await?.0, none);
    let (_, said) = scene.run(&["model", "switch", B]).await?;
    assert_eq!(said, "mirror/1 is shown from now on\nBack  spotter model switch --none\n");
    let (_, said) = scene.run(&["model", "switch", A]).await?;
    assert_eq!(said, "digits/2 is shown from now on\nBack  spotter model switch mirror/1\n");
    assert_eq!(scene.run(&["model", "switch"]).await?.0, "digits/2\n");
    assert_eq!(scene.run(&["model", "switch", A]).await?.1, "digits/2 is shown already\n");
    let typo = scene.run(&["model", "switch", "mirror/11"]).await.unwrap_err();
    assert!(typo.message().unwrap_or_default().contains("no record by mirror/11"), "{typo:?}");
    assert_eq!(scene.run(&["model", "switch"]).await?.0, "digits/2\n", "a typo changes nothing");
    let usage = scene.command(&["model", "switch", "mirror"]).output()?;
    assert_eq!(usage.status.code(), Some(2));
    Ok(())
}

/// A running `watch` and what it prints, which ends with the trial.
struct Watch(Child, Receiver<String>);

impl Watch {
    fn start(scene: &Scene, more: &[&str]) -> Result<Watch, Failed> {
        let mut command = scene.command(&[&["watch", "--json", "--every", "100ms"], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let prints = harness::lines(&mut child)?;
        Ok(Watch(child, prints))
    }

    /// The next records, each as its key and model.
    fn shows(&mut self, expected: &[(&str, &str)]) -> Result<(), Failed> {
        for (key, model) in expected {
            let line = self.1.recv_timeout(Duration::from_secs(60));
            let row: Value = serde_json::from_str(&line.map_err(|error| format!("no {key} by {model}: {error}"))?)?;
            assert_eq!((&row["key"], &row["model"]), (&Value::from(*key), &Value::from(*model)));
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn watched() -> Result<(), Failed> {
    let scene = Scene::new(None).await?;
    scene.upload(0, true).await?;
    let (mut follows, mut named) = (Watch::start(&scene, &[])?, Watch::start(&scene, &["--model", A])?);
    follows.shows(&[("000.png", A)])?;
    named.shows(&[("000.png", A)])?;
    scene.switch(Some(B)).await?;
    follows.shows(&[("000.png", B)])?;
    scene.upload(1, true).await?;
    follows.shows(&[("001.png", B)])?;
    scene.switch(None).await?;
    follows.shows(&[("000.png", A), ("001.png", A)])?;
    scene.upload(2, true).await?;
    follows.shows(&[("002.png", A)])?;
    named.shows(&[("001.png", A), ("002.png", A)])
}
