//! The part of `sources` that needs no object store.

#[path = "../../src/sources/decode.rs"]
pub mod decode;
#[path = "../../src/sources/limits.rs"]
pub mod limits;
