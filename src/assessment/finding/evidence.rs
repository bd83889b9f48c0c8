//! What a finding rests on, as names and values.

use crate::assessment::finding::Missing;
use crate::assessment::finding::Problem;
use crate::assessment::finding::words::ids;
use crate::domain::segment::SegmentName;

impl Problem {
    /// Names and values for scripts.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each problem; a split would hide the list"
    )]
    pub fn evidence(&self) -> Vec<(&'static str, String)> {
        let wal = |first: &SegmentName, last: &SegmentName, count: u64| {
            vec![
                ("first", first.to_string()),
                ("last", last.to_string()),
                ("count", count.to_string()),
            ]
        };
        match self {
            Self::WalGap { gap, stranded, parent_has_segment } => {
                let mut evidence = wal(&gap.first, &gap.last, gap.count);
                evidence.push(("effect", gap.effect.code().to_owned()));
                if !stranded.is_empty() {
                    evidence.push(("stranded", ids(stranded)));
                }
                if *parent_has_segment {
                    evidence.push(("parent_has_segment", "true".to_owned()));
                }
                evidence
            }
            Self::WalDamaged { segment, damage } => {
                vec![("segment", segment.to_string()), ("kind", damage.kind.code().to_owned())]
            }
            Self::HistoryMissing { timeline, stranded } => {
                vec![("timeline", timeline.to_string()), ("stranded", ids(stranded))]
            }
            Self::HistoryDamaged { timeline, .. } => vec![("timeline", timeline.to_string())],
            Self::PartialShadowsSegment { segment } => vec![("segment", segment.to_string())],
            Self::SegmentTwice { first, count } => {
                vec![("first", first.to_string()), ("count", count.to_string())]
            }
            Self::NoUsableBackup { backups } => vec![("backups", backups.to_string())],
            Self::BackupFailed { backup, .. }
            | Self::BackupInfoUnreadable { backup, .. }
            | Self::BackupStuck { backup, .. } => vec![("backup_id", backup.to_string())],
            Self::BackupIncomplete { backup, missing } => {
                let mut evidence = vec![("backup_id", backup.to_string())];
                match missing {
                    Missing::Objects(names) => {
                        evidence.push(("missing", "objects".to_owned()));
                        evidence.push(("objects", names.join(", ")));
                    }
                    Missing::Wal { first, last, count } => {
                        evidence.push(("missing", "wal".to_owned()));
                        evidence.extend(wal(first, last, *count));
                    }
                }
                evidence
            }
            Self::BackupOverdue { newest, age, age_max } => vec![
                ("backup_id", newest.to_string()),
                ("age_seconds", age.num_seconds().to_string()),
                ("age_max_seconds", age_max.num_seconds().to_string()),
            ],
            Self::BackupNeverRan { waited, age_max } => vec![
                ("waited_seconds", waited.num_seconds().to_string()),
                ("age_max_seconds", age_max.num_seconds().to_string()),
            ],
            Self::WalStale { newest, age, age_max } => vec![
                ("segment", newest.to_string()),
                ("age_seconds", age.num_seconds().to_string()),
                ("age_max_seconds", age_max.num_seconds().to_string()),
            ],
            Self::WindowShort { reaches_back, retention } => vec![
                ("window_seconds", reaches_back.num_seconds().to_string()),
                ("retention_seconds", retention.num_seconds().to_string()),
            ],
            Self::RetentionNotEnforced { obsolete, retention } => vec![
                ("backup_ids", ids(obsolete)),
                ("retention_seconds", retention.num_seconds().to_string()),
            ],
            Self::ForeignSystem { expected, found, carrier } => vec![
                ("expected", expected.to_string()),
                ("found", found.to_string()),
                ("carrier", carrier.clone()),
            ],
            Self::ArchiveEmpty { address } => vec![("address", address.clone())],
            Self::StoreUnreachable(unreadable) | Self::StoreDenied(unreadable) => vec![
                ("what", unreadable.what.clone()),
                ("reason", unreadable.reason.code().to_owned()),
            ],
            Self::Setup(setup) => setup.evidence(),
            Self::Duty(duty) => duty.evidence(),
        }
    }
}
