//! The only readers of the outside world.

pub mod collect;
pub mod decompress;
pub mod directory;
pub mod failing;
pub mod kubernetes;
pub mod limits;
pub mod listing;
pub mod memory;
pub mod object_store;
mod paging;
pub mod requests;
pub mod s3;
pub mod stores;
