//! Work is bounded by counts, never by the clock: what is counted, at its bound and one over it. The slowest pictures that
//! are taken stand at these bounds; `SPOTTER_HOSTILE_TIMES=1` prints how long each takes beside an ordinary one.

use std::fs;
use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use libtest_mimic::{Failed, Trial};
use spotter::decode::{Channels, Limits, RejectionKind, decode};
use spotter::preprocess::{Preprocess, prepare};

use super::jpeg::{file, frame, scan, segment, tables};
use crate::harness::root;
use crate::pictures::full_size;

const LIMITS: Limits = Limits { pixels: 10_000 };

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("hostile::what_is_counted_is_taken_at_its_bound_and_refused_over_it", bounds),
        Trial::test("hostile::an_exif_block_of_too_many_entries_turns_nothing", exif_entries),
        Trial::test("hostile::the_slowest_pictures_are_known", slowest)
            .with_ignored_flag(std::env::var_os("SPOTTER_HOSTILE_TIMES").is_none()),
    ]
}

/// Makes a picture that has so many of what is counted.
type Make = fn(u64) -> Result<Vec<u8>, Failed>;

/// What is counted, the most of it that is taken, and how the refusal of one more begins.
const COUNTED: [(&str, u64, Make, RejectionKind, &str); 10] = [
    ("rows of a PNG of 100 pixels each", 100, |rows| png(100, rows), RejectionKind::TooLarge, "0.1 megapixels"),
    (
        "rows of a JPEG of 100 pixels each",
        100,
        |rows| Ok(baseline(100, rows as u16)),
        RejectionKind::TooLarge,
        "0.1 megap",
    ),
    ("scans of a JPEG", 64, |scans| Ok(scans_of(16, scans)), RejectionKind::Broken, "JPEG with more than 64 scans"),
    (
        "coefficients of 100 blocks in the scans of a JPEG",
        1_600,
        |each| Ok(coefficients(each)),
        RejectionKind::TooLarge,
        "progressive JPEG with 0.2 million coefficients",
    ),
    (
        "bytes of tables in a JPEG",
        500_000,
        |bytes| Ok(tables_of(bytes)),
        RejectionKind::Broken,
        "JPEG with more than 500 kB",
    ),
    (
        "bytes of metadata in a JPEG",
        4_000_000,
        |bytes| Ok(metadata(bytes)),
        RejectionKind::TooLarge,
        "JPEG with more than 4 MB",
    ),
    (
        "bytes of data in a PNG of 90",
        2 * 90 + 4_096,
        |bytes| padded_png(bytes),
        RejectionKind::TooLarge,
        "PNG with far more",
    ),
    (
        "tiles of a TIFF, 400 pixels wide for one",
        50,
        |rows| tiles(1, rows, 400, false),
        RejectionKind::TooLarge,
        "TIFF of ",
    ),
    (
        "entries in the directory of a TIFF",
        4_096,
        |entries| Ok(directory(entries)),
        RejectionKind::Broken,
        "TIFF with more than 4096 entries",
    ),
    ("pixels of a TIFF's side", 65_535, |rows| tiles(1, rows, 1, true), RejectionKind::TooLarge, "1×65536 pixels"),
];

fn bounds() -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for (what, most, make, kind, sentence) in COUNTED {
        let limits = if most > 60_000 { Limits::default() } else { LIMITS };
        let seen = |count: u64| Ok::<_, Failed>(decode(&make(count)?, Channels::Luma, limits));
        if let Err(rejection) = seen(most)? {
            wrong.push(format!("{most} {what}: {rejection}"));
        }
        match seen(most + 1)? {
            Ok(picture) => wrong.push(format!("{} {what} were taken: {}×{}", most + 1, picture.width, picture.height)),
            Err(rejection) if rejection.kind == kind && rejection.sentence.starts_with(sentence) => {}
            Err(rejection) => wrong.push(format!("{} {what}: {:?}: {rejection}", most + 1, rejection.kind)),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn png(width: u64, rows: u64) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, rows as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&vec![0x7f; (width * rows) as usize])?;
    Ok(bytes)
}

/// 9 × 9 pixels; behind their data zeros, which nobody has to inflate.
fn padded_png(bytes: u64) -> Result<Vec<u8>, Failed> {
    let mut file = Vec::new();
    let mut writer = png::Encoder::new(&mut file, 9, 9).write_header()?;
    let mut data = deflated(&[0; 90])?;
    data.resize(bytes as usize, 0);
    writer.write_chunk(png::chunk::IDAT, &data)?;
    drop(writer);
    Ok(file)
}

/// Grey; each block takes two bits.
fn baseline(width: u16, height: u16) -> Vec<u8> {
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let data = vec![0; (blocks * 2).div_ceil(8)];
    file(&[tables(), frame(width, height, 1, false), scan(1, 0, 63, 0, &data)])
}

/// One code, a zero bit, whose meaning is `symbol`: AC.
fn code(symbol: u8) -> Vec<u8> {
    segment(0xc4, &[vec![0x10, 1], vec![0; 15], vec![symbol]].concat())
}

