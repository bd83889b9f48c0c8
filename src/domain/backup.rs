//! A base backup's identity and state.

use std::fmt;

use chrono::DateTime;
use chrono::NaiveDateTime;
use chrono::Utc;

/// The folder name of a base backup: when it began, `20260801T020000`.
///
/// Invariant: ASCII.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId([u8; 15]);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a backup id like 20260801T020000")]
pub struct BackupIdError(pub String);

/// `BackupInfo.STATUS_ALL` in `barman/infofile.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupStatus {
    Empty,
    Started,
    WaitingForWals,
    Done,
    Syncing,
    Failed,
}

/// What `annotations/keep` exempts a backup from (`barman/annotations.py`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The backup and all WAL after it stay.
    Full,
    /// The backup and the WAL that makes it consistent stay; later WAL may be deleted.
    Standalone,
}

impl BackupId {
    /// Barman takes any name that ends like a time (`is_backup_id` in `barman/utils.py`); what it
    /// writes is exactly that time.
    pub fn parse(text: &str) -> Result<Self, BackupIdError> {
        let is_id = |id: &[u8; 15]| {
            id.iter().enumerate().all(|(at, byte)| match at {
                8 => *byte == b'T',
                _ => byte.is_ascii_digit(),
            })
        };
        let id = text.as_bytes().try_into().ok().filter(is_id);
        id.map(Self).ok_or_else(|| BackupIdError(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// When the backup began, as far as the name tells: barman writes its local time, which is
    /// UTC in the plugin's sidecar.
    pub fn began_at(&self) -> Option<DateTime<Utc>> {
        let began_at = NaiveDateTime::parse_from_str(self.as_str(), "%Y%m%dT%H%M%S");
        began_at.ok().map(|time| time.and_utc())
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BackupStatus {
    pub const ALL: [Self; 6] =
        [Self::Empty, Self::Started, Self::WaitingForWals, Self::Done, Self::Syncing, Self::Failed];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Started => "STARTED",
            Self::WaitingForWals => "WAITING_FOR_WALS",
            Self::Done => "DONE",
            Self::Syncing => "SYNCING",
            Self::Failed => "FAILED",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_the_backup_began() {
        let id = BackupId::parse("20260801T020304").unwrap();
        assert_eq!(id.began_at().unwrap().to_rfc3339(), "2026-08-01T02:03:04+00:00");
        assert_eq!(BackupId::parse("20261399T990000").unwrap().began_at(), None);
    }

    #[test]
    fn other_folder_names_are_no_ids() {
        for text in ["", "20260801", "20260801T02030", "20260801t020304", "2026080AT020304", "é"] {
            assert!(BackupId::parse(text).is_err(), "{text:?}");
        }
    }
}
