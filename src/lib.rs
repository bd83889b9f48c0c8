//! Tells what can be restored from CloudNativePG backups made by the Barman Cloud Plugin.

// Tests in here share their samples with tests and benches outside.
#[cfg(test)]
extern crate self as cnpg_backup_verifier;

pub mod assessment;
pub mod cli;
pub mod config;
pub mod domain;
pub mod observation;
pub mod publication;
pub mod service;
pub mod sources;
pub mod wal;
