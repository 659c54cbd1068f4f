//! Whoever looks, with whatever: a small screen, a keyboard, a screen reader, a bad connection.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use fantoccini::key::Key;
use flate2::Compression;
use flate2::write::GzEncoder;
use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::bench::{BUCKET, Bench, tile};
use crate::cloud::sample;
use crate::harness::root;

const TAB: char = '\u{e004}';

/// One of each: sure, unsure, rejected, corrected, deleted, with a key that has no place to break.
async fn some_of_everything(bench: &Bench) -> Result<(), Failed> {
    bench.open("").await?;
    let long = "long".repeat(60) + ".png";
    for (key, of) in [
        ("8.bmp", "8.bmp"),
        (long.as_str(), "8 small.png"),
        ("scribble.png", "scribble.png"),
        ("notes.png", "notes.png"),
        ("gone.png", "1.png"),
    ] {
        bench.put(key, sample(of)?).await?;
    }
    bench.records("limit=10", "records.length === 5").await?;
    bench.s3.delete_object().bucket(BUCKET).key("gone.png").send().await?;
    let correction = json!({ "bucket": BUCKET, "key": "8.bmp", "label": "3" }).to_string();
    let post = format!(
        "fetch('/api/corrections', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: {} }})",
        json!(correction)
    );
    assert_eq!(bench.eval(&format!("{post}.then((answer) => answer.status)")).await?, 201);
    Ok(())
}

/// Where people are: an address, and what is there once it is drawn.
const PLACES: [(&str, &str, &str); 3] = [
    (
        "data",
        "",
        "document.querySelectorAll('#gallery button.tile').length >= 5 && document.querySelector('#charts canvas')",
    ),
    (
        "dialog",
        "?object=s3://pictures/8.bmp",
        "document.querySelector('#history tbody tr') && document.querySelector('#object li[data-step=record]')",
    ),
    ("review", "?view=review", "document.querySelector('#review-picture img')"),
];

pub(super) async fn nothing_is_wider_than_a_small_phone(bench: &mut Bench) -> Result<(), Failed> {
    // 320 CSS pixels: WCAG 2.2, criterion 1.4.10.
    for width in [320, 360] {
        bench.size(width, 740).await?;
        if width == 320 {
            bench.open("").await?;
            bench.until("document.querySelector('#empty').checkVisibility()").await?;
            fits(bench, "empty", width).await?;
            some_of_everything(bench).await?;
        }
        for (place, query, drawn) in PLACES {
            bench.open(query).await?;
            bench.look_at_gallery().await?;
            bench.until(drawn).await?;
            fits(bench, place, width).await?;
            bench.eval("document.querySelectorAll('details').forEach((part) => (part.open = true))").await?;
            bench.still().await?;
            fits(bench, place, width).await?;
        }
    }
    Ok(())
}

pub(super) async fn records_are_seen_at_once_on_a_phone(bench: &mut Bench) -> Result<(), Failed> {
    bench.size(360, 740).await?;
    some_of_everything(bench).await?;
    for (width, height) in [(320, 640), (360, 740), (400, 800)] {
        bench.size(width, height).await?;
        bench.open("").await?;
        bench.until(PLACES[0].2).await?;
        bench.still().await?;
        // The first row of tiles is whole in the window, and the drawing area is still as wide as a thumb needs.
        let places = "[scrollY, document.querySelector('#gallery button.tile').getBoundingClientRect().bottom, document.querySelector('#draw').getBoundingClientRect().width]";
        let (scrolled, bottom, draw): (f64, f64, f64) = serde_json::from_value(bench.eval(places).await?)?;
        assert!(scrolled == 0.0 && bottom <= f64::from(height), "{width} x {height}: the first row ends at {bottom}");
        assert!(draw >= 160.0, "{width} x {height}: {draw} px to draw on");
        let below = "document.querySelector('#draw-hint').getBoundingClientRect().bottom - document.querySelector('#draw').getBoundingClientRect().bottom";
        let below = bench.eval(below).await?;
        assert!(below.as_f64().is_some_and(|below| below <= 0.0), "the hint ends {below} px below the drawing area");
        assert_eq!(bench.eval("document.querySelector('#filters').checkVisibility()").await?, false);
        bench.click("#filters-fold summary").await?;
        bench.until("document.querySelector('#filters [name=label]').checkVisibility()").await?;
    }
    Ok(())
}

