//! Whose archive is it? Several servers in one path overwrite each other's WAL.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::Weight;
use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::segment::SegmentSize;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;

/// The server that writes to the archive now, and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owners {
    /// Of the newest finished backup.
    pub(crate) current: Option<u64>,
    pub(crate) predecessors: Vec<u64>,
    /// Since when the current one is known to write, where it had predecessors.
    pub(crate) since: Option<DateTime<Utc>>,
    foreign_backup: Option<(BackupId, u64)>,
}

/// The newest few of another server's backups tell whether it still writes here.
const SUSPECTS_MAX: usize = 4;

impl Owners {
    pub(crate) fn of(backups: &[ObservedBackup]) -> Self {
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
    pub(crate) fn suspects(
        &self,
        backups: &[ObservedBackup],
        inventory: &Inventory,
    ) -> Vec<SegmentId> {
        let foreign = backups.iter().rev().filter_map(ObservedBackup::parsed_info);
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

    pub(crate) fn judge(&self, seen: &Observation, size: SegmentSize) -> Option<Finding> {
        let expected = self.current?;
        if let Some((id, found)) = &self.foreign_backup {
            let (found, carrier) = (*found, format!("backup {id}"));
            return Some(Finding::new(
                Weight::Risk,
                Problem::ForeignSystem { expected, found, carrier },
            ));
        }
        let foreign = seen.probes.iter().rev().find_map(|(id, probe)| match probe {
            Ok(SegmentProbe::Read(content)) if content.system_identifier != expected => {
                Some((id.number.name(id.timeline, size), content.system_identifier))
            }
            Ok(SegmentProbe::Read(_) | SegmentProbe::Damaged(_)) | Err(_) => None,
        });
        let (segment, found) = foreign?;
        let carrier = format!("WAL segment {segment}");
        Some(Finding::new(Weight::Risk, Problem::ForeignSystem { expected, found, carrier }))
    }
}
