//! Objects by name, in and out: what `--failures` writes, `--keys` reads.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::backfill::Wanted;
use crate::cli::failure::Failure;
use crate::cli::object_url::PrefixUrl;
use crate::event::ObjectEvent;

/// A line of `--keys`; what else it says is not needed.
#[derive(Deserialize)]
struct Line {
    bucket: Option<String>,
    key: String,
    size: Option<u64>,
}

/// The objects of `--keys`, all of them before anything is done.
pub(super) fn read(
    file: Option<&Path>,
    failures: Option<&Path>,
    place: &PrefixUrl,
) -> Result<Option<Vec<Wanted>>, Failure> {
    let Some(file) = file else { return Ok(None) };
    if failures == Some(file) {
        return Err(Failure::Usage(
            "--keys and --failures name the same file: a run that is killed would lose it".into(),
        ));
    }
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => io::stdin().read_to_string(&mut text),
        _ => File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let keys = lines.map(|(at, line)| {
        wanted(line, place).map_err(|problem| Failure::Failed(format!("{}:{}: {problem}", file.display(), at + 1)))
    });
    keys.collect::<Result<_, _>>().map(Some)
}

fn wanted(line: &str, PrefixUrl { bucket, prefix }: &PrefixUrl) -> Result<Wanted, String> {
    let Line { bucket: named, key, size } = serde_json::from_str(line)
        .map_err(|error| format!("not JSON with a \"key\", as --failures and --dry-run --json write it: {error}"))?;
    let named = named.as_deref().unwrap_or(bucket);
    if named != bucket || !key.starts_with(prefix.as_str()) || key.is_empty() {
        return Err(format!("s3://{named}/{key} is not of s3://{bucket}/{prefix}"));
    }
    Ok(Wanted { key, size })
}

/// What could not be recorded, of the newest round and of what the round before left to it.
pub(super) struct Failures {
    path: Option<PathBuf>,
    file: Option<File>,
    /// Lines that the file has from the round before, while its objects are tried again.
    held: Option<Vec<u8>>,
}

#[derive(Serialize)]
struct Failed<'a> {
    bucket: &'a str,
    key: &'a str,
    size: Option<u64>,
    why: &'a str,
}

impl Failures {
    /// Fails now rather than with the first failure.
    pub(super) fn to(path: Option<PathBuf>) -> Result<Failures, Failure> {
        let mut failures = Failures { path, file: None, held: None };
        failures.begin()?;
        Ok(failures)
    }

    /// What the round before left is tried again, and stays in the file until [`Failures::begin`].
    pub(super) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// The file is of this round from here on. It is not renamed into place, since it may be a pipe or a device.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        let held = self.held.take().unwrap_or_default();
        if let Some(path) = &self.path {
            let made = File::create(path).and_then(|mut file| file.write_all(&held).map(|()| file));
            self.file = Some(made.map_err(|error| Failure::cannot_write(path, &error))?);
        }
        Ok(())
    }

    /// A line at once: a run that is killed has said what failed.
    pub(super) fn add(&mut self, event: &ObjectEvent, why: &str) -> Result<(), Failure> {
        let (Some(file), Some(path)) = (&mut self.file, &self.path) else { return Ok(()) };
        let ObjectEvent { bucket, key, size, .. } = event;
        let mut line = serde_json::to_vec(&Failed { bucket, key, size: *size, why })?;
        line.push(b'\n');
        if let Some(held) = &mut self.held {
            held.extend(line);
            return Ok(());
        }
        file.write_all(&line).map_err(|error| Failure::cannot_write(path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_an_object_of_the_place() {
        let place: PrefixUrl = "s3://b/in/".parse().unwrap();
        let of = |line: &str| wanted(line, &place);
        let seven = |size| Ok(Wanted { key: "in/7".into(), size });
        assert_eq!(of(r#"{"key":"in/7"}"#), seven(None));
        assert_eq!(of(r#"{"gap":"missing","bucket":"b","key":"in/7","etag":null,"size":3}"#), seven(Some(3)));
        for other in [r#"{"key":"out/7"}"#, r#"{"bucket":"c","key":"in/7"}"#] {
            assert!(of(other).unwrap_err().contains("is not of s3://b/in/"), "{other}");
        }
        for bad in ["in/7", "{}", r#"{"key":7}"#] {
            assert!(of(bad).unwrap_err().contains("not JSON with a \"key\""), "{bad}");
        }
    }
}
