//! As whom PostgreSQL runs: it refuses to run as root.

use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use nix::unistd::User;
use nix::unistd::geteuid;
use tokio::process::Command;

/// Whoever runs this program, or another user where that is root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account(Option<Ids>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    user: u32,
    group: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("there is no user {0:?}; PostgreSQL refuses to run as root, so name one with --run-as")]
    Unknown(String),
    #[error(
        "PostgreSQL refuses to run as root, which is what {0:?} is; name another user with \
         --run-as"
    )]
    Root(String),
    #[error("only root can run PostgreSQL as another user; leave --run-as out")]
    NotRoot,
    #[error("look up the user {0:?}: {1}")]
    Unread(String, nix::Error),
}

/// Whom packages of PostgreSQL create.
const USUAL: &str = "postgres";

impl Account {
    pub fn choose(name: Option<&str>) -> Result<Self, AccountError> {
        if !geteuid().is_root() {
            return if name.is_some() { Err(AccountError::NotRoot) } else { Ok(Self(None)) };
        }
        let name = name.unwrap_or(USUAL);
        let found = User::from_name(name);
        let found = found.map_err(|error| AccountError::Unread(name.to_owned(), error))?;
        let user = found.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
        if user.uid.is_root() {
            return Err(AccountError::Root(name.to_owned()));
        }
        Ok(Self(Some(Ids { user: user.uid.as_raw(), group: user.gid.as_raw() })))
    }

    /// Whoever runs this program.
    #[cfg(test)]
    pub(super) const fn own() -> Self {
        Self(None)
    }

    /// Gives it a file or directory.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        match self.0 {
            Some(Ids { user, group }) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// A command that it runs, with no environment but what the program itself needs.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // What libpq and the server would be told by the caller's environment is not meant for them.
        for (name, _) in std::env::vars_os() {
            let is_of_postgres = name.to_str().is_some_and(|name| name.starts_with("PG"));
            if is_of_postgres || name.to_str().is_none_or(|name| name.starts_with("AWS_")) {
                command.env_remove(name);
            }
        }
        if let Some(Ids { user, group }) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }
}
