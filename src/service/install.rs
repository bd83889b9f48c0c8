//! Puts the program itself somewhere else, for containers whose image has neither a shell nor `cp`.

use std::collections::hash_map::RandomState;
use std::env;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::hash::BuildHasher;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use anyhow::Context;

use crate::config::ConfigError;
use crate::service::build;
use crate::service::output;

/// What the copy is called.
const NAME: &str = "cnpg-backup-verifier";

/// Everybody may run it, whichever user the container has that it is for.
const MODE: u32 = 0o755;

/// Copies the running program into a directory that is there, and says where it lies.
///
/// # Errors
///
/// A [`ConfigError`] if that is no directory; else what kept the copy from being written. Whatever
/// was there under the name before is then still there, and nothing else is left behind.
pub fn install(directory: &Path) -> anyhow::Result<()> {
    let executable = env::current_exe().context("find the running program")?;
    let installed = copy_into(directory, &executable)?;
    let text = format!("installed {NAME} {} as {}", build::VERSION, installed.display());
    output::print(&text).context("write to stdout")
}

fn copy_into(directory: &Path, executable: &Path) -> anyhow::Result<PathBuf> {
    let place = directory.display();
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(no_directory(directory, "something else")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(no_directory(directory, "nothing"));
        }
        Err(error) => return Err(error).with_context(|| format!("look at {place}")),
    }
    let installed = directory.join(NAME);
    // Under a name that nobody else has: two may install at once, and in containers both are process 1.
    let unique = RandomState::new().hash_one(process::id());
    let unfinished = directory.join(format!(".{NAME}.{unique:016x}"));
    let written = write(executable, &unfinished).and_then(|()| fs::rename(&unfinished, &installed));
    if written.is_err() {
        // It says why it could not be written; that this cannot be removed either adds nothing.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("copy {} to {}", executable.display(), installed.display()))?;
    Ok(installed)
}

/// Until it is complete nobody may run the copy.
fn write(executable: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(executable)?;
    let mut copy = File::create_new(to)?;
    io::copy(&mut from, &mut copy)?;
    copy.set_permissions(Permissions::from_mode(MODE))?;
    copy.sync_all()
}

fn no_directory(directory: &Path, found: &str) -> anyhow::Error {
    ConfigError::late("install", "a directory that exists", format!("{found} at {directory:?}"))
        .into()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_copy_replaces_an_older_one_and_may_be_run() {
        let directory = tempfile::tempdir().unwrap();
        let executable = directory.path().join("built");
        let into = directory.path().join("shared");
        fs::create_dir(&into).unwrap();
        fs::write(into.join(NAME), "old, and longer than what replaces it").unwrap();
        fs::write(&executable, "new").unwrap();
        let installed = copy_into(&into, &executable).unwrap();
        assert_eq!(installed, into.join(NAME));
        assert_eq!(fs::read(&installed).unwrap(), b"new");
        assert_eq!(fs::metadata(&installed).unwrap().permissions().mode() & 0o7777, MODE);
        assert_eq!(names(&into), [NAME]);
    }

    #[test]
    fn what_cannot_be_copied_leaves_the_older_one_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(NAME), "old").unwrap();
        // A directory can be opened and not be read.
        let error = copy_into(directory.path(), Path::new("/")).unwrap_err();
        assert!(format!("{error:#}").starts_with("copy / to "), "{error:#}");
        assert_eq!(fs::read(directory.path().join(NAME)).unwrap(), b"old");
        assert_eq!(names(directory.path()), [NAME]);
    }

    #[test]
    fn a_directory_under_its_name_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let executable = directory.path().join("built");
        fs::write(&executable, "new").unwrap();
        fs::create_dir_all(directory.path().join(NAME).join("kept")).unwrap();
        let error = copy_into(directory.path(), &executable).unwrap_err();
        assert!(format!("{error:#}").contains("directory"), "{error:#}");
        assert!(directory.path().join(NAME).join("kept").exists());
        assert_eq!(names(directory.path()).len(), 2);
    }
}
