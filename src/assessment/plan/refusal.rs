//! Why a target cannot be reached, or why nobody can say.

use std::fmt;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;

/// Why not, and what is possible instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstruction {
    pub why: Why,
    /// The last moment before the target that can be restored.
    pub nearest_before: Option<DateTime<Utc>>,
    /// The first moment after it.
    pub nearest_after: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    NoUsableBackup,
    NoSuchBackup(String),
    /// In the words of why it is not usable.
    BackupUnusable(BackupId, String),
    NewestNotReached,
    BeforeTheOldest,
    /// The newest state is that of the moment, and no target time is ever passed.
    NothingFollows,
    /// The same, before a hole: what comes behind it is not known to be later.
    NothingFollowsBeforeTheEnd,
    Missing,
    NoSuchPosition,
    NoSuchRestorePoint(String),
    RestorePointTooEarly(String),
}

/// Why nobody can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    NotReadYet,
    /// In the words of the worst finding.
    Finding(String),
    /// So many segments were opened, and none of them holds a transaction.
    NoCommitFound,
    EndOfLogNotRead,
    LogNotSearched,
    /// So many segments were read for it.
    RestorePointNotFoundYet(usize),
    /// In the words of what went wrong.
    LogUnread(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchBackup(name) => return write!(f, "there is no backup {name}"),
            Self::BackupUnusable(id, why) => {
                return write!(f, "backup {id} cannot be restored: {why}");
            }
            Self::NoSuchRestorePoint(name) => {
                return write!(
                    f,
                    "the WAL that usable backups can replay has no restore point {name}"
                );
            }
            Self::RestorePointTooEarly(name) => {
                return write!(
                    f,
                    "restore point {name} lies before the end of every backup that could lead to \
                     it, and recovery cannot stop there"
                );
            }
            Self::NoUsableBackup => "there is no usable backup",
            Self::NewestNotReached => "no usable backup reaches the newest archived state",
            Self::BeforeTheOldest => "the oldest usable backup is newer",
            Self::NothingFollows => {
                "no transaction in the archived WAL is newer, and PostgreSQL refuses a target that \
                 it never passes; leave the target out: the newest state is that of this moment, \
                 as far as it was archived"
            }
            Self::NothingFollowsBeforeTheEnd => {
                "no transaction in the WAL that can be reached is newer, and PostgreSQL refuses a \
                 target that it never passes"
            }
            Self::Missing => {
                "the WAL of that moment is missing, or no base backup has been taken since"
            }
            Self::NoSuchPosition => {
                "no usable backup leads to that position: it is before the end of the oldest \
                 backup, after the newest segment, or in a hole"
            }
        })
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReadYet => "the archive has not been read yet",
            Self::Finding(text) | Self::LogUnread(text) => text,
            Self::RestorePointNotFoundYet(read) => {
                return write!(
                    f,
                    "the restore point is not in the {read} segments that were read, and no more \
                     may be read: name a later backup with --backup, or allow more with \
                     --segments-per-look"
                );
            }
            Self::LogNotSearched => "the WAL was not searched for it",
            Self::NoCommitFound => {
                "no transaction was found in the newest segments that could be opened, so it is \
                 not known whether one follows the target; raise segments_per_look to open more at \
                 a time; the daemon's next look goes on from there"
            }
            Self::EndOfLogNotRead => {
                "the position is in the last segment, and how far the log reaches in it was not \
                 read"
            }
        })
    }
}
