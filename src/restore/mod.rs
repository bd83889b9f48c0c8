//! Restores an archive on this machine, by PostgreSQL's own programs, and says what that proved.
//!
//! The base backup is decoded straight into its files, the log is fetched ahead of the server that
//! replays it, and the end that recovery reached is held against the one that the log foretold.

pub mod account;
mod base;
mod courier;
pub mod delivery;
mod end;
mod extract;
pub mod failed;
pub mod history;
mod kept;
pub mod log;
mod log_file;
pub mod place;
pub mod programs;
pub mod questions;
pub mod recovery;
pub mod route;
mod server;
mod settings;
pub mod source_settings;
pub mod traces;
mod trouble;
pub mod wal_request;
pub mod wanted;
