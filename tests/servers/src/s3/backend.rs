//! The S3 operations over the store.
//!
//! `s3s` has parsed and authenticated the request; what is not implemented here answers 501.

use bytes::Bytes;
use bytes::BytesMut;
use futures::TryStreamExt;
use s3s::S3;
use s3s::S3Error;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::*;
use s3s::s3_error;

use crate::s3::get_object;
use crate::s3::get_object::timestamp;
use crate::s3::list_objects;
use crate::s3::multipart::Uploads;
use crate::s3::store;
use crate::s3::store::Objects;
use crate::s3::store::Store;
use crate::s3::store::md5_hex;

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) store: Store,
    pub(super) uploads: Uploads,
}

impl Backend {
    fn with_bucket<T>(
        &self,
        bucket: &str,
        read: impl FnOnce(&mut Objects) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut buckets = self.store.lock();
        let objects = buckets.get_mut(bucket);
        read(
            objects
                .ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))?,
        )
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<store::Object> {
        self.with_bucket(bucket, |objects| {
            let object = objects.get(key).cloned();
            object.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
        })
    }
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = request.input.bucket.clone();
        let listed =
            self.with_bucket(&bucket, |objects| list_objects::answer(objects, request.input));
        listed.map(S3Response::new)
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let object = self.object(&request.input.bucket, &request.input.key)?;
        get_object::get(&object, &request.input).map(S3Response::new)
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let days = self.store.lifecycle_days(&request.input.bucket);
        let days = days.ok_or_else(|| {
            let code = S3ErrorCode::Custom("NoSuchLifecycleConfiguration".into());
            let message = "The lifecycle configuration does not exist";
            let mut error = S3Error::with_message(code, message);
            error.set_status_code(http::StatusCode::NOT_FOUND);
            error
        })?;
        let rule = LifecycleRule {
            expiration: Some(LifecycleExpiration { days: Some(days), ..Default::default() }),
            filter: Some(LifecycleRuleFilter { prefix: Some(String::new()), ..Default::default() }),
            id: Some("tidy".to_owned()),
            status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
            abort_incomplete_multipart_upload: None,
            noncurrent_version_expiration: None,
            noncurrent_version_transitions: None,
            prefix: None,
            transitions: None,
        };
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(vec![rule]),
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let object = self.object(&request.input.bucket, &request.input.key)?;
        get_object::head(&object, &request.input).map(S3Response::new)
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        self.with_bucket(&input.bucket, |_| Ok(()))?;
        let bytes = read_all(input.body).await?;
        let etag = md5_hex(&bytes);
        let object = store::Object::stored(bytes, etag.clone(), self.store.clock.now());
        self.store.insert(&input.bucket, input.key, object);
        let e_tag = Some(ETag::Strong(etag));
        Ok(S3Response::new(PutObjectOutput { e_tag, ..Default::default() }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        self.with_bucket(&input.bucket, |objects| {
            objects.remove(&input.key);
            Ok(S3Response::new(DeleteObjectOutput::default()))
        })
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        let deleted = self.with_bucket(&input.bucket, |objects| {
            let named = input.delete.objects.into_iter().map(|object| {
                objects.remove(&object.key);
                DeletedObject { key: Some(object.key), ..Default::default() }
            });
            Ok(named.collect())
        })?;
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..Default::default() }))
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = request.input.bucket;
        if self.with_bucket(&bucket, |_| Ok(())).is_ok() {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        self.store.create_bucket(&bucket);
        let location = Some(format!("/{bucket}"));
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.with_bucket(&request.input.bucket, |_| Ok(()))?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let CreateMultipartUploadInput { bucket, key, .. } = request.input;
        self.with_bucket(&bucket, |_| Ok(()))?;
        let now = self.store.clock.now();
        Ok(S3Response::new(CreateMultipartUploadOutput {
            upload_id: Some(self.uploads.create(bucket.clone(), key.clone(), now)),
            bucket: Some(bucket),
            key: Some(key),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let bytes = read_all(input.body).await?;
        let etag = self.uploads.add_part(&input.upload_id, input.part_number, bytes)?;
        let e_tag = Some(ETag::Strong(etag));
        Ok(S3Response::new(UploadPartOutput { e_tag, ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        self.with_bucket(&input.bucket, |_| Ok(()))?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let object = self.uploads.complete(&input.upload_id, &parts, self.store.clock.now())?;
        let e_tag = Some(ETag::Strong(object.etag()));
        self.store.insert(&input.bucket, input.key.clone(), object);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag,
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.uploads.abort(&request.input.upload_id)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        self.with_bucket(&input.bucket, |_| Ok(()))?;
        let prefix = input.prefix.unwrap_or_default();
        let open = self.uploads.in_bucket(&input.bucket, &prefix).into_iter();
        let uploads = open.map(|(id, upload)| MultipartUpload {
            key: Some(upload.key),
            upload_id: Some(id),
            initiated: Some(timestamp(upload.started_at)),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            bucket: Some(input.bucket),
            prefix: Some(prefix),
            is_truncated: Some(false),
            ..Default::default()
        }))
    }
}

async fn read_all(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let read = body.try_fold(BytesMut::new(), |mut whole, chunk| async move {
        whole.extend_from_slice(&chunk);
        Ok(whole)
    });
    let whole = read.await.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
    Ok(whole.freeze())
}
