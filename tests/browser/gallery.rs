//! What is in the gallery: filters, the live rows, the history of one, the end of many.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use libtest_mimic::Failed;
use serde_json::{Value, json};
use spotter::event::Timestamp;
use spotter::record::{Guess, Order, Record, Status};
use spotter::records::Records;
use spotter::records::embedded::Embedded;

use super::bench::{BUCKET, Bench, tile};
use crate::cloud::sample;
use crate::harness::deadline;
use crate::serve::data;

const KEYS: &str = "[...document.querySelectorAll('#gallery button.tile')].map((tile) => tile.dataset.key).sort()";

/// Waits until the gallery has just these tiles.
async fn shows(bench: &Bench, keys: &[&str]) -> Result<(), Failed> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    let wanted = bench.until(&format!("JSON.stringify({KEYS}) === JSON.stringify({})", json!(keys))).await;
    match wanted {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("the gallery has {} and not {keys:?}", bench.eval(KEYS).await?).into()),
    }
}

pub(super) async fn filters_live_in_the_address(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    for (key, of) in [
        ("in/8.png", "8 small.png"),
        ("in/7 phone.jpg", "photos/7 phone.jpg"),
        ("out/8.bmp", "8.bmp"),
        ("out/notes.png", "notes.png"),
        ("out/scribble.png", "scribble.png"),
    ] {
        bench.put(key, sample(of)?).await?;
    }
    shows(bench, &["in/8.png", "in/7 phone.jpg", "out/8.bmp", "out/notes.png", "out/scribble.png"]).await?;
    assert!(bench.text("#count").await?.contains('5'));

    bench.find("#filters [name=label]").await?.select_by_value("8").await?;
    shows(bench, &["in/8.png", "out/8.bmp"]).await?;
    let prefix = bench.find("#filters [name=prefix]").await?;
    prefix.send_keys("out/").await?;
    shows(bench, &["out/8.bmp"]).await?;
    bench.until("new URLSearchParams(location.search).get('prefix') === 'out/'").await?;
    assert_eq!(bench.eval("new URLSearchParams(location.search).get('label')").await?, "8");

    bench.browser.client.refresh().await?;
    shows(bench, &["out/8.bmp"]).await?;
    assert_eq!(bench.eval("document.querySelector('#filters [name=prefix]').value").await?, "out/");
    assert_eq!(bench.eval("document.querySelector('#filters [name=label]').value").await?, "8");

    bench.browser.client.back().await?;
    shows(bench, &["in/8.png", "out/8.bmp"]).await?;
    assert_eq!(bench.eval("document.querySelector('#filters [name=prefix]').value").await?, "");
    bench.browser.client.forward().await?;
    shows(bench, &["out/8.bmp"]).await?;

    bench.open("?status=rejected").await?;
    shows(bench, &["out/notes.png"]).await?;
    bench.open("?status=unsure").await?;
    shows(bench, &["out/scribble.png"]).await?;
    bench.open("?since=1h&min_confidence=0.9&prefix=in/").await?;
    shows(bench, &["in/8.png", "in/7 phone.jpg"]).await?;
    bench.open("?until=2020-01-01").await?;
    bench.until("document.getElementById('count').innerText.includes('No record')").await?;
    // What comes in is asked the same question as what is there.
    bench.open("?label=8").await?;
    shows(bench, &["in/8.png", "out/8.bmp"]).await?;
    bench.put("later/7.jpg", sample("photos/7 phone.jpg")?).await?;
    bench.put("later/8.bmp", sample("8.bmp")?).await?;
    shows(bench, &["in/8.png", "out/8.bmp", "later/8.bmp"]).await
}

pub(super) async fn what_others_upload_comes_without_a_reload(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    bench.until("document.querySelector('#empty').checkVisibility()").await?;
    bench.until("document.getElementById('live').innerText === 'Live'").await?;
    bench.eval("window.sameDocument = true").await?;
    bench.put("by another client/8.png", sample("8 small.png")?).await?;
    shows(bench, &["by another client/8.png"]).await?;
    assert_eq!(bench.eval("document.querySelector('#empty').checkVisibility()").await?, false);
    // Deleted, it is still what the model saw, and the history knows more.
    bench.s3.delete_object().bucket(BUCKET).key("by another client/8.png").send().await?;
    bench.records("status=deleted&model=", "records.length === 1").await?;
    assert_eq!(bench.eval("window.sameDocument").await?, true);
    Ok(())
}

