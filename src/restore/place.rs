//! The directories of a restore on this machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::restore::account::Account;
pub use crate::restore::traces::PlaceError;
use crate::restore::traces::Traces;
use crate::restore::traces::give;
use crate::restore::traces::make;

/// What a restore fills. The directories of tablespaces lie in a directory that is there, or is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    pub data: PathBuf,
    /// By the number of the tablespace.
    pub tablespaces: BTreeMap<u32, PathBuf>,
}

/// Where data goes, and where what is needed on the way lies.
#[derive(Debug)]
pub struct Place {
    /// In which nothing was before.
    pub directories: Directories,
    /// Files of the log on their way; on the same file system as the data.
    pub spool: PathBuf,
    /// Sockets: their paths are short, wherever the data lies.
    pub sockets: TempDir,
    pub account: Account,
    pub traces: Traces,
}

/// Whether what is written must outlive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Kept,
    /// It is deleted anyway.
    Throwaway,
}

impl Place {
    /// Makes the directories that are missing, and refuses those that hold something. Nothing is left of
    /// them then.
    pub fn prepare(directories: Directories, account: Account) -> Result<Self, PlaceError> {
        let sockets = tempfile::Builder::new().prefix("cnpg-restore-").tempdir();
        let sockets = sockets.map_err(|error| PlaceError::Io(std::env::temp_dir(), error))?;
        give(&account, sockets.path())?;
        let mut traces = Traces::default();
        match fill(&directories, &account, &mut traces) {
            Ok(spool) => Ok(Self { directories, spool, sockets, account, traces }),
            Err(error) => {
                // What cannot be removed is told by the next who wants to write there.
                let _ = traces.remove();
                Err(error)
            }
        }
    }

    pub fn data(&self) -> &Path {
        &self.directories.data
    }

    /// Where the server that restores asks for the log.
    pub fn request_socket(&self) -> PathBuf {
        self.sockets.path().join("wal")
    }
}

fn fill(
    Directories { data, tablespaces }: &Directories,
    account: &Account,
    traces: &mut Traces,
) -> Result<PathBuf, PlaceError> {
    traces.empty(data, account)?;
    let spool = data.join(SPOOL);
    make(&spool, account)?;
    for directory in tablespaces.values() {
        if let Some(root) = directory.parent().filter(|root| !root.exists()) {
            traces.empty(root, account)?;
        }
        traces.empty(directory, account)?;
    }
    Ok(spool)
}

/// Whether a restore has begun in a directory, and has not come to its end.
pub fn is_begun(directory: &Path) -> bool {
    directory.join(SPOOL).is_dir()
}

/// In the data directory, where a rename reaches the log.
const SPOOL: &str = ".cnpg-backup-verifier";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn below(root: &Path) -> Directories {
        let tablespaces = [(16384, root.join("spaces/16384")), (16385, root.join("spaces/16385"))];
        Directories { data: root.join("data"), tablespaces: tablespaces.into() }
    }

    fn names(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_there_is_not_written_over() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::prepare(below(root.path()), Account::own()).unwrap();
        assert!(is_begun(place.data()) && root.path().join("spaces/16385").is_dir());
        let again = Place::prepare(below(root.path()), Account::own()).unwrap_err();
        assert!(
            again.to_string().ends_with("is not empty; a restore never overwrites anything"),
            "{again}"
        );
        assert!(place.spool.is_dir(), "it is another's");
        drop(place);
        fs::remove_dir_all(root.path().join("data")).unwrap();
        fs::write(root.path().join("spaces/16385/file"), "x").unwrap();
        let again = Place::prepare(below(root.path()), Account::own()).unwrap_err();
        assert!(matches!(again, PlaceError::NotEmpty(it) if it.ends_with("16385")));
        assert_eq!(names(root.path()), ["spaces"], "what was made is gone");
        assert!(root.path().join("spaces/16385/file").exists());
    }

    #[test]
    fn what_was_made_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("data")).unwrap();
        fs::write(root.path().join("other"), "x").unwrap();
        let place = Place::prepare(below(root.path()), Account::own()).unwrap();
        fs::create_dir_all(place.data().join("base/5")).unwrap();
        fs::write(place.data().join("base/5/1"), "x").unwrap();
        // A link leads into a tablespace, which is removed for itself, and maybe elsewhere.
        std::os::unix::fs::symlink(root.path(), place.data().join("link")).unwrap();
        fs::write(root.path().join("spaces/16384/file"), "x").unwrap();
        place.traces.remove().unwrap();
        assert_eq!(names(root.path()), ["data", "other"]);
        assert_eq!(names(&root.path().join("data")), Vec::<String>::new());
    }
}
