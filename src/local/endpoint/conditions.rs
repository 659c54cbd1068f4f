//! What a request makes its answer depend on.

use http::HeaderMap;
use s3s::dto::{ETagCondition, Timestamp};
use s3s::header::{ETAG, LAST_MODIFIED};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use time::OffsetDateTime;

use super::super::{Condition, StoreError, Version};
use super::values::{etag, http_date};

/// `If-Match` and its kin (RFC 9110, section 13), as S3 combines them.
pub(super) struct Conditions {
    pub matches: Option<ETagCondition>,
    pub none_matches: Option<ETagCondition>,
    pub modified_since: Option<Timestamp>,
    pub unmodified_since: Option<Timestamp>,
}

impl Conditions {
    pub(super) fn check(&self, version: &Version) -> S3Result<()> {
        let is = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == version.etag);
        // HTTP dates have seconds, S3's clock has more.
        let modified = version.modified.0.div_euclid(1000);
        let seconds = |date: &Timestamp| OffsetDateTime::from(date.clone()).unix_timestamp();
        let failed = match (&self.matches, &self.unmodified_since) {
            (Some(condition), _) => !is(condition),
            (None, Some(date)) => modified > seconds(date),
            (None, None) => false,
        };
        if failed {
            return Err(StoreError::PreconditionFailed.into());
        }
        let unmodified = match (&self.none_matches, &self.modified_since) {
            (Some(condition), _) => is(condition),
            (None, Some(date)) => modified <= seconds(date),
            (None, None) => false,
        };
        if unmodified {
            let mut error = S3Error::new(S3ErrorCode::NotModified);
            let mut headers = HeaderMap::new();
            headers.extend(etag(&version.etag).to_http_header().ok().map(|tag| (ETAG, tag)));
            headers.extend(http_date(version.modified).map(|date| (LAST_MODIFIED, date)));
            error.set_headers(headers);
            return Err(error);
        }
        Ok(())
    }
}

pub(super) fn condition(matches: Option<ETagCondition>, none_matches: Option<ETagCondition>) -> S3Result<Condition> {
    match (matches, none_matches) {
        (None, None) => Ok(Condition::Always),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        (Some(ETagCondition::Any), None) => Ok(Condition::Present),
        (Some(ETagCondition::ETag(tag)), None) => Ok(Condition::Etag(tag.into_value())),
        (_, Some(_)) => {
            Err(s3_error!(NotImplemented, "Of an upload's conditions, If-None-Match: * and If-Match are known."))
        }
    }
}
