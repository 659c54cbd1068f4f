//! Where the model is taken from: a bucket behind a real S3 API, its cache, and which model a record names.

mod bootstrap;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use sha2::{Digest, Sha256};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::EventBridgeKeys;
use spotter::function::Function;
use spotter::local::{Credentials, client};
use spotter::model_source::ModelSource;
use spotter::objects::{Objects, S3Objects};
use spotter::pipeline::Pipeline;
use spotter::records::{self, Records, embedded::Embedded};
use tempfile::TempDir;

use crate::cli::spotter;
use crate::cloud::{BUCKET, Cloud, MAX_BYTES, sample};
use crate::harness::{deadline, on_runtime, root};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("model_source::a_model_is_fetched_once_and_then_cached", || on_runtime(cached())),
        Trial::test("model_source::a_damaged_cache_is_fetched_anew", || on_runtime(damaged())),
        Trial::test("model_source::without_a_cache_it_is_fetched_each_time", || on_runtime(without_a_cache())),
        Trial::test("model_source::what_the_hash_does_not_pin_is_refused", || on_runtime(refused())),
        Trial::test("model_source::a_bucket_that_says_no_is_told_in_words", || on_runtime(says_no())),
        Trial::test("model_source::records_name_the_model_that_made_them", || on_runtime(two_models())),
        Trial::test("model_source::the_command_line_takes_it_from_a_bucket", || on_runtime(command_line())),
    ];
    trials.extend(bootstrap::trials());
    trials
}

/// A model's folder in memory.
#[derive(Clone)]
struct Files {
    toml: String,
    onnx: Vec<u8>,
    labels: Option<String>,
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Files {
    /// Its labels are in a file, which is pinned.
    fn colours() -> Result<Files, Failed> {
        let folder = root().join("tests/model/colours");
        let labels = std::fs::read_to_string(folder.join("labels.txt"))?;
        let pinned = format!("labels = {{ file = \"labels.txt\", sha256 = \"{}\" }}", sha256(labels.as_bytes()));
        let toml = std::fs::read_to_string(folder.join("manifest.toml"))?;
        assert!(toml.contains("labels = \"labels.txt\""), "{toml}");
        let toml = toml.replace("labels = \"labels.txt\"", &pinned);
        Ok(Files { toml, onnx: std::fs::read(folder.join("model.onnx"))?, labels: Some(labels) })
    }

    /// The digit reader as `digits/3`, who takes a 1 for a 7 and a 7 for a 1.
    fn confused() -> Result<Files, Failed> {
        let folder = root().join("model/digits");
        let toml = std::fs::read_to_string(folder.join("manifest.toml"))?;
        let version = Model::embedded()?.manifest().version;
        let [one, seven, said] = ["\"1\"", "\"7\"", "labels = ["].map(|text| (text, toml.contains(text)));
        assert!(one.1 && seven.1 && said.1 && version != 99, "{toml}");
        let toml = toml.replace(one.0, "\"x\"").replace(seven.0, one.0).replace("\"x\"", seven.0);
        let toml = toml.replace(&format!("version = {version}\n"), "version = 99\n");
        Ok(Files { toml, onnx: std::fs::read(folder.join("model.onnx"))?, labels: None })
    }

    fn all(&self) -> Vec<(&'static str, &[u8])> {
        let labels = self.labels.iter().map(|labels| ("labels.txt", labels.as_bytes()));
        [("manifest.toml", self.toml.as_bytes()), ("model.onnx", &self.onnx[..])].into_iter().chain(labels).collect()
    }

    async fn put(&self, cloud: &Cloud, prefix: &str) -> Result<(), Failed> {
        for (name, bytes) in self.all() {
            cloud.put(&format!("{prefix}{name}"), bytes).await?;
        }
        cloud.notifications()?;
        Ok(())
    }

    fn write(&self, folder: &Path) -> Result<(), Failed> {
        std::fs::create_dir_all(folder)?;
        for (name, bytes) in self.all() {
            std::fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }

    fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}#sha256={}", sha256(self.toml.as_bytes()))
    }

    fn source(&self, prefix: &str) -> Result<ModelSource, Failed> {
        Ok(ModelSource::parse(self.url(prefix).as_ref())?)
    }
}

async fn load(source: &ModelSource, cloud: &Cloud, cache: &Path) -> Result<Model, String> {
    let objects: Arc<dyn Objects> = Arc::new(S3Objects::new(cloud.s3.clone()));
    source.load(std::future::ready(objects), cache).await.map_err(|error| error.to_string())
}

