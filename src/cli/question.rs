//! The flags that say which records.

use std::path::Path;

use clap::Args;

use super::failure::Failure;
use super::home::{self, Asked};
use super::object_url::PrefixUrl;
use super::times::PeriodArgs;
use crate::ask::{self, Question};
use crate::classifier::Manifest;
use crate::config::Settings;
use crate::model_source::ModelSource;
use crate::record::{HUMAN, Status};
use crate::records::{Records, RecordsError};

#[derive(Debug, Clone, Args)]
pub(super) struct QuestionArgs {
    /// s3://bucket or s3://bucket/prefix: only what is there
    #[arg(value_name = "PLACE")]
    place: Option<PrefixUrl>,
    /// A label of the model, or unsure, rejected; with --status unsure, the best guess
    #[arg(long)]
    label: Option<String>,
    /// classified, unsure, rejected, deleted or version_removed
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// At least so sure, from 0 to 1
    #[arg(long, value_parser = confidence, value_name = "NUMBER")]
    min_confidence: Option<f32>,
    /// At most so sure, from 0 to 1
    #[arg(long, value_parser = confidence, value_name = "NUMBER")]
    max_confidence: Option<f32>,
    /// Only keys that begin so, in any bucket or in PLACE
    #[arg(long)]
    prefix: Option<String>,
    /// Deletes and removed versions instead
    #[arg(long, conflicts_with_all = ["label", "model", "status", "min_confidence", "max_confidence"])]
    deleted: bool,
}

impl QuestionArgs {
    pub(super) async fn question(
        self,
        period: PeriodArgs,
        settings: &Settings,
        records: &dyn Records,
    ) -> Result<Question, Failure> {
        let asked = self.asked(settings, records).await?;
        self.about(asked.id, period)
    }

    /// Whose sightings are asked for.
    ///
    /// # Errors
    /// A label that the model does not know.
    pub(super) async fn asked(&self, settings: &Settings, records: &dyn Records) -> Result<Asked, Failure> {
        // Deletes are no model's.
        if self.deleted {
            return Ok(Asked::named(""));
        }
        let asked = model_or_human(settings, records).await?;
        if let (Some(label), Some(manifest)) = (&self.label, &asked.manifest) {
            check_label(label, manifest)?;
        }
        Ok(asked)
    }

    pub(super) fn about(self, model: String, period: PeriodArgs) -> Result<Question, Failure> {
        let (bucket, place_prefix) = match self.place {
            Some(PrefixUrl { bucket, prefix }) => (Some(bucket), Some(prefix).filter(|prefix| !prefix.is_empty())),
            None => (None, None),
        };
        let prefix = match (place_prefix, self.prefix) {
            (Some(place), Some(flag)) => {
                return Err(Failure::Usage(format!("two prefixes, {place} and {flag}: leave one out")));
            }
            (place, flag) => place.or(flag),
        };
        Ok(Question {
            model,
            label: self.label,
            status: self.status,
            min_confidence: self.min_confidence,
            max_confidence: self.max_confidence,
            bucket,
            prefix,
            since: period.since,
            until: period.until,
            current: false,
            seen: false,
        })
    }
}

/// That a bucket has no record at all, if one is asked for: a typo would only find nothing. Looks at no more rows than
/// a page does, so of many rows it may not be known.
pub(super) async fn nothing_of_the_bucket(
    records: &dyn Records,
    Question { model, bucket, .. }: &Question,
) -> Result<Option<String>, RecordsError> {
    let Some(name) = bucket else { return Ok(None) };
    let any = Question { model: model.clone(), bucket: bucket.clone(), ..Question::default() };
    let page = ask::page(records, &any, None, 1).await?;
    let none = !model.is_empty() && page.records.is_empty() && page.next.is_none();
    Ok(none.then(|| format!("no record of bucket {name}{} yet", whose(model))))
}

/// For a sentence that says that there are none.
pub(super) fn whose(model: &str) -> String {
    match model {
        "" => String::new(),
        HUMAN => " corrected by people".to_owned(),
        model => format!(" by {model}"),
    }
}

/// `human` are people's corrections.
async fn model_or_human(settings: &Settings, records: &dyn Records) -> Result<Asked, Failure> {
    match &settings.model {
        ModelSource::Folder(folder) if folder == Path::new(HUMAN) && !folder.exists() => Ok(Asked::named(HUMAN)),
        _ => home::asked(settings, records).await,
    }
}

/// A typo would only find nothing.
fn check_label(label: &str, manifest: &Manifest) -> Result<(), Failure> {
    let statuses = [Status::Unsure, Status::Rejected].map(Status::as_str);
    if statuses.contains(&label) || manifest.labels.iter().any(|known| known == label) {
        return Ok(());
    }
    let (labels, statuses) = (manifest.labels.join(" "), statuses.join(", "));
    Err(Failure::Usage(format!("{} says {labels}, or {statuses}; not {label}", manifest.id())))
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| {
        let names = Status::ALL.map(Status::as_str);
        format!("use one of {}", names.join(", "))
    })
}

/// A typo would only find nothing.
pub(super) fn model(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => Ok(text.to_owned()),
        _ => Err("write its name and version, as in digits/2".to_owned()),
    }
}

fn confidence(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("use a number from 0 to 1, as in 0.8".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidences_are_from_0_to_1() {
        assert_eq!((confidence("0"), confidence("0.85"), confidence("1")), (Ok(0.0), Ok(0.85), Ok(1.0)));
        for bad in ["", "-0.1", "1.01", "80%", "NaN", "inf", "0,8"] {
            assert!(confidence(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn models_have_a_name_and_a_version() {
        assert_eq!(model("digits/2").as_deref(), Ok("digits/2"));
        for bad in ["", "digits", "digits/", "/1", "human"] {
            assert!(model(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn statuses_have_their_own_names() {
        assert!(Status::ALL.into_iter().all(|is| status(is.as_str()) == Ok(is)));
        assert!(status("unsur").is_err_and(|said| said.contains("unsure, rejected")));
    }
}
