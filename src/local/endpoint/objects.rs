//! Objects: put, post, get, head, copy, delete.

use http::{Method, StatusCode};
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::super::{Attributes, Checksums, Condition, Store, StoreError, Version, Written};
use super::body::{Expected, receive};
use super::conditions::{Conditions, condition};
use super::extent::Extent;
use super::service::Service;
use super::values::{self, etag, source, timestamp};
use crate::event::make::EventName;

/// As many keys as S3 deletes at once.
const MOST_DELETED: usize = 1000;

impl Service {
    pub(super) async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        // A browser's form comes here too, once `s3s` has checked its policy: signature, expiry, conditions.
        let created = if request.method == Method::POST { EventName::Post } else { EventName::Put };
        let input = request.input;
        refuse_encryption(input.sse_customer_algorithm.is_some())?;
        let bucket = input.bucket.clone();
        // Before the body is taken in for nothing; the transaction looks again.
        self.blocking(move |store| store.bucket(&bucket)).await?;
        let condition = condition(input.if_match, input.if_none_match)?;
        let expected = Expected {
            length: input.content_length,
            md5: input.content_md5,
            checksums: values::checksums!(input),
            announced: Expected::announced(&request.headers),
            trailers: request.trailing_headers,
            algorithm: input.checksum_algorithm.map(|algorithm| algorithm.as_str().to_owned()),
        };
        let staged = receive(&self.store, input.body, &expected).await?;
        let sums = staged.checksums.clone();
        let attributes = values::attributes!(input, sums.clone());
        let (bucket, key) = (input.bucket, input.key);
        let put = move |store: &Store| store.put(&bucket, &key, &staged, &attributes, &condition, created);
        let written = self.blocking(put).await?;
        Ok(S3Response::new(values::with_checksums!(
            sums,
            PutObjectOutput {
                checksum_type: values::checksum_type(&sums),
                e_tag: Some(etag(&written.etag)),
                version_id: written.version_id,
            }..Default::default()
        )))
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
        let stream = StreamingBlob::wrap(body.stream(extent.bytes.clone()));
        let output = values::described!(version, extent, input.checksum_mode, GetObjectOutput { body: Some(stream) });
        Ok(S3Response::new(output))
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
        let status = extent.content_range.as_ref().map(|_| StatusCode::PARTIAL_CONTENT);
        let output = values::described!(version, extent, input.checksum_mode, HeadObjectOutput {});
        Ok(S3Response { status, ..S3Response::new(output) })
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
        let attributes = replaces.then(|| values::attributes!(input, Checksums::default()));
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

/// Keeping in the clear what was to be encrypted would be a lie.
pub(super) fn refuse_encryption(asked: bool) -> S3Result<()> {
    if asked {
        Err(s3_error!(NotImplemented, "Objects are not encrypted here: leave out the customer's key."))
    } else {
        Ok(())
    }
}