async fn emptied(cloud: &Cloud) -> Result<(), Failed> {
    let all = cloud.s3.list_objects_v2().bucket(BUCKET).send().await?;
    for object in all.contents() {
        cloud.s3.delete_object().bucket(BUCKET).key(object.key().ok_or("no key")?).send().await?;
    }
    Ok(())
}

/// What is in the cache: a folder named by the hash, and nothing that is not finished.
fn cache_folder(cache: &Path, files: &Files) -> Result<PathBuf, Failed> {
    let entries = std::fs::read_dir(cache)?.collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names, [format!("spotter-model-{}", sha256(files.toml.as_bytes()))]);
    Ok(cache.join(&names[0]))
}

fn is_whole(folder: &Path, files: &Files) -> Result<(), Failed> {
    for (name, bytes) in files.all() {
        assert!(std::fs::read(folder.join(name))? == bytes, "{name} is another");
    }
    Ok(())
}

async fn cached() -> Result<(), Failed> {
    let (cloud, cache, files) = (Cloud::start().await?, TempDir::new()?, Files::colours()?);
    for (prefix, folder) in [("models/colours/3/", "models/colours/3"), ("", "")] {
        let cache = TempDir::new_in(&cache)?;
        files.put(&cloud, prefix).await?;
        let source = files.source(folder)?;
        let model = load(&source, &cloud, cache.path()).await?;
        assert_eq!(
            (model.id().as_str(), &model.manifest().labels[..2]),
            ("colours/3", &["red".into(), "green".into()][..])
        );
        is_whole(&cache_folder(cache.path(), &files)?, &files)?;
        emptied(&cloud).await?;
        assert_eq!(load(&source, &cloud, cache.path()).await?.id(), "colours/3", "the bucket is not asked");
        let elsewhere = TempDir::new()?;
        let error = load(&source, &cloud, elsewhere.path()).await.err().ok_or("it is not there")?;
        assert!(
            error.contains("there is no s3://demo/") && error.contains("aws s3 cp --recursive FOLDER s3://demo"),
            "{error}"
        );
        assert_eq!(std::fs::read_dir(elsewhere.path())?.count(), 0);
    }
    Ok(())
}

type Damage<'a> = &'a dyn Fn(&Path) -> std::io::Result<()>;

/// What a process that was killed, a full disk or somebody else may leave of a cache.
async fn damaged() -> Result<(), Failed> {
    let (cloud, files, other) = (Cloud::start().await?, Files::colours()?, Files::confused()?);
    files.put(&cloud, "m/").await?;
    let source = files.source("m")?;
    let damages: [(&str, Damage); 6] = [
        ("the network ends early", &|folder| std::fs::write(folder.join("model.onnx"), &files.onnx[..999])),
        ("no network", &|folder| std::fs::remove_file(folder.join("model.onnx"))),
        ("other labels", &|folder| std::fs::write(folder.join("labels.txt"), "a\nb\nc\nd\n")),
        ("another manifest", &|folder| std::fs::write(folder.join("manifest.toml"), files.toml.replace("0.6", "0.1"))),
        ("another model", &|folder| {
            std::fs::write(folder.join("manifest.toml"), &other.toml)?;
            std::fs::write(folder.join("model.onnx"), &other.onnx)
        }),
        ("an empty folder", &|folder| std::fs::remove_dir_all(folder).and_then(|()| std::fs::create_dir(folder))),
    ];
    let cache = TempDir::new()?;
    load(&source, &cloud, cache.path()).await?;
    let folder = cache_folder(cache.path(), &files)?;
    for (what, damage) in damages {
        damage(&folder)?;
        let model = load(&source, &cloud, cache.path()).await.map_err(|error| format!("{what}: {error}"))?;
        assert_eq!((model.id().as_str(), model.manifest().threshold), ("colours/3", 0.6), "{what}");
        assert_eq!(model.manifest().labels[0], "red", "{what}");
        is_whole(&cache_folder(cache.path(), &files)?, &files)?;
    }
    // A file where the folder should be.
    std::fs::remove_dir_all(&folder)?;
    std::fs::write(&folder, "")?;
    assert_eq!(load(&source, &cloud, cache.path()).await?.id(), "colours/3");
    Ok(())
}

async fn without_a_cache() -> Result<(), Failed> {
    let (cloud, files) = (Cloud::start().await?, Files::colours()?);
    files.put(&cloud, "m/").await?;
    let nowhere = Path::new("/dev/null/tmp");
    assert_eq!(load(&files.source("m")?, &cloud, nowhere).await?.id(), "colours/3");
    Ok(())
}

