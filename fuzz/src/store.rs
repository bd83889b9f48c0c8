//! The part of `store` that reads what a server sent.

#[path = "../../src/sources/store/body.rs"]
pub mod body;
#[path = "../../src/sources/store/error.rs"]
pub mod error;
#[path = "../../src/sources/store/object_store.rs"]
pub mod object_store;

/// The parser of S3's answers, which nothing outside the daemon's client sees.
#[path = "../../src/sources/store/s3"]
pub mod s3 {
    #[expect(dead_code, reason = "only the client looks into it")]
    mod authority;
    mod list_answer;
    mod xml;

    pub use authority::Authority;

    use crate::sources::store::error::StoreError;
    use crate::sources::store::object_store::ListPage;

    pub fn page(answer: &[u8]) -> Result<ListPage, StoreError> {
        assert!(!list_answer::is_error(answer) || list_answer::page(answer).is_err());
        list_answer::page(answer)
    }
}
