//! What a restore makes, and how it goes again.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::restore::account::Account;

/// What was made for a restore, to be removed if it comes to nothing.
#[derive(Clone, Debug, Default)]
pub struct Traces(Vec<Trace>);

#[derive(Clone, Debug)]
struct Trace {
    directory: PathBuf,
    was_there: bool,
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

impl Traces {
    /// An empty directory for its owner alone, made where there is none.
    pub(super) fn empty(&mut self, directory: &Path, account: &Account) -> Result<(), PlaceError> {
        let failed = |error| PlaceError::Io(directory.to_owned(), error);
        let was_there = match fs::read_dir(directory) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(PlaceError::NotEmpty(directory.to_owned()));
                }
                let mode = std::os::unix::fs::PermissionsExt::from_mode(OWNER_ONLY);
                fs::set_permissions(directory, mode).map_err(failed)?;
                give(account, directory)?;
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(directory, account)?;
                false
            }
            Err(error) => return Err(failed(error)),
        };
        self.0.push(Trace { directory: directory.to_owned(), was_there });
        Ok(())
    }

    /// Removes directories that were made, and the content of those that were there: all of it came later.
    pub fn remove(&self) -> Result<(), PlaceError> {
        for Trace { directory, was_there } in self.0.iter().rev() {
            let removed = if *was_there { clear(directory) } else { remove(directory) };
            removed.map_err(|error| PlaceError::Io(directory.clone(), error))?;
        }
        Ok(())
    }
}

/// A thread that unpacks may still be at a file when it is not wanted any more.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MAX: usize = 20;

/// The directory with everything in it, also what comes into it meanwhile.
pub fn remove(directory: &Path) -> io::Result<()> {
    for _ in 0..LOOKS_MAX {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                thread::park_timeout(LOOK_EVERY);
            }
            removed => return removed,
        }
    }
    fs::remove_dir_all(directory)
}

/// What is in it, until nothing comes any more.
fn clear(directory: &Path) -> io::Result<()> {
    for _ in 0..LOOKS_MAX {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                remove(&entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        thread::park_timeout(LOOK_EVERY);
        if fs::read_dir(directory)?.next().is_none() {
            break;
        }
    }
    Ok(())
}

pub(super) fn make(directory: &Path, account: &Account) -> Result<(), PlaceError> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(OWNER_ONLY);
    let made = fs::create_dir(directory).and_then(|()| fs::set_permissions(directory, mode));
    made.map_err(|error| PlaceError::Io(directory.to_owned(), error))?;
    give(account, directory)
}

pub(super) fn give(account: &Account, path: &Path) -> Result<(), PlaceError> {
    account.give(path).map_err(|error| PlaceError::Io(path.to_owned(), error))
}
