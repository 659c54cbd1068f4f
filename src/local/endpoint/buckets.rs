//! Buckets and their versioning.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::Versioning;
use super::service::Service;
use super::values::timestamp;

impl Service {
    pub(super) async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = request.input.bucket;
        let location = format!("/{bucket}");
        if !self.blocking(move |store| store.create_bucket(&bucket)).await? {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "The bucket is there already, and it is yours."));
        }
        Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
    }

    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.blocking(move |store| store.delete_bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    pub(super) async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.blocking(move |store| store.bucket(&request.input.bucket)).await?;
        let bucket_region = Some("us-east-1".to_owned());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..Default::default() }))
    }

    pub(super) async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let prefix = request.input.prefix;
        let buckets = self.blocking(|store| store.buckets()).await?;
        let buckets = buckets
            .into_iter()
            .filter(|bucket| bucket.name.starts_with(prefix.as_deref().unwrap_or_default()))
            .map(|bucket| Bucket {
                name: Some(bucket.name),
                creation_date: Some(timestamp(bucket.created)),
                bucket_region: None,
            })
            .collect();
        let owner = Owner { display_name: Some("spotter".into()), id: Some("spotter".into()) };
        let output = ListBucketsOutput { buckets: Some(buckets), owner: Some(owner), prefix, continuation_token: None };
        Ok(S3Response::new(output))
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.blocking(move |store| store.bucket(&request.input.bucket)).await?;
        // No constraint means us-east-1.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let bucket = self.blocking(move |store| store.bucket(&request.input.bucket)).await?;
        let status = bucket.versioning.map(|versioning| {
            BucketVersioningStatus::from_static(match versioning {
                Versioning::Enabled => BucketVersioningStatus::ENABLED,
                Versioning::Suspended => BucketVersioningStatus::SUSPENDED,
            })
        });
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..Default::default() }))
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let PutBucketVersioningInput { bucket, versioning_configuration, .. } = request.input;
        let versioning = match versioning_configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => return Err(s3_error!(MalformedXML, "Status is Enabled or Suspended.")),
        };
        self.blocking(move |store| store.set_versioning(&bucket, versioning)).await?;
        Ok(S3Response::new(PutBucketVersioningOutput::default()))
    }
}
