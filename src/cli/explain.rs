//! `spotter classify --explain`: a picture of each step on the way to the model.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::preprocess::Stage;
use crate::record;

/// A folder with a folder a picture, in it `01-picture.png` and so on.
pub(super) struct Explanations {
    root: PathBuf,
    taken: HashSet<PathBuf>,
}

impl Explanations {
    /// # Errors
    /// The folder cannot be made.
    pub(super) fn new(root: &Path) -> Result<Explanations, Failure> {
        fs::create_dir_all(root).map_err(|error| Failure::cannot_write(root, &error))?;
        Ok(Explanations { root: root.to_owned(), taken: HashSet::new() })
    }

    /// Earlier stages of the same file are gone.
    pub(super) fn write(&mut self, file: &Path, stages: &[Stage]) -> Result<(), Failure> {
        let folder = self.folder_for(file);
        let write = || {
            fs::create_dir_all(&folder)?;
            for entry in fs::read_dir(&folder)?.filter_map(Result::ok).filter(|entry| is_stage(&entry.path())) {
                fs::remove_file(entry.path())?;
            }
            for (number, Stage { name, picture }) in stages.iter().enumerate() {
                let png = record::png(&picture.pixels, picture.width as usize, picture.channels.count());
                fs::write(folder.join(format!("{:02}-{name}.png", number + 1)), png.map_err(io::Error::other)?)?;
            }
            Ok(())
        };
        write().map_err(|error: io::Error| Failure::cannot_write(&folder, &error))
    }

    /// Of the file's name; with a number where another folder's file has the same.
    fn folder_for(&mut self, file: &Path) -> PathBuf {
        let name = file.file_name().filter(|name| *name != "-").map_or("stdin".into(), |name| name.to_string_lossy());
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.to_string()).chain(numbered).map(|name| self.root.join(name));
        let folder = names.find(|folder| !self.taken.contains(folder)).unwrap_or_else(|| self.root.clone());
        self.taken.insert(folder.clone());
        folder
    }
}

fn is_stage(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().as_bytes();
    matches!(name, [b'0'..=b'9', b'0'..=b'9', b'-', .., b'.', b'p', b'n', b'g'])
}
