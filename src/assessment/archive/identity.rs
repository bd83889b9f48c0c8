//! Whose archive is it? Several servers in one path overwrite each other's WAL.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;

/// The server that writes to the archive now, and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    /// Of the newest finished backup.
    pub(super) current: Option<u64>,
    pub(super) predecessors: Vec<u64>,
    /// Since when the current one is known to write, where it had predecessors.
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) foreign_backup: Option<(BackupId, u64)>,
}

/// The newest few of another server's backups tell whether it still writes here.
const SUSPECTS_MAX: usize = 4;

impl Owners {
    pub(super) fn of(backups: &[ObservedBackup]) -> Self {
        let identified = || {
            backups.iter().filter_map(|backup| {
                let info = backup.parsed_info().filter(|it| it.status == BackupStatus::Done)?;
                Some((info.began_at?, info.system_identifier?, &backup.id))
            })
        };
        let Some((_, current, _)) = identified().max() else { return Self::default() };
        let mut predecessors: Vec<u64> =
            identified().map(|(_, system, _)| system).filter(|system| *system != current).collect();
        predecessors.sort_unstable();
        predecessors.dedup();
        let own = identified().filter(|(_, system, _)| *system == current);
        let foreign = identified().filter(|(_, system, _)| *system != current).max();
        Self {
            current: Some(current),
            since: (!predecessors.is_empty())
                .then(|| own.map(|(began_at, _, _)| began_at).min())
                .flatten(),
            predecessors,
            foreign_backup: foreign.map(|(_, system, id)| (id.clone(), system)),
        }
    }

    /// Segments that other servers' backups needed: whoever wrote them last may be in the way of
    /// our recovery.
    pub(super) fn suspects<'a>(
        &self,
        backups: impl DoubleEndedIterator<Item = &'a ObservedBackup>,
        inventory: &Inventory,
    ) -> Vec<SegmentId> {
        let foreign = backups.rev().filter_map(ObservedBackup::parsed_info);
        foreign
            .filter(|info| info.system_identifier != self.current)
            .filter_map(|info| info.wal)
            .filter(|wal| wal.segment_size == inventory.segment_size)
            .map(|wal| SegmentId { timeline: wal.begin.timeline, number: wal.first_required })
            .filter(|id| {
                let archive = inventory.timeline(id.timeline);
                archive.is_some_and(|archive| archive.segments().contains(id.number))
            })
            .take(SUSPECTS_MAX)
            .collect()
    }
}
