//! Object stores: what all of them can be asked, and the ones that there are.

pub mod body;
pub mod directory;
pub mod error;
pub mod failing;
pub mod listing;
pub mod memory;
pub mod metered;
pub mod object_store;
pub mod opening;
mod paging;
mod refused;
pub mod requests;
pub mod s3;
