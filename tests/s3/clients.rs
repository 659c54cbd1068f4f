//! Other people's clients: boto3, AWS CLI version 1, rclone. Each runs a script of its own against an endpoint.

use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use libtest_mimic::{Failed, Trial};

use super::{BUCKET, Bench};
use crate::harness::{needs, on_runtime, root};

pub fn trials() -> Vec<Trial> {
    // Each asks an interpreter to start: at the same time, since every run of the tests waits for them.
    let boto3 = thread::spawn(|| available("python3", &["-c", "import boto3"]));
    let aws = thread::spawn(|| available("aws", &["--version"]));
    let rclone = thread::spawn(|| available("rclone", &["version"]));
    let join =
        |found: thread::JoinHandle<_>| found.join().unwrap_or_else(|_| Err("looking for it panicked".to_owned()));
    vec![
        needs("s3::boto3", join(boto3), |()| with_endpoint(boto3_script)),
        needs("s3::AWS CLI", join(aws), |()| with_endpoint(aws_cli)),
        needs("s3::rclone", join(rclone), |()| with_endpoint(rclone_sync)),
    ]
}

fn available(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!("`{program} {}` fails", arguments.join(" "))),
        Err(_) => Err(format!("no {program} on the PATH")),
    }
}

fn with_endpoint<F>(test: fn(Bench) -> F) -> Result<(), Failed>
where
    F: Future<Output = Result<(), Failed>>,
{
    on_runtime(async move { test(Bench::start().await?).await })
}

impl Bench {
    /// Runs a client to its end with this endpoint's credentials and nobody else's settings.
    async fn run(&self, program: &str, arguments: &[&str]) -> Result<String, Failed> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .env("AWS_CONFIG_FILE", "/nonexistent")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
            .env("AWS_ACCESS_KEY_ID", &self.credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.credentials.secret_access_key)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", self.url())
            .env("AWS_PAGER", "")
            .env("NO_PROXY", "127.0.0.1")
            .env("RCLONE_CONFIG", "/nonexistent/rclone.conf")
            .env("RCLONE_CONFIG_SPOTTER_TYPE", "s3")
            .env("RCLONE_CONFIG_SPOTTER_PROVIDER", "Other")
            .env("RCLONE_CONFIG_SPOTTER_ENV_AUTH", "true")
            .env("RCLONE_CONFIG_SPOTTER_ENDPOINT", self.url());
        let shown = format!("{program} {}", arguments.join(" "));
        let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || command.output()).await??;
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        if status.success() {
            return Ok(stdout);
        }
        Err(format!("{shown}\n{stdout}\n{}", String::from_utf8_lossy(&stderr)).into())
    }
}

async fn boto3_script(s3: Bench) -> Result<(), Failed> {
    let script = root().join("tests/s3/boto3_client.py");
    s3.run("python3", &[&script.display().to_string(), BUCKET]).await?;
    let mut names: Vec<String> = s3.notified()?.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(
        names,
        [
            "ObjectCreated:CompleteMultipartUpload",
            "ObjectCreated:Copy",
            "ObjectCreated:Post",
            "ObjectCreated:Put",
            "ObjectRemoved:Delete",
            "ObjectRemoved:DeleteMarkerCreated",
        ]
    );
    Ok(())
}

/// A folder of files with names that clients like to get wrong, and one that is uploaded in parts.
fn folder() -> Result<tempfile::TempDir, Failed> {
    let dir = tempfile::tempdir()?;
    std::fs::create_dir_all(dir.path().join("sub/sub sub"))?;
    for name in ["a.png", "a b.png", "a+b.png", "a%2Bb.png", "ä.png", "sub/a.png", "sub/sub sub/&=?#.png", "empty"] {
        let bytes = if name == "empty" { Vec::new() } else { format!("bytes of {name}").into_bytes() };
        std::fs::write(dir.path().join(name), bytes)?;
    }
    let large: Vec<u8> = (0..9_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(dir.path().join("large.bin"), large)?;
    Ok(dir)
}

/// Every file of one folder is in the other one, with the same bytes.
fn same(one: &Path, other: &Path) -> Result<(), Failed> {
    for entry in std::fs::read_dir(one)? {
        let entry = entry?;
        let twin = other.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            same(&entry.path(), &twin)?;
        } else {
            let bytes = std::fs::read(&twin).map_err(|error| format!("{}: {error}", twin.display()))?;
            assert!(std::fs::read(entry.path())? == bytes, "{}", twin.display());
        }
    }
    Ok(())
}

async fn aws_cli(s3: Bench) -> Result<(), Failed> {
    let (from, to) = (folder()?, tempfile::tempdir()?);
    let (source, target) = (from.path().display().to_string(), to.path().display().to_string());
    s3.run("aws", &["s3", "sync", &source, "s3://pictures/x/", "--only-show-errors"]).await?;
    assert_eq!(s3.notified()?.len(), 9);
    s3.run("aws", &["s3", "sync", "s3://pictures/x/", &target, "--only-show-errors"]).await?;
    same(from.path(), to.path())?;
    let listed = s3.run("aws", &["s3", "ls", "s3://pictures/x/", "--recursive"]).await?;
    assert_eq!(listed.lines().count(), 9, "{listed}");
    let listed = s3.run("aws", &["s3", "ls", "s3://pictures/x/"]).await?;
    assert!(listed.contains("PRE sub/") && listed.contains("a+b.png"), "{listed}");
    s3.run("aws", &["s3", "mv", "s3://pictures/x/a b.png", "s3://pictures/y/a b.png"]).await?;
    assert_eq!(s3.get("y/a b.png").await?, b"bytes of a b.png");
    s3.run("aws", &["s3", "mb", "s3://second"]).await?;
    s3.run("aws", &["s3", "rm", "s3://pictures/", "--recursive", "--only-show-errors"]).await?;
    let left = s3.run("aws", &["s3api", "list-objects-v2", "--bucket", BUCKET, "--query", "Contents"]).await?;
    assert_eq!(left.trim(), "null");
    s3.run("aws", &["s3", "rb", "s3://second"]).await?;
    Ok(())
}

async fn rclone_sync(s3: Bench) -> Result<(), Failed> {
    let (from, to) = (folder()?, tempfile::tempdir()?);
    let (source, target) = (from.path().display().to_string(), to.path().display().to_string());
    // Parts of 5 MiB: the large file is uploaded in two.
    let parts = ["--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M"];
    s3.run("rclone", &[["sync", &source, "spotter:pictures/x"].as_slice(), &parts].concat()).await?;
    assert_eq!(s3.notified()?.len(), 9);
    s3.run("rclone", &["check", "--download", &source, "spotter:pictures/x"]).await?;
    s3.run("rclone", &["sync", "spotter:pictures/x", &target]).await?;
    same(from.path(), to.path())?;
    // Nothing has changed: times and checksums agree, so nothing is uploaded again.
    s3.run("rclone", &[["sync", &source, "spotter:pictures/x"].as_slice(), &parts].concat()).await?;
    assert_eq!(s3.notified()?, []);
    s3.run("rclone", &["moveto", "spotter:pictures/x/a b.png", "spotter:pictures/y/a+b ä.png"]).await?;
    assert_eq!(s3.get("y/a+b ä.png").await?, b"bytes of a b.png");
    assert_eq!(s3.run("rclone", &["lsf", "spotter:pictures"]).await?, "x/\ny/\n");
    s3.run("rclone", &["purge", "spotter:pictures/x"]).await?;
    assert_eq!(s3.run("rclone", &["lsf", "-R", "--files-only", "spotter:pictures"]).await?, "y/a+b ä.png\n");
    Ok(())
}
