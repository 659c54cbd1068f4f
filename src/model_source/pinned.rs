//! A model in a bucket. Its URL has the hash of its manifest, which has the others': nothing else is believed, neither
//! the bucket nor the cache.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use futures_util::future::try_join;
use sha2::{Digest, Sha256};

use super::{SourceError, aside};
use crate::classifier::{FetchedManifest, MANIFEST_FILE, Manifest, Model, ONNX_FILE};
use crate::encoding::hex;
use crate::objects::{FetchError, Objects, Pinned};

/// Bytes of a network: what a function's zip and layers may have together, unzipped, so that a bucket takes no less.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LARGEST_NETWORK: u64 = 262_144_000;
/// Bytes of a manifest, and of a file of labels.
const LARGEST_TEXT: u64 = 1_000_000;

const UNPINNED: &str = "a model in a bucket is s3://bucket/prefix#sha256=…, with what `sha256sum manifest.toml` says";

/// `s3://bucket/prefix#sha256=…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedModel {
    bucket: String,
    /// Of the model's files, without the slash before their names; empty for a bucket's root.
    prefix: String,
    /// Of `manifest.toml`, lower-case hex.
    sha256: String,
}

/// The files of one model.
struct Files {
    toml: Vec<u8>,
    /// Name and content; with an empty name the manifest has the labels itself.
    labels: (String, Vec<u8>),
    onnx: Vec<u8>,
}

impl PinnedModel {
    pub(super) fn parse(url: &str) -> Result<PinnedModel, String> {
        let place = url.strip_prefix("s3://").ok_or("a model in a bucket is s3://bucket/prefix#sha256=…")?;
        let (place, fragment) = place.rsplit_once('#').ok_or(UNPINNED)?;
        let sha256 = fragment.strip_prefix("sha256=").ok_or(UNPINNED)?;
        if sha256.len() != 64 || !sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(format!("{sha256:?} is no SHA-256, which has 64 hexadecimal digits: {UNPINNED}"));
        }
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        // Laxer than AWS, as lookalikes are.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(format!("{bucket:?} is no bucket's name: write s3://bucket/prefix#sha256=…"));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if let Some(name) = [MANIFEST_FILE, ONNX_FILE].into_iter().find(|name| prefix.rsplit('/').next() == Some(name))
        {
            return Err(format!("must name the folder: leave out {name}"));
        }
        Ok(PinnedModel { bucket: bucket.into(), prefix: prefix.into(), sha256: sha256.to_ascii_lowercase() })
    }

    /// From the cache if it is there and whole, else from the bucket and into the cache.
    pub(super) async fn load(&self, objects: &dyn Objects, cache: &Path) -> Result<Model, SourceError> {
        let folder = self.folder(cache);
        match self.cached(&folder).await {
            Ok(Some(model)) => {
                tracing::info!(model = model.id(), from = %folder.display(), "model");
                return Ok(model);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "the model's cache is damaged: it is fetched anew");
            }
        }
        let fetch = async |name: &str, most| self.fetch(objects, name, most).await;
        let files = self.files(&fetch).await?;
        let (model, files) = self.model(files).await?;
        tracing::info!(model = model.id(), from = %self, "model");
        // Without a cache the next start is slower, no more.
        if let Err(error) = files.keep(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "the model cannot be cached");
        }
        Ok(model)
    }

    /// The network is not fetched for it.
    pub(super) async fn manifest(&self, objects: &dyn Objects, cache: &Path) -> Result<Manifest, SourceError> {
        let folder = self.folder(cache);
        let cached = async |name: &str, most| beside(&folder, name, most);
        if let Ok((toml, labels)) = self.texts(&cached).await
            && let Ok(manifest) = self.read(&toml)?.manifest(&labels.1)
        {
            return Ok(manifest);
        }
        let fetch = async |name: &str, most| self.fetch(objects, name, most).await;
        let (toml, labels) = self.texts(&fetch).await?;
        Ok(self.read(&toml)?.manifest(&labels.1)?)
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(format!("spotter-model-{}", self.sha256))
    }

    /// `None`: it was never fetched to here.
    async fn cached(&self, folder: &Path) -> Result<Option<Model>, SourceError> {
        if !folder.exists() {
            return Ok(None);
        }
        let files = self.files(&async |name: &str, most| beside(folder, name, most)).await?;
        let (model, _) = self.model(files).await?;
        Ok(Some(model))
    }

    /// Checked and made ready. The files come back, to be cached.
    async fn model(&self, files: Files) -> Result<(Model, Files), SourceError> {
        let manifest = self.read(&files.toml)?;
        aside(move || Ok((manifest.model(&files.labels.1, &files.onnx)?, files))).await
    }

    async fn files(&self, get: &impl AsyncFn(&str, u64) -> Result<Vec<u8>, SourceError>) -> Result<Files, SourceError> {
        let ((toml, labels), onnx) = try_join(self.texts(get), get(ONNX_FILE, LARGEST_NETWORK)).await?;
        Ok(Files { toml, labels, onnx })
    }

    /// The manifest, which is the right one, and its file of labels.
    async fn texts(
        &self,
        get: &impl AsyncFn(&str, u64) -> Result<Vec<u8>, SourceError>,
    ) -> Result<(Vec<u8>, (String, Vec<u8>)), SourceError> {
        let toml = get(MANIFEST_FILE, LARGEST_TEXT).await?;
        let found = hex(&Sha256::digest(&toml));
        if found != self.sha256 {
            let object = format!("{self}/{MANIFEST_FILE}");
            return Err(SourceError::AnotherManifest { object, found, expected: self.sha256.clone() });
        }
        let name = self.read(&toml)?.labels_file().map(str::to_owned);
        match name {
            Some(name) => {
                let labels = get(&name, LARGEST_TEXT).await?;
                Ok((toml, (name, labels)))
            }
            None => Ok((toml, Default::default())),
        }
    }

    fn read(&self, toml: &[u8]) -> Result<FetchedManifest, SourceError> {
        Ok(FetchedManifest::read(toml, &self.to_string())?)
    }

    async fn fetch(&self, objects: &dyn Objects, name: &str, most: u64) -> Result<Vec<u8>, SourceError> {
        let key = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        let object = Pinned { bucket: self.bucket.clone(), key, version_id: None, etag: None };
        let why = match objects.get(&object, most).await {
            Ok(object) => return Ok(object.bytes),
            Err(FetchError::Gone { .. }) => format!(
                "there is no {object}. A model's folder holds {MANIFEST_FILE} and {ONNX_FILE}: \
                 aws s3 cp --recursive FOLDER {self}"
            ),
            Err(FetchError::TooLarge { head, .. }) => {
                format!("{object} has {} bytes, and it may have {most}", head.size)
            }
            Err(FetchError::Denied(why)) => {
                let all = if self.prefix.is_empty() { "*".to_owned() } else { format!("{}/*", self.prefix) };
                format!("{why}. The model needs s3:GetObject on arn:aws:s3:::{}/{all}", self.bucket)
            }
            Err(error) => error.to_string(),
        };
        Err(SourceError::Fetch(why))
    }
}

