//! Is the archive one server's? Several servers in one path overwrite each other's WAL.

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::wal::Carrier;
use crate::assessment::finding::archive::wal::WalDefect;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let Some(expected) = case.catalogue.owners.current else { return Vec::new() };
    let backup = case.catalogue.owners.foreign_backup.as_ref();
    let backup = backup.map(|(id, found)| (Carrier::Backup(id.clone()), *found));
    let segment = || {
        let (id, found) = case.seen.probes.newest_foreign(expected)?;
        let name = id.number.name(id.timeline, case.inventory.segment_size);
        Some((Carrier::Segment(name), found))
    };
    let foreign = backup.or_else(segment).map(|(carrier, found)| {
        Finding::new(Weight::Risk, WalDefect::ForeignSystem { expected, found, carrier })
    });
    foreign.into_iter().collect()
}
