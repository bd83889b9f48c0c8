//! Why something is not known.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What was being read, such as `list the archive`.
    pub what: String,
    pub why: String,
    pub reason: UnreadableReason,
}

/// The closed set of reasons, for metrics and for the hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnreadableReason {
    /// The store refuses our credentials.
    Auth,
    /// The bucket or directory does not exist, or a listed object is gone.
    NotFound,
    Timeout,
    Throttled,
    /// The answer is not what the protocol promises.
    Parse,
    /// Lists come in another order, or of another version, than this program and Barman rely on.
    Listing,
    /// The store may not be asked.
    NotAllowed,
    /// Nobody knows the store's host.
    Dns,
    /// Nothing listens where the store should be.
    Refused,
    /// The store's certificate is not trusted.
    Tls,
    /// Everything else, such as no route to the store.
    Internal,
}

impl UnreadableReason {
    pub const ALL: [Self; 11] = [
        Self::Auth,
        Self::NotFound,
        Self::Timeout,
        Self::Throttled,
        Self::Parse,
        Self::Listing,
        Self::NotAllowed,
        Self::Dns,
        Self::Refused,
        Self::Tls,
        Self::Internal,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::Parse => "parse",
            Self::Listing => "listing",
            Self::NotAllowed => "not_allowed",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
