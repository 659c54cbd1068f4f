//! `spotter model init`: a first manifest for somebody's network.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::output::{line, visible};
use crate::classifier::{Draft, Preset, folder_for, network_in};

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The network, an ONNX file or the folder it is in; what its exporter wrote beside it is read too
    onnx: PathBuf,
    /// mnist, torchvision, keras, huggingface or ultralytics [default: by what the file and its neighbours say]
    #[arg(long)]
    preset: Option<Preset>,
    /// One label a line, in the order of the network's outputs; or JSON [default: by the same]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The model's folder [default: the file's own if it is model.onnx, else one beside it with its name]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Replace what is in the folder
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        let onnx = network_in(&self.onnx)?;
        let draft = Draft::of(&onnx, self.preset, self.labels.as_deref())?;
        let folder = self.out.clone().unwrap_or_else(|| folder_for(&onnx));
        let written = self.write(&draft, &folder)?;
        let folder = shell_word(&folder);
        line(&match &written[..] {
            [] => format!("{folder} has the same manifest already"),
            written => format!("{folder}: wrote {}", written.join(", ")),
        })?;
        for (what, sentences) in [("found", &draft.found), ("guessed", &draft.guessed)] {
            for sentence in sentences {
                line(&format!("{what:<9}{}", visible(sentence)))?;
            }
        }
        if let Some(problem) = &draft.problem {
            line(&format!("WRONG    {}", visible(problem)))?;
        }
        line("")?;
        line(&format!("Next  $EDITOR {folder}/manifest.toml    what was guessed: is it so?"))?;
        line(&format!("      spotter model check {folder}"))?;
        if draft.problem.is_some() { Err(Failure::Said) } else { Ok(()) }
    }

    /// Names of the files in the model's folder that were written; those that are the same already are not.
    fn write(&self, draft: &Draft, folder: &Path) -> Result<Vec<&'static str>, Failure> {
        let mut files = draft.files();
        files.retain(|(name, bytes)| !std::fs::read(folder.join(name)).is_ok_and(|there| is_same(&there, bytes)));
        let in_the_way = files.iter().map(|(name, _)| folder.join(name)).find(|path| path.exists());
        if let Some(path) = in_the_way.filter(|_| !self.force) {
            return Err(Failure::Failed(format!(
                "{} is there already and differs: --force replaces it, --out names another folder",
                path.display()
            )));
        }
        let failed = |path: &Path, error: std::io::Error| {
            Failure::Failed(format!("cannot write {}: {error}. --out names another folder", path.display()))
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        for (name, bytes) in &files {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
        }
        Ok(files.into_iter().map(|(name, _)| name).collect())
    }
}

/// Line ends are no difference: editors have their own, and no file here but text has lines.
fn is_same(there: &[u8], bytes: &[u8]) -> bool {
    let text = |bytes| std::str::from_utf8(bytes).ok().map(str::lines);
    there == bytes || text(there).zip(text(bytes)).is_some_and(|(there, ours)| there.eq(ours))
}

/// As it can be pasted into a shell.
fn shell_word(path: &Path) -> String {
    let word = visible(&path.display().to_string());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
