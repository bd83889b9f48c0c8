//! Does the WAL ask for something that the restored server will not have?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::Weight;
use crate::assessment::finding::setup::Setup;

/// A tablespace that the WAL makes: recovery fails there, as nobody has made the place for it
/// (`create_tablespace_directories` in `tablespace.c`).
pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let told = case.cluster.iter().flat_map(|(_, findings)| findings);
    // By its name, which is more than the WAL says.
    if told.into_iter().any(|it| it.code() == FindingCode::TablespaceMissing) {
        return Vec::new();
    }
    let usable = case.backups.iter().filter(|backup| backup.is_usable());
    let Some(newest) = usable.max_by_key(|backup| (backup.ended_at, &backup.id)) else {
        return Vec::new();
    };
    let window = case.recoverability.windows.iter().find(|it| it.backup_id == newest.id);
    let demands = window.and_then(|window| window.demands.as_deref());
    let made = demands.into_iter().flat_map(|it| &it.tablespaces);
    let tablespaces: Vec<String> = made.map(|oid| format!("with identifier {oid}")).collect();
    let backup = newest.id.clone();
    let finding = (!tablespaces.is_empty())
        .then(|| Finding::new(Weight::Risk, Setup::TablespaceMissing { tablespaces, backup }));
    finding.into_iter().collect()
}
