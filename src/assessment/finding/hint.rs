//! What to do about a finding: the next command, or the next place to look.

use crate::assessment::GapEffect;
use crate::assessment::finding::Missing;
use crate::assessment::finding::Problem;
use crate::domain::archive_id::ArchiveId;

const TAKE_A_BACKUP: &str = "take a base backup now: kubectl cnpg backup -n NAMESPACE CLUSTER \
    --method=plugin --plugin-name=barman-cloud.cloudnative-pg.io";

impl Problem {
    /// The next thing to do, with the cluster's names where they are known.
    pub fn hint(&self, archive: &ArchiveId) -> String {
        let hint = self.general_hint();
        if archive.cluster.is_empty() {
            return hint;
        }
        let names = format!("-n {} {}", archive.namespace, archive.cluster);
        hint.replace("-n NAMESPACE CLUSTER", &names)
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each problem; a split would hide the list"
    )]
    fn general_hint(&self) -> String {
        match self {
            Self::WalGap { gap, parent_has_segment, .. } => match gap.effect {
                GapEffect::StopsRecovery if *parent_has_segment => format!(
                    "do not restore the latest state: recovery would replay the old timeline's \
                     segment and bring back abandoned transactions; {TAKE_A_BACKUP}"
                ),
                GapEffect::StopsRecovery => format!(
                    "if the segments are still in pg_wal, repair archiving and let it catch up; \
                     else {TAKE_A_BACKUP}"
                ),
                GapEffect::Hole => "if the loss is known and accepted, set \
                    acknowledge_gap_before; it disappears when retention passes it"
                    .to_owned(),
                GapEffect::Harmless => "nothing to do".to_owned(),
            },
            Self::WalDamaged { .. } => {
                format!("if the segment is still in pg_wal, upload it again; else {TAKE_A_BACKUP}")
            }
            Self::HistoryMissing { timeline, .. } => format!(
                "upload {:08X}.history again from pg_wal of the primary, or {TAKE_A_BACKUP}",
                timeline.value()
            ),
            Self::HistoryDamaged { timeline, .. } => format!(
                "replace {:08X}.history by the copy in pg_wal of the primary; until then \
                 PostgreSQL may refuse to start recovery",
                timeline.value()
            ),
            Self::PartialShadowsSegment { .. } => "delete the .partial object, or restore with \
                --no-partial among restoreAdditionalCommandArgs"
                .to_owned(),
            Self::SegmentTwice { .. } => "nothing to do after a change of the compression; \
                otherwise find out who else writes here"
                .to_owned(),
            Self::NoUsableBackup { .. } | Self::BackupNeverRan { .. } => {
                format!("look at the ScheduledBackup and its last Backup, then {TAKE_A_BACKUP}")
            }
            Self::BackupFailed { is_superseded: true, backup, .. }
            | Self::BackupStuck { is_superseded: true, backup, .. } => format!(
                "nothing cleans up after it: delete the folder base/{backup} by hand when you \
                 have seen why it failed"
            ),
            Self::BackupFailed { .. } | Self::BackupStuck { .. } => {
                format!("read the log of the plugin's sidecar in the primary, then {TAKE_A_BACKUP}")
            }
            Self::BackupIncomplete { missing: Missing::Objects(_), .. } => format!(
                "look for lifecycle rules or people that delete objects, then {TAKE_A_BACKUP}"
            ),
            Self::BackupIncomplete { missing: Missing::Wal { .. }, .. } => format!(
                "if its last segment never came, switch WAL on the primary \
                 (SELECT pg_switch_wal()); else {TAKE_A_BACKUP}"
            ),
            Self::BackupInfoUnreadable { .. } => "barman refuses to delete any old backup while \
                one backup.info is unreadable: restore the object or delete the backup's folder"
                .to_owned(),
            Self::BackupOverdue { .. } => {
                "look at the ScheduledBackup: is it suspended, or blocked by a Backup that never \
                 ended?"
                    .to_owned()
            }
            Self::WalStale { .. } => "if the database is idle this is normal; else look at \
                pg_stat_archiver and the plugin's log"
                .to_owned(),
            Self::WindowShort { .. } => "older backups are missing or unusable; the window grows \
                again by itself from the next good backups on"
                .to_owned(),
            Self::RetentionNotEnforced { .. } => "look at the plugin's log for \
                RetentionPolicyFailed; it runs on the primary only"
                .to_owned(),
            Self::ForeignSystem { .. } => "give the new cluster a server name of its own; two \
                servers in one archive overwrite each other's WAL"
                .to_owned(),
            Self::ArchiveEmpty { .. } => "check bucket, path and server name; a new cluster has \
                an empty archive until its first segment is archived"
                .to_owned(),
            Self::StoreUnreachable(_) => "check the endpoint, the bucket's name and the network \
                from here"
                .to_owned(),
            Self::StoreDenied(_) => "check that the token exists, is not expired and may list \
                and read this bucket"
                .to_owned(),
            Self::Setup(setup) => setup.hint(),
            Self::Duty(duty) => duty.hint(),
        }
    }
}
