//! The one trait for object stores, and what can go wrong with them.

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::domain::object_version::ObjectVersion;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::inventory::ListedObject;
use crate::sources::store::body::Body;

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
    /// The object is not, or no more, what was expected.
    #[error("changed meanwhile")]
    Changed,
    #[error("larger than allowed")]
    TooLarge,
    #[error("unavailable")]
    Unavailable,
}

impl StoreError {
    pub fn new(kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub fn changed(key: &str) -> Self {
        Self::new(StoreErrorKind::Changed, format!("`{key}` is not the object it was"))
    }

    /// As a reading; `what` is *verb object*, such as `list the archive`.
    pub fn unreadable(&self, what: &str) -> Unreadable {
        Unreadable { what: what.to_owned(), why: self.to_string(), reason: self.kind.reason() }
    }
}

impl StoreErrorKind {
    /// What a request can meet. Too large is only what a good answer may be to who asked.
    pub const OF_REQUESTS: [Self; 8] = [
        Self::NoSuchKey,
        Self::NoSuchBucket,
        Self::Denied,
        Self::Throttled,
        Self::TimedOut,
        Self::Malformed,
        Self::Changed,
        Self::Unavailable,
    ];

    pub const fn reason(self) -> UnreadableReason {
        match self {
            // What was listed is gone in each of these cases.
            Self::NoSuchKey | Self::NoSuchBucket | Self::Changed => UnreadableReason::NotFound,
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
            Self::Changed => "changed",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }
}
