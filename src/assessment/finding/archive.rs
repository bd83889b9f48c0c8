//! What is wrong with what an archive holds, or should hold.

pub mod address;
pub mod backup;
pub(super) mod ownerless;
pub mod promise;
pub mod store;
pub mod wal;
