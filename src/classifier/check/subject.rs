//! What a path leads to: a model's folder, a network without one, or nothing.

use std::path::{Path, PathBuf};

use super::super::draft::{Draft, counted, folder_for, placeholder};
use super::super::manifest::{MANIFEST_FILE, Manifest, ONNX_FILE, digest, read};
use super::Finding;

/// Names of neighbours that are told.
const NAMED: usize = 5;
/// Labels that are told.
const SHOWN: usize = 6;

pub(super) struct Subject {
    pub(super) folder: PathBuf,
    /// Of the network's file.
    pub(super) name: String,
    pub(super) onnx: Vec<u8>,
    /// The network's SHA-256.
    pub(super) digest: String,
    /// `None` where there is none that can be read, and nothing to make one of.
    pub(super) manifest: Option<Manifest>,
    /// The manifest is what `model init` would write.
    pub(super) is_drafted: bool,
    /// What there is to say so far.
    pub(super) findings: Vec<Finding>,
}

impl Subject {
    /// Findings instead, where there is no network to look at.
    pub(super) fn find(path: &Path) -> Result<Subject, Vec<Finding>> {
        if path.is_dir() {
            return Subject::of_folder(path);
        }
        if !path.exists() {
            return Err(vec![nothing_there(path)]);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let is_part = [MANIFEST_FILE, ONNX_FILE].iter().any(|part| path.file_name().is_some_and(|name| name == *part));
        if is_part && folder.join(MANIFEST_FILE).is_file() {
            return Subject::of_folder(folder);
        }
        let onnx = std::fs::read(path).map_err(|error| vec![unreadable(path, &error.to_string())])?;
        let says = format!("none: checked is what `spotter model init {}` would write", path.display());
        let findings = vec![Finding::warn("manifest", says).way_out(format!(
            "Write it, and correct what is assumed in it; then: spotter model check {}",
            folder_for(path).display()
        ))];
        let (name, digest) = (path.display().to_string(), digest(&onnx));
        Ok(Subject { folder: folder.to_owned(), name, onnx, digest, manifest: None, is_drafted: true, findings }
            .drafted(path))
    }

    fn of_folder(folder: &Path) -> Result<Subject, Vec<Finding>> {
        let (manifest, network) = (folder.join(MANIFEST_FILE), folder.join(ONNX_FILE));
        if !manifest.exists() && !network.exists() {
            return Err(vec![no_model(folder)]);
        }
        let written = Manifest::from_folder(folder);
        let finding = match &written {
            Ok(manifest) => described(manifest),
            Err(_) if !manifest.exists() && !folder.join("manifest.json").exists() => {
                Finding::fail("manifest", format!("{} has no {MANIFEST_FILE}", folder.display()))
                    .way_out(format!("Write a first one: spotter model init {}", network.display()))
            }
            Err(error) => Finding::fail("manifest", error.to_string()),
        };
        let onnx = match read(folder, ONNX_FILE) {
            Ok(onnx) => onnx,
            Err(_) if !network.exists() => return Err(vec![finding, no_network(folder)]),
            Err(error) => return Err(vec![finding, unreadable(&network, &error.to_string())]),
        };
        let (is_drafted, name) = (written.is_err(), ONNX_FILE.to_owned());
        let (folder, findings) = (folder.to_owned(), vec![finding]);
        let digest = digest(&onnx);
        let subject = Subject { folder, name, onnx, digest, manifest: written.ok(), is_drafted, findings };
        Ok(if is_drafted { subject.drafted(&network) } else { subject })
    }

    /// With a manifest as `model init` would write it, so that the network can be looked at without one.
    fn drafted(self, network: &Path) -> Subject {
        Subject { manifest: Draft::of(network, None, None).ok().map(|draft| draft.manifest), ..self }
    }
}

/// `digits/2, 11 labels: 0, 1, 2, …`
fn described(manifest: &Manifest) -> Finding {
    let labels = &manifest.labels;
    let mut shown = labels.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if labels.len() > SHOWN {
        shown.push_str(", …");
    }
    let says = format!("{}, {}", manifest.id(), counted(labels.len(), "label"));
    let mut sorted: Vec<&String> = labels.iter().collect();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Finding::warn("manifest", format!("{says}, but {:?} twice", pair[0]))
            .way_out("Records cannot tell the two apart: give each output a label of its own");
    }
    if labels.iter().enumerate().all(|(class, label)| *label == placeholder(class)) {
        return Finding::warn("manifest", format!("{says}, which nobody has named yet: {shown}"))
            .way_out("Put the names of what it tells apart into labels, in the network's order");
    }
    Finding::ok("manifest", format!("{says}: {shown}"))
}

fn unreadable(path: &Path, error: &str) -> Finding {
    Finding::fail("file", format!("cannot read {}: {error}", path.display()))
}

fn nothing_there(path: &Path) -> Finding {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let says = format!("there is nothing at {}", path.display());
    match list(&models_in(parent)) {
        Some(models) => Finding::fail("folder", says).way_out(format!("Models are in {models}")),
        None => {
            Finding::fail("folder", says).way_out("Name a model's folder, or the ONNX file that one is to be made of")
        }
    }
}

/// Neither manifest nor network.
fn no_model(folder: &Path) -> Finding {
    let says = format!("{} has neither {MANIFEST_FILE} nor {ONNX_FILE}", folder.display());
    if folder.join("manifest.json").exists() {
        let way_out = format!("manifest.json is no longer read: write {MANIFEST_FILE}, and put {ONNX_FILE} beside it");
        return Finding::fail("folder", says).way_out(way_out);
    }
    let networks = names(folder, |path| path.extension().is_some_and(|extension| extension == "onnx"));
    if let Some(first) = networks.first() {
        let way_out = format!("Make a model's folder of the network: spotter model init {first}");
        return Finding::fail("folder", says).way_out(way_out);
    }
    match list(&models_in(folder)) {
        Some(models) => Finding::fail("folder", says).way_out(format!("Models are in {models}")),
        None => Finding::fail("folder", says).way_out(format!(
            "Export your network to ONNX, then: spotter model init NETWORK.onnx --out {}",
            folder.display()
        )),
    }
}

fn no_network(folder: &Path) -> Finding {
    let says = format!("{} has no {ONNX_FILE}", folder.display());
    let networks = names(folder, |path| path.extension().is_some_and(|extension| extension == "onnx"));
    let way_out = match networks.first() {
        Some(first) => format!("Is it {first}? Then name it {ONNX_FILE}"),
        None => "Put the network there that the manifest is about".into(),
    };
    Finding::fail("file", says).way_out(way_out)
}

fn models_in(folder: &Path) -> Vec<String> {
    names(folder, |path| path.join(MANIFEST_FILE).is_file())
}

/// Paths in a folder, sorted.
fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.path()).filter(|path| wanted(path)).map(|path| shown(&path)).collect();
    names.sort();
    names
}

fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn list(names: &[String]) -> Option<String> {
    let more = if names.len() > NAMED { ", …" } else { "" };
    let first: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    (!first.is_empty()).then(|| format!("{}{more}", first.join(", ")))
}
