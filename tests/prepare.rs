//! `spotter model prepare`: the array that training reads is what classifying sees.

use std::path::Path;
use std::process::Output;

use libtest_mimic::{Failed, Trial};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::record::look;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::harness::root;

const PIXELS: usize = 28 * 28;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("prepare: rows are what the model sees, in the order of the paths", rows),
        Trial::test("prepare: bad pictures are rows of zeros with their reason", bad_pictures),
        Trial::test("prepare: more pictures than are made at once stay in order", many),
        Trial::test("prepare: what cannot be read or written is told, and leaves nothing", errors),
    ]
}

fn prepare(home: &TempDir, paths: &[&Path], out: &Path) -> Result<Output, Failed> {
    Ok(spotter(home).args(["model", "prepare", "--out"]).arg(out).args(paths).output()?)
}

/// The header's literal and the rows.
fn read_npy(path: &Path) -> Result<(String, Vec<u8>), Failed> {
    let bytes = std::fs::read(path)?;
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((end % 64, bytes[end - 1]), (0, b'\n'), "NumPy asks for both");
    Ok((String::from_utf8(bytes[10..end].to_vec())?.trim_end().to_owned(), bytes[end..].to_vec()))
}

fn lines(path: &Path) -> Result<Vec<(String, String)>, Failed> {
    let text = std::fs::read_to_string(path)?;
    let pair = |line: &str| line.split_once('\t').map(|(path, outcome)| (path.to_owned(), outcome.to_owned()));
    text.lines().map(|line| pair(line).ok_or_else(|| format!("no tab in {line:?}").into())).collect()
}

fn rows() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let out = home.path().join("seen.npy");
    // The folder, and one of its files again.
    let output = prepare(&home, &[Path::new("samples"), Path::new("samples/8.bmp")], &out)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (header, pixels) = read_npy(&out)?;
    let lines = lines(&out.with_extension("txt"))?;
    let expected = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}, 28, 28), }}", lines.len());
    assert_eq!(header, expected);
    assert_eq!(pixels.len(), lines.len() * PIXELS);
    assert!(lines.is_sorted() && lines.iter().filter(|(path, _)| path == "samples/8.bmp").count() == 1, "{lines:?}");
    let model = Model::embedded()?;
    let mut ok = 0;
    for ((path, outcome), row) in lines.iter().zip(pixels.chunks_exact(PIXELS)) {
        if outcome == "ok" {
            let look = look(&std::fs::read(root().join(path))?, &model, Limits::default())?;
            assert!(look.found.prepared().seen == row, "{path}: another row than classifying sees");
            ok += 1;
        }
    }
    assert!(ok >= 10, "{lines:?}");
    Ok(())
}

fn bad_pictures() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let folder = home.path().join("pictures/deep");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("a text\twith a tab.png"), b"hello")?;
    std::fs::write(folder.join("blank.png"), png(40, 30, &[200; 40 * 30])?)?;
    let whole = std::fs::read(root().join("samples/1.png"))?;
    std::fs::write(folder.join("cut.png"), &whole[..whole.len() / 2])?;
    let out = home.path().join("seen.npy");
    let output = prepare(&home, &[&home.path().join("pictures")], &out)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcomes: Vec<String> = lines(&out.with_extension("txt"))?.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["not_an_image", "none", "broken"]);
    assert_eq!(read_npy(&out)?.1, vec![0; 3 * PIXELS]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("3 rows → "), "a summary for people");
    Ok(())
}

/// Each is its own number, as a row of light pixels, so that a row out of order is seen.
fn many() -> Result<(), Failed> {
    const PICTURES: usize = 1_200;
    let home = TempDir::new()?;
    let folder = home.path().join("pictures");
    std::fs::create_dir(&folder)?;
    for number in 0..PICTURES {
        let mut pixels = vec![0; 24 * 24];
        (0..11).filter(|bit| number >> bit & 1 == 1).for_each(|bit| pixels[12 * 24 + 1 + 2 * bit] = 255);
        pixels[5 * 24..5 * 24 + 24].fill(255);
        std::fs::write(folder.join(format!("{number:04}.png")), png(24, 24, &pixels)?)?;
    }
    let (once, again) = (home.path().join("once.npy"), home.path().join("again.npy"));
    for out in [&once, &again] {
        assert!(prepare(&home, &[&folder], out)?.status.success());
    }
    assert!(std::fs::read(&once)? == std::fs::read(&again)?, "two runs differ");
    let model = Model::embedded()?;
    let (_, pixels) = read_npy(&once)?;
    for number in (0..PICTURES).step_by(97) {
        let picture = std::fs::read(folder.join(format!("{number:04}.png")))?;
        let look = look(&picture, &model, Limits::default())?;
        let row = &pixels[number * PIXELS..(number + 1) * PIXELS];
        assert!(look.found.prepared().seen == row, "row {number} is of another picture");
    }
    Ok(())
}

fn errors() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let npy = home.path().join("seen.npy");
    let cases: [(&Path, &Path, i32, &str); 4] = [
        (Path::new("samples"), Path::new("seen.npz"), 2, "must end in .npy"),
        (Path::new("no-such-folder"), &npy, 1, "cannot read no-such-folder"),
        (home.path(), &npy, 1, "no files"),
        (Path::new("samples"), Path::new("no-such-folder/seen.npy"), 1, "cannot write no-such-folder/seen.npy"),
    ];
    for (pictures, out, code, sentence) in cases {
        let output = prepare(&home, &[pictures], out)?;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(sentence), "{text}");
        assert_eq!(std::fs::read_dir(home.path())?.count(), 0, "a file was left: {text}");
    }
    Ok(())
}

fn png(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}
