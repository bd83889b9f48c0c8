//! Remembers over restarts what was read of which archive to its last byte, in one `SQLite` file.
//!
//! Losing it costs requests, never truth: what it does not know is read again, and what it knows is
//! held against the next complete listing. Calls wait for the disk.

mod backups;
mod demands;
mod file;
mod listed;
mod segments;
mod spent;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use chrono::DateTime;
use chrono::Utc;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

pub use crate::ledger::backups::BackupRecord;
pub use crate::ledger::listed::ListedOnce;
pub use crate::ledger::segments::FolderRecord;
pub use crate::ledger::segments::SegmentNote;
pub use crate::ledger::segments::Writer;

/// The ledger of one process.
#[derive(Debug)]
pub struct Ledger {
    connection: Mutex<Connection>,
    kept: Kept,
    /// Keeps other processes from writing.
    _lock: Option<File>,
}

/// Where what is noted stays.
#[derive(Debug)]
enum Kept {
    /// In memory, as was meant.
    InMemory,
    /// In memory, since the file cannot be used.
    InMemoryOnly,
    /// In the file; whether the last write came through.
    OnDisk(AtomicBool),
}

impl Ledger {
    /// Whether what is noted is kept over a restart; `None` where that was never meant.
    pub fn is_writable(&self) -> Option<bool> {
        match &self.kept {
            Kept::InMemory => None,
            Kept::InMemoryOnly => Some(false),
            Kept::OnDisk(is_writable) => Some(is_writable.load(Ordering::Relaxed)),
        }
    }

    /// Since when an archive is read: from now on, if it is not known.
    pub fn began(&self, archive: &str) -> Option<DateTime<Utc>> {
        self.write(|transaction| number_for(transaction, archive).map(drop));
        let began_at = self.read(|connection| {
            let mut find =
                connection.prepare_cached("SELECT began_at FROM archives WHERE address = ?1")?;
            find.query_row([archive], |row| row.get(0)).optional()
        });
        began_at.flatten().and_then(|at| DateTime::from_timestamp(at, 0))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where it cannot be read: then nothing is known.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        let told = |error: &rusqlite::Error| {
            tracing::warn!(%error, "the ledger cannot be read, so what it knew is read again");
        };
        read(&self.connection()).inspect_err(told).ok()
    }

    /// All of it or nothing; the answer is whether it is on the disk now.
    fn write(&self, write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> bool {
        let mut connection = self.connection();
        let written = connection.transaction().and_then(|transaction| {
            write(&transaction)?;
            transaction.commit()
        });
        let was_writable = match &self.kept {
            Kept::OnDisk(it) => it.swap(written.is_ok(), Ordering::Relaxed),
            Kept::InMemory | Kept::InMemoryOnly => true,
        };
        match written {
            Ok(()) if !was_writable => tracing::info!("the ledger can be written again"),
            Err(error) if was_writable => {
                tracing::warn!(
                    %error,
                    "the ledger cannot be written, so what is read now will be read again after a \
                     restart"
                );
            }
            Ok(()) | Err(_) => {}
        }
        self.is_writable().unwrap_or(true)
    }
}

/// The number that stands for an archive in all tables.
fn number_of(connection: &Connection, archive: &str) -> rusqlite::Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT id FROM archives WHERE address = ?1")?;
    find.query_row([archive], |row| row.get(0)).optional()
}

fn number_for(transaction: &Transaction<'_>, archive: &str) -> rusqlite::Result<i64> {
    if let Some(number) = number_of(transaction, archive)? {
        return Ok(number);
    }
    let begin = "INSERT INTO archives (address, began_at) VALUES (?1, unixepoch())";
    transaction.execute(begin, params![archive])?;
    Ok(transaction.last_insert_rowid())
}
