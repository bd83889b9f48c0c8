//! All integration tests in one binary.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod alerts;
mod api;
mod architecture;
mod bad_answers;
mod bad_input;
mod cli;
mod dashboards;
mod deploy;
mod documents;
mod drawing;
mod drill_documents;
mod drills;
mod end_to_end;
mod faults;
#[path = "../samples/history.rs"]
mod history;
mod kubernetes;
mod laws;
mod links;
mod made_archive;
mod memory;
mod metrics;
mod object_store;
mod operator_drills;
mod oracle;
#[path = "../samples/orphans.rs"]
mod orphans;
mod page;
mod polled;
mod polling;
mod program;
mod reading;
mod real_archives;
mod requests;
mod restore_plan;
mod restore_points;
mod restore_proof;
mod restores;
#[path = "../samples/mod.rs"]
mod samples;
mod scenarios;
mod scene;
mod seeking;
mod signals;
mod smoke;
mod storm;
mod succession;
mod terminal;
mod wal;
mod watching;
mod wrong_addresses;
