//! Where PostgreSQL's programs of one version lie.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::domain::drill::DrillClass;
use crate::restore::account::Account;
use crate::restore::failed::Failed;

/// The directory of `postgres` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    directory: PathBuf,
    /// As `postgres --version` tells it, such as `15.14`.
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    #[error("{}: {why}", program.display())]
    Unusable { program: PathBuf, why: String },
    #[error(
        "restoring this backup needs PostgreSQL {major}, which is in none of {}; install it, or \
         name the directory of its programs with --postgres",
        sought.join(", ")
    )]
    Missing { major: u32, sought: Vec<String> },
    #[error("{} is PostgreSQL {found}, but the backup is from {major}", directory.display())]
    OtherVersion { directory: PathBuf, found: String, major: u32 },
}

/// It prints one line.
const VERSION_MAX: Duration = Duration::from_secs(10);

impl Programs {
    /// In this directory, or where packages of that version put them, or on the `PATH`.
    pub async fn find(named: Option<&Path>, major: u32) -> Result<Self, ProgramsError> {
        if let Some(directory) = named {
            let found = Self::of(directory).await.map_err(|why| ProgramsError::Unusable {
                program: directory.join("postgres"),
                why,
            })?;
            return if found.major() == Some(major) {
                Ok(found)
            } else {
                let (directory, found) = (found.directory, found.version);
                Err(ProgramsError::OtherVersion { directory, found, major })
            };
        }
        let sought = usual_directories(major);
        for directory in &sought {
            if let Ok(found) = Self::of(directory).await
                && found.major() == Some(major)
            {
                return Ok(found);
            }
        }
        let sought = sought.iter().map(|it| it.display().to_string()).collect();
        Err(ProgramsError::Missing { major, sought })
    }

    /// Whether PostgreSQL's user can work in this directory, and run both the server and the program that the
    /// server asks for the log. What would show only after the base backup was restored is known before.
    pub(super) async fn can_run(
        &self,
        account: &Account,
        asked: &Path,
        directory: &Path,
    ) -> Result<(), Failed> {
        for program in [self.path("postgres").as_path(), asked] {
            let mut command = account.command(program);
            command.arg("--version").current_dir(directory).kill_on_drop(true);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let status = timeout(VERSION_MAX, command.status()).await;
            let why = match status {
                Ok(Ok(status)) if status.success() => continue,
                Ok(Ok(status)) => status.to_string(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it does not answer".to_owned(),
            };
            let (directory, program) = (directory.display(), program.display());
            let why = format!(
                "the user that PostgreSQL runs as cannot run {program} in {directory}: {why}; it \
                 must be able to enter every directory above both"
            );
            return Err(Failed::new(DrillClass::Storage, why));
        }
        Ok(())
    }

    pub fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    fn major(&self) -> Option<u32> {
        let digits = self.version.split(|it: char| !it.is_ascii_digit()).next()?;
        digits.parse().ok()
    }

    /// Or why there is none.
    async fn of(directory: &Path) -> Result<Self, String> {
        let program = directory.join("postgres");
        let mut command = Command::new(program);
        command.arg("--version").kill_on_drop(true);
        let output = timeout(VERSION_MAX, command.output()).await;
        let output = output.map_err(|_| "it does not answer".to_owned())?;
        let output = output.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        // `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`
        let version =
            text.split_once("(PostgreSQL) ").and_then(|(_, it)| it.split_whitespace().next());
        let version = version.ok_or_else(|| "it does not say its version".to_owned())?;
        Ok(Self { directory: directory.to_owned(), version: version.to_owned() })
    }
}

/// Debian's packages, those of the PostgreSQL project for Red Hat, Homebrew's, and the `PATH`.
fn usual_directories(major: u32) -> Vec<PathBuf> {
    let fixed = [
        format!("/usr/lib/postgresql/{major}/bin"),
        format!("/usr/pgsql-{major}/bin"),
        format!("/opt/homebrew/opt/postgresql@{major}/bin"),
    ];
    let mut directories: Vec<PathBuf> = fixed.into_iter().map(PathBuf::from).collect();
    if let Some(path) = std::env::var_os("PATH") {
        let named = std::env::split_paths(&path);
        directories.extend(named.filter(|it| it.join("postgres").is_file()));
    }
    directories
}