async fn refused() -> Result<(), Failed> {
    let (cloud, good, cache) = (Cloud::start().await?, Files::colours()?, TempDir::new()?);
    let source = good.source("m")?;
    let error = async |source: &ModelSource, files: &Files| {
        files.put(&cloud, "m/").await?;
        let error = load(source, &cloud, cache.path()).await.err().ok_or("it was taken")?;
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(std::fs::read_dir(cache.path())?.count(), 0, "what is refused is not kept: {error}");
        Ok::<String, Failed>(error)
    };
    // Whoever may write to the bucket replaces any one file.
    let other = Files { toml: good.toml.replace("0.6", "0.0"), ..good.clone() };
    let [expected, found] = [&good, &other].map(|files| sha256(files.toml.as_bytes()));
    let said = error(&source, &other).await?;
    assert!(said.contains("s3://demo/m/manifest.toml has SHA-256 ") && said.contains(&expected), "{said}");
    assert!(said.contains(&found), "{said}");

    let other = Files { onnx: Files::confused()?.onnx, ..good.clone() };
    let said = error(&source, &other).await?;
    let [expected, found] = [&good, &other].map(|files| sha256(&files.onnx));
    assert!(said.contains("manifest.toml in s3://demo/m: says sha256 ") && said.contains(&expected), "{said}");
    assert!(said.contains(&found), "{said}");

    let said = error(&source, &Files { labels: Some("a\nb\nc\nd\n".into()), ..good.clone() }).await?;
    assert!(said.contains("manifest.toml in s3://demo/m: says sha256 ") && said.contains("of labels.txt"), "{said}");

    // A file of labels that nothing pins.
    let toml = std::fs::read_to_string(root().join("tests/model/colours/manifest.toml"))?;
    let unpinned = Files { toml, ..good.clone() };
    let said = error(&unpinned.source("m")?, &unpinned).await?;
    assert!(said.contains("labels = { file = \"labels.txt\", sha256 = \"…\" }"), "{said}");

    let long = Files { toml: format!("{}#{}", good.toml, "x".repeat(1_000_000)), ..good.clone() };
    let said = error(&long.source("m")?, &long).await?;
    assert!(said.contains("s3://demo/m/manifest.toml has ") && said.contains("it may have 1000000"), "{said}");

    good.put(&cloud, "m/").await?;
    assert_eq!(load(&source, &cloud, cache.path()).await?.id(), "colours/3", "once it is mended");
    Ok(())
}

async fn says_no() -> Result<(), Failed> {
    let (mut cloud, files, cache) = (Cloud::start().await?, Files::colours()?, TempDir::new()?);
    files.put(&cloud, "m/n/").await?;
    let elsewhere = ModelSource::parse(files.url("m").replace("s3://demo", "s3://nowhere").as_ref())?;
    let error = load(&elsewhere, &cloud, cache.path()).await.err().ok_or("no bucket")?;
    assert!(error.contains("s3://nowhere/m/") && error.contains("NoSuchBucket"), "{error}");
    cloud.s3 = client(&cloud.url, &Credentials::random()?);
    let error = load(&files.source("m/n")?, &cloud, cache.path()).await.err().ok_or("not allowed")?;
    for part in ["cannot fetch the model: s3://demo/m/n/", "access denied", "s3:GetObject on arn:aws:s3:::demo/m/n/*"] {
        assert!(error.contains(part), "{error}");
    }
    cloud.s3 = client("http://127.0.0.1:1", &cloud.credentials);
    let error = load(&files.source("m/n")?, &cloud, cache.path()).await.err().ok_or("S3 is away")?;
    assert!(error.contains("s3://demo/m/n/") && error.contains("S3 cannot be reached"), "{error}");
    Ok(())
}

fn run(home: &TempDir, cloud: &Cloud, arguments: &[&str]) -> Result<Output, Failed> {
    let mut command = spotter(home);
    command.args(["--data", &home.path().display().to_string(), "--endpoint-url", &cloud.url]).args(arguments);
    command.env("AWS_ACCESS_KEY_ID", &cloud.credentials.access_key_id);
    command.env("AWS_SECRET_ACCESS_KEY", &cloud.credentials.secret_access_key);
    let temp = home.path().join("tmp");
    std::fs::create_dir_all(&temp)?;
    Ok(command.env("TMPDIR", temp).stdin(Stdio::null()).output()?)
}

