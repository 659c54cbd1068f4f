//! The functions' own binaries in front of the interface that Lambda gives them.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::records::cassandra::{Cassandra, CassandraConfig};
use spotter::records::{self, Records};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

use super::Files;
use crate::cli::spotter;
use crate::cloud::{BUCKET, Cloud, sample};
use crate::guard::leaks;
use crate::harness::{Part, cassandra, needs, on_runtime, root};
use crate::metrics::emf;

/// Of one invocation, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn trials() -> Vec<Trial> {
    // With the stack's: they need the zips that are built for it.
    vec![
        needs("stack::bootstrap_takes_its_model_from_a_bucket", parts(), |node| on_runtime(from_a_bucket(node))),
        needs("stack::bootstrap_survives_a_bucket_that_was_away_at_init", parts(), |node| on_runtime(away(node))),
        needs("stack::bootstrap_takes_its_model_from_its_zip", parts(), |node| on_runtime(from_its_zip(node))),
        needs("stack::bootstrap_prints_no_secret", parts(), |node| on_runtime(silent(node))),
        needs("stack::bootstrap_logs_and_measures", parts(), |node| on_runtime(observed(node))),
        needs("stack::the_page_takes_its_model_from_a_bucket", parts(), |node| on_runtime(page(node))),
    ]
}

fn parts() -> Result<Part<String>, String> {
    for binary in ["bootstrap", "page"] {
        let zip = format!("target/lambda/{binary}/bootstrap.zip");
        if !root().join(&zip).is_file() {
            return Err(format!("there is no {zip}: cargo lambda build makes it, as .ci/run says"));
        }
    }
    cassandra::node()
}

/// What a function's sandbox is: its binary, its interface, its way to the bucket, its /tmp.
struct Sandbox {
    cloud: Cloud,
    /// Whether the bucket is there.
    open: Arc<AtomicBool>,
    bucket: String,
    node: &'static str,
    keyspace: String,
    runtime_api: SocketAddr,
    events: mpsc::Sender<Invocation>,
    /// What an invocation has.
    time: Duration,
    answers: Mutex<mpsc::Receiver<Value>>,
    folder: TempDir,
    function: Option<Ended>,
}

