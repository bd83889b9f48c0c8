//! The alerts: one source of rules, what fires when, what it says, and whom it reaches.

mod expressions;
mod generated;
mod mutations;
mod promtool;
mod rules;
