//! The store's errors in S3's words.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::header::{X_AMZ_DELETE_MARKER, X_AMZ_VERSION_ID};
use s3s::{S3Error, S3ErrorCode, s3_error};

use super::super::StoreError;
use super::values::http_date;

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            StoreError::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
            StoreError::NoSuchKey | StoreError::Deleted { .. } => S3ErrorCode::NoSuchKey,
            StoreError::NoSuchVersion => S3ErrorCode::NoSuchVersion,
            StoreError::IsMarker { .. } => S3ErrorCode::MethodNotAllowed,
            StoreError::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            StoreError::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            StoreError::InvalidPart(_) => S3ErrorCode::InvalidPart,
            StoreError::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            StoreError::PartTooSmall(_) => S3ErrorCode::EntityTooSmall,
            StoreError::KeyLength(0) => S3ErrorCode::InvalidArgument,
            StoreError::KeyLength(_) => S3ErrorCode::KeyTooLongError,
            StoreError::Full(_) => S3ErrorCode::Custom("InsufficientStorage".into()),
            StoreError::InUse(_)
            | StoreError::Layout { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Io { .. }
            | StoreError::Database { .. }
            | StoreError::Corrupt(_) => S3ErrorCode::InternalError,
        };
        let mut answer = S3Error::with_message(code, error.to_string());
        if let StoreError::Full(_) = error {
            answer.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
        }
        match error {
            StoreError::Deleted { version_id } => answer.set_headers(marker_headers(&version_id)),
            StoreError::IsMarker { version_id, modified } => {
                let mut headers = marker_headers(&version_id);
                headers.extend(http_date(modified).map(|date| (http::header::LAST_MODIFIED, date)));
                answer.set_headers(headers);
            }
            _ => {}
        }
        answer
    }
}

fn marker_headers(version_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(X_AMZ_DELETE_MARKER, HeaderValue::from_static("true"));
    headers.extend(HeaderValue::from_str(version_id).ok().map(|id| (X_AMZ_VERSION_ID, id)));
    headers
}

/// An error that `s3s` has no code for.
pub(super) fn custom(code: &'static str, status: StatusCode, message: impl Into<Cow<'static, str>>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// A blocking call that panicked or was cancelled by the runtime's end.
pub(super) fn lost(error: &tokio::task::JoinError) -> S3Error {
    s3_error!(InternalError, "the request was not finished: {error}")
}
