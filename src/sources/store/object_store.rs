//! The one trait for object stores, and what can go wrong with them.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;

use crate::observation::Unreadable;
use crate::observation::UnreadableReason;
use crate::observation::inventory::ListedObject;

/// Read-only access to one bucket or directory.
///
/// Every call ends within a bound of its own; none of them retries, answers an empty list for
/// a failure, or returns more than `limits` allows.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// One page of the keys that start with `prefix`, in byte order.
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError>;

    /// A whole object of at most `bytes_max` bytes; a larger one is [`StoreErrorKind::TooLarge`].
    async fn get(&self, key: &str, bytes_max: u64) -> Result<Bytes, StoreError>;

    /// `length` bytes from `start`, fewer where the object ends.
    async fn get_range(&self, key: &str, start: u64, length: u64) -> Result<Bytes, StoreError>;

    /// Size, entity tag and upload time of one object.
    ///
    /// A missing bucket looks like a missing object here, because answers to HEAD have no body.
    async fn head(&self, key: &str) -> Result<ListedObject, StoreError>;

    /// How far the store's clock was ahead of ours at its last answer, where it tells.
    fn clock_ahead(&self) -> Option<TimeDelta>;
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

/// A call that the store did not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct StoreError {
    pub kind: StoreErrorKind,
    /// Without credentials or signed addresses.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreErrorKind {
    #[error("no such object")]
    NoSuchKey,
    #[error("no such bucket or directory")]
    NoSuchBucket,
    #[error("access denied")]
    Denied,
    #[error("throttled")]
    Throttled,
    #[error("timed out")]
    TimedOut,
    #[error("unexpected answer")]
    Malformed,
    #[error("larger than allowed")]
    TooLarge,
    #[error("unavailable")]
    Unavailable,
}

impl StoreError {
    pub fn new(kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub fn too_large(key: &str, bytes: u64, bytes_max: u64) -> Self {
        let detail = format!("`{key}` has {bytes} bytes, expected at most {bytes_max}");
        Self::new(StoreErrorKind::TooLarge, detail)
    }

    /// As a reading; `what` is *verb object*, such as `list the archive`.
    pub fn unreadable(&self, what: &str) -> Unreadable {
        Unreadable { what: what.to_owned(), why: self.to_string(), reason: self.kind.reason() }
    }
}

impl StoreErrorKind {
    pub const ALL: [Self; 8] = [
        Self::NoSuchKey,
        Self::NoSuchBucket,
        Self::Denied,
        Self::Throttled,
        Self::TimedOut,
        Self::Malformed,
        Self::TooLarge,
        Self::Unavailable,
    ];

    pub const fn reason(self) -> UnreadableReason {
        match self {
            Self::NoSuchKey | Self::NoSuchBucket => UnreadableReason::NotFound,
            Self::Denied => UnreadableReason::Auth,
            Self::Throttled => UnreadableReason::Throttled,
            Self::TimedOut => UnreadableReason::Timeout,
            Self::Malformed | Self::TooLarge => UnreadableReason::Parse,
            Self::Unavailable => UnreadableReason::Internal,
        }
    }

    /// The label of the request error metric.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoSuchKey => "no_such_key",
            Self::NoSuchBucket => "no_such_bucket",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }
}
