//! The judges of an archive, one question per file.

pub(super) mod freshness;
pub(super) mod obstacles;
pub(super) mod retention;
pub(super) mod store;
pub(super) mod timelines;
