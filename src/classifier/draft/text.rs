//! A manifest as people read it: each line with what it means.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{Draft, LABELS_FILE};
use crate::classifier::manifest::{Manifest, digest};
use crate::preprocess::{ChannelOrder, Mode, Preprocess, Resize};

pub(super) fn manifest(draft: &Draft) -> String {
    let Manifest { name, version, sha256, labels, threshold, top_k, input, preprocess, output } = &draft.manifest;
    let file = draft.onnx.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut text = format!("# Written by `spotter model init` of {file:?}, preset {}.\n", draft.preset);
    for guessed in &draft.guessed {
        line(&mut text, &format!("# Guessed: {guessed}"));
    }
    let (labels, of_labels) = match draft.labels_txt() {
        Some(text) => (
            format!("{{ file = {}, sha256 = {} }}", toml(LABELS_FILE), toml(&digest(text.as_bytes()))),
            "one a line, in the order of the network's outputs",
        ),
        None => (list(labels.iter().map(toml)), "in the order of the network's outputs"),
    };
    line(&mut text, "");
    field(&mut text, "name", &toml(name), "lower-case letters, digits and hyphens");
    field(&mut text, "version", &toml(version), "count it up when the network or this file changes");
    field(&mut text, "sha256", &toml(sha256), "of model.onnx");
    field(&mut text, "labels", &labels, of_labels);
    field(&mut text, "threshold", &number(*threshold), "confidence from which a label is believed");
    field(&mut text, "top_k", &toml(top_k), "guesses that a record keeps, 10 at most");

    line(&mut text, "\n[input]");
    field(&mut text, "layout", &toml(&input.layout), "NCHW or NHWC: batch, channels, height, width");
    field(&mut text, "shape", &list(input.shape), "in that order; 1 channel is grey, 3 are colours");
    match input.order {
        ChannelOrder::Bgr => field(&mut text, "order", "\"bgr\"", "of the channels, and of mean and std: blue first"),
        ChannelOrder::Rgb if input.dimensions().0 == 1 => {}
        ChannelOrder::Rgb => field(&mut text, "order", "\"rgb\"", "\"bgr\" if it was trained on what OpenCV reads"),
    }
    line(&mut text, "\n[preprocess]");
    match preprocess {
        Preprocess::Ink { fit, mean, std } => {
            field(
                &mut text,
                "kind",
                "\"ink\"",
                "one drawn character, found, fitted and centred; then (ink - mean) / std",
            );
            field(&mut text, "fit", &toml(fit), "pixels of the ink's longer side");
            numbers(&mut text, mean, std);
        }
        Preprocess::Resize(resize) => resized(&mut text, resize),
    }
    line(&mut text, "\n[output]");
    let kinds = "logits, probabilities, multi_label_logits or multi_label_probabilities";
    field(&mut text, "kind", &toml(&output.kind), kinds);
    text
}

fn resized(text: &mut String, resize: &Resize) {
    field(text, "kind", "\"resize\"", "then (pixel * scale - mean) / std");
    let mode = match resize.mode {
        Mode::Stretch => "both sides to the input's; or \"fit\", \"centre_crop\"",
        Mode::Fit => "the whole picture, padded; or \"stretch\", \"centre_crop\"",
        Mode::CentreCrop => "the shorter side to shorter_side, then the middle; or \"stretch\", \"fit\"",
    };
    field(text, "mode", &toml(&resize.mode), mode);
    if let Some(side) = resize.shorter_side {
        field(text, "shorter_side", &toml(&side), "pixels");
    }
    field(text, "filter", &toml(&resize.filter), "as Pillow's: bilinear, bicubic, lanczos, box or nearest");
    let of = match resize.scale {
        scale if scale == 1.0 / 255.0 => "1 / 255",
        scale if scale == 1.0 / 127.5 => "1 / 127.5",
        _ => "of a pixel from 0 to 255",
    };
    field(text, "scale", &number(resize.scale), of);
    numbers(text, &resize.mean, &resize.std);
}

/// One a channel, where there are any.
fn numbers(text: &mut String, mean: &[f32], std: &[f32]) {
    for (name, values) in [("mean", mean), ("std", std)] {
        if !values.is_empty() {
            field(text, name, &list(values.iter().copied().map(number)), "");
        }
    }
}

fn field(text: &mut String, name: &str, value: &str, says: &str) {
    let comment = if says.is_empty() { String::new() } else { format!(" # {says}") };
    line(text, &format!("{name} = {value}{comment}"));
}

fn line(text: &mut String, line: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{line}");
}

/// Texts and whole numbers are written in TOML as in JSON.
fn toml(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn list(values: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("[{}]", values.join(", "))
}

/// As short as it is exact.
fn number(value: f32) -> String {
    format!("{value:?}")
}
