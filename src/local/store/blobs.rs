//! The bytes of objects, in files named by their SHA-256.

use std::fs::{self, File, FileType};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use hyper::body::Bytes;
use md5::{Digest, Md5};
use rusqlite::{Connection, params};
use s3s::checksum::ChecksumHasher;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::{After, Checksums, Failure, Store, StoreError, io_error};
use crate::encoding::hex;

/// How much of a body is in memory at a time.
const CHUNK: usize = 256 * 1024;
/// Segments that a reader opens at once; later ones are opened as it gets there.
const OPENED: usize = 16;

/// An upload on its way to the disk. Dropping it removes what it has written.
pub struct Staging {
    temporary: Temporary,
    file: tokio::fs::File,
    size: u64,
    name: Sha256,
    md5: Md5,
    hasher: ChecksumHasher,
}

/// An upload that is on the disk, and not yet an object. Dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    temporary: Temporary,
    name: String,
    pub size: u64,
    pub md5: [u8; 16],
    /// Those that were asked for.
    pub checksums: Checksums,
}

#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already where it became a blob; what else stays is removed at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

/// A piece of an object: one blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub blob: String,
    pub size: u64,
}

impl Store {
    /// Begins an upload, computing the checksums that `hasher` has switched on.
    pub async fn stage(&self, hasher: ChecksumHasher) -> Result<Staging, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let path = self.dir().join("tmp").join(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        let file = tokio::fs::File::create_new(&path).await.map_err(|source| io_error(&path, source))?;
        Ok(Staging { temporary: Temporary(path), file, size: 0, name: Sha256::new(), md5: Md5::new(), hasher })
    }

    fn blob_path(&self, name: &str) -> PathBuf {
        self.dir().join("blobs").join(name.get(..2).unwrap_or(name)).join(name)
    }

    /// Renames an upload to its blob, inside the transaction that makes it an object or a part.
    pub(super) fn place(&self, staged: &Staged, after: &mut After) -> Result<Segment, Failure> {
        let segment = Segment { blob: staged.name.clone(), size: staged.size };
        let path = self.blob_path(&segment.blob);
        // Should the transaction fail, the blob is without rows and goes.
        after.loose.push(segment.blob.clone());
        if !path.exists() {
            let folder = path.parent().unwrap_or(&path);
            if !folder.exists() {
                fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
                flush_folder(&self.dir().join("blobs"))?;
            }
            fs::rename(&staged.temporary.0, &path).map_err(|source| io_error(&path, source))?;
            flush_folder(folder)?;
        }
        Ok(segment)
    }

    /// Unlinks those of `blobs` that no row names. Under the connection's lock, so that none is being placed.
    pub(super) fn unlink_loose(&self, connection: &Connection, blobs: &[String]) {
        for blob in blobs {
            // In doubt it stays, and the next start removes it.
            if matches!(is_used(connection, blob), Ok(false))
                && let Err(error) = fs::remove_file(self.blob_path(blob))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(blob, %error, "a blob without an object stays until the next start");
            }
        }
    }

    /// Removes unfinished uploads' files and blobs that no row names: what bears a name that only the store gives, and
    /// nothing that a link leads to. The folder may have been somebody's before.
    pub(super) fn collect_orphans(&self) -> Result<(), StoreError> {
        let connection = self.connection();
        let number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        for (path, _) in entries(&self.dir().join("tmp"), |kind| !kind.is_dir(), number)? {
            fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
        }
        for (folder, start) in entries(&self.dir().join("blobs"), |kind| kind.is_dir(), |name| is_hex(name, 2))? {
            let blob = |name: &str| is_hex(name, 64) && name.starts_with(&start);
            for (path, name) in entries(&folder, |kind| !kind.is_dir(), blob)? {
                if !is_used(&connection, &name).map_err(|failure| self.error(failure))? {
                    fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
                }
            }
        }
        Ok(())
    }

    /// Opens segments for reading. Under the connection's lock: what is open stays readable once it is unlinked.
    pub(super) fn open_segments(&self, segments: &[Segment]) -> Result<Body, Failure> {
        let pieces = segments
            .iter()
            .enumerate()
            .map(|(i, segment)| {
                let path = self.blob_path(&segment.blob);
                let file = if i < OPENED { Some(open_blob(&path, segment.size)?) } else { None };
                Ok(Piece { path, size: segment.size, file })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Body { pieces })
    }
}

impl Staging {
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.name.update(bytes);
        self.md5.update(bytes);
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(|source| io_error(&self.temporary.0, source))
    }

    /// How many bytes were written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Flushes it to the disk.
    pub async fn finish(mut self) -> Result<Staged, StoreError> {
        let flushed = match self.file.flush().await {
            Ok(()) => self.file.sync_all().await,
            Err(error) => Err(error),
        };
        flushed.map_err(|source| io_error(&self.temporary.0, source))?;
        Ok(Staged {
            temporary: self.temporary,
            name: hex(&self.name.finalize()),
            size: self.size,
            md5: self.md5.finalize().into(),
            checksums: self.hasher.finalize().into(),
        })
    }
}

/// An object's bytes, ready to be read. Where there are more parts than a few, deleting the object meanwhile ends the
/// reading with an error.
#[derive(Debug)]
pub struct Body {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    path: PathBuf,
    size: u64,
    file: Option<File>,
}

impl Body {
    /// The bytes of `range`, a chunk at a time.
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
        let mut start = 0;
        let mut wanted = Vec::new();
        for piece in self.pieces {
            let end = start + piece.size;
            let part = range.start.max(start)..range.end.min(end);
            if !part.is_empty() {
                wanted.push((piece, part.start - start..part.end - start));
            }
            start = end;
        }
        stream::iter(wanted).then(|(piece, part)| piece.open(part)).try_flatten()
    }
}

impl Piece {
    async fn open(self, part: Range<u64>) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Sync> {
        let mut file = match self.file {
            Some(file) => tokio::fs::File::from_std(file),
            None => tokio::fs::File::open(&self.path).await?,
        };
        if part.start > 0 {
            file.seek(io::SeekFrom::Start(part.start)).await?;
        }
        Ok(ReaderStream::with_capacity(file.take(part.end - part.start), CHUNK))
    }
}

fn open_blob(path: &Path, size: u64) -> Result<File, StoreError> {
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    let found = file.metadata().map_err(|source| io_error(path, source))?.len();
    if found != size {
        return Err(StoreError::Corrupt(format!(
            "{} has {found} bytes, and its object has {size}; upload the object again",
            path.display()
        )));
    }
    Ok(file)
}

fn is_used(connection: &Connection, blob: &str) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM segments WHERE blob = ?1) OR EXISTS (SELECT 1 FROM parts WHERE blob = ?1)";
    Ok(connection.prepare_cached(sql)?.query_row(params![blob], |row| row.get(0))?)
}

fn is_hex(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Those of a kind (a link is one of its own) that are named so.
fn entries(
    folder: &Path,
    kind: impl Fn(FileType) -> bool,
    named: impl Fn(&str) -> bool,
) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let read = || {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string().ok().filter(|name| named(name));
            if let Some(name) = name.filter(|_| entry.file_type().is_ok_and(&kind)) {
                found.push((entry.path(), name));
            }
        }
        Ok(found)
    };
    read().map_err(|source| io_error(folder, source))
}

/// Makes a rename or a new folder outlive a power cut.
fn flush_folder(folder: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| io_error(folder, source))?;
    }
    Ok(())
}
