//! All integration tests in one binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod architecture;
mod bad_input;
mod cli;
mod faults;
mod laws;
mod made_archive;
mod metrics;
mod object_store;
mod requests;
mod restore_plan;
#[path = "../samples/mod.rs"]
mod samples;
mod scenarios;
mod scene;
mod wal;
