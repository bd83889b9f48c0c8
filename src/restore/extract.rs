//! Unpacks a tar file of a base backup while it is decoded, and looks at what it unpacks.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::content::tar::Event;
use crate::content::tar::Member;
use crate::content::tar::TarReader;
use crate::content::tar_check::TarCheck;
use crate::content::tar_check::TarReport;
use crate::domain::object_key::TarContents;
use crate::restore::account::Account;
use crate::restore::wanted::LeadsOut;
use crate::restore::wanted::Wanted;
use crate::sources::decode::object::Fed;

/// Writes members as files below a directory. A clone begins anew.
#[derive(Clone)]
pub(super) struct Extract {
    contents: TarContents,
    to: Arc<Path>,
    account: Account,
    reader: TarReader,
    check: TarCheck,
    /// The member that is being written.
    file: Option<Arc<File>>,
    /// Directories that are known to be there.
    made: Arc<BTreeSet<PathBuf>>,
    failure: Arc<OnceLock<Failure>>,
}

/// What keeps members from being written; the rest of the tar file is not worth reading then.
#[derive(Debug)]
pub(super) enum Failure {
    Io(PathBuf, io::Error),
    /// It would be written outside the directory.
    LeadsOut(String),
}

/// As PostgreSQL makes them (`PG_DIR_MODE_OWNER` and `PG_FILE_MODE_OWNER` in `file_perm.h`).
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

impl Extract {
    pub(super) fn new(
        contents: TarContents,
        to: &Path,
        account: Account,
        check: TarCheck,
    ) -> (Self, Arc<OnceLock<Failure>>) {
        let failure = Arc::<OnceLock<Failure>>::default();
        let extract = Self {
            contents,
            to: to.into(),
            account,
            reader: TarReader::default(),
            check,
            file: None,
            made: Arc::default(),
            failure: Arc::clone(&failure),
        };
        (extract, failure)
    }

    pub(super) fn report(self) -> TarReport {
        self.check.report()
    }

    fn unpack(&mut self, mut piece: &[u8]) -> Result<(), Failure> {
        loop {
            // What is no tar file the check tells.
            let Ok(Some(event)) = self.reader.step(&mut piece) else { return Ok(()) };
            match event {
                Event::Member(member) => self.file = self.begin(&member)?,
                Event::Content(content) => {
                    if let Some(file) = &self.file {
                        let written = (&**file).write_all(content);
                        written.map_err(|error| Failure::Io(self.to.to_path_buf(), error))?;
                    }
                }
                Event::End => self.file = None,
            }
        }
    }

    /// The file to write to, if it is one that is wanted.
    fn begin(&mut self, member: &Member) -> Result<Option<Arc<File>>, Failure> {
        let wanted = Wanted::of(self.contents, member);
        match wanted.map_err(|LeadsOut| Failure::LeadsOut(member.path.clone()))? {
            Wanted::Nothing => Ok(None),
            Wanted::Directory(path) => self.directory(&self.to.join(path)).map(|()| None),
            Wanted::File(path) => {
                let to = self.to.join(path);
                if let Some(parent) = to.parent() {
                    self.directory(parent)?;
                }
                self.new_file(&to).map(Some)
            }
        }
    }

    fn new_file(&self, path: &Path) -> Result<Arc<File>, Failure> {
        let failed = |error| Failure::Io(path.to_owned(), error);
        let file = File::create(path).map_err(failed)?;
        let mode = Permissions::from_mode(FILE_MODE);
        file.set_permissions(mode).map_err(failed)?;
        self.account.give(path).map_err(failed)?;
        Ok(Arc::new(file))
    }

    fn directory(&mut self, path: &Path) -> Result<(), Failure> {
        if path == &*self.to || self.made.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent().filter(|parent| parent.starts_with(&self.to)) {
            self.directory(parent)?;
        }
        let failed = |error| Failure::Io(path.to_owned(), error);
        match new_directory(path) {
            Ok(()) => self.account.give(path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(failed(error)),
        }
        Arc::make_mut(&mut self.made).insert(path.to_owned());
        Ok(())
    }
}

impl Fed for Extract {
    fn feed(&mut self, piece: &[u8]) {
        if self.failure.get().is_some() {
            return;
        }
        self.check.feed(piece);
        if let Err(failure) = self.unpack(piece) {
            // The first one counts.
            let _ = self.failure.set(failure);
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "write {}: {error}", path.display()),
            Self::LeadsOut(member) => {
                write!(f, "the member {member:?} would be written outside the directory")
            }
        }
    }
}

fn new_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
}

/// Makes the directories that PostgreSQL misses at its start where a backup left them out.
pub(super) fn complete(data: &Path, account: &Account) -> io::Result<()> {
    for name in [
        "pg_wal",
        "pg_wal/archive_status",
        "pg_replslot",
        "pg_tblspc",
        "pg_dynshmem",
        "pg_notify",
        "pg_serial",
        "pg_snapshots",
        "pg_stat",
        "pg_stat_tmp",
        "pg_subtrans",
        "pg_twophase",
        "pg_commit_ts",
        "pg_logical",
        "pg_logical/mappings",
        "pg_logical/snapshots",
    ] {
        let path = data.join(name);
        match new_directory(&path) {
            Ok(()) => account.give(&path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Keeps a file of the backup beside the one that takes its place.
pub(super) fn put_aside(data: &Path, name: &str) -> io::Result<()> {
    match fs::rename(data.join(name), data.join(format!("{name}.from-backup"))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
