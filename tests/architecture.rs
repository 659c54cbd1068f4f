//! The rooms and their doors, read from the source: who may name whom, and what stays out of the function.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::harness::{needs, root};

/// Each module of `src/lib.rs` and the modules that it names: no fewer and no more. A module names only those above
/// it, so that dependencies point one way, from the edges to the middle.
const MODULES: &[(&str, &[&str])] = &[
    ("decode", &[]),
    ("encoding", &[]),
    ("event", &[]),
    ("filter", &[]),
    ("secret", &[]),
    ("preprocess", &["decode"]),
    ("classifier", &["decode", "encoding", "preprocess"]),
    ("objects", &["event"]),
    ("model_source", &["classifier", "encoding", "objects"]),
    ("record", &["classifier", "decode", "event", "objects", "preprocess"]),
    ("records", &["event", "record", "secret"]),
    ("notify", &["objects", "record", "records", "secret"]),
    ("pipeline", &["classifier", "decode", "event", "filter", "notify", "objects", "record", "records"]),
    ("backfill", &["event", "filter", "objects", "pipeline", "record", "records"]),
    ("ask", &["encoding", "event", "record", "records"]),
    ("export", &["encoding", "event", "record"]),
    ("telemetry", &["encoding", "event", "pipeline", "record"]),
    ("function", &["event", "pipeline", "telemetry"]),
    ("metrics", &["event", "function", "pipeline", "record"]),
    ("worker", &["function", "objects", "pipeline", "records"]),
    ("config", &["decode", "event", "filter", "model_source", "notify", "objects", "records", "secret", "telemetry"]),
    ("init", &["classifier", "config", "model_source", "objects", "records", "telemetry"]),
    ("local", &["encoding", "event", "function", "metrics", "objects", "pipeline", "records", "secret", "telemetry"]),
    (
        "page",
        &["ask", "classifier", "decode", "encoding", "event", "metrics", "objects", "preprocess", "record", "records"],
    ),
    ("doctor", &["classifier", "config", "event", "model_source", "objects", "records", "worker"]),
    (
        "cli",
        &[
            "ask",
            "backfill",
            "classifier",
            "config",
            "decode",
            "doctor",
            "encoding",
            "event",
            "export",
            "filter",
            "function",
            "local",
            "metrics",
            "model_source",
            "notify",
            "objects",
            "page",
            "pipeline",
            "preprocess",
            "record",
            "records",
            "secret",
            "telemetry",
            "worker",
        ],
    ),
];

/// What belongs to somebody: where a path below `src` starts with one of these, it may be named.
const OWNED: &[(&str, &[&str])] = &[
    ("aws_config", &["objects/"]),
    ("aws_sdk_eventbridge", &["notify/aws.rs"]),
    ("aws_sdk_s3", &["objects/", "local/client.rs", "cli/samples.rs", "cli/demo.rs", "cli/serve.rs"]),
    ("aws_sdk_sns", &["notify/aws.rs"]),
    ("aws_sdk_sqs", &["notify/aws.rs", "worker/"]),
    ("aws_smithy_http_client", &["notify/webhook.rs"]),
    ("aws_smithy_runtime_api", &["notify/"]),
    ("axum", &["page", "local/http.rs", "local/scraped.rs", "local/webhook.rs"]),
    ("clap", &["cli/"]),
    ("chrono", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("csv", &["export/"]),
    ("etcetera", &["cli/"]),
    ("fearless_simd", &["classifier/"]),
    ("gif", &["decode/"]),
    ("globset", &["filter.rs"]),
    ("hmac", &["notify/webhook.rs"]),
    ("hyper", &["local/"]),
    ("hyper_util", &["local/"]),
    ("image", &["decode/"]),
    ("indicatif", &["cli/"]),
    ("parquet", &["export/"]),
    ("png", &["decode/", "record/make.rs"]),
    ("prost", &["classifier/"]),
    ("prometheus_client", &["metrics/prometheus.rs"]),
    ("rusqlite", &["local/store", "records/embedded"]),
    ("rustix", &["doctor/disk.rs"]),
    ("rustls", &["records/cassandra/"]),
    ("rustls_native_certs", &["records/cassandra/"]),
    ("s3s", &["local/"]),
    ("scylla", &["records/cassandra/"]),
    ("tiff", &["decode/"]),
    ("tower_service", &["page/function_url.rs"]),
    ("tract_onnx", &["classifier/"]),
    ("tracing_subscriber", &["telemetry.rs"]),
    ("zeroize", &["secret.rs", "local/credentials.rs"]),
    ("zune_jpeg", &["decode/"]),
    // Nobody serves without the time-outs of `local/http.rs`.
    ("hyper::server", &["local/http.rs"]),
    // The environment: `telemetry` leaves RUST_LOG to tracing-subscriber, `objects` AWS_* to the SDK.
    ("std::env", &["config.rs", "config/documented.rs"]),
];

const FUNCTIONS: [&str; 2] = ["spotter-lambda", "spotter-page"];
const OF_A_TERMINAL: [&str; 7] =
    ["clap", "indicatif", "libsqlite3-sys", "parquet", "prometheus-client", "rusqlite", "s3s"];
/// So that the check reads the right tree.
const OF_A_FUNCTION: [&str; 6] = ["aws-sdk-s3", "axum", "lambda_runtime", "scylla", "spotter", "tract-onnx"];

const LONGEST_FILE: usize = 450;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("architecture: modules name whom the table says", modules),
        Trial::test("architecture: the table points one way", one_way),
        Trial::test("architecture: crates are named where they belong", owned),
        Trial::test("architecture: files of a few hundred lines", short_files),
        needs("architecture: the functions have no SQLite, server or arguments", trees(), functions),
        needs("architecture: the functions share one build", trees(), one_build),
        needs("architecture: no package registry is named", tracked_files(), no_registry),
    ]
}

