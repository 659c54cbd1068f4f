//! Drawing on the canvas, with whatever people draw.

use std::time::Duration;

use fantoccini::actions::{
    Actions, InputSource, MOUSE_BUTTON_LEFT, MouseActions, PenActions, PointerAction, TouchActions,
};
use libtest_mimic::Failed;
use serde_json::json;

use super::bench::Bench;

/// A 3 in one stroke, from the top left, in parts of the canvas's width and height.
fn three() -> Vec<(f64, f64)> {
    let bowl = |centre: f64, radius: f64, from: f64, to: f64| {
        (0..=12).map(move |step| {
            let angle = (from + (to - from) * f64::from(step) / 12.0).to_radians();
            (0.48 + radius * angle.cos(), centre + radius * angle.sin())
        })
    };
    // Degrees clockwise from the right: y grows downwards.
    bowl(0.33, 0.16, 205.0, 440.0).chain(bowl(0.67, 0.18, -80.0, 155.0)).collect()
}

/// The way of a pointer over the canvas, as real input events.
pub(super) async fn draw<A: InputSource<Action = PointerAction>>(bench: &Bench, pointer: A) -> Result<(), Failed>
where
    Actions: From<A>,
{
    bench.eval("document.getElementById('draw').scrollIntoView({ block: 'center', behavior: 'instant' })").await?;
    let (left, top, width, height) = canvas(bench).await?;
    let to = |(x, y): (f64, f64), milliseconds: u64| PointerAction::MoveTo {
        duration: Some(Duration::from_millis(milliseconds)),
        x: (left + x * width).round(),
        y: (top + y * height).round(),
    };
    let way = three();
    let start = pointer.then(to(way[0], 0)).then(PointerAction::Down { button: MOUSE_BUTTON_LEFT });
    let drawn = way[1..].iter().fold(start, |pointer, point| pointer.then(to(*point, 15)));
    let done = drawn.then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
    let scrolled = bench.eval("scrollY").await?;
    bench.browser.client.perform_actions(Actions::from(done)).await?;
    assert_eq!(bench.eval("scrollY").await?, scrolled, "a finger on the canvas draws, it does not scroll");
    Ok(())
}

/// Where the canvas is in the window.
async fn canvas(bench: &Bench) -> Result<(f64, f64, f64, f64), Failed> {
    let place = bench
        .eval("(({ x, y, width, height }) => [x, y, width, height])(document.getElementById('draw').getBoundingClientRect())")
        .await?;
    Ok(serde_json::from_value(place)?)
}

/// What the drawing became: in the row, in the gallery, and step by step.
async fn is_a_3(bench: &Bench) -> Result<(), Failed> {
    let records = bench.records("seen=true", "records.length").await?;
    assert_eq!(records.len(), 1, "one drawing is one upload: {records:?}");
    let record = &records[0];
    assert_eq!((&record["label"], &record["status"]), (&"3".into(), &"classified".into()), "{record}");
    bench.look_at_gallery().await?;
    bench.until("document.querySelector('#gallery button.tile[data-status=classified]')").await?;
    assert!(bench.text("#gallery button.tile").await?.contains('3'));
    let seen = "document.querySelector('#gallery button.tile img').naturalWidth";
    assert_eq!(bench.until(seen).await?, 28, "the tile shows what the model saw");
    bench.until("document.querySelector('#uploads li')?.dataset.state === 'done'").await?;
    Ok(())
}

pub(super) async fn a_3_by_mouse_is_a_3_in_gallery_and_journey(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    draw(bench, MouseActions::new("mouse".into())).await?;
    is_a_3(bench).await?;
    bench.click("#gallery button.tile").await?;
    bench.until("document.querySelector('dialog#object').open").await?;
    let steps = "[...document.querySelectorAll('#object #journey li[data-step]')].map((step) => step.dataset.step)";
    bench.until(&format!("{steps}.includes('record')")).await?;
    assert_eq!(bench.eval(steps).await?, json!(["decode", "ink", "seen", "classify", "record"]));
    for step in ["decode", "ink", "seen", "classify"] {
        let text = bench.text(&format!("#object #journey li[data-step={step}]")).await?;
        assert!(text.contains(" ms"), "{step} says how long it took: {text}");
        if step != "classify" {
            let drawn = format!("document.querySelector('#object #journey li[data-step={step}] img')?.naturalWidth");
            assert!(bench.until(&drawn).await?.as_u64() > Some(0), "{step}");
        }
    }
    let classes = bench.text("#object #journey li[data-step=classify]").await?;
    for digit in 0..10 {
        assert!(classes.contains(&digit.to_string()), "a bar for every class: {classes}");
    }
    Ok(())
}

pub(super) async fn a_3_by_touch_is_a_3_on_a_phone(bench: &mut Bench) -> Result<(), Failed> {
    bench.size(360, 740).await?;
    bench.open("").await?;
    draw(bench, TouchActions::new("finger".into())).await?;
    is_a_3(bench).await
}

pub(super) async fn a_3_by_pen_is_a_3(bench: &mut Bench) -> Result<(), Failed> {
    bench.open("").await?;
    draw(bench, PenActions::new("pen".into())).await?;
    is_a_3(bench).await?;
    // The next drawing is another object; the empty canvas between them is none.
    bench.click("#clear").await?;
    draw(bench, PenActions::new("pen".into())).await?;
    let records = bench.records("label=3", "records.length >= 2").await?;
    assert_eq!(records.len(), 2, "{records:?}");
    let all = bench.api("/api/records").await?;
    assert_eq!(all["records"].as_array().map(Vec::len), Some(2), "{all}");
    Ok(())
}
