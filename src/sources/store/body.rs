//! The content of an object, as it arrives.

use std::fmt;

use bytes::Bytes;
use futures::Stream;
use futures::TryStreamExt;
use futures::stream::BoxStream;

use crate::domain::object_version::ObjectVersion;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;

/// An object from some byte on, in pieces of bounded size; exactly as much as its version says, or
/// an error.
pub struct Body {
    key: String,
    version: ObjectVersion,
    left: u64,
    chunks: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl Body {
    /// Refuses another version than the one expected, and a start behind the end.
    pub fn new(
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
        version: ObjectVersion,
        chunks: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let is_inside = from == 0 || from < version.size;
        if !is_inside || expected.is_some_and(|expected| *expected != version) {
            return Err(StoreError::changed(key));
        }
        let left = version.size.saturating_sub(from);
        Ok(Self { key: key.to_owned(), version, left, chunks: Box::pin(chunks) })
    }

    /// Of the whole object, wherever the body begins.
    pub const fn version(&self) -> &ObjectVersion {
        &self.version
    }

    /// Refuses an object of more than this many bytes.
    pub fn at_most(self, bytes_max: u64) -> Result<Self, StoreError> {
        let size = self.version.size;
        if size <= bytes_max {
            return Ok(self);
        }
        let detail = format!("`{}` has {size} bytes, expected at most {bytes_max}", self.key);
        Err(StoreError::new(StoreErrorKind::TooLarge, detail))
    }

    /// `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let chunk = self.chunks.try_next().await?;
        let count = u64::try_from(chunk.as_ref().map_or(0, Bytes::len)).unwrap_or(u64::MAX);
        match self.left.checked_sub(count) {
            Some(left) if chunk.is_some() || left == 0 => {
                self.left = left;
                Ok(chunk)
            }
            Some(_) | None => {
                let detail = format!("`{}` does not have the bytes that it announces", self.key);
                Err(StoreError::new(StoreErrorKind::Malformed, detail))
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("key", &self.key).field("left", &self.left).finish()
    }
}
