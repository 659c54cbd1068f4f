//! The document, its modules and its style: files in the binary, so that the page needs no network.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::answer::{Failure, tagged};

const HTML: &str = "text/html; charset=utf-8";
const INDEX: &[u8] = include_bytes!("assets/index.html");

macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        /// By their paths below `/assets/`.
        const ASSETS: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("assets/", $name)))),*];
    };
}

assets!(
    "accuracy.js",
    "api.js",
    "await.js",
    "charts.js",
    "copy.js",
    "diff.js",
    "dom.js",
    "draw.js",
    "filters.js",
    "gallery.js",
    "icon.svg",
    "journey.js",
    "labels.js",
    "live.js",
    "main.js",
    "object.js",
    "pages.js",
    "problem.js",
    "reencode.js",
    "review.js",
    "send.js",
    "show.js",
    "state.js",
    "stats.js",
    "style.css",
    "tile.js",
    "token.js",
    "uploads.js",
    "uplot-LICENSE.txt",
    "uplot.css",
    "uplot.js",
);

/// Whatever the query: it is the page's own.
pub(super) async fn document(headers: HeaderMap) -> Response {
    tagged(&headers, HTML, Bytes::from_static(INDEX))
}

pub(super) async fn asset(headers: HeaderMap, Path(path): Path<String>) -> Result<Response, Failure> {
    let (name, bytes) = ASSETS
        .iter()
        .find(|(name, _)| *name == path)
        .ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("There is nothing at /assets/{path}.")))?;
    Ok(tagged(&headers, content_type(name), Bytes::from_static(bytes)))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn walk(folder: &Path, below: &str, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), names);
            } else {
                names.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served_with_its_type() {
        let mut there = BTreeSet::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page/assets"), "", &mut there);
        assert!(there.remove("index.html"));
        let served: BTreeSet<String> = ASSETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(there, served);
        for name in served {
            assert_ne!(content_type(&name), "application/octet-stream", "{name} has no known type");
        }
    }
}
