//! The store's values as S3 writes them, and back.

use http::HeaderValue;
use s3s::dto::{ChecksumType, CopySource, ETag, Timestamp, TimestampFormat};
use s3s::{S3Result, s3_error};
use time::OffsetDateTime;

use super::super::Checksums;
use crate::event;

/// What S3 answers where the upload did not say it.
pub(super) const UNKNOWN_CONTENT: &str = "binary/octet-stream";

/// The attributes in an input: several operations have the same fields, and no type in common.
macro_rules! attributes {
    ($input:ident, $checksums:expr) => {
        Attributes {
            content_type: $input.content_type,
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $input.content_encoding.and_then(|encoding| values::stored_encoding(&encoding)),
            content_language: $input.content_language,
            expires: $input.expires.and_then(|expires| values::date_text(&expires)),
            metadata: $input.metadata.unwrap_or_default().into_iter().collect(),
            checksums: $checksums,
        }
    };
}

/// The checksums in an input.
macro_rules! checksums {
    ($input:ident) => {
        Checksums {
            crc32: $input.checksum_crc32,
            crc32c: $input.checksum_crc32c,
            crc64nvme: $input.checksum_crc64nvme,
            sha1: $input.checksum_sha1,
            sha256: $input.checksum_sha256,
        }
    };
}

/// An output with checksums.
macro_rules! with_checksums {
    ($sums:ident, $output:ident { $($field:ident: $value:expr),* $(,)? } $(.. $rest:expr)?) => {
        $output {
            $($field: $value,)*
            checksum_crc32: $sums.crc32,
            checksum_crc32c: $sums.crc32c,
            checksum_crc64nvme: $sums.crc64nvme,
            checksum_sha1: $sums.sha1,
            checksum_sha256: $sums.sha256,
            $(..$rest)?
        }
    };
}

/// The output of GET or HEAD: everything about a version but its bytes.
macro_rules! described {
    ($version:ident, $extent:ident, $mode:expr, $output:ident { $($field:ident: $value:expr),* }) => {{
        let attributes = $version.attributes;
        // A checksum is of the whole object: beside a part of it, clients would take it for the part's.
        let sums = match $mode {
            Some(_) if $extent.content_range.is_none() => attributes.checksums,
            _ => Checksums::default(),
        };
        values::with_checksums!(sums, $output {
            checksum_type: values::checksum_type(&sums),
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some($extent.length()),
            content_range: $extent.content_range,
            parts_count: $extent.parts_count,
            content_type: Some(attributes.content_type.unwrap_or_else(|| values::UNKNOWN_CONTENT.to_owned())),
            cache_control: attributes.cache_control,
            content_disposition: attributes.content_disposition,
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            expires: attributes.expires.as_deref().and_then(values::date_from_text),
            metadata: Some(attributes.metadata.into_iter().collect()),
            e_tag: Some(values::etag(&$version.etag)),
            last_modified: Some(values::timestamp($version.modified)),
            version_id: $version.version_id,
            $($field: $value,)*
        } ..Default::default())
    }};
}

pub(super) use {attributes, checksums, described, with_checksums};

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

/// Of the whole object, where there are any.
pub(super) fn checksum_type(sums: &Checksums) -> Option<ChecksumType> {
    let any = *sums != Checksums::default();
    any.then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT))
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

pub(super) fn date_from_text(text: &str) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, text).ok()
}
