//! Each file of tests/pictures/hostile/ (drawn by tests/pictures/hostile.py): the verdict that its record would have, and
//! the memory that it took.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::record::{Reason, Status, verdict};

use crate::harness::root;
use crate::pictures::check_memory;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("hostile::each_bomb_has_its_verdict", verdicts),
        Trial::test("hostile::no_bomb_takes_more_memory_than_is_promised", memory)
            .with_ignored_flag(!cfg!(target_os = "linux")),
    ]
}

fn folder() -> PathBuf {
    root().join("tests/pictures/hostile")
}

fn verdicts() -> Result<(), Failed> {
    let model = Model::embedded()?;
    let expected = fs::read_to_string(root().join("tests/pictures/hostile.tsv"))?;
    let mut told = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in expected.lines().skip(1) {
        let [file, wanted] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("hostile.tsv: {line}").into());
        };
        told.insert(file.to_owned());
        let verdict = verdict(&fs::read(folder().join(file))?, &model, Limits::default());
        let seen = match (verdict.status, verdict.dimensions) {
            (Status::Rejected, _) => format!("{}: {}", verdict.reason.map_or("", Reason::as_str), verdict.why),
            (_, Some((width, height))) => format!("{width}×{height}"),
            (status, None) => format!("{status:?} without a size"),
        };
        // What a library says may change with it.
        let as_wanted = wanted.strip_suffix('…').map_or(seen == wanted, |start| seen.starts_with(start));
        if !as_wanted {
            wrong.push(format!("{file}\t{seen}"));
        }
    }
    let there: BTreeSet<String> = fs::read_dir(folder())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, Failed>>()?;
    wrong.extend(there.symmetric_difference(&told).map(|file| format!("{file}\tis in one of the two only")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn memory() -> Result<(), Failed> {
    let expected = fs::read_to_string(root().join("tests/pictures/hostile.tsv"))?;
    let mut wrong = Vec::new();
    for line in expected.lines().skip(1) {
        let Some((file, wanted)) = line.split_once('\t') else { continue };
        let accepted = !wanted.contains(": ");
        for channels in ["luma", "rgb"] {
            if let Err(problem) = check_memory(&folder().join(file), channels, accepted) {
                wrong.push(format!("{file}: {}", problem.message().unwrap_or_default()));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
