//! Where a network is, and where its model's folder is to be.

use std::io;
use std::path::{Path, PathBuf};

use crate::classifier::ModelError;
use crate::classifier::manifest::ONNX_FILE;

/// Networks that are named where it is not clear which one is meant.
const NAMED: usize = 5;

/// The file itself; of a folder the network in it.
///
/// # Errors
/// Where a folder has none, or several and none of them is `model.onnx`.
pub fn network_in(path: &Path) -> Result<PathBuf, ModelError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut networks = networks(path);
    if let Some(at) = networks.iter().position(|name| name == ONNX_FILE) {
        return Ok(path.join(networks.swap_remove(at)));
    }
    let problem = match &networks[..] {
        [only] => return Ok(path.join(only)),
        [] => "is a folder without an ONNX file: name one, FILE.onnx".to_owned(),
        several => format!("is a folder with several networks, {}: name the one that is meant", first_ones(several)),
    };
    Err(ModelError::Network { network: path.display().to_string(), problem })
}

/// What cannot be read, and what lies beside it, if its name is misspelt.
pub(super) fn unreadable(onnx: &Path, error: &io::Error) -> String {
    let beside = match error.kind() {
        io::ErrorKind::NotFound => networks(parent(onnx)),
        _ => Vec::new(),
    };
    match &beside[..] {
        [] => format!("cannot be read: {error}"),
        names => format!("cannot be read: {error}. There is {} in that folder", first_ones(names)),
    }
}

/// Names of the ONNX files in a folder, sorted; none where it cannot be read.
fn networks(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.to_lowercase().ends_with(".onnx")).collect();
    names.sort();
    names
}

fn first_ones(names: &[String]) -> String {
    let rest = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{rest}", names[..names.len().min(NAMED)].join(", "))
}

fn parent(onnx: &Path) -> &Path {
    onnx.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Of the file, or of its folder where that says more.
pub(super) fn name(onnx: &Path) -> String {
    let part = |path: Option<&std::ffi::OsStr>| path.map(|part| part.to_string_lossy().to_lowercase()).unwrap_or_default();
    let stem = part(onnx.file_stem());
    let folder = std::path::absolute(parent(onnx)).ok();
    let folder = part(folder.as_deref().and_then(Path::file_name));
    let name = if stem == "model" && !folder.is_empty() { folder } else { stem };
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "model".into() } else { parts.join("-") }
}

/// Where a model's folder is to be for this file, unless somebody says it.
pub fn folder_for(onnx: &Path) -> PathBuf {
    match onnx.file_name() {
        Some(file) if file == ONNX_FILE => parent(onnx).to_owned(),
        _ => onnx.with_file_name(name(onnx)),
    }
}
