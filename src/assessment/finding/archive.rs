//! What is wrong with what an archive holds, or should hold.

pub mod address;
pub mod backup;
pub mod promise;
pub mod store;
pub mod wal;
