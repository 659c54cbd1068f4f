//! The file that is written to: the whole one or none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that gets its name once it is whole. Until then what had that name stays as it is, and what was written goes
/// away with this value.
#[derive(Debug)]
pub struct Target {
    file: File,
    /// `None` for what is no file: a pipe, a device.
    unfinished: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    becomes: PathBuf,
}

impl Target {
    pub fn create(path: &Path) -> io::Result<Target> {
        let becomes = match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
            // Renaming would replace the device by a file.
            Ok(there) if !there.is_file() => {
                return Ok(Target { file: File::options().write(true).open(path)?, unfinished: None });
            }
            // Of a link, what it leads to.
            Ok(_) => path.canonicalize()?,
            Err(_) => path.to_owned(),
        };
        let Some(name) = becomes.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, "it names no file"));
        };
        // Beside it, because only within a file system is renaming one step.
        let mut unfinished = std::ffi::OsString::from(".");
        unfinished.push(name);
        unfinished.push(format!(".{:016x}.unfinished", fastrand::u64(..)));
        let path = becomes.with_file_name(unfinished);
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Target { file, unfinished: Some(Unfinished { path, becomes }) })
    }

    /// Gives the file its name, and says how many bytes it has.
    pub fn finish(mut self) -> io::Result<u64> {
        if let Some(unfinished) = &self.unfinished {
            // Some file systems tell of a full disk only now.
            self.file.sync_all()?;
            fs::rename(&unfinished.path, &unfinished.becomes)?;
            self.unfinished = None;
        }
        Ok(self.file.metadata()?.len())
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Fails where it already has its name.
        let _ = fs::remove_file(&self.path);
    }
}
