//! What is wrong with base backups.

use std::fmt;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::archive::store::COLD_HINT;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::SUPERSEDED;
use crate::assessment::finding::words::segments;
use crate::assessment::finding::words::span;
use crate::assessment::finding::words::time;
use crate::content::damage::BackupDamage;
use crate::domain::backup::BackupId;
use crate::domain::backup_info::BackupInfoError;
use crate::domain::segment::SegmentName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupDefect {
    NoneUsable {
        backups: usize,
    },
    Failed {
        backup: BackupId,
        error: Option<String>,
        /// A later backup succeeded.
        is_superseded: bool,
    },
    Stuck {
        backup: BackupId,
        since: DateTime<Utc>,
        is_superseded: bool,
    },
    Incomplete {
        backup: BackupId,
        missing: Missing,
    },
    InfoUnreadable {
        backup: BackupId,
        why: BackupInfoError,
    },
    /// Its tar files must be thawed before they are read.
    Cold {
        backup: BackupId,
        objects: usize,
    },
    /// Its content was read, and shows it.
    Damaged {
        backup: BackupId,
        /// At least one.
        damages: Vec<BackupDamage>,
    },
    /// Of no use without those that it stands on, and nobody puts them together.
    Incremental {
        backup: BackupId,
        parent: BackupId,
        /// `None` where it is not in the archive.
        full: Option<BackupId>,
        is_superseded: bool,
    },
}

/// What a backup lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Names below the backup's folder, with what is wrong where they are there but useless.
    Objects(Vec<String>),
    Wal(MissingWal),
}

/// Segments that a backup needs to become consistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingWal {
    pub first: SegmentName,
    pub last: SegmentName,
    pub count: u64,
}

impl BackupDefect {
    /// Whether a later backup makes up for it.
    pub(in crate::assessment) const fn is_superseded(&self) -> bool {
        matches!(
            self,
            Self::Failed { is_superseded: true, .. }
                | Self::Stuck { is_superseded: true, .. }
                | Self::Incremental { is_superseded: true, .. }
        )
    }
}

impl Family for BackupDefect {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::NoneUsable { .. } => (FindingCode::NoUsableBackup, Topic::Whole),
            Self::Failed { backup, .. } => (FindingCode::BackupFailed, Topic::Backup(backup)),
            Self::Stuck { backup, .. } => (FindingCode::BackupStuck, Topic::Backup(backup)),
            Self::Incomplete { backup, .. } => {
                (FindingCode::BackupIncomplete, Topic::Backup(backup))
            }
            Self::InfoUnreadable { backup, .. } => {
                (FindingCode::BackupInfoUnreadable, Topic::Backup(backup))
            }
            Self::Cold { backup, .. } => (FindingCode::StorageClassCold, Topic::Backup(backup)),
            Self::Damaged { backup, .. } => (FindingCode::BackupDamaged, Topic::Backup(backup)),
            Self::Incremental { backup, .. } => {
                (FindingCode::BackupIncremental, Topic::Backup(backup))
            }
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NoneUsable { .. } => {
                "look at the ScheduledBackup and its last Backup, then TAKE_A_BACKUP"
            }
            Self::Failed { is_superseded: true, .. } | Self::Stuck { is_superseded: true, .. } => {
                "nothing cleans up after it: once you know why it failed, delete the folder \
                 base/TOPIC by hand"
            }
            Self::Failed { .. } | Self::Stuck { .. } => {
                "read the log of the plugin's sidecar in the primary, then TAKE_A_BACKUP"
            }
            Self::Incomplete { missing: Missing::Objects(_), .. } => {
                "find out what deletes objects (a lifecycle rule, a person, a tool), then \
                 TAKE_A_BACKUP"
            }
            Self::Incomplete { missing: Missing::Wal(_), .. } => {
                "if only its last segment never arrived, switch WAL on the primary (SELECT \
                 pg_switch_wal()); otherwise TAKE_A_BACKUP"
            }
            Self::InfoUnreadable { .. } => {
                "barman refuses to delete any old backup while one backup.info is unreadable: \
                 restore the object or delete the backup's folder"
            }
            Self::Cold { .. } => COLD_HINT,
            Self::Damaged { .. } => {
                "find the cause: check the database's disk first, then the store; an older backup \
                 with its WAL may still be intact; TAKE_A_BACKUP"
            }
            Self::Incremental { .. } => {
                "take full backups: nothing that restores from this archive can combine \
                 incremental ones; TAKE_A_BACKUP"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::NoneUsable { backups } => vec![("backups", backups.to_string())],
            Self::Failed { .. } | Self::Stuck { .. } | Self::InfoUnreadable { .. } => Vec::new(),
            Self::Cold { objects, .. } => vec![("objects", objects.to_string())],
            Self::Damaged { damages, .. } => {
                let kind = damages.first().map_or("", BackupDamage::code);
                let places: Vec<String> = damages.iter().flat_map(BackupDamage::places).collect();
                vec![("kind", kind.to_owned()), ("places", places.join(", "))]
            }
            Self::Incremental { parent, full, .. } => {
                let full = full.as_ref().map(|full| ("full", full.to_string()));
                std::iter::once(("parent", parent.to_string())).chain(full).collect()
            }
            Self::Incomplete { missing: Missing::Objects(names), .. } => {
                vec![("missing", "objects".to_owned()), ("objects", names.join(", "))]
            }
            Self::Incomplete { missing: Missing::Wal(missing), .. } => vec![
                ("missing", "wal".to_owned()),
                ("first", missing.first.to_string()),
                ("last", missing.last.to_string()),
                ("count", missing.count.to_string()),
            ],
        }
    }
}

