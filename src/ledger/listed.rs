//! Which backups and history files were there once.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;
use rusqlite::params;

use crate::ledger::Ledger;
use crate::ledger::number_for;
use crate::ledger::number_of;

/// When something was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOnce {
    /// When it ended, or was uploaded.
    pub dated: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
}

impl Ledger {
    /// By name; `None` where the ledger cannot be read.
    pub fn listed(&self, archive: &str) -> Option<BTreeMap<String, ListedOnce>> {
        self.read(|connection| {
            let Some(archive) = number_of(connection, archive)? else { return Ok(BTreeMap::new()) };
            let mut find = connection.prepare_cached(
                "SELECT name, dated, last_seen_at FROM listed WHERE archive = ?1",
            )?;
            let rows = find.query_map([archive], |row| {
                let at = |seconds| DateTime::from_timestamp(seconds, 0);
                let (name, dated, seen) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let known = at(dated).zip(at(seen));
                let listed = |(dated, last_seen_at)| ListedOnce { dated, last_seen_at };
                Ok(known.map(|known| (name, listed(known))))
            })?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// Takes the place of what was known; tells whether that is on the disk.
    pub fn note_listed(&self, archive: &str, listed: &BTreeMap<String, ListedOnce>) -> bool {
        self.write(|transaction| {
            let archive = number_for(transaction, archive)?;
            transaction.execute("DELETE FROM listed WHERE archive = ?1", [archive])?;
            let mut note =
                transaction.prepare_cached("INSERT INTO listed VALUES (?1, ?2, ?3, ?4)")?;
            listed.iter().try_for_each(|(name, it)| {
                let (dated, seen) = (it.dated.timestamp(), it.last_seen_at.timestamp());
                note.execute(params![archive, name, dated, seen]).map(drop)
            })
        })
    }
}
