//! What reads bytes in the daemon, without what fetches them.

#[path = "../../src/assessment/mod.rs"]
pub mod assessment;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/observation/mod.rs"]
pub mod observation;
pub mod sources;
#[path = "../../src/wal/mod.rs"]
pub mod wal;
