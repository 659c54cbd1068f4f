//! What people say of what the model said, and what it does to the figures.

use fantoccini::key::Key;
use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::bench::{Bench, tile};
use crate::cloud::sample;

/// Two that the model is sure of, and one that it is not, which is reviewed first.
async fn three_pictures(bench: &Bench) -> Result<(), Failed> {
    bench.open("").await?;
    for (key, of) in [("8.bmp", "8.bmp"), ("7.jpg", "photos/7 phone.jpg"), ("scribble.png", "scribble.png")] {
        bench.put(key, sample(of)?).await?;
    }
    bench.until("document.querySelectorAll('#gallery button.tile').length === 3").await?;
    Ok(())
}

/// Waits until the API counts so; the command line must say the same of the same folder.
async fn accuracy(bench: &Bench, checked: u64, agreed: u64) -> Result<Value, Failed> {
    let is = format!("counted.checked === {checked} && counted.agreed === {agreed} && counted");
    let asked = "fetch('/api/stats').then((answer) => answer.json()).then((stats) => stats.accuracy)";
    let counted = bench.until(&format!("{asked}.then((counted) => {is})")).await?;
    assert_eq!(bench.spotter(&["stats"])?["accuracy"], counted);
    Ok(counted)
}

pub(super) async fn a_key_corrects_and_stats_know(bench: &mut Bench) -> Result<(), Failed> {
    three_pictures(bench).await?;
    accuracy(bench, 0, 0).await?;
    assert_eq!(bench.eval("document.querySelector('#accuracy').checkVisibility()").await?, false);
    bench.click("#start-review").await?;
    bench.until("document.querySelector('#review').checkVisibility() && new URLSearchParams(location.search).get('view') === 'review'").await?;
    let shown = "document.querySelector('#review-object').innerText";
    bench.until(&format!("{shown}.includes('scribble.png')")).await?;
    let said = bench.records("status=unsure", "records.length === 1").await?[0]["label"].as_str().map(str::to_owned);
    let said = said.ok_or("no label")?;
    let right = if said == "5" { '6' } else { '5' };

    bench.press([right]).await?;
    let counted = accuracy(bench, 1, 0).await?;
    assert_eq!(counted["by_label"][&said], json!({ "checked": 1, "agreed": 0 }), "{counted}");
    bench.until(&format!("!{shown}.includes('scribble.png')")).await?;

    bench.press(['u']).await?;
    accuracy(bench, 0, 0).await?;
    bench.until(&format!("{shown}.includes('scribble.png')")).await?;

    bench.press([right]).await?;
    accuracy(bench, 1, 0).await?;
    bench.press([Key::Enter.into()]).await?;
    accuracy(bench, 2, 1).await?;
    bench.until("document.querySelector('#accuracy').innerText.includes('50 %')").await?;
    bench.press([Key::Enter.into()]).await?;
    accuracy(bench, 3, 2).await?;
    bench.until("document.querySelector('#review-done').checkVisibility()").await?;

    // The gallery says so too, and what was reviewed is not asked about again.
    bench.press([Key::Escape.into()]).await?;
    let corrected = format!("document.querySelector({})?.dataset.corrected", json!(tile("scribble.png")));
    assert_eq!(bench.until(&corrected).await?, json!(right.to_string()));
    bench.open("?view=review").await?;
    bench.until("document.querySelector('#review-done').checkVisibility()").await?;
    let listed = bench.api("/api/records?status=unsure").await?;
    assert_eq!(listed["records"][0]["corrected"], json!(right.to_string()), "{listed}");
    Ok(())
}

pub(super) async fn the_dialog_corrects_and_undoes(bench: &mut Bench) -> Result<(), Failed> {
    three_pictures(bench).await?;
    bench.click(&tile("8.bmp")).await?;
    bench.click("#correct button[data-label=\"3\"]").await?;
    accuracy(bench, 1, 0).await?;
    let rows = "[...document.querySelectorAll('#history tbody tr')].map((row) => row.innerText)";
    bench.until(&format!("{rows}.length === 2 && {rows}[0].includes('a person')")).await?;
    bench
        .until("document.querySelector('#correct button[data-label=\"3\"]').getAttribute('aria-pressed') === 'true'")
        .await?;
    bench.click("#correct button[data-label=\"8\"]").await?;
    accuracy(bench, 1, 1).await?;
    bench.click("#uncorrect").await?;
    accuracy(bench, 0, 0).await?;
    bench.until(&format!("{rows}.length === 4")).await?;
    // What was said last stands first, with the time at which it was said.
    let told: Vec<String> = serde_json::from_value(bench.eval(rows).await?)?;
    let parts = ["correction undone", "corrected\t8", "corrected\t3", "classified\t8"];
    assert!(told.iter().zip(parts).all(|(row, part)| row.contains(part)), "{told:?}");
    let times = "[...document.querySelectorAll('#history tbody time')].map((time) => time.dateTime)";
    let times: Vec<String> = serde_json::from_value(bench.eval(times).await?)?;
    assert!(times.is_sorted_by(|later, earlier| later > earlier), "{times:?}");
    // A correction from the shell is there without a reload or a click, once something else comes in.
    let output = crate::cli::spotter(&bench.home).args(["correct", "s3://pictures/8.bmp", "1"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    accuracy(bench, 1, 0).await?;
    bench.browser.client.refresh().await?;
    bench.until(&format!("{rows}.length === 5 && {rows}[0].includes('a person')")).await?;
    Ok(())
}
