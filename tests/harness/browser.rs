//! A real browser: headless Chromium, driven by ChromeDriver.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use url::{ParseError, Url};

use super::part::{Part, folder, runs, when_this_process_ends};
use super::root;

/// Where `.ci/setup` puts the accessibility rules.
const AXE: &str = "target/axe/node_modules/axe-core/axe.min.js";

/// A ChromeDriver, which starts a browser a session.
pub struct Driver {
    url: String,
}

/// The driver that all tests of this run share. `Err` says what is missing.
pub fn driver() -> Result<Part<Driver>, String> {
    static STARTED: OnceLock<Result<Driver, String>> = OnceLock::new();
    for (command, package) in [("chromium", "chromium"), ("chromedriver", "chromium-driver")] {
        if !runs(command, &["--version"]) {
            return Err(format!(
                "`{command} --version` does not run (Debian's package {package}; .ci/setup installs it)"
            ));
        }
    }
    Ok(Part { started: &STARTED, start })
}

/// The source of axe-core, which finds what people who use no mouse, or no screen, cannot use.
pub fn axe() -> Result<PathBuf, String> {
    let path = root().join(AXE);
    if path.is_file() { Ok(path) } else { Err(format!("there is no {AXE} (npm has axe-core; .ci/setup installs it)")) }
}

fn start() -> Result<Driver, String> {
    let folder = folder("browser")?;
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").env("TMPDIR", &folder);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0); // Ctrl-C is for the tests, which end it
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("chromedriver does not run: {error}"))?;
    when_this_process_ends(&format!("kill -9 {}; sleep 1; rm -rf '{}'", child.id(), folder.display()))?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("chromedriver has no output")?).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').parse::<u16>().ok()
    });
    // Somebody must read on, or the pipe fills.
    std::thread::spawn(move || lines.for_each(drop));
    let port = port.ok_or("chromedriver did not say its port")?;
    Ok(Driver { url: format!("http://127.0.0.1:{port}") })
}

impl Driver {
    /// A new browser with an empty profile. It ends with the driver, because a pipe ties them.
    pub async fn open(&self) -> Result<Browser, Failed> {
        let arguments = ["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-dev-shm-usage"];
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().cloned().ok_or("capabilities")?);
        Ok(Browser { client: builder.connect(&self.url).await? })
    }
}

pub struct Browser {
    pub client: Client,
}

impl Browser {
    /// A command of the Chrome DevTools Protocol, <https://chromedevtools.github.io/devtools-protocol/>.
    pub async fn devtools(&self, method: &'static str, parameters: Value) -> Result<Value, Failed> {
        let body = json!({ "cmd": method, "params": parameters });
        Ok(self.client.issue_cmd(Post { path: "goog/cdp/execute", body }).await?)
    }

    /// What one of the browser's logs got since it was read last: `browser` is the console, `performance` are
    /// DevTools events.
    pub async fn log(&self, name: &'static str) -> Result<Vec<Value>, Failed> {
        let entries = self.client.issue_cmd(Post { path: "se/log", body: json!({ "type": name }) }).await?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }

    pub async fn save_screenshot(&self, path: &Path) -> Result<(), Failed> {
        Ok(std::fs::write(path, self.client.screenshot().await?)?)
    }
}

/// ChromeDriver's own commands, below its session's address.
#[derive(Debug)]
struct Post {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Post {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
