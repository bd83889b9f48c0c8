//! Promises that an archive does not keep.

use std::fmt;

use chrono::TimeDelta;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::count;
use crate::assessment::finding::words::duration;
use crate::assessment::finding::words::ids;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokenPromise {
    BackupOverdue { newest: BackupId, age: TimeDelta, age_max: TimeDelta },
    BackupNeverRan { waited: TimeDelta, age_max: TimeDelta },
    WalStale { newest: SegmentName, age: TimeDelta, age_max: TimeDelta },
    WindowShort { reaches_back: TimeDelta, retention: TimeDelta },
    RetentionNotEnforced { obsolete: Vec<BackupId>, retention: TimeDelta },
}

impl Family for BrokenPromise {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::BackupOverdue { newest, .. } => {
                (FindingCode::BackupOverdue, Topic::Backup(newest))
            }
            Self::BackupNeverRan { .. } => (FindingCode::BackupNeverRan, Topic::Whole),
            Self::WalStale { newest, .. } => (FindingCode::WalStale, Topic::Segment(*newest)),
            Self::WindowShort { .. } => (FindingCode::WindowShort, Topic::Whole),
            Self::RetentionNotEnforced { .. } => (FindingCode::RetentionNotEnforced, Topic::Whole),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::BackupOverdue { .. } => {
                "look at the ScheduledBackup: is it suspended, or blocked by a Backup that never \
                 ended?"
            }
            Self::BackupNeverRan { .. } => {
                "look at the ScheduledBackup and its last Backup, then TAKE_A_BACKUP"
            }
            Self::WalStale { .. } => {
                "if the database is idle this is normal; else look at pg_stat_archiver and the \
                 plugin's log"
            }
            Self::WindowShort { .. } => {
                "older backups are missing or unusable; the window grows again by itself from the \
                 next good backups on"
            }
            Self::RetentionNotEnforced { .. } => {
                "look at the plugin's log for RetentionPolicyFailed; it runs on the primary only"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        let seconds = |duration: &TimeDelta| duration.num_seconds().to_string();
        match self {
            Self::BackupOverdue { age, age_max, .. } | Self::WalStale { age, age_max, .. } => {
                vec![("age_seconds", seconds(age)), ("age_max_seconds", seconds(age_max))]
            }
            Self::BackupNeverRan { waited, age_max } => {
                vec![("waited_seconds", seconds(waited)), ("age_max_seconds", seconds(age_max))]
            }
            Self::WindowShort { reaches_back, retention } => vec![
                ("window_seconds", seconds(reaches_back)),
                ("retention_seconds", seconds(retention)),
            ],
            Self::RetentionNotEnforced { obsolete, retention } => {
                vec![("backup_ids", ids(obsolete)), ("retention_seconds", seconds(retention))]
            }
        }
    }
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackupOverdue { newest, age, age_max } => write!(
                f,
                "the newest usable backup, {newest}, is {} old, more than {}",
                duration(*age),
                duration(*age_max)
            ),
            Self::BackupNeverRan { waited, age_max } => write!(
                f,
                "no backup has run in {}, and one was due within {}",
                duration(*waited),
                duration(*age_max)
            ),
            Self::WalStale { newest, age, age_max } => write!(
                f,
                "the newest WAL segment, {newest}, came {} ago, more than {}",
                duration(*age),
                duration(*age_max)
            ),
            Self::WindowShort { reaches_back, retention } => write!(
                f,
                "recovery reaches back {}, less than the promised {}",
                duration(*reaches_back),
                duration(*retention)
            ),
            Self::RetentionNotEnforced { obsolete, retention } => write!(
                f,
                "{} outlived the retention of {} and nothing deletes them: {}",
                count(obsolete.len(), "backup"),
                duration(*retention),
                ids(obsolete)
            ),
        }
    }
}