/// A file of `src`, without its unit tests and comments.
struct Source {
    /// Below `src`, with `/`.
    path: String,
    code: String,
    lines: usize,
}

impl Source {
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

fn sources() -> Result<Vec<Source>, Failed> {
    let src = root().join("src");
    let mut files = Vec::new();
    walk(&src, &mut files)?;
    let mut sources = Vec::new();
    for file in files {
        let path = file.strip_prefix(&src)?.components().map(|part| part.as_os_str().to_string_lossy());
        let path = path.collect::<Vec<_>>().join("/");
        if !path.ends_with(".rs") || path.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        sources.push(Source { path, code: code(&text), lines: text.lines().count() });
    }
    if sources.len() < 20 { Err("src was not found".into()) } else { Ok(sources) }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Without comments, and without what follows the first `mod tests {`, which stands last in a file.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first segments after each `crate::`, of a path or of a group in braces.
fn named_modules(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => names.extend(first_name(rest)),
            Some(group) => {
                let mut depth = 1;
                let mut start = 0;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 || (depth == 1 && c == ',') {
                        names.extend(first_name(group[start..at].trim_start()));
                        start = at + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    names
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|&c| is_name(c)).collect();
    (!name.is_empty()).then_some(name)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `code` has a path that starts with `what` or `::what`.
fn names_crate(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + what.len()..]);
        let root = before.strip_suffix("::").unwrap_or(before);
        let whole = !root.ends_with(|c| is_name(c) || c == '>');
        whole && (after.starts_with("::") || (before.ends_with("use ") && after.starts_with([';', ' '])))
    })
}

fn modules() -> Result<(), Failed> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources()? {
        if ["lib", "main"].contains(&source.module()) {
            continue;
        }
        let module = source.module().to_owned();
        let names = named_modules(&source.code).into_iter().filter(|name| *name != module);
        named.entry(module.clone()).or_default().extend(names);
    }
    let table: BTreeMap<String, BTreeSet<String>> = MODULES
        .iter()
        .map(|(name, of)| ((*name).to_owned(), of.iter().map(|name| (*name).to_owned()).collect()))
        .collect();
    let mut wrong = Vec::new();
    for module in named.keys().chain(table.keys()).collect::<BTreeSet<_>>() {
        match (named.get(module), table.get(module)) {
            (Some(named), Some(table)) => {
                wrong.extend(named.difference(table).map(|name| format!("{module} must not name {name}")));
                wrong.extend(table.difference(named).map(|name| format!("{module} no longer names {name}")));
            }
            (Some(_), None) => wrong.push(format!("{module} is not in the table")),
            (None, _) => wrong.push(format!("{module} is no module")),
        }
    }
    fail_with(wrong)
}

fn one_way() -> Result<(), Failed> {
    let place = |name: &str| MODULES.iter().position(|(module, _)| *module == name);
    let mut wrong = Vec::new();
    for (at, (module, names)) in MODULES.iter().enumerate() {
        let upwards = names.iter().filter(|name| place(name).is_none_or(|place| place >= at));
        wrong.extend(upwards.map(|name| format!("{module} names {name}, which stands below it")));
    }
    fail_with(wrong)
}

