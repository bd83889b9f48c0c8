//! All integration tests in one binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod architecture;
mod cli;
mod laws;
mod metrics;
mod object_store;
#[path = "../samples/mod.rs"]
mod samples;
mod scenarios;
mod wal;
