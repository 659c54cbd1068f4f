//! Records as the API answers them: listings, what to review, one object's history.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::Shared;
use super::answer::{Failure, json};
use super::query::{Asked, Params};
use crate::ask;
use crate::encoding::base64;
use crate::record::Record;
use crate::records::{self, Records, RecordsError};

/// Changes of one object in one answer.
const HISTORY: usize = 200;

/// A record, and what else is asked of it. A field that is not asked for is not there; `Some(None)` is `null`.
#[derive(Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    record: Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<Option<String>>,
    /// The label that a person gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrected: Option<Option<String>>,
}

impl Row {
    pub(super) fn new(record: Record) -> Row {
        Row { record, seen: None, corrected: None }
    }

    fn corrected(self, label: Option<String>) -> Row {
        Row { corrected: Some(label), ..self }
    }

    /// With the model's input as a PNG, in base64.
    pub(super) fn with_seen(self) -> Row {
        let seen = (!self.record.seen.is_empty()).then(|| base64(&self.record.seen));
        Row { seen: Some(seen), ..self }
    }
}

#[derive(Serialize)]
struct Listed {
    records: Vec<Row>,
    next: Option<String>,
}

pub(super) async fn records(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let question = params.question(&shared.served().await?, shared.page.model.manifest())?;
    let (after, limit) = (params.cursor()?, params.limit(100, 1_000)?);
    let records = &*shared.page.records;
    let page = ask::page(records, &question, after, limit).await?;
    let next = page.next.as_ref().map(ask::cursor_text);
    let records = rows(records, page.records, question.seen).await?;
    json(&headers, &Listed { records, next })
}

/// Each with what people say of it.
async fn rows(records: &dyn Records, found: Vec<Record>, seen: bool) -> Result<Vec<Row>, RecordsError> {
    let said = ask::labels_by_people(records, &found).await?;
    let row = |record| if seen { Row::new(record).with_seen() } else { Row::new(record) };
    Ok(found.into_iter().zip(said).map(|(record, said)| row(record).corrected(said)).collect())
}

#[derive(Serialize)]
struct Reviewed {
    records: Vec<Row>,
}

pub(super) async fn review(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let served = shared.served().await?;
    let (model, limit) = (params.model(&served)?, params.limit(50, 500)?);
    let found = ask::review(&*shared.page.records, model, limit).await?;
    // Nobody said anything of these: that is what they were chosen by.
    let records = found.into_iter().map(|record| Row::new(record).with_seen().corrected(None)).collect();
    json(&headers, &Reviewed { records })
}

#[derive(Serialize)]
struct Object {
    current: Option<Row>,
    history: Vec<Row>,
    /// Whether there are older changes.
    more: bool,
}

pub(super) async fn object(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let (bucket, key) = params.object()?;
    let (records, served) = (&*shared.page.records, shared.served().await?);
    let mut history: Vec<Record> = records::history(records, bucket, key).take(HISTORY + 1).try_collect().await?;
    let more = history.len() > HISTORY;
    history.truncate(HISTORY);
    let current = match records::get(records, bucket, key, &served).await? {
        Some(record) => {
            let said = ask::label_by_people(records, &record).await?;
            Some(Row::new(record).with_seen().corrected(said))
        }
        None => None,
    };
    let said: Vec<Option<String>> = history.iter().map(|row| said_of(row, &history)).collect();
    let history = history.into_iter().zip(said).map(|(row, said)| Row::new(row).with_seen().corrected(said)).collect();
    json(&headers, &Object { current, history, more })
}

/// What people say of the version of `row`, from the rows of its object.
fn said_of(row: &Record, history: &[Record]) -> Option<String> {
    let of_version = history.iter().filter(|other| other.order == row.order && other.is_correction()).cloned();
    records::correction_of(of_version, &row.order)?.label
}
