//! The only readers of the outside world.

pub mod archive;
pub mod decode;
pub mod kubernetes;
pub mod limits;
pub mod store;
pub mod workshop;
