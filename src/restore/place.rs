//! The directories of a restore on this machine.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::restore::account::Account;

/// Where data goes, and where what is needed on the way lies.
#[derive(Debug)]
pub struct Place {
    /// Of which nothing was there before.
    pub data: PathBuf,
    /// Holds one directory for each tablespace.
    pub tablespaces: PathBuf,
    /// Files of the log on their way; on the same file system as the data.
    pub spool: PathBuf,
    /// Sockets: their paths are short, wherever the data lies.
    pub sockets: TempDir,
    pub account: Account,
}

/// Whether what is written must outlive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Kept,
    /// It is deleted anyway.
    Throwaway,
}

#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("{} is not empty; a restore never overwrites anything", .0.display())]
    NotEmpty(PathBuf),
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, io::Error),
}

/// PostgreSQL starts with no other.
const OWNER_ONLY: u32 = 0o700;

impl Place {
    /// Makes the directories that are missing, and refuses those that hold something.
    pub fn prepare(data: &Path, tablespaces: &Path, account: Account) -> Result<Self, PlaceError> {
        let sockets = tempfile::Builder::new().prefix("cnpg-restore-").tempdir();
        let sockets = sockets.map_err(|error| PlaceError::Io(std::env::temp_dir(), error))?;
        give(&account, sockets.path())?;
        empty(data, &account)?;
        let spool = data.join(SPOOL);
        empty(&spool, &account)?;
        let data = data.to_owned();
        Ok(Self { data, tablespaces: tablespaces.to_owned(), spool, sockets, account })
    }

    /// Makes the directory of a tablespace.
    pub fn tablespace(&self, oid: u32) -> Result<PathBuf, PlaceError> {
        if !self.tablespaces.exists() {
            make(&self.tablespaces, &self.account)?;
        }
        let directory = self.tablespaces.join(oid.to_string());
        empty(&directory, &self.account)?;
        Ok(directory)
    }

    /// Where the server that restores asks for the log.
    pub fn request_socket(&self) -> PathBuf {
        self.sockets.path().join("wal")
    }
}

/// In the data directory, where a rename reaches the log.
const SPOOL: &str = ".cnpg-backup-verifier";

/// An empty directory for its owner alone, made where there is none.
fn empty(directory: &Path, account: &Account) -> Result<(), PlaceError> {
    let failed = |error| PlaceError::Io(directory.to_owned(), error);
    match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(PlaceError::NotEmpty(directory.to_owned()));
            }
            let mode = std::os::unix::fs::PermissionsExt::from_mode(OWNER_ONLY);
            fs::set_permissions(directory, mode).map_err(failed)?;
            give(account, directory)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(directory, account),
        Err(error) => Err(failed(error)),
    }
}

fn make(directory: &Path, account: &Account) -> Result<(), PlaceError> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(OWNER_ONLY);
    let made = fs::create_dir(directory).and_then(|()| fs::set_permissions(directory, mode));
    made.map_err(|error| PlaceError::Io(directory.to_owned(), error))?;
    give(account, directory)
}

fn give(account: &Account, path: &Path) -> Result<(), PlaceError> {
    account.give(path).map_err(|error| PlaceError::Io(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_written_over() {
        let root = tempfile::tempdir().unwrap();
        let account = Account::own();
        let (data, tablespaces) = (root.path().join("data"), root.path().join("tablespaces"));
        let place = Place::prepare(&data, &tablespaces, account).unwrap();
        assert!(place.spool.starts_with(&data) && place.tablespace(16384).unwrap().is_dir());
        assert!(place.tablespace(16384).is_ok(), "an empty directory may be there");
        fs::write(tablespaces.join("16384/file"), "x").unwrap();
        assert!(matches!(place.tablespace(16384), Err(PlaceError::NotEmpty(_))));
        let again = Place::prepare(&data, &tablespaces, account).unwrap_err();
        assert!(
            again.to_string().ends_with("is not empty; a restore never overwrites anything"),
            "{again}"
        );
        assert!(data.join(SPOOL).is_dir());
    }
}
