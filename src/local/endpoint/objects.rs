//! Objects: put, post, get, head, copy, delete.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use s3s::dto::*;
use s3s::header::{ETAG, LAST_MODIFIED};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use time::OffsetDateTime;

use super::super::{Attributes, Checksums, Condition, StoreError, Version, Written};
use super::body::{Expected, receive};
use super::errors::custom;
use super::service::Service;
use crate::event;
use crate::event::make::EventName;

/// As many keys as S3 deletes at once.
const MOST_DELETED: usize = 1000;

impl Service {
    pub(super) async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        // A browser's form comes here too, once `s3s` has checked its policy: signature, expiry, conditions.
        let created = if request.method == Method::POST { EventName::Post } else { EventName::Put };
        if request.region.is_none() {
            return Err(s3_error!(InvalidRequest, "Sign the policy with AWS4-HMAC-SHA256 (Signature Version 4)."));
        }
        let mut input = request.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        // Before the body is taken in for nothing; the transaction looks again.
        self.blocking(move |store| store.bucket(&bucket)).await?;
        let condition = condition(input.if_match.take(), input.if_none_match.take())?;
        let expected = Expected {
            length: input.content_length,
            md5: input.content_md5.take(),
            checksums: Checksums {
                crc32: input.checksum_crc32.take(),
                crc32c: input.checksum_crc32c.take(),
                crc64nvme: input.checksum_crc64nvme.take(),
                sha1: input.checksum_sha1.take(),
                sha256: input.checksum_sha256.take(),
            },
            announced: Expected::announced(&request.headers),
            trailers: request.trailing_headers,
            algorithm: input.checksum_algorithm.take().map(|algorithm| algorithm.as_str().to_owned()),
        };
        let staged = receive(&self.store, input.body.take(), &expected).await?;
        let sums = staged.checksums.clone();
        let attributes = Attributes {
            content_type: input.content_type.map(|kind| kind.to_string()),
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding.and_then(|encoding| stored_encoding(&encoding)),
            content_language: input.content_language,
            expires: input.expires.and_then(|expires| date_text(&expires)),
            metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            checksums: sums.clone(),
        };
        let bucket = input.bucket;
        let put =
            move |store: &super::super::Store| store.put(&bucket, &key, &staged, &attributes, &condition, created);
        let written = self.blocking(put).await?;
        let checksum_type = has_any(&sums).then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT));
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag(&written.etag)),
            version_id: written.version_id,
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type,
            ..Default::default()
        }))
    }

    pub(super) async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let (bucket, key, version_id) = (input.bucket, input.key, input.version_id);
        let (version, body) = self.blocking(move |store| store.get(&bucket, &key, version_id.as_deref())).await?;
        let conditions = Conditions {
            matches: input.if_match,
            none_matches: input.if_none_match,
            modified_since: input.if_modified_since,
            unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&version)?;
        let extent = Extent::of(&version, input.range, input.part_number)?;
        let stream = body.stream(extent.bytes.clone());
        let attributes = version.attributes;
        // A checksum is of the whole object: beside a part of it, clients would take it for the part's.
        let sums = match input.checksum_mode {
            Some(_) if extent.content_range.is_none() => attributes.checksums,
            _ => Checksums::default(),
        };
        let checksum_type = has_any(&sums).then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT));
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(stream)),
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(extent.length()),
            content_range: extent.content_range,
            parts_count: extent.parts_count,
            content_type: attributes.content_type,
            cache_control: attributes.cache_control,
            content_disposition: attributes.content_disposition,
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            expires: attributes.expires.as_deref().and_then(date_from_text),
            metadata: Some(attributes.metadata.into_iter().collect()),
            e_tag: Some(etag(&version.etag)),
            last_modified: Some(timestamp(version.modified)),
            version_id: version.version_id,
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type,
            ..Default::default()
        }))
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let (bucket, key, version_id) = (input.bucket, input.key, input.version_id);
        let version = self.blocking(move |store| store.head(&bucket, &key, version_id.as_deref())).await?;
        let conditions = Conditions {
            matches: input.if_match,
            none_matches: input.if_none_match,
            modified_since: input.if_modified_since,
            unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&version)?;
        let extent = Extent::of(&version, input.range, input.part_number)?;
        let attributes = version.attributes;
        let sums = match input.checksum_mode {
            Some(_) if extent.content_range.is_none() => attributes.checksums,
            _ => Checksums::default(),
        };
        let checksum_type = has_any(&sums).then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT));
        let status = extent.content_range.as_ref().map(|_| StatusCode::PARTIAL_CONTENT);
        let mut response = S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(extent.length()),
            content_range: extent.content_range,
            parts_count: extent.parts_count,
            content_type: attributes.content_type,
            cache_control: attributes.cache_control,
            content_disposition: attributes.content_disposition,
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            expires: attributes.expires.as_deref().and_then(date_from_text),
            metadata: Some(attributes.metadata.into_iter().collect()),
            e_tag: Some(etag(&version.etag)),
            last_modified: Some(timestamp(version.modified)),
            version_id: version.version_id,
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type,
            ..Default::default()
        });
        response.status = status;
        Ok(response)
    }

    pub(super) async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let source = source(&input.copy_source)?;
        let replaces =
            input.metadata_directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let itself = (source.0.as_str(), source.1.as_str(), None) == (&input.bucket, &input.key, source.2.as_deref());
        if itself && !replaces {
            let message = "An object is copied to itself only to replace its metadata (x-amz-metadata-directive).";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let attributes = replaces.then(|| Attributes {
            content_type: input.content_type.map(|kind| kind.to_string()),
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding.and_then(|encoding| stored_encoding(&encoding)),
            content_language: input.content_language,
            expires: input.expires.and_then(|expires| date_text(&expires)),
            metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            checksums: Checksums::default(),
        });
        let conditions = Conditions {
            matches: input.copy_source_if_match,
            none_matches: input.copy_source_if_none_match,
            modified_since: input.copy_source_if_modified_since,
            unmodified_since: input.copy_source_if_unmodified_since,
        };
        let (copied, written) = self
            .blocking(move |store| {
                let from = (source.0.as_str(), source.1.as_str(), source.2.as_deref());
                // Of a copy's conditions each failure is a 412.
                let accept = |version: &Version| conditions.check(version).map_err(|_| StoreError::PreconditionFailed);
                store.copy(from, (&input.bucket, &input.key), attributes.as_ref(), accept)
            })
            .await?;
        let Written { version_id, etag: tag, modified } = written;
        let result = CopyObjectResult {
            e_tag: Some(etag(&tag)),
            last_modified: Some(timestamp(modified)),
            ..Default::default()
        };
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: copied.version_id,
            version_id,
            ..Default::default()
        }))
    }

    pub(super) async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, version_id, if_match, .. } = request.input;
        let condition = condition(if_match, None)?;
        let removed =
            self.blocking(move |store| store.delete(&bucket, &key, version_id.as_deref(), &condition)).await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: removed.marker.then_some(true),
            version_id: removed.version_id,
            ..Default::default()
        }))
    }

    pub(super) async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if delete.objects.len() > MOST_DELETED {
            return Err(s3_error!(MalformedXML, "At most {MOST_DELETED} keys are deleted at once."));
        }
        let quiet = delete.quiet.unwrap_or(false);
        let (deleted, errors) = self
            .blocking(move |store| {
                store.bucket(&bucket)?;
                let (mut deleted, mut errors) = (Vec::new(), Vec::new());
                for ObjectIdentifier { key, version_id, e_tag, .. } in delete.objects {
                    let condition = e_tag.map_or(Condition::Always, |tag| Condition::Etag(tag.into_value()));
                    match store.delete(&bucket, &key, version_id.as_deref(), &condition) {
                        Ok(removed) => deleted.push(DeletedObject {
                            delete_marker: removed.marker.then_some(true),
                            delete_marker_version_id: removed.version_id.filter(|_| removed.marker),
                            key: Some(key),
                            version_id,
                        }),
                        Err(error) => {
                            let error = S3Error::from(error);
                            errors.push(Error {
                                code: Some(error.code().as_str().to_owned()),
                                message: error.message().map(str::to_owned),
                                key: Some(key),
                                version_id,
                            });
                        }
                    }
                }
                Ok((deleted, errors))
            })
            .await?;
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            ..Default::default()
        }))
    }
}

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

