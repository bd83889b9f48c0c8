//! The judges of an archive, one question per file.

pub(super) mod backups;
mod clock;
mod deletions;
mod demands;
mod duplicates;
mod fork;
mod freshness;
mod gaps;
mod identity;
mod obstacles;
mod operator;
pub(super) mod orphan;
mod retention;
pub(super) mod store;
mod stuck;
mod timelines;
mod transport;
mod unverified;

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;

/// Each looks at all that is known and at nothing that another one says.
pub(super) const JUDGES: &[fn(&ArchiveCase<'_>) -> Vec<Finding>] = &[
    store::judge,
    clock::judge,
    gaps::judge,
    obstacles::judge,
    duplicates::judge,
    timelines::judge,
    fork::judge,
    identity::judge,
    operator::judge,
    backups::judge,
    freshness::judge,
    retention::judge,
    transport::judge,
    deletions::judge,
    demands::judge,
    unverified::judge,
    stuck::judge,
    orphan::judge,
];