/// Zeros of so many bits.
fn zeros(bits: usize) -> Vec<u8> {
    vec![0; bits.div_ceil(8)]
}

/// Blocks of a square picture.
fn blocks(side: u16) -> usize {
    usize::from(side.div_ceil(8)).pow(2)
}

/// Progressive, grey: all coefficients anew in each scan, with two bits for each.
fn scans_of(side: u16, scans: u64) -> Vec<u8> {
    let each = scan(1, 1, 63, 0, &zeros(blocks(side) * 63 * 2));
    let first = scan(1, 0, 0, 0, &zeros(blocks(side)));
    file(&[tables(), code(0x01), frame(side, side, 1, true), first, each.repeat(scans as usize - 1)])
}

/// Progressive, grey: a scan of one coefficient or of all, and then refinements of those, or of the others, of which no
/// coefficient is there. Those take few bytes: one code is 16,384 blocks in which nothing begins.
fn refinements(side: u16, scans: usize, of_all: bool) -> Vec<u8> {
    let (set, refined, corrections) = if of_all { (1..=63, 1..=63, 63) } else { (1..=1, 2..=63, 0) };
    let first = scan(1, 0, 0, 0, &zeros(blocks(side)));
    let ac = scan(1, *set.start(), *set.end(), 0x01, &zeros(blocks(side) * set.len() * 2));
    let bits = blocks(side).div_ceil(1 << 14) * 15 + blocks(side) * corrections;
    let refine = scan(1, *refined.start(), *refined.end(), 0x10, &zeros(bits));
    let head = [tables(), code(0x01), frame(side, side, 1, true), first, ac].concat();
    file(&[head, code(0xe0), refine.repeat(scans)])
}

/// Progressive, 4:4:4: the DC coefficients of all components anew in each scan.
fn dc_scans(side: u16, scans: usize) -> Vec<u8> {
    let scan = segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0]);
    file(&[tables(), frame(side, side, 3, true), [scan, zeros(3 * blocks(side))].concat().repeat(scans)])
}

/// Progressive, 100 blocks: so many coefficients of each in all scans together.
fn coefficients(each: u64) -> Vec<u8> {
    let mut parts = vec![tables(), frame(80, 80, 1, true), scan(1, 0, 0, 0, &zeros(100))];
    // A block counts for 16 at least.
    let mut left = each - 16;
    while left > 0 {
        let band = if left < 2 * 63 && left > 63 { left / 2 } else { left.min(63) };
        parts.push(scan(1, 1, band as u8, 0, &zeros(100)));
        left -= band;
    }
    file(&parts)
}

fn tables_of(bytes: u64) -> Vec<u8> {
    let own = tables();
    let codes = segment(0xc4, &[vec![0x10, 1], vec![0; 15], vec![0]].concat().repeat(3_000));
    let left = bytes as usize - own.len();
    // As many of the dear ones as leave room to end exactly.
    let many = (left - 1_000) / codes.len();
    let rest = quantisation_of(left - many * codes.len());
    file(&[codes.repeat(many), rest, own, frame(8, 8, 1, false), scan(1, 0, 63, 0, &[0])])
}

/// Tables of so many bytes in all: those of quantisation have 69, a restart interval 6, and codes the rest.
fn quantisation_of(bytes: usize) -> Vec<u8> {
    let interval = segment(0xdd, &[0, 0]);
    let table = segment(0xdb, &[vec![0], vec![1; 64]].concat());
    let codes = segment(0xc4, &[vec![0x11, 1], vec![0; 15], vec![0]].concat());
    for (few, intervals) in (0..6).flat_map(|few| (0..23).map(move |intervals| (few, intervals))) {
        let rest = bytes - few * codes.len() - intervals * interval.len();
        if rest.is_multiple_of(table.len()) {
            return [codes.repeat(few), interval.repeat(intervals), table.repeat(rest / table.len())].concat();
        }
    }
    Vec::new()
}

fn metadata(bytes: u64) -> Vec<u8> {
    let mut parts = vec![segment(0xe5, &vec![0; 50_000]).repeat(bytes as usize / 50_000)];
    if !bytes.is_multiple_of(50_000) {
        parts.push(segment(0xfe, &vec![0; bytes as usize % 50_000]));
    }
    parts.extend([tables(), frame(8, 8, 1, false), scan(1, 0, 63, 0, &[0])]);
    file(&parts)
}

