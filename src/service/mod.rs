//! The long-running shell: starts and stops everything, and drives the cycle.

mod agenda;
pub mod archive_spec;
pub mod build;
pub mod check;
mod check_log;
pub mod clock;
pub mod cycle;
pub mod fleet;
pub mod health;
pub mod http;
pub mod output;
pub mod own_metrics;
pub mod restore_plan;
pub mod run;
mod selection;
pub mod shutdown;
mod spending;
pub mod telemetry;
pub mod watched;
