//! Listings: ListObjects 1 and 2, ListObjectVersions.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::store::{self, Entry, Query, VersionEntry};
use super::service::Service;
use super::values::{etag, timestamp};
use crate::encoding::{hex, unhex};

/// As many entries as S3 gives on a page.
const LARGEST_PAGE: i32 = 1000;

/// What stays as it is under `encoding-type=url`. A space becomes `%20`, which clients that expect `+` decode too.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');

impl Service {
    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        let from = after(input.marker.as_deref(), input.delimiter.as_deref());
        let (prefix, delimiter) = (input.prefix.clone().unwrap_or_default(), input.delimiter.clone());
        let bucket = input.bucket.clone();
        let page = self.blocking(move |store| {
            let max = usize::try_from(max_keys).unwrap_or(0);
            store.list(&bucket, &Query { prefix: &prefix, delimiter: delimiter.as_deref(), from, max })
        });
        let page = page.await?;
        let last = page.entries.last().map(|entry| match entry {
            Entry::Object { key, .. } => encode(key),
            Entry::CommonPrefix(prefix) => encode(prefix),
        });
        let (contents, common_prefixes) = split(page.entries, encode);
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            is_truncated: Some(page.next.is_some()),
            // S3 gives it with a delimiter only; clients that do not need it ignore it.
            next_marker: page.next.and(last),
            prefix: Some(encode(&input.prefix.unwrap_or_default())),
            marker: Some(encode(&input.marker.unwrap_or_default())),
            delimiter: input.delimiter.as_deref().map(encode),
            max_keys: Some(max_keys),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        let from = match &input.continuation_token {
            // A token is a position in hexadecimal: the bytes behind a key need not be text.
            Some(token) => {
                unhex(token).ok_or_else(|| s3_error!(InvalidArgument, "The continuation token is not one."))?
            }
            None => after(input.start_after.as_deref(), input.delimiter.as_deref()),
        };
        let (prefix, delimiter) = (input.prefix.clone().unwrap_or_default(), input.delimiter.clone());
        let bucket = input.bucket.clone();
        let page = self.blocking(move |store| {
            let max = usize::try_from(max_keys).unwrap_or(0);
            store.list(&bucket, &Query { prefix: &prefix, delimiter: delimiter.as_deref(), from, max })
        });
        let page = page.await?;
        let key_count = i32::try_from(page.entries.len()).ok();
        let (contents, common_prefixes) = split(page.entries, encode);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_deref().map(hex),
            continuation_token: input.continuation_token,
            prefix: Some(encode(&input.prefix.unwrap_or_default())),
            start_after: input.start_after.as_deref().map(encode),
            delimiter: input.delimiter.as_deref().map(encode),
            max_keys: Some(max_keys),
            key_count,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    pub(super) async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        if input.version_id_marker.is_some() && input.key_marker.is_none() {
            return Err(s3_error!(InvalidArgument, "A version-id marker cannot be given without a key marker."));
        }
        let from = after(input.key_marker.as_deref(), input.delimiter.as_deref());
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let (delimiter, marker) =
            (input.delimiter.clone(), input.key_marker.clone().zip(input.version_id_marker.clone()));
        let page = self.blocking(move |store| {
            let max = usize::try_from(max_keys).unwrap_or(0);
            let query = Query { prefix: &prefix, delimiter: delimiter.as_deref(), from, max };
            store.list_versions(&bucket, &query, marker.as_ref().map(|(key, id)| (key.as_str(), id.as_str())))
        });
        let page = page.await?;
        let mut output = ListObjectVersionsOutput {
            name: Some(input.bucket),
            is_truncated: Some(page.more),
            prefix: Some(encode(&input.prefix.unwrap_or_default())),
            key_marker: Some(encode(&input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            delimiter: input.delimiter.as_deref().map(encode),
            max_keys: Some(max_keys),
            encoding_type: input.encoding_type,
            ..Default::default()
        };
        if page.more {
            (output.next_key_marker, output.next_version_id_marker) = match page.entries.last() {
                Some(VersionEntry::Version { key, id, .. }) => (Some(encode(key)), Some(id.clone())),
                Some(VersionEntry::CommonPrefix(prefix)) => (Some(encode(prefix)), None),
                None => (None, None),
            };
        }
        let (mut versions, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
        for entry in page.entries {
            match entry {
                VersionEntry::CommonPrefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(encode(&prefix)) }),
                VersionEntry::Version { key, id, marker: true, latest, modified, .. } => {
                    markers.push(DeleteMarkerEntry {
                        key: Some(encode(&key)),
                        version_id: Some(id),
                        is_latest: Some(latest),
                        last_modified: Some(timestamp(modified)),
                        ..Default::default()
                    })
                }
                VersionEntry::Version { key, id, latest, size, etag: tag, modified, .. } => {
                    versions.push(ObjectVersion {
                        key: Some(encode(&key)),
                        version_id: Some(id),
                        is_latest: Some(latest),
                        size: i64::try_from(size).ok(),
                        e_tag: Some(etag(&tag)),
                        last_modified: Some(timestamp(modified)),
                        storage_class: Some(ObjectVersionStorageClass::from_static(
                            ObjectVersionStorageClass::STANDARD,
                        )),
                        ..Default::default()
                    })
                }
            }
        }
        output.versions = Some(versions);
        output.delete_markers = Some(markers);
        output.common_prefixes = Some(prefixes);
        Ok(S3Response::new(output))
    }
}

fn split(entries: Vec<Entry>, encode: fn(&str) -> String) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::CommonPrefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(encode(&prefix)) }),
            Entry::Object { key, size, etag: tag, modified } => contents.push(Object {
                key: Some(encode(&key)),
                size: i64::try_from(size).ok(),
                e_tag: Some(etag(&tag)),
                last_modified: Some(timestamp(modified)),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Default::default()
            }),
        }
    }
    (contents, prefixes)
}

/// Where a listing goes on behind a key, or behind all of a common prefix that an earlier page gave as its last.
fn after(marker: Option<&str>, delimiter: Option<&str>) -> Vec<u8> {
    match (marker.filter(|marker| !marker.is_empty()), delimiter.filter(|delimiter| !delimiter.is_empty())) {
        (Some(marker), Some(delimiter)) if marker.ends_with(delimiter) => {
            store::successor(marker.as_bytes()).unwrap_or_default()
        }
        (Some(marker), _) => store::behind(marker),
        (None, _) => Vec::new(),
    }
}

pub(super) fn page_size(asked: Option<i32>) -> S3Result<i32> {
    match asked {
        Some(asked) if asked < 0 => Err(s3_error!(InvalidArgument, "A page cannot have {asked} entries.")),
        Some(asked) => Ok(asked.min(LARGEST_PAGE)),
        None => Ok(LARGEST_PAGE),
    }
}

pub(super) fn encoder(encoding: Option<&EncodingType>) -> S3Result<fn(&str) -> String> {
    match encoding.map(EncodingType::as_str) {
        None => Ok(str::to_owned),
        Some(EncodingType::URL) => Ok(|text| utf8_percent_encode(text, URL).to_string()),
        Some(_) => Err(s3_error!(InvalidArgument, "The encoding type is url, or none.")),
    }
}
