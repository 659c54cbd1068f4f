//! Compose's stack, SAM and the zip as AWS would get it: from an upload to the row in Cassandra.

mod runbook;
mod web;

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use sha2::{Digest, Sha256};
use spotter::event::EventBridgeKeys;
use spotter::local::Credentials;
use spotter::local::client;
use spotter::record::Record;
use spotter::records::Records;
use spotter::records::cassandra::{Cassandra, CassandraConfig};

use self::web::Web;
use crate::cloud::{BUCKET, Cloud, fixture, sample, samples};
use crate::harness::stack::{Stack, stack};
use crate::harness::{Part, deadline, needs, on_runtime, root, until};

const FUNCTION: &str = "Spotter";
/// A cold start of a function's container on a busy machine is seconds.
const WAIT: &str = "90s";

/// Their version ids are none that a bucket has given, which S3 refuses as an argument: such an event comes again.
const MADE_UP_VERSIONS: [&str; 2] = ["batch-1.json", "versioned.json"];

pub fn trials() -> Vec<Trial> {
    vec![
        needs("stack::an_upload_is_recorded_by_the_function_both_ways", stack(), uploads),
        needs("stack::sam_local_invoke_answers_every_fixture", stack(), |stack| on_runtime(every_fixture(stack))),
        needs("stack::a_layer_has_the_model", stack(), layered),
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
    is_recorded_by("digits/2", stack, object, label)
}

fn is_recorded_by(model: &str, stack: &Stack, object: &str, label: &str) -> Result<(), Failed> {
    let get = ["get", object, "--model", model, "--wait", WAIT, "--format", "json"];
    let record: Value = serde_json::from_str(&ask(stack, &get)?)?;
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
        put_to_both(&here, &there, &key, &bytes).await?;
    }
    let mut table = String::from("| fixture | answer | rows in Cassandra |\n|---|---|---|\n");
    for name in fixtures()? {
        let encoded = name == "eventbridge-encoded.json";
        here.read_keys_as(if encoded { EventBridgeKeys::Encoded } else { EventBridgeKeys::Plain })?;
        let expected = here.answer(&fixture(&name)?).await?;
        let answer = invoke(stack, &format!("events/{name}"), &options(encoded)?)?;
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

/// Within one second: an event without a time takes Last-Modified's.
async fn put_to_both(here: &Cloud, there: &Client, key: &str, bytes: &[u8]) -> Result<(), Failed> {
    let modified = async |s3: &Client| -> Result<_, Failed> {
        Ok(s3.head_object().bucket(BUCKET).key(key).send().await?.last_modified().copied())
    };
    until(deadline(), "two uploads are never of one second", async || {
        here.put(key, bytes).await?;
        there.put_object().bucket(BUCKET).key(key).body(bytes.to_vec().into()).send().await?;
        Ok(modified(&here.s3).await? == modified(there).await?)
    })
    .await
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

/// What a fixture is invoked with, beside the settings of samconfig.toml.
fn options(encoded: bool) -> Result<Vec<String>, Failed> {
    if !encoded {
        return Ok(Vec::new());
    }
    let variables = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sam-env.json");
    let plain = fs::read_to_string(root().join("localstack/sam-env.json"))?;
    fs::write(&variables, plain.replace("\"plain\"", "\"encoded\""))?;
    Ok(vec!["--env-vars".into(), variables.display().to_string()])
}

fn invoke(stack: &Stack, event: &str, options: &[String]) -> Result<Value, Failed> {
    let mut command = stack.command("sam");
    command.args(["local", "invoke", FUNCTION, "--config-env", "local", "--event", event]);
    command.args(["--docker-network", &stack.network()]).args(options);
    let output = command.stdin(Stdio::null()).output()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let answer = stdout.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    answer.ok_or_else(|| format!("{event}: {stdout}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// A layer has the model, in the container that SAM CLI builds of both. It leaves out layers that hang on a parameter, so the
/// template names this one; and LocalStack has none, so it lies where SAM CLI keeps those that it has downloaded
/// (`name-version-hash`, the hash being of the ARN).
fn layered(stack: Part<Stack>) -> Result<(), Failed> {
    let stack = stack.get()?;
    built(stack)?;
    let arn = "arn:aws:lambda:us-east-1:000000000000:layer:nine:1";
    let cache = tempfile::TempDir::new()?;
    model_nine(&cache.path().join(format!("nine-1-{}", &sha256(arn)[..10])).join("model"))?;
    let template = fs::read_to_string(root().join(".aws-sam/build/template.yaml"))?;
    let by_parameter = |condition, parameter| {
        format!("      - Fn::If:\n        - {condition}\n        - Ref: {parameter}\n        - Ref: AWS::NoValue\n")
    };
    let named = template.replace(&by_parameter("HasModelLayer", "ModelLayer"), &format!("      - {arn}\n"));
    assert_ne!(named, template, "the template has its layers otherwise");
    let layered = ".aws-sam/build/layered.yaml";
    fs::write(root().join(layered), named.replace(&by_parameter("HasLayer", "CassandraCaLayer"), ""))?;
    upload(stack, "1.png", "s3://pictures/layer.png")?;
    let event = cache.path().join("event.json").display().to_string();
    fs::write(&event, ask(stack, &["event", "s3://pictures/layer.png", "--as", "s3"])?)?;
    let settings = root().join("samconfig.toml").display().to_string();
    let options = ["--template", layered, "--config-file", &settings, "--layer-cache-basedir"].map(str::to_owned);
    let answer = invoke(stack, &event, &[&options[..], &[cache.path().display().to_string()]].concat())?;
    assert_eq!(answer, serde_json::json!({ "objects": 1 }));
    is_recorded_by("digits/9", stack, "s3://pictures/layer.png", "1")
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
    while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
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
    let elsewhere = format!("Model={}", model_in(stack, "s3://deployments/models/nine")?);
    let embedded = "MaxBytes=64000000"; // SAM CLI takes no empty value
    let ways = [("queue", "fünf.jpg", "5", "Page=token", embedded), ("direct", "4.gif", "4", "Page=none", &elsewhere)];
    for (delivery, file, label, page, model) in ways {
        let name = format!("spotter-{delivery}");
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
                page,
                model,
            ],
        )?;
        let bucket = output_of(stack, &name, "Bucket")?;
        let object = format!("s3://{bucket}/{file}");
        upload(stack, file, &object)?;
        match delivery {
            "queue" => {
                is_recorded(stack, &object, label)?;
                page_answers(stack, &name, &bucket, file)?;
                runbook::typed(stack, &name)?;
            }
            _ => {
                is_recorded_by("digits/9", stack, &object, label)?;
                assert_eq!(output_of(stack, &name, "PageUrl")?, "");
            }
        }
    }
    Ok(())
}

/// The digit reader in a bucket, as another version of it; the template's `Model` for it.
fn model_in(stack: &Stack, place: &str) -> Result<String, Failed> {
    let folder = tempfile::TempDir::new()?;
    let manifest = model_nine(folder.path())?;
    stack.run("aws", ["s3", "cp", "--recursive", "--only-show-errors", &folder.path().display().to_string(), place])?;
    Ok(format!("{place}#sha256={}", sha256(&manifest)))
}

/// The digit reader as version 9 of it; its manifest.
fn model_nine(folder: &Path) -> Result<String, Failed> {
    fs::create_dir_all(folder)?;
    let manifest = fs::read_to_string(root().join("model/digits/manifest.toml"))?;
    let nine: Vec<&str> =
        manifest.lines().map(|line| if line.starts_with("version") { "version = 9" } else { line }).collect();
    let nine = nine.join("\n");
    fs::write(folder.join("manifest.toml"), &nine)?;
    fs::copy(root().join("model/digits/model.onnx"), folder.join("model.onnx"))?;
    Ok(nine)
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn output_of(stack: &Stack, name: &str, output: &str) -> Result<String, String> {
    let outputs = ["cloudformation", "describe-stacks", "--stack-name", name, "--output", "text", "--query"];
    let query = format!("Stacks[0].Outputs[?OutputKey=='{output}'].OutputValue");
    stack.run("aws", outputs.iter().chain([&query.as_str()]))
}

/// The second function, at the URL that the template gave it: what a browser does there, up to the row of its upload.
fn page_answers(stack: &Stack, name: &str, bucket: &str, key: &str) -> Result<(), Failed> {
    let url = output_of(stack, name, "PageUrl")?;
    let host = url.split('/').nth(2).ok_or("PageUrl is no URL")?;
    let page = Web { stack, host, headers: Vec::new() };
    let document = page.get("/")?;
    assert_eq!((document.status, document.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(document.body.starts_with("<!"), "{}", document.body);
    assert_eq!(page.get("/api/records")?.status, 401);
    assert_eq!(page.with("authorization", "Bearer no").get("/api/records")?.status, 401);

    // Any secret of this LocalStack's is the stack's.
    let secrets = ["secretsmanager", "list-secrets", "--query", "SecretList[0].ARN", "--output", "text"];
    let secret = stack.run("aws", secrets)?;
    let value = ["secretsmanager", "get-secret-value", "--query", "SecretString", "--output", "text", "--secret-id"];
    let secret: Value = serde_json::from_str(&stack.run("aws", value.iter().chain([&secret.as_str()]))?)?;
    let token = secret["token"].as_str().ok_or("the secret has no token")?;
    assert_eq!(token.len(), 40);
    let page = page.with("authorization", &format!("Bearer {token}")).with("content-type", "application/json");
    let encoded = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
    let records = page.get(&format!("/api/records?bucket={bucket}&prefix={encoded}"))?;
    assert_eq!((records.status, &records.json()?["records"][0]["key"]), (200, &key.into()), "{}", records.body);
    let about = page.get("/api/about")?;
    let again = page.with("if-none-match", about.header("etag").ok_or("no ETag")?).get("/api/about")?;
    assert_eq!((about.status, again.status, again.body.as_str()), (200, 304, ""));

    let journey = page.get(&format!("/api/journey?bucket={bucket}&key={encoded}"))?;
    assert_eq!((journey.status, &journey.json()?["refused"]), (200, &Value::Null), "{}", journey.body);
    let correction = serde_json::json!({ "bucket": bucket, "key": key, "label": "3" });
    let corrected = page.post("/api/corrections", &correction)?;
    assert_eq!((corrected.status, &corrected.json()?["label"]), (201, &"3".into()), "{}", corrected.body);

    let picture = sample("8.bmp")?;
    let upload = serde_json::json!({ "key": "drawn/8 ü.bmp", "size": picture.len(), "content_type": "image/bmp" });
    let ticket = page.post("/api/uploads", &upload)?;
    let ticket = ticket.json()?;
    assert_eq!(ticket["headers"], serde_json::json!({ "content-type": "image/bmp" }));
    let signed = ticket["url"].as_str().ok_or_else(|| format!("no ticket: {ticket}"))?;
    let (bucket_host, way) =
        signed.split_once("//").and_then(|(_, rest)| rest.split_once('/')).ok_or("the ticket's URL is none")?;
    assert!(document.header("content-security-policy").is_some_and(|policy| policy.contains(bucket_host)));
    let mut browser = Web { stack, host: bucket_host, headers: Vec::new() };
    for (header, value) in ticket["headers"].as_object().ok_or("no headers")? {
        browser = browser.with(header, value.as_str().unwrap_or_default());
    }
    let preflight = |origin: &str| {
        let asked = browser.with("origin", origin).with("access-control-request-method", "PUT");
        asked.with("access-control-request-headers", "content-type").send("OPTIONS", &format!("/{way}"), &[])
    };
    let allowed = preflight(&format!("https://{host}"))?;
    assert_eq!(allowed.header("access-control-allow-origin"), Some(format!("https://{host}").as_str()));
    assert_eq!(preflight("https://example.com")?.header("access-control-allow-origin"), None);
    let put = browser.send("PUT", &format!("/{way}"), &picture)?;
    assert_eq!(put.status, 200, "{}", put.body);
    is_recorded(stack, &format!("s3://{bucket}/drawn/8 ü.bmp"), "8")
}
