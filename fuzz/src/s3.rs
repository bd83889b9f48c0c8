//! The parser of S3's answers, which nothing outside the daemon's client sees.

#[path = "../../src/sources/store/s3/list_answer.rs"]
mod list_answer;
#[path = "../../src/sources/store/s3/xml.rs"]
mod xml;

use crate::sources::store::error::StoreError;
use crate::sources::store::object_store::ListPage;

pub fn page(answer: &[u8]) -> Result<ListPage, StoreError> {
    assert!(!list_answer::is_error(answer) || list_answer::page(answer).is_err());
    list_answer::page(answer)
}
