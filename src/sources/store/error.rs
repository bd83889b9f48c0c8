//! What can go wrong with an object store.

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::sources::limits::ERROR_CHARS_MAX;

/// A call that the store did not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct StoreError {
    pub kind: StoreErrorKind,
    /// One line, without credentials or signed addresses.
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
    /// Keys in another order than that of S3, or as version 1 of `ListObjects` gives them.
    #[error("listing of another kind")]
    OtherListing,
    /// The object is not, or no more, what was expected.
    #[error("changed meanwhile")]
    Changed,
    #[error("larger than allowed")]
    TooLarge,
    /// By the configuration, or by us: the store was not asked.
    #[error("not allowed")]
    NotAllowed,
    #[error("no such host")]
    NoSuchHost,
    #[error("connection refused")]
    ConnectionRefused,
    #[error("the certificate is not trusted")]
    Untrusted,
    #[error("unavailable")]
    Unavailable,
}

impl StoreError {
    pub fn new(kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: printable(&detail.into(), ERROR_CHARS_MAX) }
    }

    /// Names where the store answers, if the trouble is the store's and not one object's.
    #[must_use]
    pub fn of(self, endpoint: &str) -> Self {
        match self.kind {
            StoreErrorKind::NoSuchKey | StoreErrorKind::Changed | StoreErrorKind::TooLarge => self,
            kind => Self::new(kind, format!("{}, says {endpoint}", self.detail)),
        }
    }

    pub fn changed(key: &str) -> Self {
        Self::new(StoreErrorKind::Changed, format!("`{key}` is no longer the object it was"))
    }

    /// As a reading; `what` is *verb object*, such as `list the archive`.
    pub fn unreadable(&self, what: &str) -> Unreadable {
        Unreadable { what: what.to_owned(), why: self.to_string(), reason: self.kind.reason() }
    }
}

impl StoreErrorKind {
    /// What a request can meet.
    pub const OF_REQUESTS: [Self; 14] = [
        Self::NoSuchKey,
        Self::NoSuchBucket,
        Self::Denied,
        Self::Throttled,
        Self::TimedOut,
        Self::Malformed,
        Self::OtherListing,
        Self::Changed,
        Self::TooLarge,
        Self::NotAllowed,
        Self::NoSuchHost,
        Self::ConnectionRefused,
        Self::Untrusted,
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
            Self::OtherListing => UnreadableReason::Listing,
            Self::NotAllowed => UnreadableReason::NotAllowed,
            Self::NoSuchHost => UnreadableReason::Dns,
            Self::ConnectionRefused => UnreadableReason::Refused,
            Self::Untrusted => UnreadableReason::Tls,
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
            Self::OtherListing => "other_listing",
            Self::Changed => "changed",
            Self::TooLarge => "too_large",
            Self::NotAllowed => "not_allowed",
            Self::NoSuchHost => "no_such_host",
            Self::ConnectionRefused => "connection_refused",
            Self::Untrusted => "untrusted",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The beginning of a text, in one line and without what moves a cursor or turns letters around.
pub fn printable(text: &str, chars_max: usize) -> String {
    let seen = text.chars().filter(|it| !is_invisible(*it)).take(chars_max);
    seen.map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// Marks that turn text around, separate lines or have no width (Unicode, UAX 9 and `Cf`).
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_store_shows_an_error_is_one_line_of_bounded_length() {
        let key = "a\r\n\u{1b}[31m\u{202e}\u{2028}\u{feff}b";
        let error = StoreError::new(StoreErrorKind::Malformed, format!("no time of `{key}`"));
        assert_eq!(error.to_string(), "unexpected answer: no time of `a   [31mb`");
        let long = StoreError::new(StoreErrorKind::Malformed, "\u{e9}".repeat(10_000));
        assert_eq!(long.detail, "\u{e9}".repeat(ERROR_CHARS_MAX));
    }
}
