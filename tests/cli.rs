//! The binary as people use it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::decode::{Channels, Limits, decode};
use tempfile::TempDir;

use crate::harness::root;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cli::demo_is_right_each_time", demo),
        Trial::test("cli::classify_reads_files_and_stdin", classify),
        Trial::test("cli::classify_says_what_is_wrong_with_each_bad_file", bad_files),
        Trial::test("cli::classify_explains_with_a_picture_of_each_step", explained),
        Trial::test("cli::errors_have_sentences_and_exit_codes", errors),
        Trial::test("cli::a_closed_pipe_ends_quietly", closed_pipe),
        Trial::test("cli::invoke_dry_run_touches_nothing", dry_run),
        Trial::test("cli::model_and_completions", model_and_completions),
        Trial::test("cli::keys_cannot_write_to_the_terminal", terminal),
        Trial::test("cli::a_flag_replaces_one_setting", settings),
        Trial::test("cli::a_bucket_that_is_away_is_told_in_a_sentence", away),
    ]
}

/// The binary with an environment of its own: nothing of this machine's AWS configuration or data.
pub fn spotter(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spotter"));
    command.env_clear().env("HOME", home.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir(root());
    command
}

fn run(home: &TempDir, arguments: &[&str]) -> Result<Output, Failed> {
    Ok(spotter(home).args(arguments).stdin(Stdio::null()).output()?)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn demo() -> Result<(), Failed> {
    let home = TempDir::new()?;
    for _ in 0..2 {
        let output = run(&home, &["demo"])?;
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
        assert!(text.contains("19 notifications, delivered shuffled, 5 of them twice"), "{text}");
        assert!(text.contains("24 deliveries → 19 records · 13 of 13 digits right · 0 lost · 0 twice"), "{text}");
    }
    // The records stay, and can be asked for.
    let output = run(&home, &["get", "s3://demo/photos/7 phone.jpg", "--json"])?;
    let record: Value = serde_json::from_str(&stdout(&output))?;
    assert_eq!((&record["status"], &record["label"]), (&Value::from("classified"), &Value::from("7")));
    let history = stdout(&run(&home, &["get", "s3://demo/4.gif", "--history", "--json"])?);
    assert_eq!(history.lines().count(), 4, "two runs, each with two versions: {history}");
    let listed = stdout(&run(&home, &["list", "--label", "rejected", "--current", "--format", "csv"])?);
    assert_eq!(listed.lines().count(), 3, "a header, notes.png, truncated.jpg: {listed}");
    let stats: Value = serde_json::from_str(&stdout(&run(&home, &["stats", "--json"])?))?;
    assert_eq!(stats["rows"], 38);
    assert_eq!(stats["by_status"]["deleted"], 2);
    Ok(())
}

fn classify() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let output = run(&home, &["classify", "samples/8.bmp", "samples/3+chalk.webp", "--json"])?;
    let lines: Vec<Value> = stdout(&output).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines[0]["path"], "samples/8.bmp");
    assert_eq!((&lines[0]["label"], &lines[1]["label"]), (&Value::from("8"), &Value::from("3")));
    assert_eq!(lines[0]["top"].as_array().map(Vec::len), Some(3));
    assert_eq!((&lines[0]["reason"], &lines[0]["why"]), (&Value::Null, &Value::Null));
    let refused: Value = serde_json::from_str(&stdout(&run(&home, &["classify", "Cargo.toml", "--json"])?))?;
    assert_eq!((&refused["reason"], refused["why"].is_string()), (&Value::from("not_an_image"), true));
    let mut child = spotter(&home)
        .args(["classify", "-", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().ok_or("stdin")?.write_all(&std::fs::read(root().join("samples/8.bmp"))?)?;
    let text = stdout(&child.wait_with_output()?);
    assert!(text.starts_with("path,status,reason,why,label,confidence\n-,classified,,,8,0.9"), "{text}");
    Ok(())
}

fn explained() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let out = home.path().join("out");
    let explain = |file: &str| run(&home, &["classify", file, "--explain", &out.to_string_lossy()]);
    let names = |folder: &str| -> Result<Vec<String>, Failed> {
        let entries = std::fs::read_dir(out.join(folder))?.collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into()).collect();
        names.sort();
        Ok(names)
    };
    assert!(explain("samples/8.bmp")?.status.success());
    let steps = names("8.bmp")?;
    assert_eq!(steps[..3], ["01-picture.png", "02-ground.png", "03-contrast.png"]);
    let last = steps.last().filter(|name| name.ends_with("-seen.png")).ok_or("what the model saw is the last one")?;
    let seen = decode(&std::fs::read(out.join("8.bmp").join(last))?, Channels::Luma, Limits::default())?;
    assert_eq!((seen.width, seen.height), (28, 28));
    // A step that is there no more, a file of somebody's.
    std::fs::write(out.join("8.bmp/99-gone.png"), "")?;
    std::fs::write(out.join("8.bmp/notes.txt"), "")?;
    assert!(explain("samples/8.bmp")?.status.success());
    assert_eq!(names("8.bmp")?, [steps, vec!["notes.txt".into()]].concat());
    explain("Cargo.toml")?;
    assert_eq!(names("")?, ["8.bmp"], "what is no picture has no steps");
    let refused = run(&home, &["classify", "samples/8.bmp", "--explain", "Cargo.toml"])?;
    assert!(stderr(&refused).contains("cannot write Cargo.toml"), "{}", stderr(&refused));
    Ok(())
}