/// The bytes of an object that are asked for.
pub(super) struct Extent {
    pub bytes: std::ops::Range<u64>,
    pub content_range: Option<String>,
    pub parts_count: Option<i32>,
}

impl Extent {
    fn of(version: &Version, range: Option<Range>, part: Option<i32>) -> S3Result<Self> {
        let size = version.size;
        let (bytes, parts_count) = match (range, part) {
            (Some(_), Some(_)) => {
                return Err(s3_error!(InvalidRequest, "Ask for a range or for a part, not for both."));
            }
            (None, None) => return Ok(Self { bytes: 0..size, content_range: None, parts_count: None }),
            (Some(range), None) => (range.check(size).map_err(|_| unsatisfiable(size))?, None),
            // An empty object has no segment, and is part 1 of itself.
            (None, Some(1)) if size == 0 => return Ok(Self { bytes: 0..0, content_range: None, parts_count: None }),
            (None, Some(n)) => {
                let i = usize::try_from(n).ok().and_then(|n| n.checked_sub(1));
                let Some((i, length)) = i.and_then(|i| Some((i, *version.parts.get(i)?))) else {
                    return Err(custom(
                        "InvalidPartNumber",
                        StatusCode::RANGE_NOT_SATISFIABLE,
                        "The object has no such part.",
                    ));
                };
                let start: u64 = version.parts[..i].iter().sum();
                // Only what was uploaded in parts counts them.
                let multipart = version.etag.contains('-');
                (start..start + length, multipart.then(|| i32::try_from(version.parts.len()).unwrap_or(i32::MAX)))
            }
        };
        let content_range = Some(format!("bytes {}-{}/{size}", bytes.start, bytes.end.saturating_sub(1)));
        Ok(Self { bytes, content_range, parts_count })
    }

