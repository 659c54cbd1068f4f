//! `spotter model init`: a first manifest for somebody's network.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::output::{line, visible};
use crate::classifier::{Draft, Preset, folder_for};

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The network, an ONNX file; what its exporter wrote beside it is read too
    onnx: PathBuf,
    /// mnist, torchvision, keras, huggingface or ultralytics [default: by what the file and its neighbours say]
    #[arg(long)]
    preset: Option<Preset>,
    /// The model's folder [default: the file's own if it is model.onnx, else one beside it with its name]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Replace what is in the folder
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        let draft = Draft::of(&self.onnx, self.preset)?;
        let folder = self.out.clone().unwrap_or_else(|| folder_for(&self.onnx));
        let written = self.write(&draft, &folder)?;
        line(&format!("{} → {}", visible(&self.onnx.display().to_string()), visible(&written.join(", "))))?;
        for (what, sentences) in [("found", &draft.found), ("assumed", &draft.assumed)] {
            for sentence in sentences {
                line(&format!("{what:<8}  {}", visible(sentence)))?;
            }
        }
        if let Some(problem) = &draft.problem {
            line(&format!("WRONG     {}", visible(problem)))?;
        }
        let folder = visible(&folder.display().to_string());
        let folder = if folder.contains(' ') { format!("'{folder}'") } else { folder };
        line("")?;
        line(&format!("Next  $EDITOR {folder}/manifest.toml                 what was assumed, and the labels"))?;
        line(&format!("      spotter model check {folder}"))?;
        line(&format!("      spotter classify --model {folder} yours.jpg"))
    }

    /// Names of the files in the model's folder that were written.
    fn write(&self, draft: &Draft, folder: &Path) -> Result<Vec<String>, Failure> {
        let onnx = std::fs::read(&self.onnx)?;
        let mut files = vec![("manifest.toml", draft.manifest_toml().into_bytes())];
        files.extend(draft.labels_txt().map(|text| ("labels.txt", text.into_bytes())));
        files.push(("model.onnx", onnx));
        // What is there already is no news.
        files.retain(|(name, bytes)| std::fs::read(folder.join(name)).ok().as_ref() != Some(bytes));
        let in_the_way = files.iter().map(|(name, _)| folder.join(name)).find(|path| path.exists());
        if let Some(path) = in_the_way.filter(|_| !self.force) {
            return Err(Failure::Failed(format!(
                "{} is there already: --force replaces it, --out names another folder",
                path.display()
            )));
        }
        let failed = |path: &Path, error: std::io::Error| {
            Failure::Failed(format!("cannot write {}: {error}. Name another folder with --out", path.display()))
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        for (name, bytes) in &files {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
        }
        Ok(files.into_iter().map(|(name, _)| folder.join(name).display().to_string()).collect())
    }
}
