//! The image is built of what `.dockerignore` lets through.

use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::architecture::{fail_with, tracked_files};
use crate::harness::stack::docker;
use crate::harness::{needs, output, root};

/// What is compiled, and what is embedded.
const NEEDED: [&str; 7] =
    ["Cargo.lock", "Cargo.toml", "lambda", "model/digits/manifest.toml", "samples", "schema", "src"];
const NOT_NEEDED: [&str; 3] = [".git", "docs", "target"];

pub fn trials() -> Vec<Trial> {
    let parts = docker().and_then(|()| tracked_files());
    vec![needs("image: its context has all that is compiled and little else", parts, context)]
}

fn context(tracked: Vec<PathBuf>) -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let (recipe, context) = (folder.path().join("Dockerfile"), folder.path().join("context"));
    std::fs::write(&recipe, "FROM scratch\nCOPY . /\n")?;
    let mut build = Command::new("docker");
    build.current_dir(root()).args(["build", "--quiet", "--output"]).arg(&context).arg("--file").arg(&recipe).arg(".");
    output(&mut build)?;
    // The targets that the manifests name are there, too.
    let metadata = ["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"];
    output(Command::new(env!("CARGO")).current_dir(&context).args(metadata))?;
    let tracked = tracked.iter().filter_map(|path| path.strip_prefix(root()).ok());
    let needed = tracked.filter(|path| NEEDED.iter().any(|needed| path.starts_with(needed)));
    let left_out = needed.filter(|path| !context.join(path).exists());
    let mut wrong: Vec<String> = left_out.map(|path| format!("{} is left out", path.display())).collect();
    wrong.extend(NOT_NEEDED.iter().filter(|path| context.join(path).exists()).map(|path| format!("{path} is in it")));
    fail_with(wrong)
}
