//! The one trait for object stores.

use async_trait::async_trait;
use bytes::Bytes;
use bytes::BytesMut;

use crate::domain::object_version::ObjectVersion;
use crate::observation::expiry::ExpiryRule;
use crate::observation::inventory::ListedObject;
use crate::observation::store_clock::StoreClock;
use crate::sources::store::body::Body;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;

/// Read-only access to one bucket or directory.
///
/// Every call ends within a bound of its own; none of them retries, answers an empty list for
/// a failure, or returns more than `limits` allows.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// One page of the keys that start with `prefix`, in byte order.
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError>;

    /// An object from this byte on, which is 0 or one of its bytes.
    ///
    /// Another version than the one expected is [`StoreErrorKind::Changed`], and so is an object
    /// that ends before the byte or is replaced while it is read.
    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError>;

    /// Version and upload time of one object.
    ///
    /// A missing bucket looks like a missing object here, because answers to HEAD have no body.
    async fn head(&self, key: &str) -> Result<ListedObject, StoreError>;

    /// By which rules the store itself deletes objects; `None` where it has none such or does not tell.
    async fn expiry_rules(&self) -> Option<Vec<ExpiryRule>> {
        None
    }

    /// What its answers told of its clock so far.
    fn clock(&self) -> StoreClock;
}

/// Which page of a listing is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListRequest<'a> {
    pub prefix: &'a str,
    /// List only keys after this one.
    pub start_after: Option<&'a str>,
    /// Fold keys that share a `/` after the prefix into one of [`ListPage::folders`].
    pub is_outline: bool,
    /// From the page before; `start_after` is then ignored.
    pub continuation: Option<&'a str>,
    /// At most 1000, which is also what `None` means.
    pub keys_max: Option<u16>,
}

#[derive(Clone, Debug, Default)]
pub struct ListPage {
    pub objects: Vec<ListedObject>,
    /// Only in an outline; each ends in `/`.
    pub folders: Vec<String>,
    /// There is more where this is set.
    pub continuation: Option<String>,
}

/// A whole object of at most `bytes_max` bytes, as a listing showed it.
///
/// An answer of another length under the same entity tag is none: a proxy cut or emptied it.
pub async fn read_listed<S: ObjectStore + ?Sized>(
    store: &S,
    key: &str,
    listed: &ObjectVersion,
    bytes_max: u64,
) -> Result<Bytes, StoreError> {
    let body = store.open(key, 0, None).await?;
    let ObjectVersion { etag, size } = body.version();
    if *etag == listed.etag && *size != listed.size {
        let detail = format!("`{key}` came with {size} bytes and was listed with {}", listed.size);
        return Err(StoreError::new(StoreErrorKind::Malformed, detail));
    }
    whole(body, bytes_max).await
}

/// A whole object of at most `bytes_max` bytes.
pub async fn read_whole<S: ObjectStore + ?Sized>(
    store: &S,
    key: &str,
    bytes_max: u64,
) -> Result<Bytes, StoreError> {
    whole(store.open(key, 0, None).await?, bytes_max).await
}

async fn whole(body: Body, bytes_max: u64) -> Result<Bytes, StoreError> {
    let mut body = body.at_most(bytes_max)?;
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}
