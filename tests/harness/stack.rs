//! The stack of compose.yaml, as a user starts it, beside any other that runs here.

use std::ffi::OsStr;
use std::process::Command;
use std::sync::OnceLock;

use super::part::{Part, output, runs, when_this_process_ends};
use super::root;

/// The functions' zips, and their packages.
const ZIPS: [(&str, &str); 2] =
    [("target/lambda/bootstrap/bootstrap.zip", "spotter-lambda"), ("target/lambda/page/bootstrap.zip", "spotter-page")];

pub struct Stack {
    /// Compose's project; its network is `<project>_default`.
    pub project: String,
    /// `host:port` on this machine.
    pub cassandra: String,
    /// LocalStack's URL on this machine.
    pub endpoint: String,
}

/// An engine that answers.
pub fn docker() -> Result<(), String> {
    if runs("docker", &["info"]) { Ok(()) } else { Err("it needs a Docker engine".into()) }
}

/// The stack with the functions in it. `Err` says what is missing.
pub fn stack() -> Result<Part<Stack>, String> {
    static STARTED: OnceLock<Result<Stack, String>> = OnceLock::new();
    docker()?;
    if !runs("docker", &["compose", "version"]) {
        return Err("the real stack needs Docker's Compose".into());
    }
    let tools: [(&str, &[&str]); 3] = [
        ("aws-sam-cli", &["sam", "--version"]),
        ("cargo-lambda", &["cargo", "lambda", "--version"]),
        ("awscli", &["aws", "--version"]),
    ];
    for (package, command) in tools {
        if !runs(command[0], &command[1..]) {
            return Err(format!("`{}` does not run (PyPI has {package}; .ci/setup installs it)", command.join(" ")));
        }
    }
    for (zip, package) in ZIPS {
        if !root().join(zip).is_file() {
            let build = "cargo lambda build --release --locked --output-format zip -p";
            return Err(format!("there is no {zip}: {build} {package}"));
        }
    }
    Ok(Part { started: &STARTED, start })
}

fn start() -> Result<Stack, String> {
    let project = format!("spotter-test-{}", std::process::id());
    // Functions are containers that Compose does not know, in its network.
    when_this_process_ends(&format!(
        "docker ps --all --quiet --filter network={project}_default | xargs --no-run-if-empty docker rm --force --volumes; \
         docker compose --project-name {project} --project-directory '{}' down --volumes",
        root().display()
    ))?;
    compose(&project, ["up", "--wait"]).map_err(|error| {
        let logs = compose(&project, ["logs", "--tail", "15"]).unwrap_or_else(|error| error);
        format!("{error}\n{logs}")
    })?;
    let cassandra = compose(&project, ["port", "cassandra", "9042"])?;
    let endpoint = format!("http://{}", compose(&project, ["port", "localstack", "4566"])?);
    Ok(Stack { project, cassandra, endpoint })
}

fn compose<const N: usize>(project: &str, arguments: [&str; N]) -> Result<String, String> {
    let mut command = Command::new("docker");
    command.current_dir(root()).args(["compose", "--project-name", project]).args(arguments);
    // Any free port.
    output(command.envs([("SPOTTER_CASSANDRA_PORT", "0"), ("SPOTTER_LOCALSTACK_PORT", "0")]))
}

impl Stack {
    /// A client of this stack, in the repository's folder: its output, if it succeeds.
    ///
    /// # Errors
    /// What it said.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String, String> {
        output(self.command(program).args(arguments))
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(root()).envs([
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("SPOTTER_CASSANDRA", self.cassandra.as_str()),
        ]);
        command.env_remove("AWS_PROFILE");
        command
    }

    pub fn network(&self) -> String {
        format!("{}_default", self.project)
    }
}