/// Ended with the test that started it, or by the next one.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Sandbox {
    async fn start(node: Part<String>, keyspace: &str) -> Result<Sandbox, Failed> {
        let (cloud, folder, node) = (Cloud::start().await?, TempDir::new()?, node.get()?);
        let keyspace = format!("{keyspace}_{}", std::process::id());
        let mut schema = spotter(&folder);
        schema.args(["--cassandra", node, "schema", "apply"]).env("SPOTTER_KEYSPACE", &keyspace);
        let applied = schema.output()?;
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let open = Arc::new(AtomicBool::new(true));
        let bucket = gate(cloud.url.trim_start_matches("http://").to_owned(), open.clone()).await?;
        let (events, answers, runtime_api) = runtime_api().await?;
        let answers = Mutex::new(answers);
        let time = Duration::from_secs(60);
        Ok(Sandbox { cloud, open, bucket, node, keyspace, runtime_api, events, time, answers, folder, function: None })
    }

    /// INIT: the binary of a zip, as Lambda unpacks and starts it.
    fn init(&mut self, binary: &str, model: &str) -> Result<(), Failed> {
        self.init_in(binary, model, &[])
    }

    /// With more in its environment.
    fn init_in(&mut self, binary: &str, model: &str, more: &[(&str, &str)]) -> Result<(), Failed> {
        self.function = None;
        let task = self.folder.path().join("task");
        std::fs::create_dir_all(&task)?;
        let zip = root().join(format!("target/lambda/{binary}/bootstrap.zip"));
        let unzipped = Command::new("unzip").args(["-o", "-q"]).arg(zip).arg("-d").arg(&task).output()?;
        assert!(unzipped.status.success(), "{}", String::from_utf8_lossy(&unzipped.stderr));
        let mut function = Command::new(task.join("bootstrap"));
        function.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", self.runtime_api.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "spotter"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("LAMBDA_TASK_ROOT", &task.display().to_string()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &self.bucket),
            ("AWS_ACCESS_KEY_ID", &self.cloud.credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.cloud.credentials.secret_access_key),
            ("SPOTTER_CASSANDRA", self.node),
            ("SPOTTER_KEYSPACE", &self.keyspace),
            ("SPOTTER_MODEL", model),
            ("TMPDIR", &self.folder.path().display().to_string()),
        ]);
        function.envs(more.iter().copied());
        // Elsewhere than the zip, so that only LAMBDA_TASK_ROOT leads there.
        function.current_dir("/").stdin(Stdio::null());
        let log = std::fs::File::create(self.folder.path().join("log"))?;
        self.function = Some(Ended(function.stdout(log.try_clone()?).stderr(log).spawn()?));
        Ok(())
    }

    fn log(&self) -> Result<String, Failed> {
        Ok(std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    async fn invoke(&self, event: &Value) -> Result<Value, Failed> {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let id = format!("00000000-0000-4000-8000-{:012}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.events.send((id, event.clone(), self.time)).await?;
        let answer = tokio::time::timeout(PATIENCE, async { self.answers.lock().await.recv().await }).await;
        match answer {
            Ok(Some(answer)) => Ok(answer),
            _ => Err(format!("no answer: {}", self.log()?).into()),
        }
    }

    /// Uploads a sample, and is the event of it.
    async fn upload(&self, key: &str) -> Result<Value, Failed> {
        self.cloud.put(key, &sample(key)?).await?;
        let notifications = self.cloud.notifications()?;
        Ok(serde_json::from_str(&notifications.last().ok_or("no notification")?.body)?)
    }

    async fn label(&self, key: &str, model: &str) -> Result<Option<String>, Failed> {
        let records = Cassandra::new(CassandraConfig {
            nodes: vec![self.node.into()],
            keyspace: self.keyspace.clone(),
            ..CassandraConfig::default()
        });
        let rows = records.rows(BUCKET, key, None).await?;
        assert!(rows.iter().all(|row| row.model == model), "{rows:?}");
        Ok(records::get(&records, BUCKET, key, model).await?.and_then(|record| record.label))
    }
}

/// A way to the bucket that drops connections while it is shut.
async fn gate(bucket: String, open: Arc<AtomicBool>) -> Result<String, Failed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            if open.load(Ordering::SeqCst) {
                let bucket = bucket.clone();
                tokio::spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(bucket).await {
                        let _ = copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        }
    });
    Ok(url)
}

type Invocation = (String, Value, Duration);
type Interface = (mpsc::Sender<Invocation>, mpsc::Receiver<Value>, SocketAddr);

/// Lambda's side: `next` waits for an event, `response` and `error` are its answer.
async fn runtime_api() -> Result<Interface, Failed> {
    let (events, waiting) = mpsc::channel::<Invocation>(1);
    let (answer, answers) = mpsc::channel::<Value>(1);
    let waiting = Arc::new(Mutex::new(waiting));
    let next = async move || {
        let Some((id, event, time)) = waiting.lock().await.recv().await else {
            return StatusCode::GONE.into_response();
        };
        let deadline = SystemTime::now() + time;
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:spotter".to_owned();
        let headers = [
            ("lambda-runtime-aws-request-id", id),
            ("lambda-runtime-deadline-ms", deadline.to_string()),
            ("lambda-runtime-invoked-function-arn", arn),
            ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned()),
        ];
        (headers, event.to_string()).into_response()
    };
    let answered = async move |UrlPath(_): UrlPath<(String, String)>, body: String| {
        let body = serde_json::from_str(&body).unwrap_or_else(|_| json!({ "no JSON": body }));
        let _ = answer.send(body).await;
        StatusCode::ACCEPTED
    };
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{what}", post(answered));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((events, answers, address))
}