/// The JSON lines of a command that succeeds.
fn lines(home: &TempDir, cloud: &Cloud, arguments: &[&str]) -> Result<Vec<Value>, Failed> {
    let output = run(home, cloud, arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The same pictures by two models, the second from a bucket: each record names its own, and so do questions.
async fn two_models() -> Result<(), Failed> {
    let (cloud, home, cache, files) = (Cloud::start().await?, TempDir::new()?, TempDir::new()?, Files::confused()?);
    files.put(&cloud, "models/confused/").await?;
    let records: Arc<dyn Records> = Arc::new(Embedded::open(&home.path().join("records.sqlite"))?);
    let source = files.source("models/confused")?;
    for key in ["1.png", "8.bmp"] {
        cloud.put(key, &sample(key)?).await?;
    }
    let notifications = cloud.notifications()?;
    let embedded = Model::embedded()?.id();
    for source in [ModelSource::Embedded, source] {
        let model = Arc::new(load(&source, &cloud, cache.path()).await?);
        let objects = Arc::new(S3Objects::new(cloud.s3.clone()));
        let pipeline = Pipeline::new(objects, records.clone(), model, Limits::default(), MAX_BYTES);
        let function = Function::new(pipeline, EventBridgeKeys::Plain);
        for notification in &notifications {
            function.answer(&serde_json::from_str(&notification.body)?, deadline()).await.body?;
        }
    }
    for (model, label) in [(embedded.as_str(), "1"), ("digits/99", "7")] {
        let record = records::get(&*records, BUCKET, "1.png", model).await?.ok_or("no record")?;
        assert_eq!((record.model.as_str(), record.label.as_deref()), (model, Some(label)));
    }
    drop(records);

    let folder = home.path().join("confused");
    files.write(&folder)?;
    let (folder, url) = (folder.display().to_string(), files.url("models/confused"));
    // By its id, its folder or its URL it is the same model.
    for model in ["digits/99", &folder, &url] {
        let rows = lines(&home, &cloud, &["list", "--model", model, "--json"])?;
        let mut said: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row["key"].as_str().unwrap_or_default(), row["label"].as_str().unwrap_or_default()))
            .collect();
        said.sort_unstable();
        assert_eq!(said, [("1.png", "7"), ("8.bmp", "8")], "{model}");
        assert!(rows.iter().all(|row| row["model"] == "digits/99"), "{model}: {rows:?}");
        let one = lines(&home, &cloud, &["get", "s3://demo/1.png", "--model", model, "--json"])?;
        assert_eq!(one[0]["label"], "7", "{model}");
        assert_eq!(lines(&home, &cloud, &["stats", "--model", model, "--format", "json"])?[0]["model"], "digits/99");
    }
    let rows = lines(&home, &cloud, &["list", "--json"])?;
    assert!(rows.len() == 2 && rows.iter().all(|row| row["model"] == embedded.as_str()), "{rows:?}");
    let changes = lines(&home, &cloud, &["model", "diff", &embedded, "digits/99", "--json"])?;
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((&changes[0]["a"]["label"], &changes[0]["b"]["label"]), (&"1".into(), &"7".into()));
    let typo = run(&home, &cloud, &["list", "--model", "digtis"])?;
    let said = String::from_utf8_lossy(&typo.stderr).into_owned();
    assert_eq!(typo.status.code(), Some(2), "{said}");
    assert!(said.contains("there is no folder digtis: name a model by its folder, or as name/version"), "{said}");
    Ok(())
}

async fn command_line() -> Result<(), Failed> {
    let (cloud, home, files) = (Cloud::start().await?, TempDir::new()?, Files::confused()?);
    files.put(&cloud, "m/").await?;
    let url = files.url("m/");
    let classify = ["classify", "samples/1.png", "--model", &url, "--format", "json"];
    // From the cache the second time.
    for _ in 0..2 {
        assert_eq!(lines(&home, &cloud, &classify)?[0]["label"], "7");
        emptied(&cloud).await?;
    }
    let shown = run(&home, &cloud, &["model", "show", "--model", &url, "--format", "table"])?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("digits/99 in s3://demo/m\n"), "{shown}");
    std::fs::remove_dir_all(home.path().join("tmp"))?;
    let output = run(&home, &cloud, &classify)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("spotter: cannot fetch the model: there is no s3://demo/m/"), "{said}");
    for (model, says) in [("s3://demo/m", "sha256sum manifest.toml"), ("https://demo/m", "must be a folder, or s3://")]
    {
        let output = run(&home, &cloud, &["classify", "samples/1.png", "--model", model])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(says) && said.contains("--model"), "{said}");
    }
    Ok(())
}
