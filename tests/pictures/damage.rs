//! Pictures cut short at every byte, and with bytes changed.

use std::fs;

use libtest_mimic::{Failed, Trial};
use spotter::decode::RejectionKind;

use super::{File, expected, folder, luma};

/// Changed copies of each picture.
const COPIES: u64 = 300;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("pictures::no_half_picture_passes", no_half_picture_passes),
        Trial::test("pictures::changed_bytes_never_panic", changed_bytes_never_panic),
        Trial::test("pictures::a_scan_cut_out_is_noticed", a_scan_cut_out_is_noticed),
        Trial::test("pictures::each_scan_cut_short_is_noticed", each_scan_cut_short_is_noticed),
        Trial::test("pictures::what_follows_a_picture_does_not_matter", what_follows_a_picture_does_not_matter),
    ]
}

/// A prefix is refused, or gives the very pixels of the whole: only the end of the container is missing then.
fn no_half_picture_passes() -> Result<(), Failed> {
    for File { file, .. } in expected()?.files {
        let bytes = fs::read(folder().join(&file))?;
        let whole = luma(&bytes)?;
        for length in 0..bytes.len() {
            match luma(&bytes[..length]) {
                Ok(picture) => assert!(picture == whole, "{file}: its first {length} bytes give another picture"),
                Err(rejection) => {
                    assert!(!rejection.sentence.contains("gave up"), "{file}: panic at {length}");
                    // Before its 18th byte, no format is known.
                    let known = length < 18 || rejection.kind == RejectionKind::Broken;
                    assert!(known, "{file}: {length} bytes are {:?}: {rejection}", rejection.kind);
                }
            }
        }
    }
    Ok(())
}

/// Any answer but a panic, which would be `the decoder gave up`.
fn changed_bytes_never_panic() -> Result<(), Failed> {
    let mut seed = 0x5070_7474_6572_u64;
    let mut random = move || {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for File { file, .. } in expected()?.files {
        let bytes = fs::read(folder().join(&file))?;
        for _ in 0..COPIES {
            let mut changed = bytes.clone();
            for _ in 0..1 + random() % 4 {
                let at = (random() % bytes.len() as u64) as usize;
                changed[at] = random() as u8;
            }
            // A picture, or an error that is no caught panic.
            if let Err(rejection) = luma(&changed) {
                assert!(!rejection.sentence.contains("gave up"), "{file}: {rejection}");
            }
        }
    }
    Ok(())
}

/// The end-of-image marker is there, the data before it are not.
fn a_scan_cut_out_is_noticed() -> Result<(), Failed> {
    for file in ["444.jpg", "420.jpg", "grey.jpg", "cmyk.jpg"] {
        let bytes = fs::read(folder().join(file))?;
        let cut = [&bytes[..bytes.len() - bytes.len() / 3], b"\xff\xd9"].concat();
        assert_eq!(luma(&cut).map_err(|rejection| rejection.kind), Err(RejectionKind::Broken), "{file}");
    }
    Ok(())
}

/// Each scan of a progressive picture, whether those behind it are there or not.
fn each_scan_cut_short_is_noticed() -> Result<(), Failed> {
    for file in ["444-progressive.jpg", "420-progressive.jpg", "grey-progressive.jpg", "cmyk-progressive.jpg"] {
        let bytes = fs::read(folder().join(file))?;
        // The decoder reads eight bytes ahead.
        let scans: Vec<_> = scans(&bytes).into_iter().filter(|(from, to)| to - from > 20).collect();
        assert!(scans.len() > 3, "{file} has {} scans", scans.len());
        for (number, (from, to)) in scans.into_iter().enumerate() {
            for rest in [&bytes[to..], b"\xff\xd9"] {
                let cut = [&bytes[..from + (to - from) / 2], rest].concat();
                let seen = luma(&cut).err().map(|rejection| rejection.kind);
                assert_eq!(
                    seen,
                    Some(RejectionKind::Broken),
                    "{file}: half of scan {number}, then {} bytes",
                    rest.len()
                );
            }
        }
    }
    Ok(())
}

/// Where the data of each scan begin and end.
fn scans(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut scans) = (2, Vec::new());
    while bytes[at + 1] != 0xd9 {
        let from = at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
        let to = from + bytes[from..].windows(2).position(is_marker).unwrap_or(0);
        if bytes[at + 1] == 0xda {
            scans.push((from, to));
        }
        at = to;
    }
    scans
}

fn what_follows_a_picture_does_not_matter() -> Result<(), Failed> {
    for File { file, .. } in expected()?.files {
        let bytes = fs::read(folder().join(&file))?;
        let longer = [bytes.as_slice(), b"\0\0\xff\xd8 and more"].concat();
        assert_eq!(luma(&longer)?, luma(&bytes)?, "{file}");
    }
    Ok(())
}
