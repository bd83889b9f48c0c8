//! Renders what was assessed: metrics, JSON, text, page. Decides nothing, reads no clock.
#![warn(clippy::wildcard_enum_match_arm)]

mod cluster;
pub mod drill_manifest;
pub mod drill_report;
pub mod events;
pub mod metrics;
pub mod nagios;
pub mod page;
pub mod report;
pub mod restore_plan;
pub mod restored;
mod runbook;
pub mod snapshot;
mod span;
pub mod status_json;
pub mod view;
pub mod wording;

#[cfg(test)]
pub(crate) mod samples;
