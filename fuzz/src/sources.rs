//! The part of `sources` that needs no object store.

#[path = "decode.rs"]
pub mod decode;
#[path = "../../src/sources/limits.rs"]
pub mod limits;
#[path = "store.rs"]
pub mod store;
