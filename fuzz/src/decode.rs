//! The part of `decode` that is fed bytes.

#[path = "../../src/sources/decode/bzip2.rs"]
mod bzip2;
#[path = "../../src/sources/decode/decoder.rs"]
pub mod decoder;
#[path = "../../src/sources/decode/gzip.rs"]
mod gzip;
#[path = "../../src/sources/decode/lz4.rs"]
mod lz4;
#[path = "../../src/sources/decode/snappy.rs"]
mod snappy;
#[path = "../../src/sources/decode/trailing.rs"]
mod trailing;
#[path = "../../src/sources/decode/xz.rs"]
mod xz;