fn owned() -> Result<(), Failed> {
    let sources = sources()?;
    let mut wrong = Vec::new();
    for (what, places) in OWNED {
        let named: Vec<&str> = sources
            .iter()
            .filter(|source| names_crate(&source.code, what))
            .map(|source| source.path.as_str())
            .collect();
        let strangers = named.iter().filter(|path| !places.iter().any(|place| path.starts_with(place)));
        wrong.extend(strangers.map(|path| format!("{path} must not name {what}")));
        let empty = places.iter().filter(|place| !named.iter().any(|path| path.starts_with(*place)));
        wrong.extend(empty.map(|place| format!("{place} no longer names {what}")));
    }
    fail_with(wrong)
}

fn short_files() -> Result<(), Failed> {
    let long = sources()?.into_iter().filter(|source| source.lines > LONGEST_FILE);
    fail_with(long.map(|source| format!("src/{} has {} lines: split it", source.path, source.lines)).collect())
}

/// Of each function, `crate version features`, one a line.
type Trees = Vec<Vec<String>>;

fn trees() -> Result<Trees, String> {
    FUNCTIONS.into_iter().map(tree).collect()
}

/// `cargo tree` of a function; from the network only where its few own crates were never fetched.
fn tree(package: &str) -> Result<Vec<String>, String> {
    let cargo = |offline: &[&str]| {
        let arguments = ["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--locked"];
        let format = ["--format", "{p} {f}"];
        Command::new(env!("CARGO")).current_dir(root()).args(arguments).args(format).args(offline).output()
    };
    let run = |offline: &[&str]| match cargo(offline) {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ")),
        Err(error) => Err(error.to_string()),
    };
    let tree = run(&["--offline"]).or_else(|_| run(&[]));
    let tree = tree.map_err(|error| format!("cargo tree does not work here: {error}"))?;
    // ` (*)` marks what was listed before.
    Ok(tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}

fn name(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

fn functions(trees: Trees) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for (package, tree) in FUNCTIONS.iter().zip(&trees) {
        let crates: BTreeSet<&str> = tree.iter().map(|line| name(line)).collect();
        let strangers = OF_A_TERMINAL.iter().filter(|name| crates.contains(**name));
        wrong
            .extend(strangers.map(|name| format!("{package} has {name}: cargo tree -p {package} -e normal -i {name}")));
        let missing = OF_A_FUNCTION.iter().filter(|name| !crates.contains(**name));
        wrong.extend(missing.map(|name| format!("{name} is not in the tree of {package}")));
        // Its server. Without it a request is a value, as Lambda passes it on.
        let serves = tree.iter().find(|line| name(line) == "hyper" && line.contains("server"));
        wrong.extend(serves.map(|line| format!("{package} could serve: {line}")));
    }
    fail_with(wrong)
}

fn one_build(trees: Trees) -> Result<(), Failed> {
    let [function, page] = &trees[..] else { return Err("there are two functions".into()) };
    let [function, page] = [function, page].map(|tree| tree.iter().collect::<BTreeSet<_>>());
    let others = function.symmetric_difference(&page).filter(|line| !FUNCTIONS.contains(&name(line)));
    fail_with(others.map(|line| format!("only one of the functions has {line}")).collect())
}

/// What git has or would add.
pub fn tracked_files() -> Result<Vec<PathBuf>, String> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .map_err(|error| format!("git does not run here: {error}"))?;
    if !output.status.success() {
        return Err("not a git checkout".into());
    }
    let names = output.stdout.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| root().join(String::from_utf8_lossy(name).as_ref())).collect())
}

/// Package clients are set up by whoever runs them, mirrors included.
fn no_registry(files: Vec<PathBuf>) -> Result<(), Failed> {
    // In two halves, or this file would name them.
    let hosts = [
        ["crates", ".io"],
        ["pypi", ".org"],
        ["pythonhosted", ".org"],
        ["registry.npmjs", ".org"],
        ["repo.maven.apache", ".org"],
        ["repo1.maven", ".org"],
        ["proxy.golang", ".org"],
        ["deb.debian", ".org"],
    ]
    .map(|halves| halves.concat());
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.file_name().is_none_or(|name| name != "Cargo.lock")) {
        // Removed in the work tree, or a link to nowhere.
        let Ok(bytes) = std::fs::read(file) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        wrong.extend(
            hosts
                .iter()
                .filter(|host| text.contains(host.as_str()))
                .map(|host| format!("{} names {host}", file.display())),
        );
    }
    fail_with(wrong)
}

pub fn fail_with(wrong: Vec<String>) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