    fn length(&self) -> i64 {
        i64::try_from(self.bytes.end - self.bytes.start).unwrap_or(i64::MAX)
    }
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The range is not within the object's {size} bytes.");
    let mut headers = HeaderMap::new();
    let range = HeaderValue::from_str(&format!("bytes */{size}")).ok();
    headers.extend(range.map(|range| (http::header::CONTENT_RANGE, range)));
    error.set_headers(headers);
    error
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

/// Bucket, key and version id.
pub(super) fn source(source: &CopySource) -> S3Result<(String, String, Option<String>)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            Ok((bucket.to_string(), key.to_string(), version_id.as_deref().map(str::to_owned)))
        }
        _ => Err(s3_error!(NotImplemented, "A copy's source is /bucket/key.")),
    }
}

pub(super) fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// `None` where the encoding was the upload's framing only.
pub(super) fn stored_encoding(encoding: &str) -> Option<String> {
    let kept: Vec<&str> = encoding.split(',').map(str::trim).filter(|name| *name != "aws-chunked").collect();
    let kept = kept.join(",");
    (!kept.is_empty()).then_some(kept)
}

pub(super) fn has_any(sums: &Checksums) -> bool {
    *sums != Checksums::default()
}

pub(super) fn timestamp(time: event::Timestamp) -> Timestamp {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0) * 1_000_000);
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH).into()
}

pub(super) fn http_date(time: event::Timestamp) -> Option<HeaderValue> {
    date_text(&timestamp(time)).and_then(|text| HeaderValue::from_str(&text).ok())
}

pub(super) fn date_text(date: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    date.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

fn date_from_text(text: &str) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, text).ok()
}
