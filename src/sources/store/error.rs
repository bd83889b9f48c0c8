//! What can go wrong with an object store.

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;

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
    /// What a request can meet.
    pub const OF_REQUESTS: [Self; 9] = [
        Self::NoSuchKey,
        Self::NoSuchBucket,
        Self::Denied,
        Self::Throttled,
        Self::TimedOut,
        Self::Malformed,
        Self::Changed,
        Self::TooLarge,
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

    /// Whether another request, of another kind, would meet the same.
    pub const fn is_of_any_request(self) -> bool {
        matches!(self, Self::TimedOut | Self::Throttled)
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
