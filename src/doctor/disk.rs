//! The data folder: whether it can be written, and how much room there is.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::Examined;
use crate::classifier::Finding;
use crate::config::{DATA, PROGRAM, Settings};

/// Bytes. One object of the greatest size that is looked at by default fits.
const TOO_LITTLE: u64 = 64_000_000;
const LITTLE: u64 = 1_000_000_000;

pub(super) async fn look(examined: &Examined, settings: &Settings) -> Vec<Finding> {
    let used = match settings.cassandra {
        None => "records, objects of `spotter serve`",
        Some(_) => "bookmarks of `spotter backfill`; records are in Cassandra",
    };
    vec![match &examined.folder {
        Err(why) if settings.cassandra.is_some() => Finding::warn("disk", why.clone()),
        Err(why) => Finding::fail("disk", why.clone()),
        Ok(folder) => of_folder(folder, used),
    }]
}

fn of_folder(folder: &Path, used: &str) -> Finding {
    let elsewhere = format!("--data or {DATA} names another folder");
    let name = folder.display();
    let fail = |says: String, way_out: String| Finding::fail("disk", says).way_out(way_out);
    let (there, is_made) = match nearest(folder) {
        Ok(found) => found,
        Err(why) => return fail(format!("{name}: {why}"), elsewhere),
    };
    if !there.is_dir() {
        return fail(format!("{} is no folder", there.display()), elsewhere);
    }
    if let Err(error) = access(&there, Access::WRITE_OK | Access::EXEC_OK) {
        let says = format!("{} cannot be written: {error}", there.display());
        return fail(says, format!("chmod u+rwx {}, or {elsewhere}", super::aws::quoted(&there.display().to_string())));
    }
    let free = match statvfs(&there) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            return fail(format!("{}: how much room there is, is not known: {error}", there.display()), elsewhere);
        }
    };
    let made = if is_made { "" } else { ", is made when it is needed" };
    let says = format!("{name}{made} ({used}): {} free", bytes(free));
    match free {
        ..TOO_LITTLE => fail(
            says,
            format!("df -h {}; free some space, or {elsewhere}", super::aws::quoted(&there.display().to_string())),
        ),
        TOO_LITTLE..LITTLE => Finding::warn("disk", says).way_out(format!("free some space, or {elsewhere}")),
        _ => Finding::ok("disk", says),
    }
}

/// The folder, or the one in which it would be made, and whether it is there.
fn nearest(folder: &Path) -> Result<(PathBuf, bool), String> {
    let absolute = std::path::absolute(folder).map_err(|error| error.to_string())?;
    for (at, place) in absolute.ancestors().enumerate() {
        match place.symlink_metadata() {
            Ok(_) => return Ok((place.to_owned(), at == 0)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            // A file where a folder should be is found one step up.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(format!("{PROGRAM} may not look there: {error}")),
        }
    }
    Err("there is no such place".to_owned())
}

fn bytes(count: u64) -> String {
    match count as f64 {
        count if count >= 1e9 => format!("{:.1} GB", count / 1e9),
        count => format!("{:.1} MB", count / 1e6),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;
    use crate::classifier::Level;

    #[test]
    fn a_folder_that_is_not_there_is_looked_at_where_it_would_be_made() {
        let place = tempfile::tempdir().unwrap();
        let (here, there) = (place.path().to_owned(), place.path().join("a/b"));
        assert_eq!(nearest(&here).unwrap(), (here.clone(), true));
        assert_eq!(nearest(&there).unwrap(), (here, false));
        std::fs::write(place.path().join("a"), "").unwrap();
        let finding = of_folder(&there, "records");
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.says.ends_with("a is no folder"), "{}", finding.says);
    }
}
