//! Tells what can be restored from CloudNativePG backups made by the Barman Cloud Plugin.

pub mod assessment;
pub mod config;
pub mod domain;
pub mod observation;
pub mod sources;
pub mod wal;
