//! LocalStack, for SQS, SNS, EventBridge and a second S3: the one that the environment names, else Docker's, else PyPI's.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::part::{Part, announce, container, folder, image, output, runs, until, when_this_process_ends};
use super::root;

/// `http://host:port` of a LocalStack that the tests may fill.
const NAMED: &str = "SPOTTER_TEST_LOCALSTACK";
/// The last tag that needs no account.
const IMAGE: &str = "localstack/localstack:4.14.0";
const SERVICES: &str = "SERVICES=s3,sqs,sns,events";
const HOW: &str =
    "there is no LocalStack: set SPOTTER_TEST_LOCALSTACK=http://host:port, or install Docker, or Python 3.13 with venv";

/// Its URL, `http://host:port`; any credentials will do. `Err` says how to get one.
pub fn endpoint() -> Result<Part<String>, String> {
    static STARTED: OnceLock<Result<String, String>> = OnceLock::new();
    let there = std::env::var_os(NAMED).is_some() || runs("docker", &["info"]) || python().is_some();
    if there { Ok(Part { started: &STARTED, start }) } else { Err(HOW.into()) }
}

fn start() -> Result<String, String> {
    if let Ok(named) = std::env::var(NAMED) {
        return Ok(named);
    }
    let address = if runs("docker", &["info"]) && image(IMAGE).is_ok() {
        container("localstack", "127.0.0.1::4566", &["--env", SERVICES, IMAGE], serves)?
    } else {
        start_from_python()?
    };
    Ok(format!("http://{address}"))
}

/// LocalStack says 3.10 and means 3.13.
fn python() -> Option<&'static str> {
    let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 13))";
    ["python3", "python3.13"].into_iter().find(|python| runs(python, &["-c", check]))
}

fn start_from_python() -> Result<String, String> {
    let installed = installed()?;
    let folder = folder("localstack")?;
    let log = folder.join("localstack.log");
    let say = |error: std::io::Error| format!("{}: {error}", log.display());
    let stdout = std::fs::File::create(&log).map_err(say)?;
    let stderr = stdout.try_clone().map_err(say)?;
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(say)?.port();
    let address = format!("127.0.0.1:{port}");
    let server = Command::new(installed.join("bin/python"))
        .args(["-m", "localstack.runtime.main"])
        .env("GATEWAY_LISTEN", &address)
        .envs(SERVICES.split_once('='))
        .envs([("DISABLE_EVENTS", "1"), ("SKIP_SSL_CERT_DOWNLOAD", "1"), ("DNS_ADDRESS", "0")])
        .env("FILESYSTEM_ROOT", folder.join("filesystem"))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map_err(say)?;
    when_this_process_ends(&format!("kill -9 {}", server.id()))?;
    let server = std::cell::RefCell::new(server);
    until(
        || serves(&address).unwrap_or(false),
        || match server.borrow_mut().try_wait() {
            Ok(None) => Ok(()),
            ended => Err(format!("LocalStack ended ({ended:?}); its log is {}", log.display())),
        },
    )?;
    Ok(address)
}

/// LocalStack in a virtual environment in the user's cache folder.
fn installed() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = cache.ok_or("HOME is not set")?.join("spotter/localstack-4.14.0");
    let (done, part) = (folder.join("installed"), folder.display().to_string());
    let requirements = root().join("tests/localstack/requirements.txt");
    let wanted = std::fs::read(&requirements).map_err(|error| error.to_string())?;
    if std::fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    announce(&format!("installing LocalStack into {part} (300 MB, a minute or two)"));
    output(Command::new(python().ok_or(HOW)?).args(["-m", "venv", "--clear", &part]))?;
    let pip = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
    output(Command::new(folder.join("bin/pip")).args(pip).arg(&requirements))?;
    std::fs::write(&done, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn serves(address: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /_localstack/health HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1) == Some("200"))
}
