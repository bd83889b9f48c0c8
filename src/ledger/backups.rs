//! Which base backups were read.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;
use rusqlite::params;

use crate::domain::backup::BackupId;
use crate::ledger::Ledger;
use crate::ledger::number_for;
use crate::ledger::number_of;
use crate::observation::folder_sums::ObjectSum;

/// What is remembered of a base backup that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupRecord {
    /// Over its objects.
    pub sum: ObjectSum,
    pub is_whole: bool,
    pub read_at: DateTime<Utc>,
}

impl Ledger {
    /// Those that were read; one that is not told is read again.
    pub fn backups(&self, archive: &str) -> BTreeMap<BackupId, BackupRecord> {
        self.read(|connection| {
            let Some(archive) = number_of(connection, archive)? else { return Ok(BTreeMap::new()) };
            let mut find = connection.prepare_cached(
                "SELECT backup_id, sum, is_whole, read_at FROM backups WHERE archive = ?1",
            )?;
            let rows = find.query_map([archive], |row| {
                let (id, sum): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
                let (is_whole, read_at) = (row.get(2)?, DateTime::from_timestamp(row.get(3)?, 0));
                // Anything else was not written by this program.
                let record =
                    BackupId::parse(&id).ok().zip(<[u8; 16]>::try_from(sum).ok()).zip(read_at);
                Ok(record.map(|((id, sum), read_at)| {
                    let sum = ObjectSum(u128::from_le_bytes(sum));
                    (id, BackupRecord { sum, is_whole, read_at })
                }))
            })?;
            rows.filter_map(Result::transpose).collect()
        })
        .unwrap_or_default()
    }

    /// Takes the place of what was known of it; tells whether that is on the disk.
    pub fn note_backup(&self, archive: &str, id: &BackupId, record: &BackupRecord) -> bool {
        self.write(|transaction| {
            let archive = number_for(transaction, archive)?;
            let mut note = transaction
                .prepare_cached("INSERT OR REPLACE INTO backups VALUES (?1, ?2, ?3, ?4, ?5)")?;
            let BackupRecord { sum, is_whole, read_at } = record;
            let sum = sum.0.to_le_bytes();
            note.execute(params![archive, id.as_str(), sum, is_whole, read_at.timestamp()])
                .map(drop)
        })
    }

    /// These are gone.
    pub fn forget_backups(&self, archive: &str, ids: &[BackupId]) -> bool {
        self.write(|transaction| {
            let archive = number_for(transaction, archive)?;
            let mut forget = transaction
                .prepare_cached("DELETE FROM backups WHERE archive = ?1 AND backup_id = ?2")?;
            ids.iter().try_for_each(|id| forget.execute(params![archive, id.as_str()]).map(drop))
        })
    }
}
