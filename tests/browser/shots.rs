//! The screenshots of the README, of what a browser really shows.

use std::path::{Path, PathBuf};

use fantoccini::actions::{MouseActions, TouchActions};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use libtest_mimic::Failed;

use super::bench::Bench;
use super::draw::draw;

/// They are in the repository.
const LARGEST: usize = 150_000;

pub(super) async fn the_readme(bench: &mut Bench) -> Result<(), Failed> {
    let named = std::env::var_os(super::bench::SCREENSHOTS).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| bench.home.path().to_owned());
    bench.open("").await?;
    bench.click("#load-samples").await?;
    bench.until("document.querySelectorAll('#gallery button.tile').length >= 15").await?;
    draw(bench, MouseActions::new("mouse".into())).await?;
    bench.until("document.querySelector('#uploads li')?.dataset.state === 'done'").await?;
    bench
        .until("document.querySelector('#strip li[data-step=record]') && document.querySelector('#charts canvas')")
        .await?;
    bench.until("document.querySelectorAll('#gallery button.tile').length >= 16").await?;
    bench.eval("scrollTo({ top: 0, behavior: 'instant' })").await?;
    let tall = "document.querySelector('#gallery').getBoundingClientRect().top + 170";
    let height = bench.eval(tall).await?.as_f64().ok_or("no height")?;
    bench.size(1280, (height as u32).clamp(800, 1_400)).await?;
    save(bench, &folder, "page").await?;

    bench.size(1000, 1000).await?;
    bench.colours("dark").await?;
    bench.open("?object=s3://pictures/photos/7%20phone.jpg").await?;
    bench.until("document.querySelector('#object li[data-step=record]')").await?;
    save(bench, &folder, "object-dark").await?;

    bench.colours("light").await?;
    bench.size(1000, 800).await?;
    bench.open("?view=review").await?;
    bench.until("document.querySelector('#review-picture img')").await?;
    save(bench, &folder, "review").await?;

    bench.colours("dark").await?;
    bench.size(390, 844).await?;
    bench.open("").await?;
    draw(bench, TouchActions::new("finger".into())).await?;
    bench.until("document.querySelector('#strip li[data-step=record]')").await?;
    save(bench, &folder, "phone-dark").await
}

async fn save(bench: &Bench, folder: &Path, name: &str) -> Result<(), Failed> {
    let path = folder.join(format!("{name}.png"));
    bench.still().await?;
    let mut shot = image::load_from_memory(&bench.browser.client.screenshot().await?)?.into_rgb8();
    // 32 shades of each colour are enough to look at, and pack into half the size.
    shot.iter_mut().for_each(|shade| *shade = *shade & 0xf8 | *shade >> 5);
    let mut bytes = Vec::new();
    // The browser is in a hurry when it packs; the repository is not.
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    encoder.write_image(&shot, shot.width(), shot.height(), ExtendedColorType::Rgb8)?;
    assert!(bytes.len() <= LARGEST, "{name}.png has {} bytes", bytes.len());
    Ok(std::fs::write(path, bytes)?)
}
