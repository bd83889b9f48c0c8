//! The object store over the AWS SDK, for S3, R2 and look-alikes.
//!
//! The SDK has the one retry loop. It ends at the head of an answer: a body that breaks off is an
//! error, which the next cycle repeats.

mod attempt;
mod clients;
mod credentials;
mod failure;
mod list_answer;
mod throttling;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use bytes::Bytes;
use bytes::BytesMut;
use chrono::TimeDelta;
use tokio::time::timeout;

use crate::observation::inventory::ListedObject;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::object_store::StoreError;
use crate::sources::store::object_store::StoreErrorKind;
use crate::sources::store::requests::Operation;
use crate::sources::store::s3::attempt::Attempts;
use crate::sources::store::s3::clients::Endpoint;

pub use clients::S3Clients;
pub use credentials::Asked;
pub use credentials::CredentialSource;
pub use credentials::KeySource;
pub use credentials::Keys;

/// One bucket.
#[derive(Clone, Debug)]
pub struct S3Store {
    bucket: String,
    endpoint: Arc<Endpoint>,
}

impl S3Store {
    fn new(bucket: &str, endpoint: Arc<Endpoint>) -> Self {
        Self { bucket: bucket.to_owned(), endpoint }
    }

    async fn object(
        &self,
        attempts: &Attempts,
        key: &str,
        range: Option<String>,
    ) -> Result<GetObjectOutput, StoreError> {
        let request = self.endpoint.client().get_object().bucket(&self.bucket).key(key);
        let sent = request.set_range(range).customize().interceptor(attempts.clone()).send().await;
        let object = sent.map_err(|error| last_error(attempts, &error))?;
        check_source(object.e_tag(), object.content_type()).map_err(|it| attempts.refuse(it))?;
        Ok(object)
    }

    /// Reads a body to its end, or to an error if it has more than this many bytes.
    async fn body(
        &self,
        key: &str,
        body: ByteStream,
        length: Option<u64>,
        bytes_max: u64,
    ) -> Result<Bytes, StoreError> {
        if let Some(length) = length.filter(|length| *length > bytes_max) {
            return Err(StoreError::too_large(key, length, bytes_max));
        }
        let patience = self.endpoint.patience();
        let bytes = timeout(patience.body(bytes_max), self.collect(key, body, length, bytes_max));
        bytes.await.unwrap_or_else(|_| Err(too_slow(key)))
    }

    async fn collect(
        &self,
        key: &str,
        mut body: ByteStream,
        length: Option<u64>,
        bytes_max: u64,
    ) -> Result<Bytes, StoreError> {
        let capacity = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        let mut bytes = BytesMut::with_capacity(capacity);
        loop {
            let chunk = timeout(self.endpoint.patience().next_byte, body.next()).await;
            let Some(chunk) = chunk.map_err(|_| too_slow(key))? else { break };
            let chunk = chunk.map_err(|error| {
                let detail = format!("`{key}` breaks off: {}", failure::text(&error));
                StoreError::new(StoreErrorKind::Unavailable, detail)
            })?;
            bytes.extend_from_slice(&chunk);
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if size > bytes_max {
                return Err(StoreError::too_large(key, size, bytes_max));
            }
        }
        Ok(bytes.freeze())
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        let attempts = Attempts::new(Operation::List, &self.endpoint);
        let start_after = request.start_after.filter(|_| request.continuation.is_none());
        let sent = self
            .endpoint
            .client()
            .list_objects_v2()
            .bucket(&self.bucket)
            // Keys may hold characters that XML 1.0 cannot.
            .encoding_type(EncodingType::Url)
            .set_prefix(Some(request.prefix.to_owned()).filter(|prefix| !prefix.is_empty()))
            .set_delimiter(request.is_outline.then(|| "/".to_owned()))
            .set_start_after(start_after.map(str::to_owned))
            .set_continuation_token(request.continuation.map(str::to_owned))
            .set_max_keys(request.keys_max.map(i32::from))
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        let answer = sent.map_err(|error| last_error(&attempts, &error))?;
        let page = attempts.check_end_of_listing().and_then(|()| list_answer::page(answer));
        page.map_err(|error| attempts.refuse(error))
    }