/// A browser has six connections to a server, and a stream of events keeps one.
pub(super) async fn seven_tabs_are_as_good_as_one(bench: &mut Bench) -> Result<(), Failed> {
    const HIDDEN: &str = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })";
    let turn = |hide: bool| {
        let hidden = if hide { HIDDEN } else { "delete document.hidden" };
        format!("[{hidden}, document.dispatchEvent(new Event('visibilitychange'))]")
    };
    bench.open("").await?;
    bench.until("document.getElementById('live').innerText === 'Live'").await?;
    let first = bench.browser.client.window().await?;
    // A browser without a screen shows every tab, and hides none: so they are told.
    for _ in 0..7 {
        bench.eval(&turn(true)).await?;
        let tab = bench.browser.client.new_window(true).await?;
        bench.browser.client.switch_to_window(tab.handle).await?;
        bench.open("").await?;
        bench.until("document.getElementById('live').innerText === 'Live'").await?;
    }
    bench.put("meanwhile.bmp", sample("8.bmp")?).await?;
    bench.until(&format!("document.querySelector({})", json!(tile("meanwhile.bmp")))).await?;
    bench.eval(&turn(true)).await?;
    bench.browser.client.switch_to_window(first).await?;
    assert_eq!(bench.eval("document.querySelectorAll('#gallery button.tile').length").await?, 0);
    bench.eval(&turn(false)).await?;
    bench.until(&format!("document.querySelector({})", json!(tile("meanwhile.bmp")))).await?;
    // And it hears again.
    bench.put("now.bmp", sample("8.bmp")?).await?;
    bench.until(&format!("document.querySelector({})", json!(tile("now.bmp")))).await?;
    // What was corrected elsewhere is caught up with, and nothing else moves.
    let mark = format!("document.querySelector({}).dataset.same = 'yes'", json!(tile("now.bmp")));
    bench.eval(&mark).await?;
    bench.eval(&turn(true)).await?;
    let output = crate::cli::spotter(&bench.home).args(["correct", "s3://pictures/meanwhile.bmp", "1"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bench.eval(&turn(false)).await?;
    bench.until(&format!("document.querySelector({}).dataset.corrected === '1'", json!(tile("meanwhile.bmp")))).await?;
    assert_eq!(bench.eval(&format!("document.querySelector({}).dataset.same", json!(tile("now.bmp")))).await?, "yes");
    Ok(())
}

async fn fits(bench: &Bench, place: &str, width: u32) -> Result<(), Failed> {
    let (page, dialog): (u32, i32) = serde_json::from_value(
        bench
            .eval("[document.documentElement.scrollWidth, (({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('dialog#object'))]")
            .await?,
    )?;
    assert!(page <= width && dialog <= 0, "{place}: {page} of {width} px, the dialog {dialog} px too wide");
    Ok(())
}

/// What has the focus: its id, or its class and key.
const FOCUSED: &str =
    "(({ id, className, name, dataset }) => id || name || className + (dataset.key ?? ''))(document.activeElement)";

pub(super) async fn a_keyboard_is_enough(bench: &mut Bench) -> Result<(), Failed> {
    some_of_everything(bench).await?;
    bench.open("").await?;
    bench.until(PLACES[0].2).await?;
    let mut met = BTreeSet::new();
    for _ in 0..60 {
        bench.press([TAB]).await?;
        let focused = bench.eval(FOCUSED).await?.as_str().unwrap_or_default().to_owned();
        // Whoever looks must see where they are.
        let (width, style, shadow): (String, String, String) = serde_json::from_value(
            bench.eval("(({ outlineWidth, outlineStyle, boxShadow }) => [outlineWidth, outlineStyle, boxShadow])(getComputedStyle(document.activeElement.id === 'files' ? document.querySelector('#drop') : document.activeElement))").await?,
        )?;
        assert!((width != "0px" && style != "none") || shadow != "none", "the focus on {focused} is not seen");
        let at_tile = focused.starts_with("tile");
        met.insert(focused);
        if at_tile {
            break;
        }
    }
    for stop in ["skip", "start-review", "files", "label", "status", "prefix", "tilenotes.png"] {
        let there =
            met.iter().any(|focused| focused == stop || (stop.starts_with("tile") && focused.starts_with("tile")));
        assert!(there, "Tab does not come to {stop}: {met:?}");
    }
    let first = bench.eval("document.activeElement.dataset.key").await?;
    bench.press([Key::Right.into()]).await?;
    let second = bench.eval("document.activeElement.dataset.key").await?;
    assert!(second.is_string() && second != first, "an arrow goes on from {first} to {second}");
    bench.press([Key::Enter.into()]).await?;
    bench.until("document.querySelector('dialog#object').open").await?;
    let key = second.as_str().ok_or("no key")?;
    bench.until(&format!("document.querySelector('#object-name').innerText.includes({})", json!(key))).await?;
    for _ in 0..40 {
        bench.press([TAB]).await?;
        let inside = "document.activeElement === document.body || document.querySelector('dialog#object').contains(document.activeElement)";
        assert_eq!(bench.eval(inside).await?, true, "the focus leaves the dialog");
    }
    bench.press([Key::Escape.into()]).await?;
    bench.until("!document.querySelector('dialog#object').open").await?;
    assert_eq!(bench.eval("document.activeElement.dataset.key").await?, second, "back to where it was opened");

    // A picture is chosen by keyboard too: the chooser opens, which is the browser's own.
    bench.eval("document.getElementById('files').focus()").await?;
    assert_eq!(bench.eval("document.activeElement.id").await?, "files");
    Ok(())
}

pub(super) async fn a_lost_connection_is_said_and_found_again(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    bench.until("document.getElementById('live').innerText === 'Live'").await?;
    bench.served.stop()?;
    bench.until("document.getElementById('live').innerText.includes('trying again')").await?;
    let chooser = bench.find("#files").await?;
    let file = root().join("samples/8.bmp").display().to_string();
    chooser.send_keys(&file).await?;
    bench.until("document.querySelector('#uploads li[data-state=failed]')").await?;
    let told = bench.text("#uploads li").await?;
    assert!(told.contains("not answer"), "{told}");
    bench.served.restart(&bench.home)?;
    bench.until("document.getElementById('live').innerText === 'Live'").await?;
    chooser.send_keys(&file).await?;
    bench.until("document.querySelector('#uploads li[data-state=done]')").await?;
    bench.until(&format!("document.querySelector({})", json!(tile("8.bmp")))).await?;
    bench.only_complains(&["net::ERR_"]).await
}

pub(super) async fn the_page_is_light(bench: &mut Bench) -> Result<(), Failed> {
    bench.put("8.bmp", sample("8.bmp")?).await?;
    bench.open("").await?;
    bench.until("document.querySelector('#charts canvas')").await?;
    let assets = root().join("src/page/assets");
    let loaded =
        bench.eval("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).pathname)").await?;
    let loaded: Vec<String> = serde_json::from_value(loaded)?;
    let of_page: Vec<&str> = loaded.iter().filter_map(|path| path.strip_prefix("/assets/")).collect();
    assert!(of_page.len() > 3, "{loaded:?}");
    for path in &of_page {
        assert!(assets.join(path).is_file(), "{path} is not in {}", assets.display());
    }
    let mut gzipped = 0;
    for file in files(&assets)? {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&std::fs::read(&file)?)?;
        gzipped += encoder.finish()?.len();
    }
    assert!(gzipped < 150_000, "{gzipped} bytes, gzipped");
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(self::files(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

pub(super) async fn axe_finds_nothing_serious(bench: &mut Bench, rules: PathBuf) -> Result<(), Failed> {
    let rules = std::fs::read_to_string(rules)?;
    let mut found = Vec::new();
    bench.open("").await?;
    bench.until("document.querySelector('#empty').checkVisibility()").await?;
    found.extend(look(bench, &rules, "empty").await?);
    some_of_everything(bench).await?;
    for (place, query, drawn) in PLACES {
        bench.open(query).await?;
        bench.until(drawn).await?;
        found.extend(look(bench, &rules, place).await?);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// What is serious or critical here, light and dark.
async fn look(bench: &Bench, rules: &str, place: &str) -> Result<Vec<String>, Failed> {
    bench.browser.client.execute(rules, Vec::new()).await?;
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        bench.colours(scheme).await?;
        let results = bench.eval("axe.run(document, { resultTypes: ['violations'] })").await?;
        assert!(results["passes"].as_array().is_some_and(|passes| passes.len() > 5), "axe-core looked at nothing");
        for violation in results["violations"].as_array().into_iter().flatten() {
            if ["serious", "critical"].iter().any(|impact| violation["impact"] == *impact) {
                found.push(format!("{place}, {scheme}: {}: {}", violation["help"], where_it_is(violation)));
            }
        }
    }
    bench.colours("light").await?;
    Ok(found)
}

fn where_it_is(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().into_iter().flatten();
    nodes.map(|node| format!("{} {}", node["target"], node["failureSummary"])).collect::<Vec<_>>().join("; ")
}