async fn from_a_bucket(node: Part<String>) -> Result<(), Failed> {
    let (mut sandbox, files) = (Sandbox::start(node, "from_a_bucket").await?, Files::confused()?);
    files.put(&sandbox.cloud, "models/confused/").await?;
    sandbox.init("bootstrap", &files.url("models/confused"))?;
    let event = sandbox.upload("1.png").await?;
    assert_eq!(sandbox.invoke(&event).await?, json!({ "objects": 1 }));
    assert_eq!(sandbox.label("1.png", "digits/99").await?.as_deref(), Some("7"));
    assert!(sandbox.log()?.contains("\"from\":\"s3://demo/models/confused\""), "{}", sandbox.log()?);

    // Another sandbox with the same /tmp needs no bucket for its model, and one with another hash takes no other.
    super::emptied(&sandbox.cloud).await?;
    let event = sandbox.upload("8.bmp").await?;
    sandbox.init("bootstrap", &files.url("models/confused"))?;
    assert_eq!(sandbox.invoke(&event).await?, json!({ "objects": 1 }));
    assert!(sandbox.log()?.contains("spotter-model-"), "{}", sandbox.log()?);
    files.put(&sandbox.cloud, "models/confused/").await?;
    let wrong = "00".repeat(32);
    sandbox.init("bootstrap", &format!("s3://{BUCKET}/models/confused#sha256={wrong}"))?;
    for _ in 0..2 {
        let answer = sandbox.invoke(&event).await?;
        let message = answer["errorMessage"].as_str().unwrap_or_default();
        assert_eq!(answer["errorType"], "Model", "{answer}");
        assert!(message.contains("s3://demo/models/confused/manifest.toml has SHA-256 "), "{answer}");
        assert!(message.contains(&wrong) && message.contains(&super::sha256(files.toml.as_bytes())), "{answer}");
    }
    Ok(())
}

/// No record is lost by it: the event comes again.
async fn away(node: Part<String>) -> Result<(), Failed> {
    let (mut sandbox, files) = (Sandbox::start(node, "away").await?, Files::confused()?);
    files.put(&sandbox.cloud, "m/").await?;
    let event = sandbox.upload("1.png").await?;
    sandbox.open.store(false, Ordering::SeqCst);
    sandbox.init("bootstrap", &files.url("m"))?;
    let answer = sandbox.invoke(&event).await?;
    let message = answer["errorMessage"].as_str().unwrap_or_default();
    assert!(answer["errorType"] == "Model" && message.contains("cannot fetch the model: s3://demo/m/"), "{answer}");
    assert!(!message.contains("s3:GetObject"), "permissions are not what it lacks: {answer}");
    assert!(sandbox.log()?.contains("\"outcome\":\"no_model\""), "{}", sandbox.log()?);
    sandbox.open.store(true, Ordering::SeqCst);
    assert_eq!(sandbox.invoke(&event).await?, json!({ "objects": 1 }), "{}", sandbox.log()?);
    assert_eq!(sandbox.label("1.png", "digits/99").await?.as_deref(), Some("7"));
    Ok(())
}

async fn from_its_zip(node: Part<String>) -> Result<(), Failed> {
    let mut sandbox = Sandbox::start(node, "from_its_zip").await?;
    Files::confused()?.write(&sandbox.folder.path().join("task/models/confused"))?;
    sandbox.init("bootstrap", "models/confused")?;
    let event = sandbox.upload("1.png").await?;
    assert_eq!(sandbox.invoke(&event).await?, json!({ "objects": 1 }));
    assert_eq!(sandbox.label("1.png", "digits/99").await?.as_deref(), Some("7"));
    Ok(())
}

