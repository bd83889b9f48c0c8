//! Base backups that are volume snapshots, with their WAL in the archive. CloudNativePG advises this
//! pair for very large databases.
//!
//! What a snapshot holds is not read, so that it can be restored is never said. That it cannot be is
//! not said either, unless it is known to lie before a hole.

use crate::assessment::AssessedBackup;
use crate::assessment::Latest;
use crate::assessment::archive::catalogue::Catalogue;
use crate::assessment::archive::recoverability::Recoverability;
use crate::assessment::finding::elsewhere::Elsewhere;
use crate::assessment::finding::elsewhere::WholeWal;
use crate::assessment::unusable::UnusableReason;
use crate::domain::segment::SegmentName;
use crate::observation::Observation;
use crate::observation::cluster::SnapshotBackup;
use crate::observation::inventory::Inventory;

/// Whether there may be snapshots, as far as was ever seen, where nothing in the archive leads to the
/// newest state.
pub(super) fn may_be_beside_wal(
    seen: &Observation,
    inventory: &Inventory,
    recoverability: &Recoverability<'_>,
    backups: &[AssessedBackup],
) -> bool {
    let is_unread = seen.cluster.as_ref().is_some_and(|it| it.elsewhere.is_err());
    is_unread
        && recoverability.latest == Latest::NotReached
        && !backups.iter().any(AssessedBackup::is_usable)
        && whole_wal(inventory, recoverability).is_some()
}

/// What may lead to the newest state where nothing in the archive does.
pub(super) fn beside_wal(
    seen: &Observation,
    inventory: &Inventory,
    catalogue: &Catalogue<'_>,
    recoverability: &Recoverability<'_>,
    backups: &[AssessedBackup],
) -> Option<Elsewhere> {
    let wal = whole_wal(inventory, recoverability)?;
    let told = seen.cluster.as_ref().and_then(|it| it.elsewhere.as_ref().ok()?.snapshot.clone());
    let newest = told.filter(|snapshot| may_reach(snapshot, &wal));
    // Backups that lead elsewhere stand for the whole, unless the snapshot is known to begin behind what
    // stops them.
    let is_behind =
        newest.as_ref().and_then(|it| it.begin_wal).is_some_and(|begin| begins_in(begin, &wal));
    let is_any_usable = backups.iter().any(AssessedBackup::is_usable);
    if is_any_usable && !(is_behind && recoverability.latest == Latest::NotReached) {
        return None;
    }
    let is_known = match recoverability.latest {
        Latest::Reached => false,
        Latest::NotReached => newest.is_some(),
        // Barman's own, by its `backup.info`.
        Latest::Unknown => seen.is_complete() && has_own(catalogue),
    };
    is_known.then_some(Elsewhere::SnapshotsBesideWal { newest, wal })
}

/// The newest segment with those before it.
fn whole_wal(inventory: &Inventory, recoverability: &Recoverability<'_>) -> Option<WholeWal> {
    let newest = recoverability.newest_segment?;
    let (timeline, size) = (newest.name.timeline, inventory.segment_size);
    let archive = inventory.timeline(timeline)?;
    let range = archive.segments().range_at(newest.name.number(size).ok()?)?;
    Some(WholeWal {
        first: range.first.name(timeline, size),
        first_uploaded_at: archive.uploaded_at(range.first),
        last: newest.name,
        last_uploaded_at: newest.uploaded_at,
    })
}

/// Not if it began on the same timeline before a hole.
fn may_reach(snapshot: &SnapshotBackup, wal: &WholeWal) -> bool {
    snapshot
        .begin_wal
        .is_none_or(|begin| begin.timeline != wal.first.timeline || wal.first <= begin)
}

fn begins_in(begin: SegmentName, wal: &WholeWal) -> bool {
    begin.timeline == wal.first.timeline && wal.first <= begin && begin <= wal.last
}

fn has_own(catalogue: &Catalogue<'_>) -> bool {
    let is_snapshot = |state: &_| matches!(state, Err(UnusableReason::Snapshot));
    catalogue.backups.iter().any(|(_, state)| is_snapshot(state))
}
