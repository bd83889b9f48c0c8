//! The only writer to Kubernetes. `tests/it/architecture.rs` holds that nothing else creates,
//! changes or deletes anything there.

pub mod events;
pub mod job;
pub mod jobs;
