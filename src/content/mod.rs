//! What is inside a base backup, from bytes it is given: tar members, control file, pages.
//!
//! Fetches and decodes nothing. Bytes come in any chunking; none of them can make it panic.

pub mod catalogues;
pub mod control_file;
pub mod damage;
pub mod members;
pub mod page;
pub mod placement;
pub mod relation_map;
pub mod relations;
pub mod tar;
pub mod tar_check;
pub mod transactions;
