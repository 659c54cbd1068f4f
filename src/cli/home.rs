//! What several commands need: the records' home, the model, the function.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::BaseStrategy;

use super::failure::Failure;
use crate::ask;
use crate::classifier::{Manifest, Model};
use crate::config::{DATA, PROGRAM, Settings};
use crate::function::Function;
use crate::model_source::ModelSource;
use crate::notify::Notifier;
use crate::objects::{Objects, S3Objects};
use crate::pipeline::{After, Pipeline};
use crate::records::Records;
use crate::records::cassandra::Cassandra;
use crate::records::embedded::Embedded;

pub(super) const RECORDS_FILE: &str = "records.sqlite";

/// The folder of records and objects; made if it is not there.
pub(super) fn data_folder(settings: &Settings) -> Result<PathBuf, Failure> {
    let folder = data_folder_name(settings).map_err(Failure::Failed)?;
    let mut builder = std::fs::DirBuilder::new();
    // Pictures and records are for whoever runs this; a folder that is there keeps its permissions.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(&folder).map_err(|error| {
        let folder = folder.display();
        Failure::Failed(format!("cannot make the data folder {folder}: {error}. Name another with --data or {DATA}"))
    })?;
    Ok(folder)
}

/// Where it is, or would be; an error is a sentence.
pub(super) fn data_folder_name(settings: &Settings) -> Result<PathBuf, String> {
    if let Some(folder) = &settings.data {
        return Ok(folder.clone());
    }
    let strategy = etcetera::choose_base_strategy()
        .map_err(|error| format!("no data folder ({error}): name one with --data or {DATA}"))?;
    Ok(strategy.data_dir().join(PROGRAM))
}

/// For commands that only ask: a mistyped folder is told, not made.
pub(super) fn records_to_ask(settings: &Settings) -> Result<Arc<dyn Records>, Failure> {
    let folder = data_folder_name(settings).map_err(Failure::Failed)?;
    if settings.cassandra.is_none() && !folder.join(RECORDS_FILE).exists() {
        return Err(Failure::Failed(format!("no records in {} yet", folder.display())));
    }
    records(settings)
}

pub(super) fn records(settings: &Settings) -> Result<Arc<dyn Records>, Failure> {
    Ok(match &settings.cassandra {
        Some(cassandra) => Arc::new(Cassandra::new(cassandra.clone())),
        None => Arc::new(Embedded::open(&data_folder(settings)?.join(RECORDS_FILE))?),
    })
}

pub(super) async fn model(settings: &Settings) -> Result<Arc<Model>, Failure> {
    Ok(Arc::new(settings.model.load(bucket(settings), &settings.temp).await?))
}

async fn bucket(settings: &Settings) -> Arc<dyn Objects> {
    Arc::new(S3Objects::connect(&settings.s3).await)
}

/// Whose records are asked for.
pub(super) struct Asked {
    pub(super) id: String,
    /// Of the model in use; of another one its records tell all that is known.
    pub(super) manifest: Option<Manifest>,
    /// The model in use, where nobody named one: another one may be served, and which one may change.
    pub(super) unless_served: Option<String>,
}

impl Asked {
    pub(super) fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), manifest: None, unless_served: None }
    }
}

/// Those of a model that is named by its id or on the command line, of the one that is served, or of the one in use.
pub(super) async fn asked(settings: &Settings, records: &dyn Records) -> Result<Asked, Failure> {
    if let ModelSource::Folder(folder) = &settings.model
        && !folder.exists()
    {
        let name = folder.display().to_string();
        return if is_model_id(&name) { Ok(Asked::named(name)) } else { Err(no_model(&name)) };
    }
    let in_use = settings.model.manifest(bucket(settings), &settings.temp).await?;
    let own = in_use.id();
    if settings.model_is_asked_for {
        return Ok(Asked { id: own, manifest: Some(in_use), unless_served: None });
    }
    let id = ask::served(records, &own).await?;
    Ok(Asked { manifest: Some(in_use).filter(|_| id == own), id, unless_served: Some(own) })
}

fn no_model(name: &str) -> Failure {
    Failure::Usage(format!("there is no folder {name}: name a model by its folder, or as name/version, as in digits/2"))
}

/// `name/version`
fn is_model_id(text: &str) -> bool {
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.split_once('/')
        .is_some_and(|(of, version)| !of.is_empty() && of.chars().all(name) && version.parse::<u32>().is_ok())
}

/// URL or name of the queue that a flag names, else the environment.
pub(super) fn queue(flag: Option<String>, settings: &Settings) -> Result<Option<String>, Failure> {
    let queue = flag.filter(|queue| !queue.is_empty()).or(settings.queue.clone());
    if let Some(arn) = queue.as_ref().filter(|queue| queue.starts_with("arn:")) {
        let name = arn.rsplit(':').next().unwrap_or_default();
        return Err(Failure::Usage(format!("{arn} is an ARN: give the queue's name, {name}, or its URL")));
    }
    Ok(queue)
}

pub(super) fn function(
    settings: &Settings,
    objects: Arc<dyn Objects>,
    records: Arc<dyn Records>,
    model: Arc<Model>,
) -> Function {
    Function::new(pipeline(settings, objects, records, model), settings.eventbridge_keys).logging(settings.logged)
}

pub(super) fn pipeline(
    settings: &Settings,
    objects: Arc<dyn Objects>,
    records: Arc<dyn Records>,
    model: Arc<Model>,
) -> Pipeline {
    let notifier = settings.notify.clone().map(|notify| Notifier::new(notify, settings.s3.profile.as_deref()));
    Pipeline::new(objects, records, model, settings.limits, settings.max_bytes)
        .filtered(settings.filter.clone())
        .followed_by(After::new(settings.tag, notifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_a_name_and_a_version() {
        assert!(is_model_id("digits/2") && is_model_id("my-fruit2/12"));
        for bad in ["", "digits", "digits/", "/1", "human", "models/fruit", "a/b/1", "Digits/1", "../1", "digits/-1"] {
            assert!(!is_model_id(bad), "{bad}");
        }
    }
}
