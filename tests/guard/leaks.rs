//! Every secret that a process is given, looked for in everything that it prints at its most talkative.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use libtest_mimic::Failed;
use serde_json::json;
use spotter::encoding::base64;
use spotter::local::{Credentials, client};
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::sample;
use crate::harness;
use crate::harness::cassandra::Secure;

const PAGE_TOKEN: &str = "page-9f3b17c2d4e8a650";
const WEBHOOK_TOKEN: &str = "hook-5ad0c4471be9f263";
const NOTIFY_PATH: &str = "path-71d9e05c8b2fa364";
const NOTIFY_SECRET: &str = "sign-0c68fa95b13d27e4";
const AWS_SECRET: &str = "aws-e57b20d98c14f6a3";
const AWS_SESSION: &str = "session-48f1ce926d03b7a5";
const PASSWORD: &str = "password-b6208d5f9e3c71a4";

/// All but those of a bucket here.
pub(crate) const SECRETS: [&str; 7] =
    [PAGE_TOKEN, WEBHOOK_TOKEN, NOTIFY_PATH, NOTIFY_SECRET, AWS_SECRET, AWS_SESSION, PASSWORD];

/// Those that any process may be given, but for the database's, and that it shall say all it has to say.
pub(crate) fn environment(notify: &str) -> [(&'static str, &str); 9] {
    [
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "1"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
        ("AWS_SESSION_TOKEN", AWS_SESSION),
        ("SPOTTER_PAGE_TOKEN", PAGE_TOKEN),
        ("SPOTTER_WEBHOOK_TOKEN", WEBHOOK_TOKEN),
        ("SPOTTER_NOTIFY", notify),
        ("SPOTTER_NOTIFY_SECRET", NOTIFY_SECRET),
    ]
}

pub(crate) const LOGIN: [(&str, &str); 2] =
    [("SPOTTER_CASSANDRA_USER", "somebody"), ("SPOTTER_CASSANDRA_PASSWORD", PASSWORD)];

/// Neither as it is nor as HTTP's basic authentication has it.
pub(crate) fn shows_none(what: &str, printed: &str, secrets: &[&str]) {
    assert!(["TRACE", "DEBUG"].iter().any(|level| printed.contains(level)), "{what} is not talkative: {printed}");
    for secret in secrets {
        for form in [(*secret).to_owned(), base64(format!("spotter:{secret}").as_bytes()), base64(secret.as_bytes())] {
            let line = printed.lines().find(|line| line.contains(&form));
            assert!(line.is_none(), "{what} prints {secret}: {}", line.unwrap_or_default());
        }
    }
}

/// A receiver that takes whatever it is told; its URL has a secret path.
pub(crate) fn receiver() -> Result<String, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/{NOTIFY_PATH}", listener.local_addr()?);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            });
        }
    });
    Ok(url)
}

