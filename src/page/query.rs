//! What stands behind the `?`: which records, and where to go on.

use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;

use super::answer::Failure;
use crate::ask::{self, By, Question};
use crate::classifier::Manifest;
use crate::event::Timestamp;
use crate::record::{HUMAN, Status};
use crate::records::Cursor;

pub(super) type Asked = Result<Query<Params>, QueryRejection>;

/// All texts, so that what is wrong with one is said in our words. An empty one is none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)] // a filter with a typo would filter nothing
pub(super) struct Params {
    pub(super) model: Option<String>,
    pub(super) a: Option<String>,
    pub(super) b: Option<String>,
    pub(super) label: Option<String>,
    pub(super) status: Option<String>,
    pub(super) min_confidence: Option<String>,
    pub(super) max_confidence: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) current: Option<String>,
    pub(super) seen: Option<String>,
    pub(super) by: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) cursor: Option<String>,
}

/// What an empty input of a form is: nothing.
fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|text| !text.is_empty())
}

impl Params {
    pub(super) fn of(asked: Asked) -> Result<Params, Failure> {
        let Query(params) = asked?;
        Ok(params)
    }

    /// The object that is named.
    pub(super) fn object(&self) -> Result<(&str, &str), Failure> {
        match (given(&self.bucket), given(&self.key)) {
            (Some(bucket), Some(key)) => Ok((bucket, key)),
            _ => Err(Failure::bad_request("Name the object: ?bucket=…&key=…")),
        }
    }

    /// The two models that are compared.
    pub(super) fn models(&self) -> Result<(&str, &str), Failure> {
        match (given(&self.a), given(&self.b)) {
            (Some(a), Some(b)) => Ok((model(a)?, model(b)?)),
            _ => Err(Failure::bad_request("Name two models: ?a=name/1&b=name/2")),
        }
    }

    pub(super) fn limit(&self, usual: usize, most: usize) -> Result<usize, Failure> {
        match given(&self.limit) {
            None => Ok(usual),
            Some(text) => match text.parse() {
                Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
                _ => Err(Failure::bad_request(format!("The limit '{text}' is not a number from 1 to {most}."))),
            },
        }
    }

    pub(super) fn cursor(&self) -> Result<Option<Cursor>, Failure> {
        let Some(text) = given(&self.cursor) else { return Ok(None) };
        let cursor = ask::parse_cursor(text).ok_or_else(|| {
            Failure::bad_request(format!(
                "The cursor '{text}' is not one that an answer gave as its next; leave it out to start anew."
            ))
        })?;
        Ok(Some(cursor))
    }

    /// The model that is named, else the one that is served.
    pub(super) fn model<'a>(&'a self, served: &'a str) -> Result<&'a str, Failure> {
        given(&self.model).map_or(Ok(served), model)
    }

    /// The same, or whoever corrects.
    pub(super) fn model_or_human<'a>(&'a self, served: &'a str) -> Result<&'a str, Failure> {
        if given(&self.model) == Some(HUMAN) { Ok(HUMAN) } else { self.model(served) }
    }

    pub(super) fn question(&self, served: &str, manifest: &Manifest) -> Result<Question, Failure> {
        let model = self.model_or_human(served)?;
        // What other models say, or said when people corrected them, is not known here.
        let known = (model == manifest.id()).then_some(manifest);
        Ok(Question {
            model: model.to_owned(),
            label: given(&self.label).map(|label| listed_as(label, known)).transpose()?,
            status: given(&self.status).map(status).transpose()?,
            min_confidence: confidence("min_confidence", given(&self.min_confidence))?,
            max_confidence: confidence("max_confidence", given(&self.max_confidence))?,
            bucket: given(&self.bucket).map(str::to_owned),
            prefix: given(&self.prefix).map(str::to_owned),
            since: self.since()?,
            until: self.until()?,
            current: flag("current", given(&self.current))?,
            seen: flag("seen", given(&self.seen))?,
        })
    }

    pub(super) fn by(&self) -> Result<By, Failure> {
        let Some(text) = given(&self.by) else { return Ok(By::Day) };
        By::parse(text).ok_or_else(|| Failure::bad_request(format!("Statistics are by hour or day, not '{text}'.")))
    }

    pub(super) fn since(&self) -> Result<Option<Timestamp>, Failure> {
        given(&self.since).map(when).transpose()
    }

    pub(super) fn until(&self) -> Result<Option<Timestamp>, Failure> {
        given(&self.until).map(when).transpose()
    }
}

/// A typo would only find nothing.
fn model(text: &str) -> Result<&str, Failure> {
    match text.split_once('/') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => Ok(text),
        _ => Err(Failure::bad_request(format!("'{text}' is no model: write name and version, as in digits/2."))),
    }
}

/// One of the model's labels, or the status of what has none.
fn listed_as(label: &str, model: Option<&Manifest>) -> Result<String, Failure> {
    if let Some(manifest) = model {
        let mut known: Vec<&str> = manifest.labels.iter().map(String::as_str).collect();
        for status in Status::ALL.into_iter().filter(|status| *status != Status::Classified) {
            known.push(status.as_str());
        }
        if !known.contains(&label) {
            return Err(Failure::unknown_label(label, &manifest.id(), &known));
        }
    }
    Ok(label.to_owned())
}

fn status(text: &str) -> Result<Status, Failure> {
    Status::parse(text).ok_or_else(|| {
        let all = Status::ALL.map(Status::as_str).join(", ");
        Failure::bad_request(format!("The status '{text}' is none of {all}."))
    })
}

fn confidence(name: &str, text: Option<&str>) -> Result<Option<f32>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match f32::from_str(text) {
        Ok(confidence) if (0.0..=1.0).contains(&confidence) => Ok(Some(confidence)),
        _ => Err(Failure::bad_request(format!("The {name} '{text}' is not a number from 0 to 1."))),
    }
}

fn flag(name: &str, text: Option<&str>) -> Result<bool, Failure> {
    match text {
        Some("true") => Ok(true),
        None | Some("false") => Ok(false),
        Some(other) => Err(Failure::bad_request(format!("{name} is true or false, not '{other}'."))),
    }
}

fn when(text: &str) -> Result<Timestamp, Failure> {
    ask::when(text, Timestamp::now()).map_err(|why| Failure::bad_request(format!("{why}.")))
}