    async fn get(&self, key: &str, bytes_max: u64) -> Result<Bytes, StoreError> {
        let attempts = Attempts::new(Operation::Get, &self.endpoint);
        let object = self.object(&attempts, key, None).await?;
        let length = content_length(object.content_length());
        let bytes = self.body(key, object.body, length, bytes_max).await;
        bytes.map_err(|error| attempts.refuse(error))
    }

    async fn get_range(&self, key: &str, start: u64, length: u64) -> Result<Bytes, StoreError> {
        let Some(last) = length.checked_sub(1).map(|length| start.saturating_add(length)) else {
            return Ok(Bytes::new());
        };
        let attempts = Attempts::new(Operation::GetRange, &self.endpoint);
        let range = format!("bytes={start}-{last}");
        let object = match self.object(&attempts, key, Some(range)).await {
            Ok(object) => object,
            Err(_) if attempts.is_past_the_end() => return Ok(Bytes::new()),
            Err(error) => return Err(error),
        };
        let begins = format!("bytes {start}-");
        if !object.content_range().is_some_and(|range| range.starts_with(&begins)) {
            let detail = format!("`{key}` was not cut to the range that was asked for");
            return Err(attempts.refuse(StoreError::new(StoreErrorKind::Malformed, detail)));
        }
        let size = content_length(object.content_length());
        let bytes = self.body(key, object.body, size, length).await;
        bytes.map_err(|error| attempts.refuse(error))
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        let attempts = Attempts::new(Operation::Head, &self.endpoint);
        let request = self.endpoint.client().head_object().bucket(&self.bucket).key(key);
        let sent = request.customize().interceptor(attempts.clone()).send().await;
        let object = sent.map_err(|error| last_error(&attempts, &error))?;
        check_source(object.e_tag(), object.content_type()).map_err(|it| attempts.refuse(it))?;
        let size = content_length(object.content_length());
        let uploaded_at = object.last_modified().and_then(list_answer::time);
        let (Some(size), Some(uploaded_at)) = (size, uploaded_at) else {
            let detail = format!("the answer has no size or no time of `{key}`");
            return Err(attempts.refuse(StoreError::new(StoreErrorKind::Malformed, detail)));
        };
        let etag = object.e_tag.unwrap_or_default();
        Ok(ListedObject { key: key.to_owned(), size, etag, uploaded_at })
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        self.endpoint.clock_ahead()
    }
}

/// Why a call failed: what its last attempt met, or why there was none.
fn last_error<E, R>(attempts: &Attempts, error: &SdkError<E, R>) -> StoreError
where
    E: Error + 'static,
    R: std::fmt::Debug + 'static,
{
    attempts.error().unwrap_or_else(|| {
        let kind = match error {
            SdkError::TimeoutError(_) => StoreErrorKind::TimedOut,
            _ => StoreErrorKind::Unavailable,
        };
        StoreError::new(kind, failure::text(error))
    })
}

/// Every object has an `ETag`, and Barman uploads no HTML: a page of a proxy is told from both.
fn check_source(etag: Option<&str>, content_type: Option<&str>) -> Result<(), StoreError> {
    let is_page = content_type.is_some_and(|content_type| content_type.starts_with("text/html"));
    if etag.is_some() && !is_page {
        return Ok(());
    }
    Err(StoreError::new(StoreErrorKind::Malformed, "the content is not an object of S3"))
}

fn content_length(length: Option<i64>) -> Option<u64> {
    length.and_then(|length| u64::try_from(length).ok())
}

fn too_slow(key: &str) -> StoreError {
    StoreError::new(StoreErrorKind::TimedOut, format!("`{key}` arrives too slowly"))
}
