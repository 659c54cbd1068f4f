//! What a person says of a picture: one more row beside the model's, of the same version. It changes no other row, and
//! no model's answer.

use super::{Record, Status};
use crate::event::Timestamp;

/// The model that logs list corrections under. No model's id, which has a `/`.
pub const HUMAN: &str = "human";

impl Record {
    /// That the picture in `of`'s version shows `label`; `None` takes back what was said before.
    pub fn correction(of: &Record, label: Option<&str>, at: Timestamp) -> Record {
        Record {
            model: format!("{HUMAN}@{at}"),
            status: if label.is_some() { Status::Classified } else { Status::Unsure },
            reason: None,
            why: String::new(),
            label: label.map(str::to_owned),
            confidence: label.map(|_| 1.0),
            top: Vec::new(),
            ..of.clone()
        }
    }

    pub fn is_correction(&self) -> bool {
        self.listed_model() == HUMAN
    }

    /// When a person said it; `None` of a model's row and of a listed correction, whose model is just [`HUMAN`].
    pub fn corrected_at(&self) -> Option<Timestamp> {
        let at = self.is_correction().then(|| self.model.strip_prefix(HUMAN)?.strip_prefix('@'))??;
        Timestamp::parse_rfc3339(at)
    }

    /// The model under which listings find it.
    pub fn listed_model(&self) -> &str {
        let by_human = |model: &str| model.strip_prefix(HUMAN).is_some_and(|at| at.is_empty() || at.starts_with('@'));
        // `human@home/1` is a model.
        if by_human(&self.model) && !self.model.contains('/') { HUMAN } else { &self.model }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Guess, Order, Reason};
    use super::*;

    fn unsure() -> Record {
        Record {
            bucket: "pictures".into(),
            key: "a.png".into(),
            order: Order { seq: "0A".into(), event_time: Timestamp(5), version: "v1".into() },
            model: "digits/2".into(),
            status: Status::Unsure,
            reason: Some(Reason::BelowThreshold),
            why: "below threshold 0.80".into(),
            label: Some("8".into()),
            confidence: Some(0.4123),
            top: vec![Guess { label: "8".into(), confidence: 0.4123 }],
            dimensions: Some((640, 480)),
            size: Some(5_000),
            content_type: Some("image/png".into()),
            etag: Some("abc".into()),
            version_id: Some("v1".into()),
            seen: vec![1, 2, 3],
        }
    }

    #[test]
    fn a_correction_is_of_the_same_picture_and_says_nothing_of_a_model() {
        let (of, at) = (unsure(), Timestamp(1_795_226_584_567));
        let corrected = Record::correction(&of, Some("3"), at);
        assert_eq!((&*corrected.model, corrected.listed_model()), ("human@2026-11-21T02:03:04.567Z", "human"));
        assert_eq!((corrected.is_correction(), corrected.corrected_at()), (true, Some(at)));
        assert_eq!((corrected.listed_as(), corrected.confidence), ("3", Some(1.0)));
        let Record { bucket, key, order, dimensions, size, content_type, etag, version_id, seen, .. } = of.clone();
        let same = Record { bucket, key, order, dimensions, size, content_type, etag, version_id, seen, ..corrected };
        assert_eq!(same, Record::correction(&of, Some("3"), at));

        let undone = Record::correction(&same, None, Timestamp(0));
        assert_eq!((undone.status, undone.label, undone.confidence), (Status::Unsure, None, None));
        assert_eq!((undone.reason, &*undone.why, undone.top.len()), (None, "", 0));
    }

    #[test]
    fn only_a_person_without_a_slash_is_human() {
        for (model, listed) in [
            ("human", "human"),
            ("human@2026-11-21T02:03:04.567Z", "human"),
            ("human@home/1", "human@home/1"),
            ("human/1", "human/1"),
            ("humans", "humans"),
            ("digits/2", "digits/2"),
            ("", ""),
        ] {
            let row = Record { model: model.into(), ..unsure() };
            assert_eq!((row.listed_model(), row.is_correction()), (listed, listed == HUMAN), "{model}");
        }
        assert_eq!(Record { model: HUMAN.into(), ..unsure() }.corrected_at(), None);
    }
}
