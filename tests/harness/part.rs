//! Servers that the tests start: each once a run, when it is first needed, and ended with the run, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A server that does not serve by then never will.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server that is started when a test first asks for it.
pub struct Part<T: 'static> {
    pub(super) started: &'static OnceLock<Result<T, String>>,
    pub(super) start: fn() -> Result<T, String>,
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Part<T> {}

impl<T> Part<T> {
    /// Where it is; the first caller waits until it serves.
    pub fn get(&self) -> Result<&'static T, String> {
        self.started.get_or_init(self.start).as_ref().map_err(Clone::clone)
    }
}

/// Runs `cleanup` in a shell once this process has ended, even by a panic or SIGKILL.
pub(super) fn when_this_process_ends(cleanup: &str) -> Result<(), String> {
    let mut command = Command::new("sh");
    // It lives until its standard input is closed, which the system does for a process that ends.
    command.arg("-c").arg(format!("cat >/dev/null; {cleanup}"));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0); // Ctrl-C is not for it.
    let child: Child = command.spawn().map_err(|error| format!("sh does not run: {error}"))?;
    std::mem::forget(child.stdin);
    Ok(())
}

/// An empty folder for one server of this run; what earlier runs left of theirs, such as logs, is removed.
pub(super) fn folder(name: &str) -> Result<PathBuf, String> {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for left in std::fs::read_dir(&all).into_iter().flatten().flatten() {
        let alive = left.file_name().to_str().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !alive {
            let _ = std::fs::remove_dir_all(left.path());
        }
    }
    let own = all.join(std::process::id().to_string());
    std::fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    Ok(own)
}

/// Standard output of a command that must succeed.
pub fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name} does not run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("{name} failed ({}): {said}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(super) fn runs(command: &str, arguments: &[&str]) -> bool {
    output(Command::new(command).args(arguments)).is_ok()
}

/// Is the image here, or can it be had?
pub(super) fn image(name: &str) -> Result<(), String> {
    if runs("docker", &["image", "inspect", name]) {
        return Ok(());
    }
    announce(&format!("pulling the image {name}"));
    output(Command::new("docker").args(["pull", "--quiet", name])).map(drop)
}

/// `docker run` of a server that lives as long as this process. Where its port is reached on this machine, once it
/// `serves` there; `publish` as in Docker's flag, of one port.
pub(super) fn container(
    name: &str,
    publish: &str,
    arguments: &[&str],
    serves: impl Fn(&str) -> std::io::Result<bool>,
) -> Result<String, String> {
    let name = format!("spotter-test-{name}-{}", std::process::id());
    when_this_process_ends(&format!("docker rm --force --volumes {name}"))?;
    let run = ["run", "--detach", "--name", &name, "--publish", publish];
    output(Command::new("docker").args(run).args(arguments))?;
    let ports = output(Command::new("docker").args(["port", &name]))?;
    let address = ports.lines().next().and_then(|line| line.split(" -> ").nth(1));
    let address = address.ok_or_else(|| format!("{name} has no port: {ports}"))?.to_owned();
    until(
        || serves(&address).unwrap_or(false),
        || {
            let running = output(Command::new("docker").args(["inspect", "--format", "{{.State.Running}}", &name]))?;
            if running == "true" { Ok(()) } else { Err(format!("the container {name} ended: {}", logs(&name))) }
        },
    )
    .map_err(|error| format!("{arguments:?} at {address}: {error}"))?;
    Ok(address)
}

fn logs(container: &str) -> String {
    let logs = Command::new("docker").args(["logs", "--tail", "5", container]).output();
    logs.map_or_else(
        |error| error.to_string(),
        |logs| String::from_utf8_lossy(&[logs.stdout, logs.stderr].concat()).into_owned(),
    )
}

/// Waits until a server serves, as long as it is `alive`.
pub(super) fn until(serves: impl Fn() -> bool, alive: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    while !serves() {
        alive()?;
        if Instant::now() > end {
            return Err(format!("it does not serve after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// What takes long is said before it begins.
#[allow(clippy::print_stderr)]
pub(super) fn announce(what: &str) {
    eprintln!("tests: {what}");
}