/// Without the hash.
impl fmt::Display for PinnedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// At most one byte more than `most`: in a temporary folder anybody may have written anything.
fn beside(folder: &Path, name: &str, most: u64) -> Result<Vec<u8>, SourceError> {
    let (path, mut bytes) = (folder.join(name), Vec::new());
    let read = fs::File::open(&path).and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(|error| SourceError::Fetch(format!("{}: {error}", path.display())))?;
    Ok(bytes)
}

impl Files {
    /// In one step: whoever finds the folder finds all of it.
    fn keep(&self, folder: &Path) -> io::Result<()> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = folder.with_file_name(format!("{name}.{}", std::process::id()));
        remove(&unfinished)?;
        fs::create_dir(&unfinished)?;
        let kept = self.write(&unfinished).and_then(|()| {
            // What is there is damaged, or another process's, which is as good.
            remove(folder)?;
            fs::rename(&unfinished, folder)
        });
        if kept.is_err() {
            let _ = remove(&unfinished);
        }
        kept
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let (labels_name, labels) = &self.labels;
        if !labels_name.is_empty() {
            fs::write(folder.join(labels_name), labels)?;
        }
        fs::write(folder.join(MANIFEST_FILE), &self.toml)?;
        fs::write(folder.join(ONNX_FILE), &self.onnx)
    }
}

/// A folder, if there is one.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn parse(text: &str) -> Result<(String, String, String), String> {
        PinnedModel::parse(&text.replace("HASH", HASH)).map(|model| (model.bucket, model.prefix, model.sha256))
    }

    #[test]
    fn a_url_has_a_bucket_a_prefix_and_a_hash() {
        for (url, bucket, prefix) in [
            ("s3://models/fruit/3#sha256=HASH", "models", "fruit/3"),
            ("s3://models/fruit/3/#sha256=HASH", "models", "fruit/3"),
            ("s3://models#sha256=HASH", "models", ""),
            ("s3://models/#sha256=HASH", "models", ""),
            ("s3://my.models-2/a b+c%20/#1#sha256=HASH", "my.models-2", "a b+c%20/#1"),
        ] {
            assert_eq!(parse(url), Ok((bucket.into(), prefix.into(), HASH.into())), "{url}");
        }
    }

    #[test]
    fn the_hash_may_be_as_windows_writes_it() {
        assert_eq!(PinnedModel::parse(&format!("s3://b/p#sha256={}", HASH.to_uppercase())).unwrap().sha256, HASH);
    }

    #[test]
    fn typos_are_told() {
        let short = "s3://b/p#sha256=0011";
        for (url, says) in [
            ("s3://models/fruit", "#sha256=…, with what `sha256sum manifest.toml` says"),
            ("s3://models/fruit#HASH", "#sha256=…, with what"),
            ("s3://models/fruit?sha256=HASH", "#sha256=…, with what"),
            ("s3://models/fruit#sha256:HASH", "#sha256=…, with what"),
            (short, "\"0011\" is no SHA-256, which has 64"),
            ("s3://models/fruit#sha256=HASH0", "is no SHA-256"),
            (
                "s3://models/fruit#sha256=zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                "is no SHA-256",
            ),
            ("s3:/models/fruit#sha256=HASH", "s3://bucket/prefix#sha256=…"),
            ("s3:///fruit#sha256=HASH", "\"\" is no bucket's name"),
            ("s3://key:secret@host/fruit#sha256=HASH", "is no bucket's name"),
            ("s3://arn:aws:s3:::models/fruit#sha256=HASH", "is no bucket's name"),
            ("s3://models/fruit/manifest.toml#sha256=HASH", "leave out manifest.toml"),
            ("s3://models/model.onnx#sha256=HASH", "leave out model.onnx"),
        ] {
            let said = parse(url).unwrap_err();
            assert!(said.contains(says), "{url}: {said}");
        }
    }
}
