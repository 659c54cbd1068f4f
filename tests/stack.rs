//! Compose's stack, SAM and the zip as AWS would get it: from an upload to the row in Cassandra.

use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::event::EventBridgeKeys;
use spotter::local::Credentials;
use spotter::local::client;
use spotter::record::Record;
use spotter::records::Records;
use spotter::records::cassandra::{Cassandra, CassandraConfig};

use crate::cloud::{BUCKET, Cloud, fixture, sample, samples};
use crate::harness::stack::{Stack, stack};
use crate::harness::{Part, needs, on_runtime, root};

const FUNCTION: &str = "Spotter";
/// A cold start of a function's container on a busy machine is seconds.
const WAIT: &str = "90s";

/// Their version ids are none that a bucket has given, which S3 refuses as an argument: such an event comes again.
const MADE_UP_VERSIONS: [&str; 2] = ["batch-1.json", "versioned.json"];

pub fn trials() -> Vec<Trial> {
    vec![
        needs("stack::an_upload_is_recorded_by_the_function_both_ways", stack(), uploads),
        needs("stack::sam_local_invoke_answers_every_fixture", stack(), |stack| on_runtime(every_fixture(stack))),
        needs("stack::sam_local_start_lambda_answers_the_aws_cli", stack(), start_lambda),
        needs("stack::the_template_is_deployed_and_works", stack(), deployed),
    ]
}

fn uploads(stack: Part<Stack>) -> Result<(), Failed> {
    let stack = stack.get()?;
    for (bucket, file, label) in [("pictures", "8.bmp", "8"), ("pictures-direct", "3+chalk.webp", "3")] {
        let object = format!("s3://{bucket}/{file}");
        upload(stack, file, &object)?;
        is_recorded(stack, &object, label)?;
        stack.run("aws", ["s3", "rm", &object])?;
        is_recorded_as_deleted(stack, &object)?;
    }
    Ok(())
}

fn upload(stack: &Stack, file: &str, object: &str) -> Result<(), Failed> {
    stack.run("aws", ["s3", "cp", "--only-show-errors", &format!("samples/{file}"), object])?;
    Ok(())
}

fn is_recorded(stack: &Stack, object: &str, label: &str) -> Result<(), Failed> {
    let record: Value = serde_json::from_str(&ask(stack, &["get", object, "--wait", WAIT, "--format", "json"])?)?;
    assert_eq!((&record["status"], &record["label"]), (&"classified".into(), &label.into()), "{record}");
    Ok(())
}

/// `--wait` waits for a record and not for a change of it.
fn is_recorded_as_deleted(stack: &Stack, object: &str) -> Result<(), Failed> {
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let record: Value = serde_json::from_str(&ask(stack, &["get", object, "--format", "json"])?)?;
        if record["status"] == "deleted" {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("{object} was deleted, and its record says: {record}").into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn ask(stack: &Stack, arguments: &[&str]) -> Result<String, String> {
    stack.run(env!("CARGO_BIN_EXE_spotter"), arguments)
}

/// Every file of events/ goes through the zip's `bootstrap` in SAM's container, and through the function in this process
/// in front of an S3 and records of its own. Both must answer the same and leave the same rows.
async fn every_fixture(stack: Part<Stack>) -> Result<(), Failed> {
    let stack = stack.get()?;
    built(stack)?;
    let records = Cassandra::new(CassandraConfig {
        nodes: vec![stack.cassandra.clone()],
        keyspace: "spotter".into(),
        login: None,
        tls: None,
        datacenter: None,
    });
    let mut here = Cloud::start().await?;
    here.put_samples().await?;
    let there = client(&stack.endpoint, &Credentials::random()?);
    there.create_bucket().bucket(BUCKET).send().await?;
    for (key, bytes) in objects()? {
        here.put(&key, &bytes).await?;
        there.put_object().bucket(BUCKET).key(&key).body(bytes.into()).send().await?;
    }
    let mut table = String::from("| fixture | answer | rows in Cassandra |\n|---|---|---|\n");
    for name in fixtures()? {
        let encoded = name == "eventbridge-encoded.json";
        here.read_keys_as(if encoded { EventBridgeKeys::Encoded } else { EventBridgeKeys::Plain })?;
        let expected = here.answer(&fixture(&name)?).await?;
        let answer = invoke(stack, &name, encoded)?;
        match &expected.body {
            _ if MADE_UP_VERSIONS.contains(&name.as_str()) => {
                assert!(answer.to_string().contains("InvalidArgument"), "{name}: {answer}")
            }
            Ok(body) => assert_eq!(&answer, body, "{name}"),
            Err(error) => assert!(answer["errorMessage"].is_string(), "{name}: {answer} instead of {error}"),
        }
        let mut written = Vec::new();
        for (event, _) in &expected.objects {
            let rows = records.rows(&event.bucket, &event.key, None).await?;
            same_rows(&rows, &here.records.rows(&event.bucket, &event.key, None).await?)
                .map_err(|error| format!("{name}: {}: {error}", event.key))?;
            written.push(in_words(&event.key, &rows));
        }
        written.dedup();
        writeln!(table, "| `{name}` | `{answer}` | {} |", written.join("<br>"))?;
    }
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("sam-fixtures.md"), table)?;
    Ok(())
}

/// What the fixtures are about, by their true ETags.
fn objects() -> Result<Vec<(String, Vec<u8>)>, Failed> {
    let mut objects = samples()?;
    let one = sample("1.png")?;
    objects.push((format!("{}/{}.png", "五".repeat(300), "x".repeat(119)), one.clone()));
    objects.push(("photos/".into(), Vec::new()));
    Ok(objects)
}

fn fixtures() -> Result<Vec<String>, Failed> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("events"))? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| name.ends_with(".json")));
    }
    names.sort();
    Ok(names)
}

