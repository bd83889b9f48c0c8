//! Renders what was assessed: metrics, JSON, text, page. Decides nothing, reads no clock.
#![warn(clippy::wildcard_enum_match_arm)]

mod cluster;
mod drill_json;
pub mod drill_manifest;
pub mod drill_report;
mod drills;
pub mod due_drill;
pub mod events;
pub mod folded;
pub mod junit;
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
pub mod table;
pub mod view;
pub mod wording;

#[cfg(test)]
pub(crate) mod samples;