impl fmt::Display for BackupDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneUsable { backups: 0 } => f.write_str("there is no base backup"),
            Self::NoneUsable { backups: 1 } => {
                f.write_str("the only base backup cannot be restored")
            }
            Self::NoneUsable { backups } => {
                write!(f, "none of the {backups} base backups can be restored")
            }
            Self::Failed { backup, error, is_superseded } => {
                write!(f, "backup {backup} failed")?;
                if let Some(error) = error {
                    write!(f, ": {error}")?;
                }
                f.write_str(if *is_superseded { SUPERSEDED } else { "" })
            }
            Self::Stuck { backup, since, is_superseded } => {
                write!(f, "backup {backup} began at {} and never ended", time(*since))?;
                f.write_str(if *is_superseded { SUPERSEDED } else { "" })
            }
            Self::Incomplete { backup, missing: Missing::Objects(names) } => {
                write!(f, "backup {backup} has objects missing: {}", names.join(", "))
            }
            Self::Incomplete { backup, missing: Missing::Wal(missing) } => {
                write!(
                    f,
                    "backup {backup} is missing {} of its own WAL: ",
                    segments(missing.count)
                )?;
                f.write_str(&span(missing.first, missing.last))
            }
            Self::InfoUnreadable { backup, why } => {
                write!(f, "backup.info of backup {backup} cannot be understood: {why}")
            }
            Self::Cold { backup, objects } => write!(
                f,
                "backup {backup} has {objects} of its tar files in a storage class that must be \
                 thawed before a restore; a lifecycle rule of the bucket is the likely cause"
            ),
            Self::Damaged { backup, damages } => {
                let damages: Vec<String> = damages.iter().map(ToString::to_string).collect();
                write!(f, "backup {backup} is damaged: {}", damages.join("; "))
            }
            Self::Incremental { backup, parent, full, is_superseded } => {
                write!(f, "backup {backup} holds only what changed since {parent}")?;
                match full {
                    Some(full) if full != parent => write!(f, ", which builds on {full}")?,
                    Some(_) => {}
                    None => f.write_str(", and the full backup that it builds on is missing")?,
                }
                f.write_str(if *is_superseded { SUPERSEDED } else { "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_backup_is_not_counted_as_if_it_were_several() {
        let said = |backups| BackupDefect::NoneUsable { backups }.to_string();
        assert_eq!(said(0), "there is no base backup");
        assert_eq!(said(1), "the only base backup cannot be restored");
        assert_eq!(said(2), "none of the 2 base backups can be restored");
    }
}