pub(super) async fn an_empty_page_offers_the_samples(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    bench.click("#load-samples").await?;
    let expected = crate::cloud::samples()?.len();
    bench.until(&format!("document.querySelectorAll('#gallery button.tile').length === {expected}")).await?;
    assert_eq!(bench.eval("document.querySelector('#empty').checkVisibility()").await?, false);
    bench
        .until("document.querySelector('#chart-labels canvas') && document.querySelector('#chart-confidence canvas')")
        .await?;
    Ok(())
}

pub(super) async fn what_came_in_is_counted_and_named(bench: &mut Bench) -> Result<(), Failed> {
    // Every label, and what has none: one kind more than there are colours for labels.
    let one = digit()?;
    let home = Embedded::open(&data(&bench.home).join("records.sqlite"))?;
    let at = Timestamp::now();
    let now = |n: u32| {
        let row = row(n, &one);
        Record { order: Order { event_time: Timestamp(at.0 - i64::from(n)), ..row.order }, ..row }
    };
    let without = |n, status| Record { status, label: None, confidence: None, top: Vec::new(), ..now(n) };
    let of_none = |n, status| Record { model: String::new(), seen: Vec::new(), ..without(n, status) };
    let rows = (0..30).map(now).chain([
        Record { status: Status::Unsure, confidence: Some(0.3), ..now(30) },
        without(31, Status::Rejected),
        without(32, Status::Rejected),
        of_none(33, Status::Deleted),
        of_none(34, Status::Deleted),
        of_none(35, Status::VersionRemoved),
    ]);
    for row in rows {
        home.write(&row, deadline()).await?;
    }
    bench.open("").await?;
    let legend =
        "[...document.querySelectorAll('#legend li')].map((item) => item.innerText.replace(/\\s+/g, ' ').trim())";
    bench.until(&format!("{legend}.length")).await?;
    let labels = (0..10).map(|label| format!("{label} 3"));
    let expected: Vec<String> = labels.chain(["unsure 1".into(), "rejected 2".into()]).collect();
    assert_eq!(bench.eval(legend).await?, json!(expected));
    Ok(())
}

