//! The long-running shell: starts and stops everything, and watches each archive on its own clock.

pub mod agenda;
pub mod allocator;
pub mod archive_spec;
pub mod archives;
pub mod board;
pub mod build;
pub mod check;
mod check_log;
pub mod clock;
pub mod fleet;
pub mod health;
pub mod http;
pub mod output;
pub mod own_metrics;
mod progress;
pub mod reading;
pub mod restore_plan;
pub mod run;
mod selection;
pub mod shutdown;
mod spending;
pub mod telemetry;
mod terminal;
pub mod verified;
pub mod watched;
pub mod watching;
pub mod world;