fn bad_files() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let header_60000 = {
        // A PNG whose header promises 60,000 x 60,000 pixels.
        let mut png = std::fs::read(root().join("samples/1.png"))?;
        png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        png
    };
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("bomb.png", bomb()?, "far more data than its pixels need"),
        ("empty.png", Vec::new(), "not an image"),
        ("text.jpg", b"hello".to_vec(), "not an image"),
        ("huge.png", header_60000, ""),
        ("frameless.gif", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), "broken"),
    ];
    for (name, bytes, reason) in cases {
        let path = home.path().join(name);
        std::fs::write(&path, bytes)?;
        let output = run(&home, &["classify", &path.to_string_lossy(), "samples/8.bmp", "--format", "table"])?;
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "a rejection is an answer: {text}");
        assert!(text.contains("rejected") && text.contains(reason), "{text}");
        let next = text.lines().find(|line| line.starts_with("samples/8.bmp")).ok_or("no second line")?;
        let words: Vec<&str> = next.split_whitespace().collect();
        assert_eq!(words[1..3], ["classified", "8"], "the next picture works: {text}");
    }
    Ok(())
}

/// A PNG of 10 x 10 pixels whose data inflate to 50 MB.
fn bomb() -> Result<Vec<u8>, Failed> {
    let mut zeros = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zeros.write_all(&vec![0; 50_000_000])?;
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::new(&mut bytes, 10, 10).write_header()?;
    writer.write_chunk(png::chunk::IDAT, &zeros.finish()?)?;
    drop(writer);
    Ok(bytes)
}

fn errors() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let cases: [(&[&str], i32, &str); 9] = [
        (&["get", "b/k.png"], 2, "did you mean s3://b/k.png?"),
        (&["get", "s3://b/k.png"], 1, "no records in "),
        (&["lits"], 2, "list"),
        (&["get", "s3://b/k", "--wait", "5 parsecs"], 2, "5s"),
        (&["classify", "no-such-file.png"], 1, "cannot read no-such-file.png"),
        (&["classify", "samples"], 1, "cannot read samples"),
        (&["invoke", "Cargo.toml"], 1, "Cargo.toml is not JSON"),
        (&["list", "--since", "yesterday"], 2, "RFC 3339"),
        (&["--model", "samples", "model", "show"], 1, "manifest.toml"),
    ];
    for (arguments, code, sentence) in cases {
        let output = run(&home, arguments)?;
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(sentence), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let output = spotter(&home).args(["list"]).env("SPOTTER_MAX_PIXELS", "many").output()?;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("SPOTTER_MAX_PIXELS"));
    Ok(())
}

