//! From what is stored to the content in it, in pieces.

mod bzip2;
pub mod decoder;
mod gzip;
mod lying;
mod lz4;
pub mod object;
mod snappy;
mod trailing;
mod xz;

#[cfg(test)]
mod tests;
