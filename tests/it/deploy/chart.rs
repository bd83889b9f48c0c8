//! The chart is the base with its components in another form, refuses what is wrong, and says what it
//! does.
//!
//! Helm is not run but its library, from `PyPI`, which no cluster is needed for.

mod base;
mod copies;
mod helm;
mod namespaces;
mod readme;
mod values;
mod wrong;
