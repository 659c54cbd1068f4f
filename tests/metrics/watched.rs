//! A `spotter worker` that takes webhooks and lets Prometheus read, on a bucket in this process.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use libtest_mimic::Failed;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::Cloud;

pub struct Watched {
    child: Child,
    pub home: TempDir,
    pub hook: String,
    pub metrics: String,
}

impl Watched {
    pub fn start(cloud: &Cloud, variables: &[(&str, &str)]) -> Result<Watched, Failed> {
        let home = TempDir::new()?;
        let mut command = spotter(&home);
        command.args(["worker", "--webhook", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
        command.env("AWS_ENDPOINT_URL", &cloud.url).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", &cloud.credentials.access_key_id);
        command.env("AWS_SECRET_ACCESS_KEY", &cloud.credentials.secret_access_key);
        command.envs(variables.iter().copied()).stdout(Stdio::piped());
        let mut child = command.stderr(File::create(home.path().join("stderr"))?).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("stdout")?).lines();
        let mut address = |name: &str| -> Result<String, Failed> {
            let line = lines.next().ok_or("the worker ended")??;
            let url = line.strip_prefix(name).ok_or_else(|| format!("{line:?} does not start with {name}"))?;
            Ok(url.trim().trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned())
        };
        let (hook, metrics) = (address("hook")?, address("metrics")?);
        let mut stdout = File::create(home.path().join("stdout"))?;
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| writeln!(stdout, "{line}")));
        Ok(Watched { child, home, hook, metrics })
    }

    /// What was printed, by `stdout` or `stderr`.
    pub fn printed(&self, to: &str) -> Result<String, Failed> {
        Ok(std::fs::read_to_string(self.home.path().join(to))?)
    }

    pub fn log(&self) -> Result<Vec<Value>, Failed> {
        self.printed("stderr")?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Sends the messages of one batch, as SQS has them.
    pub fn send(&self, messages: &[Value]) -> Result<String, Failed> {
        let body = json!({ "Records": messages }).to_string();
        let length = body.len();
        let head = format!("POST /events HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}", self.hook);
        ask(&self.hook, &format!("{head}\r\nConnection: close\r\n\r\n{body}"))
    }

    pub fn scrape(&self, host: &str) -> Result<String, Failed> {
        ask(&self.metrics, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    }

    pub fn stop(&mut self) -> Result<(), Failed> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

pub fn ask(host: &str, request: &str) -> Result<String, Failed> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The body of an answer that is 200 and what Prometheus asks for.
pub fn exposition(answer: &str) -> Result<&str, Failed> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    let is_text = head.to_lowercase().contains(&format!("content-type: {}", spotter::metrics::CONTENT_TYPE));
    if head.starts_with("HTTP/1.1 200") && is_text { Ok(body) } else { Err(answer.into()) }
}