/// A line an object that says by which invocation it came, and one an invocation for CloudWatch.
async fn observed(node: Part<String>) -> Result<(), Failed> {
    let mut sandbox = Sandbox::start(node, "observed").await?;
    sandbox.init_in("bootstrap", "", &[("SPOTTER_LOG_SAMPLE", "0.5")])?;
    let event = sandbox.upload("1.png").await?;
    for _ in 0..2 {
        assert_eq!(sandbox.invoke(&event).await?, json!({ "objects": 1 }));
    }
    let mut gone = event.clone();
    gone["Records"][0]["s3"]["object"]["key"] = "gone.png".into();
    sandbox.invoke(&gone).await?;
    let log = sandbox.log()?;
    let (measured, lines): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.contains("\"_aws\""));
    let lines: Vec<Value> = lines.into_iter().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let superseded = lines.iter().find(|line| line["outcome"] == "superseded").ok_or(log.as_str())?;
    assert!(superseded["request_id"].as_str().is_some_and(|id| id.starts_with("00000000-0000-4000-8000-")), "{log}");
    assert_eq!(superseded["trace_id"], "1-5bef4de7-ad49b0e87f6ef6c87fc2e700", "{log}");
    let numbers: Vec<emf::Numbers> = measured.iter().map(|line| emf::parse(line)).collect::<Result<_, _>>()?;
    let of = |name: &str| numbers.iter().map(|one| one.get(name).map(|numbers| numbers[0])).collect::<Vec<_>>();
    assert_eq!(of("faas.coldstarts"), [Some(1.0), None, None], "{log}");
    assert_eq!(of("spotter.objects.recorded"), [Some(1.0), Some(1.0), None], "{log}");
    assert_eq!(of("spotter.objects.superseded"), [None, None, Some(1.0)], "{log}");
    assert!(measured.iter().all(|line| line.contains("\"FunctionName\":\"spotter\"")), "{log}");
    Ok(())
}

/// At its most talkative, with all the secrets there are: what it does, and what it cannot do.
async fn silent(node: Part<String>) -> Result<(), Failed> {
    let mut sandbox = Sandbox::start(node, "silent").await?;
    let notify = leaks::receiver()?;
    let key = sandbox.cloud.credentials.secret_access_key.clone();
    let secrets = [&leaks::SECRETS[..], &[&key]].concat();
    let usual = [&leaks::environment(&notify)[..], &leaks::LOGIN, &[("AWS_SECRET_ACCESS_KEY", &key)]].concat();
    let event = sandbox.upload("1.png").await?;
    for (what, wrong, error) in [
        ("what it does", None, None),
        ("a bucket that is away", None, Some("Retry")),
        ("no event", None, Some("UnreadableEvent")),
        (
            "a receiver that is away",
            Some(("SPOTTER_NOTIFY", notify.replace("http://127.0.0.1", "http://127.0.0.2"))),
            Some("Retry"),
        ),
        ("a database that is away", Some(("SPOTTER_CASSANDRA", "127.0.0.1:1".to_owned())), Some("Retry")),
        (
            "a setting that is wrong",
            Some(("SPOTTER_NOTIFY", notify.replace("127.0.0.1", "example.com"))),
            Some("Configuration"),
        ),
        ("a key that is wrong", Some(("AWS_SECRET_ACCESS_KEY", leaks::SECRETS[4].to_owned())), Some("Retry")),
    ] {
        let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // A database is tried again until the end.
        sandbox.time = Duration::from_secs(if what == "a database that is away" { 10 } else { 60 });
        sandbox.open.store(what != "a bucket that is away", Ordering::SeqCst);
        sandbox.init_in("bootstrap", "", &[&usual[..], &wrong].concat())?;
        let event = if what == "no event" { json!({ "detail": 1 }) } else { event.clone() };
        let answer = sandbox.invoke(&event).await?;
        assert_eq!(answer["errorType"].as_str(), error, "{what}: {answer}");
        leaks::shows_none(what, &format!("{}\n{answer}", sandbox.log()?), &secrets);
    }
    Ok(())
}

async fn page(node: Part<String>) -> Result<(), Failed> {
    let (mut sandbox, files) = (Sandbox::start(node, "page").await?, Files::confused()?);
    let event = std::fs::read_to_string(root().join(Path::new("tests/function_url/signed.json")))?;
    let mut event: Value = serde_json::from_str(&event)?;
    event["rawPath"] = "/api/about".into();
    event["rawQueryString"] = "".into();
    sandbox.init("page", &files.url("m"))?;
    let answer = sandbox.invoke(&event).await?;
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert!(answer["body"].as_str().is_some_and(|body| body.contains("no model now: its log says why")), "{answer}");
    assert!(sandbox.log()?.contains("there is no s3://demo/m/"), "{}", sandbox.log()?);
    files.put(&sandbox.cloud, "m/").await?;
    let answer = sandbox.invoke(&event).await?;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let about: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
    assert_eq!(about["model"], "digits/99", "{about}");
    Ok(())
}
