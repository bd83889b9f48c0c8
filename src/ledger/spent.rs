//! How much was read in a month.

use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::ledger::Ledger;

impl Ledger {
    /// In bytes, in a month such as `2026-01`; `None` where the ledger cannot be read.
    pub fn spent(&self, month: &str) -> Option<u64> {
        let bytes = self.read(|connection| {
            let mut find = connection.prepare_cached("SELECT bytes FROM spent WHERE month = ?1")?;
            find.query_row([month], |row| row.get(0)).optional()
        });
        // Without a line for it, nothing was.
        bytes.map(|bytes| bytes.unwrap_or(0))
    }

    /// Adds to it, and forgets other months.
    pub fn spend(&self, month: &str, bytes: u64) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.write(|transaction| {
            transaction.execute("DELETE FROM spent WHERE month <> ?1", [month])?;
            let mut add = transaction.prepare_cached(
                "INSERT INTO spent VALUES (?1, ?2) \
                 ON CONFLICT (month) DO UPDATE SET bytes = bytes + excluded.bytes",
            )?;
            add.execute(params![month, bytes]).map(drop)
        })
    }
}
