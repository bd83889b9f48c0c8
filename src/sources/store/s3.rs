//! The object store over the AWS SDK, for S3, R2 and look-alikes.
//!
//! The SDK has the retry loop for a request, which ends at the head of its answer; `download` has
//! the one for a body that breaks off.

mod attempt;
mod authority;
mod bounded;
mod clients;
mod clock;
mod connecting;
mod credentials;
mod download;
mod echo;
mod failure;
mod lifecycle;
mod list_answer;
mod retries;
mod xml;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::DateTime as SdkDateTime;
use aws_sdk_s3::types::EncodingType;
use aws_sdk_s3::types::OptionalObjectAttributes;
use chrono::DateTime;
use chrono::Utc;
use futures::stream;

use crate::domain::moment::in_calendar;
use crate::domain::object_version::ObjectVersion;
use crate::domain::storage_class::StorageClass;
use crate::observation::expiry::ExpiryRule;
use crate::observation::inventory::ListedObject;
use crate::observation::store_clock::StoreClock;
use crate::sources::limits::LIST_KEYS_PER_PAGE;
use crate::sources::store::body::Body;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::requests::Operation;
use crate::sources::store::s3::attempt::Attempts;
use crate::sources::store::s3::clients::Endpoint;
use crate::sources::store::s3::download::Download;

pub use authority::Authority;
pub use authority::AuthorityError;
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
            // Other stores may refuse what they do not know.
            .set_optional_object_attributes(
                self.endpoint.is_amazon().then(|| vec![OptionalObjectAttributes::RestoreStatus]),
            )
            .max_keys(i32::from(request.keys_max.unwrap_or(LIST_KEYS_PER_PAGE)))
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        sent.map_err(|error| last_error(&attempts, &error))?;
        list_answer::page(&attempts.take_listing()).map_err(|error| attempts.refuse(error))
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        let download = Download::begin(self.clone(), key, from, expected).await?;
        let version = download.version().clone();
        let chunks = stream::try_unfold(download, |mut download| async {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        });
        Body::new(key, from, expected, version, chunks)
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        let attempts = Attempts::new(Operation::Head, &self.endpoint);
        let request = self.endpoint.client().head_object().bucket(&self.bucket).key(key);
        let sent = request.customize().interceptor(attempts.clone()).send().await;
        let object = sent.map_err(|error| last_error(&attempts, &error))?;
        check_source(object.e_tag(), object.content_type()).map_err(|it| attempts.refuse(it))?;
        let size = content_length(object.content_length());
        let uploaded_at = object.last_modified().and_then(time);
        let (Some(size), Some(uploaded_at)) = (size, uploaded_at) else {
            let detail = format!("the answer has no size or no time of `{key}`");
            return Err(attempts.refuse(StoreError::new(StoreErrorKind::Malformed, detail)));
        };
        let class = object.storage_class().map(|class| StorageClass::parse(class.as_str()));
        let is_archived = object.archive_status().is_some();
        let version = ObjectVersion::new(object.e_tag.unwrap_or_default(), size);
        Ok(ListedObject {
            key: key.to_owned(),
            version,
            uploaded_at,
            // Of the standard class nothing is said (`x-amz-storage-class`).
            class: match class {
                Some(StorageClass::Tiered) if is_archived => StorageClass::Frozen,
                class => class.unwrap_or(StorageClass::Standard),
            },
        })
    }

    /// Most tokens may not ask, and some stores do not understand: that is no error.
    async fn expiry_rules(&self) -> Option<Vec<ExpiryRule>> {
        let attempts = Attempts::new(Operation::Lifecycle, &self.endpoint);
        let request =
            self.endpoint.client().get_bucket_lifecycle_configuration().bucket(&self.bucket);
        let told = request.customize().interceptor(attempts).send().await.ok()?;
        Some(told.rules().iter().filter_map(lifecycle::expiry).collect())
    }

    fn clock(&self) -> StoreClock {
        self.endpoint.clock()
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

fn time(time: &SdkDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos()).and_then(in_calendar)
}

fn content_length(length: Option<i64>) -> Option<u64> {
    length.and_then(|length| u64::try_from(length).ok())
}
