//! What several commands need: the records' home, the model, the function.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::BaseStrategy;

use super::failure::Failure;
use crate::classifier::{Manifest, Model};
use crate::config::{DATA, PROGRAM, Settings};
use crate::function::Function;
use crate::notify::Notifier;
use crate::objects::Objects;
use crate::pipeline::{After, Pipeline};
use crate::records::Records;
use crate::records::cassandra::Cassandra;
use crate::records::embedded::Embedded;

const RECORDS_FILE: &str = "records.sqlite";

/// The folder of records and objects; made if it is not there.
pub(super) fn data_folder(settings: &Settings) -> Result<PathBuf, Failure> {
    let folder = data_folder_name(settings)?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        let folder = folder.display();
        Failure::Failed(format!("cannot make the data folder {folder}: {error}. Name another with --data or {DATA}"))
    })?;
    Ok(folder)
}

fn data_folder_name(settings: &Settings) -> Result<PathBuf, Failure> {
    if let Some(folder) = &settings.data {
        return Ok(folder.clone());
    }
    let strategy = etcetera::choose_base_strategy()
        .map_err(|error| Failure::Failed(format!("no data folder ({error}): name one with --data or {DATA}")))?;
    Ok(strategy.data_dir().join(PROGRAM))
}

/// For commands that only ask: a mistyped folder is told, not made.
pub(super) fn records_to_ask(settings: &Settings) -> Result<Arc<dyn Records>, Failure> {
    let folder = data_folder_name(settings)?;
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

pub(super) fn model(settings: &Settings) -> Result<Arc<Model>, Failure> {
    Ok(Arc::new(Model::load(settings.model.as_deref())?))
}

pub(super) fn manifest(settings: &Settings) -> Result<Manifest, Failure> {
    Ok(match &settings.model {
        Some(folder) => Manifest::from_folder(folder)?,
        None => Manifest::embedded()?,
    })
}

/// The model that is asked for: the flag's, else the one in use.
pub(super) fn model_id(flag: Option<String>, settings: &Settings) -> Result<String, Failure> {
    match flag {
        Some(id) => Ok(id),
        None => Ok(manifest(settings)?.id()),
    }
}

pub(super) fn function(
    settings: &Settings,
    objects: Arc<dyn Objects>,
    records: Arc<dyn Records>,
    model: Arc<Model>,
) -> Function {
    Function::new(pipeline(settings, objects, records, model), settings.eventbridge_keys)
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
