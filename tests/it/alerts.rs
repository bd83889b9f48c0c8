//! The alerts: one source of rules, what fires when, what it says, and whom it reaches.

mod end_to_end;
mod expressions;
mod generated;
mod kubernetes_clusters;
mod mutations;
mod names;
mod promtool;
mod routing;
mod rules;
mod runbooks;
