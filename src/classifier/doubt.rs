//! From confidences to what is believed.

use std::fmt;

use super::manifest::Manifest;
use super::{Guess, MOST_LABELS};

/// Why a best guess is not to be believed. If several hold, the first of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    /// The picture shows more than one of what the model takes one of.
    SeveralObjects,
    /// It is rather none of what the model knows: the label that says so, and its confidence.
    Outlier(Guess),
    /// The best guess is less confident than this.
    BelowThreshold(f32),
}

/// In words, as records have it.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::SeveralObjects => f.write_str("several objects, and the model reads one"),
            Doubt::Outlier(Guess { label, confidence }) => write!(f, "an outlier: {label} {confidence:.2}"),
            Doubt::BelowThreshold(threshold) => write!(f, "below threshold {threshold:?}"),
        }
    }
}

/// What a record keeps of all confidences, the most confident first, and whether the best is believed.
pub(super) fn judged(manifest: &Manifest, mut ranked: Vec<Guess>, several: bool) -> (Vec<Guess>, Option<Doubt>) {
    let outlier = manifest.output.outlier.as_ref().and_then(|outlier| {
        let at = ranked.iter().position(|guess| guess.label == outlier.label)?;
        Some(ranked.remove(at)).filter(|guess| guess.confidence >= outlier.threshold)
    });
    let believed = |guess: &Guess| guess.confidence >= manifest.threshold_of(&guess.label);
    if manifest.output.is_multi_label() && ranked.iter().any(believed) {
        ranked.retain(believed);
        ranked.truncate(MOST_LABELS);
        return (ranked, several.then_some(Doubt::SeveralObjects));
    }
    ranked.truncate(manifest.top_k);
    let doubt = match (outlier, ranked.first()) {
        _ if several => Some(Doubt::SeveralObjects),
        (Some(outlier), _) => Some(Doubt::Outlier(outlier)),
        (None, Some(best)) if believed(best) => None,
        (None, best) => {
            Some(Doubt::BelowThreshold(best.map_or(manifest.threshold, |best| manifest.threshold_of(&best.label))))
        }
    };
    (ranked, doubt)
}
