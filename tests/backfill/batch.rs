//! The S3 Batch Operations job of docs/backfill.md, held against the AWS CLI's own model of the service.

use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::harness::{needs, root};

pub fn trials() -> Vec<Trial> {
    vec![needs("backfill::batch::the_documented_job_is_one", cli(), |()| documented())]
}

fn cli() -> Result<(), String> {
    match Command::new("aws").arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err("no aws on the PATH".into()),
    }
}

/// The CLI checks a job's names, types and what is required, and asks nobody.
fn check(job: &Value) -> Result<Result<(), String>, Failed> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), job.to_string())?;
    let output = Command::new("aws")
        .args(["s3control", "create-job", "--generate-cli-skeleton", "output", "--cli-input-json"])
        .arg(format!("file://{}", file.path().display()))
        .envs([("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_DEFAULT_REGION", "us-east-1")])
        .output()?;
    Ok(if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) })
}

fn documented() -> Result<(), Failed> {
    let text = std::fs::read_to_string(root().join("docs/backfill.md"))?;
    let blocks = text.split("```json").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<Value> = blocks.map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut job = blocks.into_iter().find(|block| block["Operation"].is_object()).ok_or("no job")?;
    check(&job)??;
    // The schema that the function is asked in is one that it knows.
    let schema = &job["Operation"]["LambdaInvoke"]["InvocationSchemaVersion"];
    assert!(["1.0", "2.0"].iter().any(|known| schema == known), "{schema}");
    job["ManifestGenerator"]["S3JobManifestGenerator"]["Sauce"] = "arn:aws:s3:::pictures".into();
    assert!(check(&job)?.is_err_and(|why| why.contains("Sauce")), "the check finds a wrong name");
    Ok(())
}
