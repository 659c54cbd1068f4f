use super::*;
use crate::preprocess::prepare;
use crate::preprocess::{Filter, Mode, Preprocess, Resize};

fn blank() -> Picture {
    Picture { width: 28, height: 28, channels: Channels::Luma, pixels: vec![0; 784] }
}

#[test]
fn softmax_keeps_its_sum_and_its_order_at_any_size_of_logits() {
    for logits in [vec![1.0, 2.0, 3.0], vec![-1e4, 1e4], vec![500.0; 4], vec![-90.0, -91.0]] {
        let probabilities = softmax(&logits);
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{logits:?}: {probabilities:?}");
        assert!(probabilities.iter().all(|probability| (0.0..=1.0).contains(probability)), "{probabilities:?}");
        for i in 1..logits.len() {
            assert_eq!(logits[i - 1] < logits[i], probabilities[i - 1] < probabilities[i], "{logits:?}");
        }
    }
}

#[test]
fn confidences_are_rounded_so_that_records_do_not_depend_on_the_processor() {
    assert_eq!(rounded(0.123_449), 0.1234);
    assert_eq!(rounded(0.123_451), 0.1235);
    assert_eq!(rounded(0.999_98), 1.0);
}

#[test]
fn a_reading_has_the_best_guesses_first_and_what_the_model_saw() {
    let model = Model::embedded().unwrap();
    let reading = model.read(&blank()).unwrap();
    assert_eq!((reading.top.len(), reading.logits.len(), reading.seen.len()), (3, 11, 784));
    assert!(reading.top.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
    let best = (0..10).max_by(|&a, &b| reading.logits[a].total_cmp(&reading.logits[b])).unwrap();
    assert_eq!(reading.top[0].label, model.manifest().labels[best]);
    assert!(matches!(reading.doubt, Some(Doubt::Outlier(_))), "nothing is drawn: {:?}", reading.doubt);
}

#[test]
fn a_picture_of_other_channels_is_an_error_and_no_panic() {
    let model = Model::embedded().unwrap();
    let resized = Preprocess::Resize(Resize {
        mode: Mode::Stretch,
        shorter_side: None,
        filter: Filter::Bilinear,
        pad: None,
        scale: 1.0,
        mean: Vec::new(),
        std: Vec::new(),
    });
    let rgb = Picture { channels: Channels::Rgb, pixels: vec![0; 3 * 784], ..blank() };
    let error = model.logits(&prepare(&rgb, &resized, 28, 28).tensor).unwrap_err();
    assert!(error.to_string().starts_with("model digits/2: "), "{error}");
}

/// The embedded network with some weights that are not numbers.
fn with_nan(onnx: &[u8]) -> Vec<u8> {
    let mut onnx = onnx.to_vec();
    // Of the dense layer, which stands last: a ReLU would take them for 0. Any alignment of all ones is NaN.
    let near_end = onnx.len() - 5_000;
    onnx[near_end..near_end + 16].fill(0xff);
    onnx
}

fn load(onnx: &[u8]) -> Result<Model, ModelError> {
    let sha256 = manifest::digest(onnx);
    Model::new(Manifest { sha256, ..Manifest::embedded().unwrap() }, onnx, Path::new("a folder"))
}

#[test]
fn the_embedded_network_is_the_one_that_its_manifest_means() {
    assert_eq!(manifest::digest(EMBEDDED_ONNX), Manifest::embedded().unwrap().sha256);
}

#[test]
fn an_output_that_is_not_finite_is_refused() {
    let error = match load(&with_nan(EMBEDDED_ONNX)) {
        // Zeros times NaN are NaN too, but a bias may hide behind ReLU until there is ink.
        Ok(model) => model.read(&Picture { pixels: vec![255; 784], ..blank() }).unwrap_err(),
        Err(error) => error,
    };
    assert!(error.to_string().contains("not finite"), "{error}");
}

#[test]
fn a_file_that_is_no_network_is_an_error_and_no_panic() {
    for onnx in [&b"\x3a\x00"[..], b"", b"\x3a\x02\x0a\x00"] {
        let error = load(onnx).unwrap_err();
        assert!(error.to_string().contains("model.onnx in a folder"), "{error}");
    }
}

fn ranked(confidences: &[(&str, f32)]) -> Vec<Guess> {
    let mut ranked: Vec<Guess> = confidences
        .iter()
        .map(|(label, confidence)| Guess { label: (*label).to_owned(), confidence: *confidence })
        .collect();
    ranked.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    ranked
}

fn judging(kind: OutputKind, outlier: Option<f32>) -> Manifest {
    let labels = ["cat", "dog", "none"].map(str::to_owned).to_vec();
    let outlier = outlier.map(|threshold| Outlier { label: "none".into(), threshold });
    let output = Output { kind, outlier, thresholds: [("dog".to_owned(), 0.3)].into() };
    Manifest { labels, output, threshold: 0.6, top_k: 2, ..Manifest::embedded().unwrap() }
}

/// Labels that are kept, and why they are doubted.
fn judged(manifest: &Manifest, confidences: &[(&str, f32)], several: bool) -> (String, String) {
    let (top, doubt) = doubt::judged(manifest, ranked(confidences), several);
    let labels: Vec<String> = top.into_iter().map(|guess| guess.label).collect();
    (labels.join(" "), doubt.map(|doubt| doubt.to_string()).unwrap_or_default())
}

#[test]
fn the_first_of_several_doubts_is_told_and_the_guess_is_never_the_outlier() {
    let manifest = judging(OutputKind::Logits, Some(0.5));
    let (outlier, sure, unsure, half) = (
        [("cat", 0.02), ("dog", 0.01), ("none", 0.97)],
        [("cat", 0.6), ("dog", 0.0), ("none", 0.4)],
        [("cat", 0.59), ("dog", 0.0), ("none", 0.41)],
        [("cat", 0.5), ("dog", 0.0), ("none", 0.5)],
    );
    let several = "several objects, and the model reads one";
    for (confidences, seen_several, doubt) in [
        (outlier, false, "an outlier: none 0.97"),
        (outlier, true, several),
        (sure, false, ""),
        (sure, true, several),
        (unsure, false, "below threshold 0.6"),
        (unsure, true, several),
        (half, false, "an outlier: none 0.50"),
    ] {
        assert_eq!(judged(&manifest, &confidences, seen_several), ("cat dog".into(), doubt.into()), "{confidences:?}");
    }
    // Without an outlier it is a label like the others; a label may have its own threshold.
    let manifest = judging(OutputKind::Probabilities, None);
    assert_eq!(judged(&manifest, &outlier, false), ("none cat".into(), String::new()));
    assert_eq!(judged(&manifest, &[("dog", 0.4), ("cat", 0.3), ("none", 0.3)], false).1, "");
    assert_eq!(judged(&manifest, &[("dog", 0.2), ("cat", 0.1), ("none", 0.1)], false).1, "below threshold 0.3");
}

#[test]
fn of_several_labels_each_that_reaches_its_threshold_is_kept() {
    let manifest = judging(OutputKind::MultiLabelLogits, None);
    for (cat, dog, none, kept, doubt) in [
        (0.9, 0.3, 0.7, "cat none dog", ""),
        (0.9, 0.29, 0.59, "cat", ""),
        (0.5, 0.4, 0.3, "dog", ""),
        (0.5, 0.2, 0.1, "cat dog", "below threshold 0.6"),
        (0.1, 0.2, 0.0, "dog cat", "below threshold 0.3"),
    ] {
        let confidences = [("cat", cat), ("dog", dog), ("none", none)];
        assert_eq!(judged(&manifest, &confidences, false), (kept.into(), doubt.into()), "{confidences:?}");
    }
    assert_eq!(sigmoid(0.0), 0.5);
    assert!(sigmoid(-200.0) == 0.0 && sigmoid(200.0) == 1.0);
}

#[test]
fn a_file_of_labels_may_end_as_editors_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let manifest =
        include_str!("../../model/digits/manifest.toml").replace("labels = [", "labels = \"labels.txt\"\n# [");
    std::fs::write(folder.path().join("manifest.toml"), manifest).unwrap();
    let expected = Manifest::embedded().unwrap();
    for text in [
        "\u{feff}0\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\nno-digit\r\n",
        "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\nno-digit\n\n\n",
    ] {
        std::fs::write(folder.path().join("labels.txt"), text).unwrap();
        assert_eq!(Manifest::from_folder(folder.path()).unwrap(), expected);
    }
    std::fs::write(folder.path().join("labels.txt"), "0\n\n1\n").unwrap();
    let error = Manifest::from_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("labels must be one non-empty text an output"), "{error}");
}
