//! What follows the last member, stream or frame, and is none.

/// Python's decoder fails on it.
#[derive(Debug, thiserror::Error)]
#[error("something else follows the content")]
pub(super) struct Trailing;
