//! Answers: JSON with an ETag, or one plain sentence.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody, JsonRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::encoding::hex;
use crate::records::RecordsError;

pub(super) const JSON: &str = "application/json";

/// `answer` as JSON, or 304 where the browser has it already.
pub(super) fn json(asked: &HeaderMap, answer: &impl Serialize) -> Result<Response, Failure> {
    Ok(tagged(asked, JSON, written(answer)?.into()))
}

/// Straight to text: on the way through a `Value` a confidence of `0.996` becomes `0.9959999918937683`.
pub(super) fn written(answer: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(answer).map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

pub(super) fn tagged(asked: &HeaderMap, content_type: &'static str, body: Bytes) -> Response {
    let tag = format!("\"{}\"", hex(&Sha256::digest(&body)[..16]));
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    if known.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
    }
    ([(CONTENT_TYPE, content_type.to_owned()), (ETAG, tag)], body).into_response()
}

/// What a POST sent.
pub(super) fn sent<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Failure> {
    use FailedToBufferBody::UnknownBodyError;
    let Json(sent) = body.map_err(|error| {
        let status = match &error {
            // It came too slowly, or its end never comes, and nobody hears this.
            JsonRejection::BytesRejection(BytesRejection::FailedToBufferBody(UnknownBodyError(_))) => {
                StatusCode::REQUEST_TIMEOUT
            }
            error => error.status(),
        };
        Failure::new(status, sentence(&error.body_text()))
    })?;
    Ok(sent)
}

/// What goes out instead of an answer: `{"error": one plain sentence}`.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }

    /// A typo would find nothing, or stay in every statistic.
    pub(super) fn unknown_label(label: &str, model: &str, known: &[&str]) -> Failure {
        const NAMED: usize = 50;
        let (named, rest) = known.split_at(known.len().min(NAMED));
        let more = if rest.is_empty() { "" } else { ", and others (/api/about has all)" };
        Failure::bad_request(format!("The model {model} says {}{more}; not '{label}'.", named.join(", ")))
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Failure {
        match error {
            RecordsError::Unavailable(why) => {
                Failure::unavailable(format!("The records cannot be reached now: {why}."))
            }
            RecordsError::Broken(why) => Failure::internal(format!("The records cannot be read: {why}.")),
        }
    }
}

impl From<QueryRejection> for Failure {
    fn from(error: QueryRejection) -> Failure {
        Failure::new(error.status(), sentence(&error.body_text()))
    }
}

fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.message }))).into_response()
    }
}
