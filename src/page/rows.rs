//! Records as the API answers them: listings, one object's history.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt, stream};
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
/// Objects whose rows are read at once.
const AT_ONCE: usize = 16;

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
    let question = params.question(&shared.model)?;
    let (after, limit) = (params.cursor()?, params.limit(100, 1_000)?);
    let records = &*shared.page.records;
    let page = ask::page(records, &question, after, limit).await?;
    let next = page.next.as_ref().map(ask::cursor_text);
    let records = rows(records, page.records, question.seen).await?;
    json(&headers, &Listed { records, next })
}

/// Each with what people say of it.
pub(super) async fn rows(records: &dyn Records, found: Vec<Record>, seen: bool) -> Result<Vec<Row>, RecordsError> {
    let rows = stream::iter(found).map(|record| async move {
        let corrected = corrected(records, &record).await?;
        let row = if seen { Row::new(record).with_seen() } else { Row::new(record) };
        Ok(Row { corrected: Some(corrected), ..row })
    });
    rows.buffered(AT_ONCE).try_collect().await
}

async fn corrected(_records: &dyn Records, _of: &Record) -> Result<Option<String>, RecordsError> {
    Ok(None)
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
    let records = &*shared.page.records;
    let mut history: Vec<Record> = records::history(records, bucket, key).take(HISTORY + 1).try_collect().await?;
    let more = history.len() > HISTORY;
    history.truncate(HISTORY);
    let current = records::get(records, bucket, key, &shared.model).await?;
    let current = rows(records, current.into_iter().collect(), true).await?.pop();
    let history = rows(records, history, true).await?;
    json(&headers, &Object { current, history, more })
}
