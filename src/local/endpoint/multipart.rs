//! Multipart uploads.

use futures_util::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::super::store::{PartNumber, UploadedPart as Listed};
use super::super::{Attributes, Checksums};
use super::body::{Expected, pairs, receive};
use super::conditions::{Conditions, condition};
use super::listing::encoder;
use super::objects::refuse_encryption;
use super::service::Service;
use super::values::{self, etag, source, timestamp};

const LAST_PART: i32 = 10_000;
const LARGEST_PAGE: i32 = 1000;

impl Service {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        refuse_encryption(input.sse_customer_algorithm.is_some())?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let attributes = values::attributes!(input, Checksums::default());
        let id = self.blocking(move |store| store.create_upload(&bucket, &key, &attributes)).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..Default::default()
        }))
    }

    pub(super) async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let n = part_number(input.part_number)?;
        let (bucket, key, upload) = (input.bucket, input.key, input.upload_id);
        let (looked, for_key, for_upload) = (bucket.clone(), key.clone(), upload.clone());
        // Before the body is taken in for nothing; the transaction looks again.
        self.blocking(move |store| store.parts((&looked, &for_key, &for_upload), PartNumber::MAX, 0)).await?;
        let expected = Expected {
            length: input.content_length,
            md5: input.content_md5,
            checksums: values::checksums!(input),
            announced: Expected::announced(&request.headers),
            trailers: request.trailing_headers,
            algorithm: input.checksum_algorithm.map(|algorithm| algorithm.as_str().to_owned()),
        };
        let staged = receive(&self.store, input.body, &expected).await?;
        let part = self.blocking(move |store| store.put_part((&bucket, &key, &upload), n, &staged)).await?;
        let sums = part.checksums;
        Ok(S3Response::new(values::with_checksums!(
            sums,
            UploadPartOutput { e_tag: Some(etag(&part.etag)) }..Default::default()
        )))
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = request.input;
        let n = part_number(input.part_number)?;
        let (from, from_key, from_version) = source(&input.copy_source)?;
        let (version, body) = self.blocking(move |store| store.get(&from, &from_key, from_version.as_deref())).await?;
        let conditions = Conditions {
            matches: input.copy_source_if_match,
            none_matches: input.copy_source_if_none_match,
            modified_since: input.copy_source_if_modified_since,
            unmodified_since: input.copy_source_if_unmodified_since,
        };
        // Of a copy's conditions each failure is a 412.
        conditions.check(&version).map_err(|_| s3_error!(PreconditionFailed))?;
        let range = match input.copy_source_range.as_deref() {
            None => 0..version.size,
            Some(text) => Range::parse(text)
                .ok()
                .and_then(|range| range.check(version.size).ok())
                .ok_or_else(|| s3_error!(InvalidRange, "{text} is not within the source's {} bytes.", version.size))?,
        };
        let body = StreamingBlob::wrap(body.stream(range));
        let staged = receive(&self.store, Some(body), &Expected::default()).await?;
        let (bucket, key, upload) = (input.bucket, input.key, input.upload_id);
        let part = self.blocking(move |store| store.put_part((&bucket, &key, &upload), n, &staged)).await?;
        let result = CopyPartResult {
            e_tag: Some(etag(&part.etag)),
            last_modified: Some(timestamp(part.modified)),
            ..Default::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: version.version_id,
            ..Default::default()
        }))
    }

    pub(super) async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let max = input.max_parts.unwrap_or(LARGEST_PAGE).clamp(0, LARGEST_PAGE);
        let marker = input.part_number_marker.unwrap_or(0);
        let after = PartNumber::try_from(marker).map_err(|_| s3_error!(InvalidArgument, "{marker} is no part."))?;
        let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (parts, more) = self
            .blocking(move |store| store.parts((&bucket, &key, &upload), after, usize::try_from(max).unwrap_or(0)))
            .await?;
        let next = parts.last().map(|part| i32::from(part.n));
        let parts = parts.into_iter().map(|Listed { n, size, etag: tag, checksums, modified }| {
            values::with_checksums!(
                checksums,
                Part {
                    part_number: Some(i32::from(n)),
                    size: i64::try_from(size).ok(),
                    e_tag: Some(etag(&tag)),
                    last_modified: Some(timestamp(modified)),
                }
            )
        });
        Ok(S3Response::new(ListPartsOutput {
            parts: Some(parts.collect()),
            is_truncated: Some(more),
            next_part_number_marker: next.filter(|_| more),
            part_number_marker: Some(marker),
            max_parts: Some(max),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..Default::default()
        }))
    }

    /// All of them on one page: somebody who has more uploads under way than fit has not been uploading pictures.
    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        if input.delimiter.is_some() {
            return Err(s3_error!(NotImplemented, "Uploads under way are listed without a delimiter."));
        }
        let bucket = input.bucket.clone();
        let uploads = self.blocking(move |store| store.uploads(&bucket)).await?;
        let prefix = input.prefix.unwrap_or_default();
        let uploads =
            uploads.into_iter().filter(|upload| upload.key.starts_with(&prefix)).map(|upload| MultipartUpload {
                key: Some(encode(&upload.key)),
                upload_id: Some(upload.id),
                initiated: Some(timestamp(upload.initiated)),
                ..Default::default()
            });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            bucket: Some(input.bucket),
            prefix: Some(encode(&prefix)),
            is_truncated: Some(false),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let condition = condition(input.if_match, input.if_none_match)?;
        let mut named = Vec::new();
        for part in input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default() {
            let (Some(n), Some(tag)) = (part.part_number, part.e_tag) else {
                return Err(s3_error!(MalformedXML, "Each part has a PartNumber and an ETag."));
            };
            named.push((part_number(n)?, tag.into_value()));
        }
        if named.is_empty() {
            return Err(s3_error!(MalformedXML, "The upload has no parts."));
        }
        let upload = (input.bucket.clone(), input.key.clone(), input.upload_id);
        let sums = values::checksums!(input);
        let sums = self.whole_checksums(&upload, &named, sums).await?;
        let kept = sums.clone();
        let written = self
            .blocking(move |store| store.complete_upload((&upload.0, &upload.1, &upload.2), &named, kept, &condition))
            .await?;
        Ok(S3Response::new(values::with_checksums!(
            sums,
            CompleteMultipartUploadOutput {
                checksum_type: values::checksum_type(&sums),
                location: Some(format!("/{}/{}", input.bucket, input.key)),
                bucket: Some(input.bucket),
                key: Some(input.key),
                e_tag: Some(etag(&written.etag)),
                version_id: written.version_id,
            }..Default::default()
        )))
    }

    /// Checks the checksums that were sent for the whole object by reading its parts once more. Composite ones
    /// (`…-3`) are left out: each part was checked when it came.
    async fn whole_checksums(
        &self,
        upload: &(String, String, String),
        named: &[(PartNumber, String)],
        mut sent: Checksums,
    ) -> S3Result<Checksums> {
        for sum in [&mut sent.crc32, &mut sent.crc32c, &mut sent.crc64nvme, &mut sent.sha1, &mut sent.sha256] {
            sum.take_if(|sum| sum.contains('-'));
        }
        if sent == Checksums::default() {
            return Ok(sent);
        }
        let (upload, named) = (upload.clone(), named.to_vec());
        let (body, size) =
            self.blocking(move |store| store.upload_body((&upload.0, &upload.1, &upload.2), &named)).await?;
        let mut hasher = ChecksumHasher {
            crc32: sent.crc32.is_some().then(Default::default),
            crc32c: sent.crc32c.is_some().then(Default::default),
            crc64nvme: sent.crc64nvme.is_some().then(Default::default),
            sha1: sent.sha1.is_some().then(s3s::crypto::Checksum::new),
            sha256: sent.sha256.is_some().then(s3s::crypto::Checksum::new),
        };
        let mut stream = std::pin::pin!(body.stream(0..size));
        while let Some(bytes) = stream.next().await {
            hasher.update(&bytes.map_err(S3Error::internal_error)?);
        }
        let found: Checksums = hasher.finalize().into();
        for (name, sent, found) in pairs(&sent, &found) {
            if sent != found {
                return Err(s3_error!(BadDigest, "The {name} checksum does not match the whole object's."));
            }
        }
        Ok(found)
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        self.blocking(move |store| store.abort_upload((&bucket, &key, &upload_id))).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn part_number(n: i32) -> S3Result<PartNumber> {
    match PartNumber::try_from(n) {
        Ok(part) if (1..=LAST_PART).contains(&n) => Ok(part),
        _ => Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            format!("A part's number is 1 to {LAST_PART}, and this one is {n}."),
        )),
    }
}
