//! Base backups as readers of an assessment are told of them.

use std::collections::BTreeMap;

use crate::assessment::AssessedBackup;
use crate::assessment::BackupKind;
use crate::assessment::Strays;
use crate::assessment::Totals;
use crate::assessment::archive::catalogue::BackupState;
use crate::assessment::archive::catalogue::Catalogue;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::unusable::UnusableReason;
use crate::domain::backup::BackupId;
use crate::domain::backup_info::BackupInfo;
use crate::observation::backup::ObservedBackup;
use crate::observation::content::Content;
use crate::observation::inventory::Inventory;

/// All backups, oldest first.
pub(super) fn describe<'a>(
    catalogue: &Catalogue<'_>,
    content: &Content,
    candidates: impl IntoIterator<Item = &'a Candidate<'a>>,
) -> Vec<AssessedBackup> {
    let candidates: BTreeMap<&BackupId, &Candidate<'_>> =
        candidates.into_iter().map(|candidate| (&candidate.backup.id, candidate)).collect();
    let describe = |(backup, state): &(&ObservedBackup, BackupState)| {
        let candidate = candidates.get(&backup.id).copied();
        let read_at = content.read_at.get(&backup.id).copied();
        AssessedBackup { read_at, ..describe_one(backup, state, candidate) }
    };
    let mut backups: Vec<AssessedBackup> = catalogue.backups.iter().map(describe).collect();
    backups.sort_by(|a, b| a.id.cmp(&b.id));
    backups
}

fn describe_one(
    backup: &ObservedBackup,
    state: &BackupState,
    candidate: Option<&Candidate<'_>>,
) -> AssessedBackup {
    let info = backup.parsed_info();
    let unusable = match (state, candidate) {
        (Err(reason), _) => Some(reason.clone()),
        (Ok(_), Some(candidate)) => candidate.reach.as_ref().err().cloned(),
        (Ok(_), None) => {
            let system = info.and_then(|info| info.system_identifier);
            Some(UnusableReason::WalNotKnown { system })
        }
    };
    let wal = info.and_then(|info| info.wal);
    AssessedBackup {
        id: backup.id.clone(),
        name: info.and_then(|info| info.backup_name.clone()),
        status: info.map(|info| info.status),
        kind: unusable.as_ref().map_or(BackupKind::Usable, UnusableReason::kind),
        unusable: unusable.map(Box::new),
        began_at: info.and_then(|info| info.began_at).or_else(|| backup.id.began_at()),
        ended_at: info.and_then(|info| info.ended_at),
        begin_wal: wal.map(|wal| wal.begin),
        end_wal: wal.map(|wal| wal.end),
        tablespaces: info
            .iter()
            .flat_map(|info| &info.tablespaces)
            .map(|tablespace| tablespace.name.clone())
            .collect(),
        size_bytes: backup.size_bytes(),
        read_at: None,
    }
}

impl Totals {
    pub(super) fn of(catalogue: &Catalogue<'_>, inventory: &Inventory) -> Self {
        let backups = || catalogue.backups.iter().map(|(backup, _)| *backup);
        let newest = backups().filter_map(ObservedBackup::parsed_info).max_by_key(|it| it.began_at);
        let objects = |backup: &ObservedBackup| {
            let tars = u64::try_from(backup.tars.len()).unwrap_or(u64::MAX);
            tars.saturating_add(u64::from(!matches!(backup.info, Ok(None))))
        };
        Self {
            base_objects: backups().map(objects).sum(),
            base_bytes: backups().fold(0, |sum, backup| sum.saturating_add(backup.size_bytes())),
            wal_objects: inventory.object_count,
            wal_bytes: inventory.size_bytes,
            postgres_major: newest
                .and_then(|info: &BackupInfo| Some(info.server_version? / 10_000)),
        }
    }
}

/// Enough to recognise what they are.
const STRAYS_NAMED_MAX: usize = 3;

impl Strays {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let seen = &inventory.strays;
        let examples = seen.samples.iter().take(STRAYS_NAMED_MAX).cloned().collect();
        Self { count: seen.count, examples }
    }
}