pub(super) async fn an_object_has_its_history(bench: &mut Bench) -> Result<(), Failed> {
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    bench.s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(versioning).send().await?;
    bench.open("").await?;
    let key = "a b/it's \"mine\".png";
    bench.put(key, sample("8 small.png")?).await?;
    bench.records("label=8", "records.length === 1").await?;
    bench.put(key, sample("photos/7 phone.jpg")?).await?;
    bench.records("label=7", "records.length === 1").await?;
    bench.s3.delete_object().bucket(BUCKET).key(key).send().await?;
    let rows = format!(
        "/api/object?bucket={BUCKET}&key={}",
        percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC)
    );
    bench
        .until(&format!(
            "fetch({}).then((answer) => answer.json()).then((known) => known.history?.length === 3)",
            json!(rows)
        ))
        .await?;

    bench.until(&format!("document.querySelector({})", json!(tile(key)))).await?;
    bench.click("#gallery button.tile").await?;
    let lines = "[...document.querySelectorAll('#history tbody tr')].map((row) => row.innerText)";
    bench.until(&format!("{lines}.length === 3")).await?;
    let lines: Vec<String> = serde_json::from_value(bench.eval(lines).await?)?;
    assert!(lines[0].contains("deleted"), "newest first: {lines:?}");
    assert!(lines[1].contains('7') && lines[2].contains('8'), "{lines:?}");
    assert!(bench.eval("new URLSearchParams(location.search).get('object')").await? == format!("s3://{BUCKET}/{key}"));

    // What is copied is for a shell, and safe in it.
    let origin = bench.served.page_url.clone();
    let permission = json!({ "origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    bench.browser.devtools("Browser.grantPermissions", permission).await?;
    let commands: Vec<String> = {
        let mut commands = Vec::new();
        let buttons =
            bench.eval("document.querySelectorAll('#copy button').length").await?.as_u64().ok_or("no buttons")?;
        assert_eq!(buttons, 3);
        for nth in 0..buttons {
            bench.eval("navigator.clipboard.writeText('').then(() => true)").await?;
            let all = bench.browser.client.find_all(fantoccini::Locator::Css("#copy button")).await?;
            all[nth as usize].click().await?;
            let copied = bench.until("navigator.clipboard.readText()").await?;
            commands.push(copied.as_str().unwrap_or_default().to_owned());
        }
        commands
    };
    let quoted = r#"'s3://pictures/a b/it'\''s "mine".png'"#;
    assert_eq!(commands[0], format!("aws s3 cp {quoted} ."));
    assert_eq!(commands[1], format!("spotter get {quoted}"));
    assert!(commands[2].contains(r#"key = 'a b/it''s "mine".png'"#), "{}", commands[2]);

    // Closing goes back; forward opens it again, without a reload.
    bench.press([fantoccini::key::Key::Escape.into()]).await?;
    bench.until("!document.querySelector('dialog#object').open && !location.search.includes('object')").await?;
    bench.browser.client.forward().await?;
    bench.until("document.querySelector('dialog#object').open").await?;
    bench.browser.client.refresh().await?;
    bench.until("document.querySelector('dialog#object').open && document.querySelectorAll('#history tbody tr').length === 3").await?;
    Ok(())
}

/// A row that the model wrote `n` seconds after the beginning of 2026.
fn row(n: u32, seen: &[u8]) -> Record {
    let label = (n % 10).to_string();
    Record {
        bucket: BUCKET.into(),
        key: format!("many/{n:05}.png"),
        order: Order {
            seq: format!("{n:0>16X}0000000000000000"),
            event_time: Timestamp(1_767_225_600_000 + i64::from(n) * 1_000),
            version: format!("v{n}"),
        },
        model: "digits/2".into(),
        status: Status::Classified,
        reason: None,
        why: String::new(),
        label: Some(label.clone()),
        confidence: Some(0.9961),
        top: vec![Guess { label, confidence: 0.9961 }],
        dimensions: Some((640, 480)),
        size: Some(12_345),
        content_type: Some("image/png".into()),
        etag: Some(format!("etag-{n}")),
        version_id: Some(format!("v{n}")),
        seen: seen.to_vec(),
    }
}

/// A picture as the model sees one.
fn digit() -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 28, 28);
    encoder.set_color(png::ColorType::Grayscale);
    let pixels: Vec<u8> = (0..28 * 28).map(|at| if (12..16).contains(&(at % 28)) { 255 } else { 0 }).collect();
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

pub(super) async fn the_end_of_20_000_rows_is_reached(bench: &mut Bench) -> Result<(), Failed> {
    const ROWS: u32 = 20_000;
    const PLACED: u64 = 400; // tiles that may be in the document at once
    let one = digit()?;
    let home = Embedded::open(&data(&bench.home).join("records.sqlite"))?;
    for n in 0..ROWS {
        home.write(&row(n, &one), deadline()).await?;
    }
    bench.open("").await?;
    bench.until("document.querySelectorAll('#gallery button.tile').length > 5").await?;
    let tiles = "document.querySelectorAll('#gallery button.tile').length";
    let (mut most, mut steps) = (0, 0);
    loop {
        let placed = bench.eval(tiles).await?.as_u64().ok_or("no number")?;
        most = most.max(placed);
        assert!(placed <= PLACED, "{placed} tiles are in the document after {steps} screens");
        let last = tile("many/00000.png");
        if bench.eval(&format!("!!document.querySelector({})", json!(last))).await? == true {
            break;
        }
        assert!(steps < 2_000, "the end does not come: {}", bench.text("#count").await?);
        steps += 1;
        let before = bench.eval("document.documentElement.scrollHeight").await?;
        bench.eval("scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })").await?;
        bench
            .until(&format!(
                "document.documentElement.scrollHeight > {before} || document.querySelector({})",
                json!(last)
            ))
            .await?;
    }
    assert!(bench.text("#count").await?.replace(['.', ',', '\u{202f}', ' '], "").contains("20000"));
    // Back to the top, the first are there again, though they were let go.
    bench.eval("scrollTo({ top: 0, behavior: 'instant' })").await?;
    bench.until(&format!("document.querySelector({})", json!(tile("many/19999.png")))).await?;
    let in_view = "[...document.querySelectorAll('#gallery button.tile')].every((tile) => !tile.disabled)";
    bench.until(in_view).await?;
    assert!(most > 10, "{most}");
    let heap: Value = bench.eval("performance.memory.usedJSHeapSize").await?;
    assert!(heap.as_u64().is_some_and(|bytes| bytes < 120_000_000), "{heap} bytes of JavaScript's heap");
    Ok(())
}
