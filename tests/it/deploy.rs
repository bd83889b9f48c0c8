//! Holds the manifests of `deploy`, and those in the documents, to what an API server, Flux and this
//! program accept, and to what they promise.
//!
//! No cluster is asked. What only a cluster can say, such as whether a backup runs, stays open.

mod backups;
mod chart;
mod commands;
mod copied_forms;
pub(crate) mod daemon;
mod drills;
mod flux;
pub(crate) mod manifests;
mod procedures;
mod readme;
mod rights;
pub(crate) mod schemas;