/// With all the secrets there are, and everything that it says in one file.
fn talkative(home: &TempDir, notify: &str, log: &Path, arguments: &[&str]) -> Result<Command, Failed> {
    let mut command = spotter(home);
    let log = File::create(log)?;
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.envs(environment(notify)).envs([
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        // Nobody listens there.
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ]);
    Ok(command)
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is in the file, once it has all of `words`.
async fn once(log: &Path, words: &[&str]) -> Result<String, Failed> {
    let deadline = harness::deadline();
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
        if words.iter().all(|word| text.contains(word)) {
            return Ok(text);
        }
        assert!(Instant::now() < deadline, "{words:?} is not in {text}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn address(printed: &str, name: &str) -> Result<String, Failed> {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(line.split_whitespace().next().ok_or("no URL")?.trim_start_matches("http://").to_owned())
}

fn ask(address: &str, method: &str, headers: &str, body: &str) -> Result<String, Failed> {
    let (host, way) = address.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60)))?;
    let length = body.len();
    let head = format!("{method} /{way} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}");
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub(super) async fn commands() -> Result<(), Failed> {
    // One receiver takes what it is told, the other is away, which is said.
    let (home, notify) = (TempDir::new()?, format!("{},http://127.0.0.1:1/{NOTIFY_PATH}", receiver()?));
    let pair = Credentials::load_or_create(&crate::serve::data(&home))?;
    let key = pair.secret_access_key.clone();
    let secrets = [&SECRETS[..], &[&key]].concat();
    let log = home.path().join("serve.log");
    let arguments = ["serve", "--port", "0", "--page-port", "0", "--webhook", "127.0.0.1:0"];
    let mut serve = Ended(talkative(&home, &notify, &log, &arguments)?.spawn()?);
    let printed = once(&log, &["page  http", "hook  http"]).await?;
    let (s3, page, hook) = (address(&printed, "S3")?, address(&printed, "page")?, address(&printed, "hook")?);

    // An upload by its key, one by a URL of the page, and whoever asks with a token or without.
    let bucket = client(&format!("http://{s3}"), &pair);
    bucket.put_object().bucket("pictures").key("8.bmp").body(sample("8.bmp")?.into()).send().await?;
    let bearer = format!("Authorization: Bearer {PAGE_TOKEN}\r\n");
    let json = format!("{bearer}Content-Type: application/json\r\n");
    let picture = sample("8 small.png")?;
    let upload = json!({ "key": "8.png", "size": picture.len(), "content_type": "image/png" }).to_string();
    let ticket = ask(&format!("{page}/api/uploads"), "POST", &json, &upload)?;
    assert!(ticket.starts_with("HTTP/1.1 200") && ticket.contains("X-Amz-Signature"), "{ticket}");
    assert!(ask(&format!("{page}/api/about"), "GET", "", "")?.starts_with("HTTP/1.1 401"));
    let event = crate::cloud::fixture("minio.json")?;
    for token in
        [format!("Bearer {WEBHOOK_TOKEN}"), format!("Basic {}", base64(format!("spotter:{WEBHOOK_TOKEN}").as_bytes()))]
    {
        // Its bucket is elsewhere, where nobody knows the key: it shall be sent again.
        let answer = ask(&hook, "POST", &format!("Authorization: {token}\r\n"), &event)?;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        shows_none("the webhook's answer", &format!("TRACE {answer}"), &secrets);
    }
    let printed = once(&log, &["could not be told"]).await?;
    assert!(Command::new("kill").args(["-INT", &serve.0.id().to_string()]).status()?.success());
    serve.0.wait()?;
    shows_none("serve", &printed, &secrets);
    shows_none("serve", &String::from_utf8_lossy(&std::fs::read(&log)?), &secrets);

    // The bucket by the keys of the environment, and a database that is away.
    let file = home.path().join("event.json");
    std::fs::write(&file, &event)?;
    let file = file.display().to_string();
    let queue = "https://sqs.us-east-1.amazonaws.com/111122223333/pictures";
    for (arguments, away) in [
        (&["invoke", file.as_str()][..], false),
        (&["event", "s3://pictures/8.bmp"], false),
        (&["backfill", "s3://pictures"], false),
        (&["worker", "--queue", queue], false),
        (&["get", "s3://pictures/8.bmp"], true),
        (&["schema", "apply"], true),
        (&["invoke", file.as_str()], true),
        (&["model"], false),
    ] {
        let log = home.path().join("command.log");
        let mut command = talkative(&home, &notify, &log, arguments)?;
        if away {
            command.env("SPOTTER_CASSANDRA", "127.0.0.1:1").envs(LOGIN);
        }
        let mut child = Ended(command.spawn()?);
        // A worker goes on until it is ended.
        let enough = Instant::now() + std::time::Duration::from_secs(5);
        while child.0.try_wait()?.is_none() && (Instant::now() < enough || std::fs::metadata(&log)?.len() == 0) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        drop(child);
        let printed = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        let printed = if arguments[0] == "model" { format!("TRACE {printed}") } else { printed };
        shows_none(&arguments.join(" "), &printed, &secrets);
    }
    Ok(())
}

/// A login that is right and one that is wrong, over TLS.
pub(super) async fn database(node: &'static Secure) -> Result<(), Failed> {
    let (home, notify) = (TempDir::new()?, receiver()?);
    let keyspace = format!("leaks_{}", std::process::id());
    let administrator = crate::records::secure_session(node, node.user, node.password).await?;
    let role = format!("CREATE ROLE {keyspace} WITH LOGIN = true AND SUPERUSER = true AND PASSWORD = '{PASSWORD}'");
    administrator.query_unpaged(role, ()).await?;
    let log = home.path().join("log");
    for (arguments, password, ends) in [
        (&["schema", "apply"][..], PASSWORD, 0),
        (&["list", "--json"], PASSWORD, 0),
        (&["get", "s3://pictures/a"], PASSWORD, 1),
        (&["get", "s3://pictures/a"], WEBHOOK_TOKEN, 1),
        (&["schema", "apply"], WEBHOOK_TOKEN, 1),
    ] {
        let mut command = talkative(&home, &notify, &log, arguments)?;
        command.env("SPOTTER_CASSANDRA", &node.address).env("SPOTTER_CASSANDRA_CA", &node.ca);
        command.env("SPOTTER_CASSANDRA_USER", &keyspace).env("SPOTTER_CASSANDRA_PASSWORD", password);
        let status = command.env("SPOTTER_KEYSPACE", &keyspace).status()?;
        let printed = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        assert_eq!(status.code(), Some(ends), "{arguments:?}: {printed}");
        shows_none(&arguments.join(" "), &printed, &[PASSWORD, WEBHOOK_TOKEN, NOTIFY_SECRET, AWS_SECRET]);
        assert!(password == PASSWORD || printed.contains("incorrect"), "{printed}");
    }
    for cql in [format!("DROP KEYSPACE {keyspace}"), format!("DROP ROLE {keyspace}")] {
        administrator.query_unpaged(cql, ()).await?;
    }
    Ok(())
}
