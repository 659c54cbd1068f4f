//! `spotter serve` as its users meet it: upload, ask, kill, start again.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use futures_util::{StreamExt, stream};
use libtest_mimic::{Failed, Trial};
use spotter::local::{Credentials, client};
use spotter::record::Status;
use spotter::records;
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::sample;
use crate::harness::on_runtime;

const BUCKET: &str = "pictures";
const MODEL: &str = "digits/2";
const PATIENCE: Duration = Duration::from_secs(60);

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("serve::an_upload_is_a_record", || on_runtime(upload_and_get())),
        Trial::test("serve::env_leads_there_and_ctrl_c_ends_it", || on_runtime(env_and_end())),
        Trial::test("serve::the_page_has_samples_and_does_not_keep_it", || on_runtime(page_and_end())),
        Trial::test("serve::ctrl_c_lets_an_answer_under_way_end", || on_runtime(answer_and_end())),
        Trial::test("serve::other_machines_need_a_token", || on_runtime(token())),
        Trial::test("serve::its_page_hears_of_the_webhooks_records", || on_runtime(webhook())),
        Trial::test("serve::a_kill_loses_nothing", || on_runtime(kill())),
        Trial::test("serve::a_busy_folder_or_port_is_said", || on_runtime(busy())),
    ]
}

/// A running `serve` on ports of its own.
pub struct Served {
    child: Child,
    pub s3_url: String,
    pub page_url: String,
    pub hook_url: Option<String>,
}

impl Served {
    pub fn start(home: &TempDir) -> Result<Served, Failed> {
        Served::at(home, "0", "0")
    }

    /// On two ports; 0 is any free one.
    fn at(home: &TempDir, port: &str, page_port: &str) -> Result<Served, Failed> {
        Served::by(spotter(home).args(["serve", "--port", port, "--page-port", page_port]))
    }

    pub fn by(command: &mut Command) -> Result<Served, Failed> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("stdout")?).lines();
        let mut url = |name: &str| -> Result<String, Failed> {
            let line = lines.next().ok_or("serve ended")??;
            let rest = line.strip_prefix(name).ok_or_else(|| format!("{line:?} does not start with {name}"))?;
            Ok(rest.split_whitespace().next().ok_or("no URL")?.to_owned())
        };
        let (s3_url, page_url) = (url("S3")?, url("page")?);
        let has_hook = command.get_args().any(|argument| argument == "--webhook");
        let hook_url = has_hook.then(|| url("hook")).transpose()?;
        // Somebody must read on, or the pipe fills.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Served { child, s3_url, page_url, hook_url })
    }

    /// Of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stop(&mut self) -> Result<(), Failed> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The same again, for whoever knows where it was.
    pub fn restart(&mut self, home: &TempDir) -> Result<(), Failed> {
        self.stop()?;
        let port = |url: &str| url.rsplit(':').next().unwrap_or_default().to_owned();
        *self = Served::at(home, &port(&self.s3_url), &port(&self.page_url))?;
        Ok(())
    }

    /// A request as the page makes it.
    fn connect(&self, method: &str, path: &str, body: &str) -> Result<TcpStream, Failed> {
        let host = self.page_url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Content-Type: application/json\r\nOrigin: {}\r\n\r\n{body}",
            self.page_url
        )?;
        Ok(stream)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<String, Failed> {
        let mut answer = String::new();
        self.connect(method, path, body)?.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn interrupt(&self) -> Result<(), Failed> {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?.success());
        Ok(())
    }

    pub fn client(&self, home: &TempDir) -> Result<Client, Failed> {
        Ok(client(&self.s3_url, &Credentials::load_or_create(&data(home))?))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn data(home: &TempDir) -> std::path::PathBuf {
    home.path().join(".local/share/spotter")
}

async fn put(s3: &Client, key: &str, bytes: Vec<u8>) -> bool {
    s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes)).send().await.is_ok()
}

async fn upload_and_get() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = Served::start(&home)?;
    let s3 = served.client(&home)?;
    assert!(put(&s3, "a b+c/七.jpg", sample("photos/7 phone.jpg")?).await);
    let get = spotter(&home).args(["get", "s3://pictures/a b+c/七.jpg", "--wait", "60s", "--json"]).output()?;
    let text = String::from_utf8_lossy(&get.stdout);
    assert!(text.contains("\"label\":\"7\""), "{text}");
    let listed = served.ask("GET", "/api/records", "")?;
    assert!(listed.starts_with("HTTP/1.1 200") && listed.contains("七.jpg"), "{listed}");
    Ok(())
}

