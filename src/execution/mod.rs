//! The only writer to Kubernetes. `tests/it/architecture.rs` holds that nothing else creates,
//! changes or deletes anything there.

pub mod drills;
pub mod events;
pub mod job;
pub mod jobs;
pub mod lease;
