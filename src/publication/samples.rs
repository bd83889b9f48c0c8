//! What the tests of this layer render.

#[path = "../../tests/samples/mod.rs"]
mod shared;

#[path = "../../tests/samples/history.rs"]
mod history;

#[path = "../../tests/samples/orphans.rs"]
mod orphans;

use crate::publication::snapshot::Snapshot;

pub(crate) use crate::publication::samples::orphans::orphaning;
pub(crate) use crate::publication::samples::shared::KINDS;
pub(crate) use crate::publication::samples::shared::fleet;

pub(crate) const HEALTHY: usize = 0;
pub(crate) const AT_RISK: usize = 1;
pub(crate) const UNRECOVERABLE: usize = 2;
pub(crate) const UNREAD_SINCE: usize = 3;
pub(crate) const NEVER_READ: usize = 4;
pub(crate) const EMPTY: usize = 5;

/// A fleet of one archive.
pub(crate) fn only(kind: usize) -> Snapshot {
    let fleet = fleet(KINDS);
    let cluster = format!("postgres-{kind:04}");
    fleet.of_cluster("databases", &cluster).unwrap()
}

/// An archive with a month behind it.
pub(crate) fn long_history() -> Snapshot {
    history::long_history(&only(HEALTHY))
}

/// The same, after it lost what leads to its newest state.
pub(crate) fn broken_history() -> Snapshot {
    history::broken(&only(HEALTHY))
}
