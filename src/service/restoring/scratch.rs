//! The directory of one drill: held by a lock while it runs, and swept by the next one if it was
//! killed.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::domain::backup_info::Tablespace;
use crate::restore::account::Account;
use crate::restore::failed::Failed;
use crate::restore::place::Directories;
use crate::restore::place::Place;
use crate::restore::traces;

/// It is removed with everything in it when this is dropped.
pub(in crate::service) struct Scratch {
    directory: TempDir,
    _lock: File,
}

const PREFIX: &str = "cnpg-drill-";

/// Who holds it is at work.
const LOCK: &str = "lock";

/// Where the sockets are, which lie elsewhere.
const SOCKETS: &str = "sockets";

/// How often a server is looked at that was told to end, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MAX: usize = 100;

/// The same for a lock.
const LOCK_LOOKS_MAX: usize = 5;

impl Scratch {
    /// A new one below this directory.
    pub(in crate::service) fn below(root: &Path) -> io::Result<Self> {
        // Until the new one has its lock, nobody may take it for one that was left.
        let _creating = hold(root)?;
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(root)?;
        let lock = File::create(directory.path().join(LOCK))?;
        lock.try_lock().map_err(io::Error::other)?;
        // The server walks through it.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        fs::set_permissions(directory.path(), mode)?;
        Ok(Self { directory, _lock: lock })
    }

    /// The directories of a restore in it.
    pub(in crate::service) fn place(
        &self,
        account: Account,
        tablespaces: &[Tablespace],
    ) -> Result<Place, Failed> {
        let path = self.directory.path();
        let within = |oid: u32| path.join("tablespaces").join(oid.to_string());
        let tablespaces = tablespaces.iter().map(|it| (it.oid, within(it.oid))).collect();
        let directories = Directories { data: path.join("data"), tablespaces };
        let place = Place::prepare(directories, account);
        let place = place.map_err(Failed::of_place)?;
        let sockets = place.sockets.path().display().to_string();
        let noted = fs::write(path.join(SOCKETS), sockets);
        noted.map_err(|error| Failed::storage(path, &error))?;
        Ok(place)
    }

    /// Removes what drills left that were killed, and ends their servers. Tells how many.
    pub(in crate::service) fn sweep(root: &Path) -> io::Result<usize> {
        let mut swept = 0_usize;
        let _creating = hold(root)?;
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let is_ours = entry.file_name().to_str().is_some_and(|it| it.starts_with(PREFIX));
            if !is_ours || !entry.file_type()?.is_dir() {
                continue;
            }
            let path = entry.path();
            if is_left(&path)? {
                clear(&path)?;
                swept = swept.saturating_add(1);
            }
        }
        Ok(swept)
    }
}

/// One at a time creates or sweeps below a directory.
fn hold(root: &Path) -> io::Result<File> {
    let held = File::open(root)?;
    held.lock()?;
    Ok(held)
}

/// Whether whoever made it is gone. A program that it was just starting holds its lock for a moment more.
fn is_left(path: &Path) -> io::Result<bool> {
    let lock = match File::open(path.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    for _ in 0..LOCK_LOOKS_MAX {
        if lock.try_lock().is_ok() {
            return Ok(true);
        }
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(false)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = clear(self.directory.path()) {
            let path = self.directory.path().display();
            tracing::error!(%path, %error, "the drill's directory cannot be removed; the next drill tries again");
        }
    }
}

/// Ends the server that may still run there, and removes everything.
fn clear(path: &Path) -> io::Result<()> {
    end_server(&path.join("data"));
    if let Ok(sockets) = fs::read_to_string(path.join(SOCKETS)) {
        let sockets = PathBuf::from(sockets);
        let name = sockets.file_name().and_then(|it| it.to_str());
        // Written by us, and checked all the same before something is deleted.
        if name.is_some_and(|it| it.starts_with("cnpg-restore-")) && sockets.is_dir() {
            fs::remove_dir_all(sockets)?;
        }
    }
    if path.exists() { traces::remove(path) } else { Ok(()) }
}

/// Ends the server that may still run on this data, at once.
pub(in crate::service) fn end_server(data: &Path) {
    let Some(server) = server_on(data) else { return };
    let _ = kill(server, Signal::SIGQUIT);
    for _ in 0..LOOKS_MAX {
        if kill(server, None).is_err() {
            break;
        }
        // In a drop nothing else can be awaited.
        thread::park_timeout(LOOK_EVERY);
    }
}

/// By `postmaster.pid`: the process in its first line, if it works in that directory.
pub(in crate::service) fn server_on(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let id: i32 = text.lines().next()?.trim().parse().ok().filter(|id| 1 < *id)?;
    // Another process may have got the number since.
    let works_in = fs::read_link(format!("/proc/{id}/cwd")).ok()?;
    (works_in == fs::canonicalize(data).ok()?).then(|| Pid::from_raw(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let held = Scratch::below(root.path()).unwrap();
        let left = root.path().join("cnpg-drill-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        // Killed before it had one.
        fs::create_dir(root.path().join("cnpg-drill-without-lock")).unwrap();
        fs::create_dir(root.path().join("data")).unwrap();
        assert_eq!(Scratch::sweep(root.path()).unwrap(), 2);
        let mut names: Vec<String> = fs::read_dir(root.path())
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let own = held.directory.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(names, [own, "data".to_owned()]);
        drop(held);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