/// The page offers the samples, tells of each as it is recorded, and keeps nobody from ending the command.
async fn page_and_end() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let mut served = Served::start(&home)?;
    assert!(served.ask("GET", "/", "")?.contains("<!doctype html>"));
    let mut open = served.connect("GET", "/api/live", "")?;
    let mut heard = String::new();
    let mut hear = |what: &str, times: usize| -> Result<(), Failed> {
        while heard.matches(what).count() < times {
            let mut bytes = [0; 4_096];
            let read = open.read(&mut bytes)?;
            assert!(read > 0, "the stream ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        Ok(())
    };
    hear("text/event-stream", 1)?;
    let loaded = served.ask("POST", "/api/samples", "{}")?;
    assert!(loaded.contains("{\"uploaded\":17}"), "{loaded}");
    hear("event: record", 17)?;

    served.interrupt()?;
    let mut rest = String::new();
    open.read_to_string(&mut rest)?;
    assert!(rest.ends_with("0\r\n\r\n"), "the stream is cut off, not ended: {rest:?}");
    let asked = Instant::now();
    let code = loop {
        if let Some(status) = served.child.try_wait()? {
            break status.code();
        }
        assert!(asked.elapsed() < PATIENCE, "an open page keeps it from ending");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(code, Some(0));
    Ok(())
}

async fn answer_and_end() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let mut served = Served::start(&home)?;
    let sent = r#"{"bucket":"pictures","key":"no.png","label":"7"}"#;
    let (begun, rest) = sent.split_at(10);
    let host = served.page_url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = sent.len();
    write!(
        stream,
        "POST /api/corrections HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\
         Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n"
    )?;
    // The interim answer says that the page has begun to take the body.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim)?;
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(begun.as_bytes())?;

    served.interrupt()?;
    let asked = Instant::now();
    while TcpStream::connect(&host).is_ok() {
        assert!(asked.elapsed() < PATIENCE, "it still takes connections");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stream.write_all(rest.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("no.png"), "{answer:?}");
    assert_eq!(served.child.wait()?.code(), Some(0));
    Ok(())
}

/// Nobody on another machine uploads or corrects without the page's token.
async fn token() -> Result<(), Failed> {
    const TOKEN: &str = "0123456789abcdef";
    let home = TempDir::new()?;
    for (bind, token, problem) in [
        ("192.0.2.1", "", "could upload and correct: set a token in SPOTTER_PAGE_TOKEN"),
        ("2001:db8::1", "", "could upload and correct: set a token in SPOTTER_PAGE_TOKEN"),
        ("0.0.0.0", TOKEN, "name the address under which others reach this machine, such as 192.168.1.5"),
        ("::", TOKEN, "name the address under which others reach this machine, such as 192.168.1.5"),
    ] {
        let mut command = spotter(&home);
        let refused = command.args(["serve", "--bind", bind]).env("SPOTTER_PAGE_TOKEN", token).output()?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{bind}: {said}");
        assert!(said.contains(&format!("--bind {bind} is ")) && said.contains(problem), "{said}");
    }
    let mut command = spotter(&home);
    command.args(["serve", "--port", "0", "--page-port", "0"]).env("SPOTTER_PAGE_TOKEN", TOKEN);
    let served = Served::by(&mut command)?;
    let host = served.page_url.trim_start_matches("http://");
    let ask = |way: &str, header: &str| -> Result<String, Failed> {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {way} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    assert!(ask("/", "")?.starts_with("HTTP/1.1 200"));
    assert!(ask("/api/about", "")?.starts_with("HTTP/1.1 401"));
    let known = ask("/api/about", &format!("Authorization: Bearer {TOKEN}\r\n"))?;
    // A browser's EventSource could not send it.
    assert!(known.starts_with("HTTP/1.1 200") && known.contains("\"live\":\"poll\""), "{known}");
    for (way, sent) in [("/api/samples", "{}"), ("/api/corrections", r#"{"bucket":"b","key":"k","label":"7"}"#)] {
        assert!(served.ask("POST", way, sent)?.starts_with("HTTP/1.1 401"), "{way}");
    }
    Ok(())
}

/// The events are of another store, here another `serve`'s.
async fn webhook() -> Result<(), Failed> {
    let (home, elsewhere) = (TempDir::new()?, TempDir::new()?);
    let store = Served::start(&elsewhere)?;
    assert!(put(&store.client(&elsewhere)?, "8.bmp", sample("8.bmp")?).await);
    let text = String::from_utf8(spotter(&elsewhere).arg("env").output()?.stdout)?;
    let variables = text.split_whitespace().filter_map(|word| word.split_once('='));
    let variables: HashMap<&str, &str> = variables.filter(|(name, _)| name.starts_with("AWS_")).collect();
    let event = spotter(&elsewhere).args(["event", "s3://pictures/8.bmp"]).envs(&variables).output()?;
    let event = String::from_utf8(event.stdout)?;

    let mut command = spotter(&home);
    command.args(["serve", "--port", "0", "--page-port", "0", "--webhook", "127.0.0.1:0"]).envs(&variables);
    let served = Served::by(&mut command)?;
    let mut open = BufReader::new(served.connect("GET", "/api/live", "")?).lines();
    let mut hear = |what: &str| -> Result<(), Failed> {
        for line in &mut open {
            if line?.contains(what) {
                return Ok(());
            }
        }
        Err(format!("the stream ended before {what}").into())
    };
    hear("text/event-stream")?;
    let hook = served.hook_url.as_deref().ok_or("no webhook")?.trim_start_matches("http://");
    let (host, way) = hook.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = event.len();
    write!(
        stream,
        "POST /{way} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{event}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}\n{event}");
    hear("event: record")?;
    hear("8.bmp")
}

async fn env_and_end() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let mut served = Served::start(&home)?;
    let output = spotter(&home).arg("env").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let variables: HashMap<&str, &str> =
        text.lines().flat_map(|line| line.split_whitespace()).filter_map(|word| word.split_once('=')).collect();
    assert_eq!(variables.get("AWS_ENDPOINT_URL"), Some(&served.s3_url.as_str()), "{text}");
    // The same variables lead `spotter event` and `spotter invoke` there.
    let s3 = served.client(&home)?;
    assert!(put(&s3, "8 eight.bmp", sample("8.bmp")?).await);
    let event = spotter(&home).args(["event", "s3://pictures/8 eight.bmp", "--as", "sqs"]).envs(&variables).output()?;
    let file = home.path().join("event.json");
    std::fs::write(&file, &event.stdout)?;
    let invoked = spotter(&home).arg("invoke").arg(&file).envs(&variables).output()?;
    let (told, body) = (String::from_utf8_lossy(&invoked.stderr), String::from_utf8_lossy(&invoked.stdout));
    assert!(told.contains("recorded  classified  8"), "{told}");
    assert_eq!(body.trim(), "{\"batchItemFailures\":[]}");
    let gone = std::fs::read_to_string(&file)?.replace("eight", "ate");
    std::fs::write(&file, gone)?;
    let invoked = spotter(&home).arg("invoke").arg(&file).envs(&variables).output()?;
    assert!(String::from_utf8_lossy(&invoked.stderr).contains("superseded"), "what is gone is said");

    let ended = Command::new("kill").args(["-TERM", &served.child.id().to_string()]).status()?;
    assert!(ended.success());
    assert_eq!(served.child.wait()?.code(), Some(0));
    Ok(())
}

/// SIGKILL in the middle of uploads: every upload that was answered is recorded, once for each time it was made.
async fn kill() -> Result<(), Failed> {
    const UPLOADS: usize = 60;
    let home = TempDir::new()?;
    let picture = sample("8 small.png")?;
    let mut served = Served::start(&home)?;
    let mut missing: Vec<String> = (0..UPLOADS).map(|i| format!("{i}.png")).collect();
    let mut restarts = 0;
    while !missing.is_empty() {
        let s3 = served.client(&home)?;
        let killer = async {
            if restarts < 3 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                let _ = served.child.kill();
            }
        };
        let uploads = stream::iter(missing.clone())
            .map(|key| {
                let (s3, picture) = (&s3, picture.clone());
                async move { (!put(s3, &key, picture).await).then_some(key) }
            })
            .buffer_unordered(4)
            .filter_map(|missed| async { missed })
            .collect();
        let ((), missed): ((), Vec<String>) = tokio::join!(killer, uploads);
        missing = missed;
        if restarts < 3 {
            restarts += 1;
            served.child.wait()?;
            served = Served::start(&home)?;
        }
    }
    let embedded = Embedded::open(&data(&home).join("records.sqlite"))?;
    let deadline = Instant::now() + PATIENCE;
    for key in (0..UPLOADS).map(|i| format!("{i}.png")) {
        loop {
            if let Some(record) = records::get(&embedded, BUCKET, &key, MODEL).await? {
                assert_eq!((record.status, record.label.as_deref()), (Status::Classified, Some("8")));
                break;
            }
            assert!(Instant::now() < deadline, "{key} was lost");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

async fn busy() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = Served::start(&home)?;
    let second = spotter(&home).args(["serve", "--port", "0", "--page-port", "0"]).output()?;
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another process uses the folder"));
    let other = TempDir::new()?;
    let port = served.s3_url.rsplit(':').next().ok_or("no port")?;
    let asked = spotter(&other).args(["serve", "--port", port, "--page-port", "0"]).output()?;
    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&asked.stderr).contains(&format!("cannot listen on 127.0.0.1:{port}")));
    Ok(())
}