/// Grey tiles of one row, all of which are the same data.
fn tiles(width: u32, height: u64, tile: u32, raw: bool) -> Result<Vec<u8>, Failed> {
    let height = height as u32;
    let count = width.div_ceil(tile) * height;
    let data = if raw { vec![0x7f; tile as usize] } else { deflated(&vec![0; tile as usize])? };
    let head = 8 + 2 + 10 * 12 + 4;
    let at = head + 8 * count;
    let entries = [
        (256, 1, width),
        (257, 1, height),
        (258, 1, 8),
        (259, 1, if raw { 1 } else { 8 }),
        (262, 1, 1),
        (277, 1, 1),
        (322, 1, tile),
        (323, 1, 1),
        (324, count, if count == 1 { at } else { head }),
        (325, count, if count == 1 { data.len() as u32 } else { head + 4 * count }),
    ];
    let mut file = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    for (tag, count, value) in entries {
        file.extend_from_slice(&u16::to_le_bytes(tag));
        file.extend_from_slice(&[4, 0]);
        file.extend([count, value].iter().flat_map(|word| word.to_le_bytes()));
    }
    file.extend_from_slice(&[0; 4]);
    (0..count).for_each(|_| file.extend_from_slice(&at.to_le_bytes()));
    (0..count).for_each(|_| file.extend_from_slice(&(data.len() as u32).to_le_bytes()));
    file.extend_from_slice(&data);
    Ok(file)
}

/// A grey pixel; entries that nobody knows behind those that it needs.
fn directory(entries: u64) -> Vec<u8> {
    let behind = 8 + 2 + 12 * entries as u32 + 4;
    let own = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, behind), (277, 1), (278, 1), (279, 1)];
    let unknown = (0..entries as u16 - own.len() as u16).map(|number| (40_000 + number, 0));
    [entries_of(own.into_iter().chain(unknown)), vec![0x7f]].concat()
}

/// A TIFF file that ends with its directory: tags, and values as LONG.
fn entries_of(entries: impl Iterator<Item = (u16, u32)>) -> Vec<u8> {
    let entry = |(tag, value): (u16, u32)| [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat();
    let entries: Vec<_> = entries.map(entry).collect();
    [b"II*\0\x08\0\0\0".to_vec(), (entries.len() as u16).to_le_bytes().into(), entries.concat(), vec![0; 4]].concat()
}

/// The last entry says which way is up.
fn exif_entries() -> Result<(), Failed> {
    for (entries, upright) in [(4_096, (8, 16)), (4_097, (16, 8))] {
        let unknown = (0..entries - 1).map(|number| (40_000 + number, 0));
        let block = entries_of(unknown.chain([(274, 6)]));
        let exif = segment(0xe1, &[b"Exif\0\0".to_vec(), block].concat());
        let picture = file(&[exif, tables(), frame(16, 8, 1, false), scan(1, 0, 63, 0, &[0])]);
        let picture = decode(&picture, Channels::Luma, LIMITS)?;
        assert_eq!((picture.width, picture.height), upright, "{entries}");
    }
    Ok(())
}

/// Decoding and preprocessing in milliseconds: the least of three.
fn slowest() -> Result<(), Failed> {
    let ordinary = fs::read(root().join("samples/photos/7 phone.jpg"))?;
    let mut pictures = vec![("an ordinary photograph".to_owned(), ordinary)];
    pictures.extend(full_size()?.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)));
    let megapixels = "progressive JPEG of 25 megapixels";
    pictures.push((format!("{megapixels}, 10 scans of all coefficients anew"), scans_of(5_000, 11)));
    pictures.push((format!("{megapixels}, 15 refinements of all coefficients"), refinements(5_000, 15, true)));
    pictures.push((format!("{megapixels}, 16 refinements of none"), refinements(5_000, 16, false)));
    pictures.push(("progressive JPEG of 19 megapixels, 27 scans of DC".into(), dc_scans(4_400, 27)));
    pictures.push(("progressive JPEG of 6 megapixels, 62 refinements of none".into(), refinements(2_500, 62, false)));
    pictures.push(("TIFF of 65,535 tiles, 762 pixels wide for one".into(), tiles(1, 65_535, 762, false)?));
    pictures.push(("TIFF of 12 tiles, 4,000,000 pixels wide for one".into(), tiles(1, 12, 4_000_000, false)?));
    pictures.push(("JPEG of 8×8, 500 kB of tables".into(), tables_of(500_000)));
    pictures.push(("PNG of 1×65,535".into(), png(1, 65_535)?));
    let ink = Preprocess::Ink { fit: 20, mean: vec![], std: vec![] };
    let mut lines = Vec::new();
    for (name, bytes) in pictures {
        let mut least = f64::INFINITY;
        let mut said = String::new();
        for _ in 0..3 {
            let started = Instant::now();
            said = match decode(&bytes, Channels::Luma, Limits::default()) {
                Ok(picture) => {
                    let _ = prepare(&picture, &ink, 28, 28);
                    format!("{}×{}", picture.width, picture.height)
                }
                Err(rejection) => rejection.to_string(),
            };
            least = least.min(started.elapsed().as_secs_f64() * 1e3);
        }
        lines.push((least, format!("{least:9.1} ms  {:9} bytes  {name} ({said})\n", bytes.len())));
    }
    lines.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut out = std::io::stdout();
    lines.iter().try_for_each(|(_, line)| out.write_all(line.as_bytes()))?;
    Ok(())
}
