//! The content of an object, as it arrives.

use std::fmt;

use bytes::Bytes;
use futures::Stream;
use futures::TryStreamExt;
use futures::stream;
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
    /// What lies in a file, until somebody asks for chunks.
    file: Option<Box<dyn FileBody>>,
    chunks: Chunks,
}

pub type Chunks = BoxStream<'static, Result<Bytes, StoreError>>;

/// Content that lies where this process can read it.
pub trait FileBody: Send {
    /// Puts what follows in place of what `piece` holds; nothing at the end, which only a file has that is
    /// still the same.
    fn read(&mut self, piece: &mut Vec<u8>) -> Result<(), StoreError>;

    /// The rest, for those who cannot wait.
    fn into_chunks(self: Box<Self>) -> Chunks;
}

/// A body that is read by whoever has a thread that may wait, into the same memory again and again, so that
/// nothing is handed from one thread to another.
pub struct Lying {
    key: String,
    left: u64,
    file: Box<dyn FileBody>,
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
        let empty = Self::empty(key, from, expected, version)?;
        Ok(Self { chunks: Box::pin(chunks), ..empty })
    }

    /// The same of what lies in a file.
    pub fn of_file(
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
        version: ObjectVersion,
        file: Box<dyn FileBody>,
    ) -> Result<Self, StoreError> {
        let empty = Self::empty(key, from, expected, version)?;
        Ok(Self { file: Some(file), ..empty })
    }

    fn empty(
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
        version: ObjectVersion,
    ) -> Result<Self, StoreError> {
        let is_inside = from == 0 || from < version.size;
        if !is_inside || expected.is_some_and(|expected| *expected != version) {
            return Err(StoreError::changed(key));
        }
        let left = version.size.saturating_sub(from);
        let chunks = Box::pin(stream::empty());
        Ok(Self { key: key.to_owned(), version, left, file: None, chunks })
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
        if let Some(file) = self.file.take() {
            self.chunks = file.into_chunks();
        }
        let chunk = self.chunks.try_next().await?;
        self.left = left(&self.key, self.left, chunk.as_deref())?;
        Ok(chunk)
    }

    /// To be read on a thread that may wait, where it lies in a file.
    pub fn lying(self) -> Result<Lying, Self> {
        match self.file {
            Some(file) => Ok(Lying { key: self.key, left: self.left, file }),
            None => Err(self),
        }
    }
}

impl Lying {
    /// Puts what follows in place of what `piece` holds; nothing at the end.
    pub fn read(&mut self, piece: &mut Vec<u8>) -> Result<(), StoreError> {
        self.file.read(piece)?;
        self.left = left(&self.key, self.left, Some(piece.as_slice()).filter(|it| !it.is_empty()))?;
        Ok(())
    }
}

/// How much is left behind a piece; behind the last one nothing may be.
fn left(key: &str, before: u64, piece: Option<&[u8]>) -> Result<u64, StoreError> {
    let count = u64::try_from(piece.map_or(0, <[u8]>::len)).unwrap_or(u64::MAX);
    match before.checked_sub(count) {
        Some(left) if piece.is_some() || left == 0 => Ok(left),
        Some(_) | None => {
            let detail = format!("`{key}` does not have the bytes that it announces");
            Err(StoreError::new(StoreErrorKind::Malformed, detail))
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("key", &self.key).field("left", &self.left).finish()
    }
}