/// `sam build`, once; it takes what `cargo lambda build` left.
fn built(stack: &Stack) -> Result<(), String> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    BUILT.get_or_init(|| stack.run("sam", ["build"]).map(drop)).clone()
}

fn invoke(stack: &Stack, name: &str, encoded: bool) -> Result<Value, Failed> {
    let event = format!("events/{name}");
    let mut command = stack.command("sam");
    command.args(["local", "invoke", FUNCTION, "--config-env", "local", "--event", &event]);
    command.args(["--docker-network", &stack.network()]);
    if encoded {
        let variables = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sam-env.json");
        let plain = fs::read_to_string(root().join("localstack/sam-env.json"))?;
        fs::write(&variables, plain.replace("\"plain\"", "\"encoded\""))?;
        command.arg("--env-vars").arg(variables);
    }
    let output = command.stdin(Stdio::null()).output()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let answer = stdout.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    answer.ok_or_else(|| format!("{event}: {stdout}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Confidences may differ in their last digit: these are two builds, for two kinds of processor.
fn same_rows(rows: &[Record], expected: &[Record]) -> Result<(), String> {
    let without = |record: &Record| Record { confidence: None, top: Vec::new(), ..record.clone() };
    let close = |a: &Record, b: &Record| (a.confidence.unwrap_or(0.0) - b.confidence.unwrap_or(0.0)).abs() < 0.001;
    let pairs = || rows.iter().zip(expected);
    if rows.len() == expected.len() && pairs().all(|(a, b)| without(a) == without(b) && close(a, b)) {
        return Ok(());
    }
    Err(format!("rows {rows:#?}\ninstead of {expected:#?}"))
}

fn in_words(key: &str, rows: &[Record]) -> String {
    let row = |record: &Record| match &record.label {
        Some(label) => format!("{} {label}", record.status.as_str()),
        None => record.status.as_str().to_owned(),
    };
    let key = if key.len() > 40 { "五…/x….png" } else { key };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!("`{key}`: {}", if rows.is_empty() { "none".into() } else { rows.join(", ") })
}

/// Ended with the test that started it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_lambda(stack: Part<Stack>) -> Result<(), Failed> {
    let stack = stack.get()?;
    built(stack)?;
    upload(stack, "0 blue marker.png", "s3://pictures/0.png")?;
    let event = ask(stack, &["event", "s3://pictures/0.png", "--as", "s3"])?;
    let folder = tempfile::TempDir::new()?;
    fs::write(folder.path().join("event.json"), event)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let mut server = stack.command("sam");
    server.args([
        "local",
        "start-lambda",
        "--config-env",
        "local",
        "--docker-network",
        &stack.network(),
        "--port",
        &port,
    ]);
    let log = fs::File::create(folder.path().join("log"))?;
    let _server = Ended(server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
    let end = Instant::now() + Duration::from_secs(120);
    while std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        if Instant::now() > end {
            return Err(fs::read_to_string(folder.path().join("log"))?.into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let answer = folder.path().join("answer.json");
    let invoke =
        ["lambda", "invoke", "--function-name", FUNCTION, "--endpoint-url", &format!("http://127.0.0.1:{port}")]
            .map(str::to_owned);
    let payload = ["--payload".into(), format!("fileb://{}", folder.path().join("event.json").display())];
    let to = [answer.display().to_string()];
    stack.run("aws", invoke.iter().chain(&payload).chain(&to))?;
    let answer: Value = serde_json::from_str(&fs::read_to_string(&answer)?)?;
    assert_eq!(answer, serde_json::json!({ "objects": 1 }));
    is_recorded(stack, "s3://pictures/0.png", "0")
}

/// CloudFormation on LocalStack takes the template as AWS does.
fn deployed(stack: Part<Stack>) -> Result<(), Failed> {
    let stack = stack.get()?;
    built(stack)?;
    stack.run("aws", ["s3", "mb", "s3://deployments"])?;
    for (delivery, file, label) in [("queue", "5", "5"), ("direct", "4.gif", "4")] {
        let name = format!("spotter-{delivery}");
        let file = if file == "5" { "fünf.jpg" } else { file };
        stack.run(
            "sam",
            [
                "deploy",
                "--stack-name",
                &name,
                "--s3-bucket",
                "deployments",
                "--capabilities",
                "CAPABILITY_IAM",
                "--no-confirm-changeset",
                "--no-progressbar",
                "--parameter-overrides",
                "Cassandra=cassandra:9042",
                "EventBridgeKeys=encoded",
                &format!("Delivery={delivery}"),
            ],
        )?;
        let outputs = ["cloudformation", "describe-stacks", "--stack-name", &name, "--output", "text", "--query"];
        let query = "Stacks[0].Outputs[?OutputKey=='Bucket'].OutputValue";
        let bucket = stack.run("aws", outputs.iter().chain([&query]))?;
        let object = format!("s3://{bucket}/{file}");
        upload(stack, file, &object)?;
        is_recorded(stack, &object, label)?;
    }
    Ok(())
}
