//! Where a network is, and where its model's folder is to be.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::classifier::ModelError;
use crate::classifier::manifest::ONNX_FILE;

/// Networks that are named where it is not clear which one is meant.
const NAMED: usize = 5;
/// What exporters and people call any network, or its folder.
const ANY_NETWORK: [&str; 8] = ["model", "network", "net", "best", "last", "weights", "onnx", "export"];
/// Above the file, that may have a telling name.
const FOLDERS: usize = 2;

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

/// Of the file, or of the folders above it where that says more.
pub(super) fn name(onnx: &Path) -> String {
    let onnx = std::path::absolute(onnx).unwrap_or_else(|_| onnx.to_owned());
    let folders = onnx.ancestors().skip(1).take(FOLDERS).filter_map(Path::file_name);
    let mut names = onnx.file_stem().into_iter().chain(folders).map(plain);
    let telling = names.find(|name| !name.is_empty() && !ANY_NETWORK.contains(&name.as_str()));
    telling.unwrap_or_else(|| "model".into())
}

/// As a manifest has it.
fn plain(name: &OsStr) -> String {
    let lower = name.to_string_lossy().to_lowercase();
    let plain: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Where a model's folder is to be for this file, unless somebody says it.
pub fn folder_for(onnx: &Path) -> PathBuf {
    match onnx.file_name().zip(onnx.file_stem()) {
        Some((file, _)) if file == ONNX_FILE => parent(onnx).to_owned(),
        Some((_, stem)) if !plain(stem).is_empty() => onnx.with_file_name(plain(stem)),
        _ => onnx.with_file_name("model"),
    }
}
