//! Opens the file: one process writes, what is not ours or is broken is set aside.

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::Connection;

use crate::ledger::Kept;
use crate::ledger::Ledger;

/// In the head of the file, so that nothing else is taken for a ledger: `CNPG`.
const APPLICATION_ID: i32 = 0x434E_5047;

/// Of the tables, and of the checks behind what they say: another one reads everything anew.
const VERSION: i32 = 4;

/// Only short transactions of this process can be in the way.
const BUSY: Duration = Duration::from_secs(2);

const TABLES: &str = "
CREATE TABLE archives (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    -- Since when it is read, in seconds since 1970.
    began_at INTEGER NOT NULL
) STRICT;
-- 256 segments that follow each other, of which some or all were read and found right.
CREATE TABLE folders (
    archive INTEGER NOT NULL,
    timeline INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    -- A bit for each; NULL if all were.
    verified BLOB,
    -- Over name, entity tag and size of each of them.
    sum BLOB NOT NULL,
    -- The server that wrote them; NULL if there were two.
    system TEXT,
    -- The last of them in which a transaction ended, and when, in microseconds since 1970; NULL if
    -- there is none.
    committing INTEGER,
    committed_at INTEGER,
    PRIMARY KEY (archive, timeline, folder)
) STRICT, WITHOUT ROWID;
-- What a segment asks of a server that replays it.
CREATE TABLE demands (
    archive INTEGER NOT NULL,
    timeline INTEGER NOT NULL,
    number INTEGER NOT NULL,
    -- Five numbers, in the order of the record that asks for them; NULL if none changed.
    parameters TEXT,
    -- Object identifiers of new ones.
    tablespaces TEXT NOT NULL,
    PRIMARY KEY (archive, timeline, number)
) STRICT, WITHOUT ROWID;
-- Segments that were read and found wrong.
CREATE TABLE damaged (
    archive INTEGER NOT NULL,
    timeline INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (archive, timeline, number)
) STRICT, WITHOUT ROWID;
-- Base backups that were read.
CREATE TABLE backups (
    archive INTEGER NOT NULL,
    backup_id TEXT NOT NULL,
    -- Over name, entity tag and size of each of its objects.
    sum BLOB NOT NULL,
    is_whole INTEGER NOT NULL,
    -- In seconds since 1970.
    read_at INTEGER NOT NULL,
    PRIMARY KEY (archive, backup_id)
) STRICT, WITHOUT ROWID;
-- How many bytes were read in each month of the calendar, such as 2026-01.
CREATE TABLE spent (
    month TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Finished base backups and history files that were listed once: by their names.
CREATE TABLE listed (
    archive INTEGER NOT NULL,
    name TEXT NOT NULL,
    -- In seconds since 1970; of a backup its end, of a history file its upload.
    dated INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    PRIMARY KEY (archive, name)
) STRICT, WITHOUT ROWID;
";

/// Why a file is not used as it is.
enum Refused {
    Foreign(String),
    Io(String),
}

impl Ledger {
    /// Kept in memory, until the process ends.
    pub fn in_memory() -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection: Mutex::new(connection), kept: Kept::InMemory, _lock: None })
    }

    /// Kept in this file. Where that cannot be, it is kept in memory, and said once.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        match Self::open_file(path) {
            Ok(ledger) => Ok(ledger),
            Err(why) => {
                let path = path.display();
                tracing::warn!(
                    %path,
                    "the ledger cannot be used, so everything is read again after a restart: {why}"
                );
                let memory = Self::in_memory()?;
                Ok(Self { kept: Kept::InMemoryOnly, ..memory })
            }
        }
    }

    fn open_file(path: &Path) -> Result<Self, String> {
        let lock = lock(path).map_err(|error| error.to_string())?;
        let connection = match connect(path) {
            Ok(connection) => connection,
            Err(Refused::Io(why)) => return Err(why),
            Err(Refused::Foreign(why)) => {
                let aside = beside(path, ".old");
                tracing::warn!(
                    path = %path.display(), aside = %aside.display(),
                    "the ledger was set aside, and a new one begun: {why}"
                );
                std::fs::rename(path, aside).map_err(|error| error.to_string())?;
                connect(path).map_err(|refused| match refused {
                    Refused::Foreign(why) | Refused::Io(why) => why,
                })?
            }
        };
        let kept = Kept::OnDisk(AtomicBool::new(true));
        Ok(Self { connection: Mutex::new(connection), kept, _lock: Some(lock) })
    }
}

/// Of the file beside it, as `SQLite` locks the file itself in its own way.
fn lock(path: &Path) -> io::Result<File> {
    let lock = File::create(beside(path, ".lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(io::Error::other("another process is writing it"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn connect(path: &Path) -> Result<Connection, Refused> {
    let connection = Connection::open(path).map_err(refused)?;
    connection.busy_timeout(BUSY).map_err(refused)?;
    // A rollback journal also works on volumes of a network; what is acknowledged is on the disk.
    connection.pragma_update(None, "journal_mode", "TRUNCATE").map_err(refused)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(refused)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (id, version) =
        (number("application_id").map_err(refused)?, number("user_version").map_err(refused)?);
    match (id, version) {
        (APPLICATION_ID, VERSION) => {
            let check = connection.pragma_query_value(None, "quick_check", |row| row.get(0));
            let check: String = check.map_err(refused)?;
            if check == "ok" { Ok(connection) } else { Err(Refused::Foreign(check)) }
        }
        (0, 0) => {
            let begin = format!(
                "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; \
                 PRAGMA user_version = {VERSION}; COMMIT;"
            );
            connection.execute_batch(&begin).map_err(refused)?;
            Ok(connection)
        }
        (APPLICATION_ID, version) => {
            Err(Refused::Foreign(format!("it is version {version}; this program writes {VERSION}")))
        }
        _ => Err(Refused::Foreign("it is the database of another program".to_owned())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so it fits map_err")]
fn refused(error: rusqlite::Error) -> Refused {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            Refused::Foreign(text)
        }
        // Of tables that are there though the head says that there are none.
        Some(rusqlite::ErrorCode::Unknown) => Refused::Foreign(text),
        _ => Refused::Io(text),
    }
}
