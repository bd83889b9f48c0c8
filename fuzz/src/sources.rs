//! The part of `sources` that needs no object store.

#[path = "../../src/sources/decompress.rs"]
pub mod decompress;
#[path = "../../src/sources/limits.rs"]
pub mod limits;
