//! The key pair that the endpoint accepts.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

use crate::encoding::hex;

const FILE: &str = "credentials.json";
/// Of a file that somebody wrote by hand; an empty one would let everybody in.
const SHORTEST_SECRET: usize = 16;

/// An access key and its secret. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not a pair of credentials ({source}); delete the file to have new ones made", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error(
        "{}: the secret has less than {SHORTEST_SECRET} characters and could be guessed; delete the file to have a new one made",
        .0.display()
    )]
    Short(PathBuf),
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
}

impl Credentials {
    /// Random ones: 64 bits of access key, 256 bits of secret, from the operating system.
    pub fn random() -> Result<Self, CredentialsError> {
        let mut bytes = Zeroizing::new([0; 40]);
        getrandom::fill(&mut *bytes).map_err(|error| CredentialsError::Random(error.to_string()))?;
        let (id, secret) = bytes.split_at(8);
        // The prefix tells people in a log that this key opens nothing at AWS, whose ids start with AKIA or ASIA.
        let access_key_id = format!("SPOT{}", hex(id).to_uppercase());
        Ok(Self { access_key_id, secret_access_key: hex(secret) })
    }

    /// The pair kept in `dir`; made and written there, readable by its owner only, if there is none.
    pub fn load_or_create(dir: &Path) -> Result<Self, CredentialsError> {
        let path = dir.join(FILE);
        let io_error = |source| CredentialsError::Io { path: path.clone(), source };
        match fs::read(&path) {
            Ok(bytes) => {
                let found: Credentials = serde_json::from_slice(&Zeroizing::new(bytes))
                    .map_err(|source| CredentialsError::Malformed { path: path.clone(), source })?;
                if found.secret_access_key.len() < SHORTEST_SECRET {
                    return Err(CredentialsError::Short(path));
                }
                Ok(found)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(dir).map_err(io_error)?;
                let made = Self::random()?;
                match made.write(&path) {
                    // Another process was quicker: its pair counts.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load_or_create(dir),
                    other => other.map(|()| made).map_err(io_error),
                }
            }
            Err(error) => Err(io_error(error)),
        }
    }

    /// Written beside and linked into place, so that no reader ever sees half a file.
    fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        let written = file
            .write_all(&Zeroizing::new(serde_json::to_vec_pretty(self)?))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&beside, path));
        fs::remove_file(&beside)?;
        written
    }
}

/// Freed memory turns up in core dumps.
impl Drop for Credentials {
    fn drop(&mut self) {
        self.secret_access_key.zeroize();
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("not yet there");
        let first = Credentials::load_or_create(&folder).unwrap();
        assert_eq!(Credentials::load_or_create(&folder).unwrap(), first);
        assert_ne!(Credentials::random().unwrap(), first);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_them() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        Credentials::load_or_create(dir.path()).unwrap();
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn debug_hides_the_secret() {
        let made = Credentials::random().unwrap();
        let shown = format!("{made:?}");
        assert!(shown.contains(&made.access_key_id) && !shown.contains(&made.secret_access_key));
    }

    #[test]
    fn a_broken_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{").unwrap();
        let error = Credentials::load_or_create(dir.path()).unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("delete the file"), "{error}");
    }
}
