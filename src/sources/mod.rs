//! The only readers of the outside world.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod archive;
pub mod decode;
pub mod due_drill;
pub mod kubernetes;
pub mod limits;
pub mod store;
pub mod workshop;
