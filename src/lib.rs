//! Tells what can be restored from CloudNativePG backups made by the Barman Cloud Plugin.
//!
//! ```text
//!  S3, R2 ─────┐
//!  directory ──┼─> sources ─> observation ─> assessment ─> publication ─┬─> metrics, page, JSON, text
//!  Kubernetes ─┘    (I/O)       (facts)      (judgement)   (rendering)  └─> execution ─> Events
//!
//!                └───────────────── service: the clock that drives it ─────────────────┘
//! ```
//!
//! An object store is listed into an [`observation::Observation`]: what was seen of one archive, or
//! why it could not be seen. [`assessment::assess`] judges it, and cannot fail: the result is an
//! [`assessment::Assessment`] with a verdict, recovery windows, gaps and typed findings. The latest
//! of every archive make one immutable [`publication::snapshot::Snapshot`], which every reader
//! shares, and sees as it stands at the moment: [`publication::view::View`].
//!
//! From `domain` to `publication` nothing does I/O, reads the clock or the environment, or logs. A
//! fact that could not be read is a value, never an empty list. Only `assessment` decides what is
//! good or bad. `tests/it/architecture.rs` holds who may use whom.
//!
//! In reading order:
//!
//! 1. [`domain`]: the words of the field as types, and the formats they are read from.
//! 2. [`wal`]: reads write-ahead log from bytes that it is given.
//! 3. [`content`]: reads what is inside base backups from bytes that it is given.
//! 4. [`observation`]: what was seen of one archive, once.
//! 5. [`ledger`]: what was read to its last byte, over restarts.
//! 6. [`assessment`]: the judges, one question each, and the verdict. `docs/recoverability.md` has
//!    their rules.
//! 7. [`publication`]: renders assessments, for programs and for people.
//! 8. [`config`]: flags, environment and one file, checked, or all that is wrong with them.
//! 9. [`sources`]: reads object stores and Kubernetes, and fills observations.
//! 10. [`restore`]: restores an archive on this machine, and says what that proved.
//! 11. [`execution`]: writes to Kubernetes, as nothing else may.
//! 12. [`service`]: the daemon and the commands: clocks, HTTP, signals, logs.
//! 13. [`cli`]: which command is meant, and its exit code.

// Tests in here share their samples with tests and benches outside.
#[cfg(test)]
extern crate self as cnpg_backup_verifier;

pub mod assessment;
pub mod cli;
pub mod config;
pub mod content;
pub mod domain;
pub mod execution;
pub mod ledger;
pub mod observation;
pub mod publication;
pub mod restore;
pub mod service;
pub mod sources;
pub mod wal;
