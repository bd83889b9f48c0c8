//! The part of `store` that reads what a server sent.

#[path = "../../src/sources/store/body.rs"]
pub mod body;
#[path = "../../src/sources/store/error.rs"]
pub mod error;
#[path = "../../src/sources/store/object_store.rs"]
pub mod object_store;
#[path = "s3.rs"]
pub mod s3;
