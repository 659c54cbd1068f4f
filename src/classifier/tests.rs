use super::*;
use crate::preprocess::prepare;
use crate::preprocess::{Fit, Preprocess};

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
    assert_eq!((reading.top.len(), reading.logits.len(), reading.seen.len()), (TOP_K, 10, 784));
    assert!(reading.top.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
    let best = (0..10).max_by(|&a, &b| reading.logits[a].total_cmp(&reading.logits[b])).unwrap();
    assert_eq!(reading.top[0].label, model.manifest().labels[best]);
    assert_eq!(reading.sure, reading.top[0].confidence >= model.manifest().threshold);
}

#[test]
fn a_picture_of_other_channels_is_an_error_and_no_panic() {
    let model = Model::embedded().unwrap();
    let resized = Preprocess::Resize { fit: Fit::Stretch, mean: vec![0.0; 3], std: vec![1.0; 3] };
    let rgb = Picture { channels: Channels::Rgb, pixels: vec![0; 3 * 784], ..blank() };
    let error = model.logits(&prepare(&rgb, &resized, 28, 28).tensor).unwrap_err();
    assert!(error.to_string().starts_with("model digits/1: "), "{error}");
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
    let sha256 = hex(&Sha256::digest(onnx));
    Model::new(Manifest { sha256, ..Manifest::embedded().unwrap() }, onnx, Path::new("a folder"))
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