fn closed_pipe() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let mut child =
        spotter(&home).args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(child.stdout.take());
    let output = child.wait_with_output()?;
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    Ok(())
}

fn dry_run() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let output = run(&home, &["invoke", "--dry-run", "events/plus.json", "--format", "json"])?;
    let line = stdout(&output);
    let event: Value = serde_json::from_str(line.lines().next().ok_or("no line")?)?;
    assert_eq!((&event["action"], &event["key"]), (&Value::from("created"), &Value::from("3+chalk.webp")), "{line}");
    assert!(line.starts_with("{\"bucket\":\"demo\",\"key\":"), "the order of the fields: {line}");
    let one_bad = run(&home, &["invoke", "--dry-run", "events/sqs-one-bad.json", "--json"])?;
    assert_eq!(one_bad.status.code(), Some(1));
    assert!(!stdout(&one_bad).is_empty() && !stderr(&one_bad).is_empty());
    assert_eq!(std::fs::read_dir(home.path())?.count(), 0, "nothing was written");
    Ok(())
}

fn model_and_completions() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let shown = stdout(&run(&home, &["model", "show", "--format", "table"])?);
    assert!(shown.contains("digits/2 in the binary") && shown.contains("NCHW"), "{shown}");
    let manifest: Value = serde_json::from_str(&stdout(&run(&home, &["model", "show"])?))?;
    assert_eq!(manifest["name"], "digits");
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&run(&home, &["completions", shell])?).contains("spotter"), "{shell}");
    }
    Ok(())
}

fn settings() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let mut schema = spotter(&home);
    let schema = schema.args(["--cassandra", "node", "schema", "print"]).env("SPOTTER_KEYSPACE", "other").output()?;
    assert!(stdout(&schema).contains("CREATE TABLE IF NOT EXISTS other.by_object"), "{}", stderr(&schema));
    let large = spotter(&home)
        .args(["classify", "samples/8.bmp", "--format", "csv"])
        .env("SPOTTER_MAX_BYTES", "1000")
        .output()?;
    assert!(stdout(&large).contains("samples/8.bmp,rejected,too_large,"), "{}", stdout(&large));
    run(&home, &["demo"])?;
    let label = run(&home, &["list", "--label", "seven"])?;
    assert_eq!(label.status.code(), Some(2));
    assert!(stderr(&label).contains("digits/2 says 0 1 2 3 4 5 6 7 8 9 no-digit, or unsure, rejected; not seven"));
    let typo = run(&home, &["list", "--data", "typo"])?;
    assert_eq!((typo.status.code(), stderr(&typo).as_str()), (Some(1), "spotter: no records in typo yet\n"));
    let guessed = run(&home, &["env"])?;
    assert!(stderr(&guessed).contains("is not running") && stdout(&guessed).contains("AWS_ENDPOINT_URL_S3"));
    Ok(())
}

fn away() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let mut invoke = spotter(&home);
    invoke.args(["--endpoint-url", "http://127.0.0.1:1", "invoke", "events/s3.json"]);
    let output = invoke.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "hunter2").output()?;
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("s3://demo/0 blue marker.png: S3 cannot be reached"), "{text}");
    assert!(!text.contains("DispatchFailure") && !text.contains("hunter2"), "{text}");
    Ok(())
}

fn terminal() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let path = home.path().join("a\u{1b}[31m\u{202e}b.png");
    std::fs::write(&path, b"text")?;
    let text = stdout(&run(&home, &["classify", &path.to_string_lossy(), "--format", "table"])?);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && text.contains("\\u{1b}"), "{text}");
    Ok(())
}
