//! The body of an object, which goes on by range where it was cut off.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::domain::object_version::ObjectVersion;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::requests::Operation;
use crate::sources::store::s3::S3Store;
use crate::sources::store::s3::attempt::Attempts;
use crate::sources::store::s3::check_source;
use crate::sources::store::s3::content_length;
use crate::sources::store::s3::failure;
use crate::sources::store::s3::last_error;

pub(super) struct Download {
    store: S3Store,
    key: String,
    version: ObjectVersion,
    /// Where the next byte lies in the object.
    at: u64,
    body: ByteStream,
    /// How long its bytes may still be waited for. Whoever takes them may take his time.
    left: Duration,
}

impl Download {
    pub(super) async fn begin(
        store: S3Store,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Self, StoreError> {
        let (version, body) = store.get(key, from, expected).await?;
        let left = store.endpoint.patience().body(version.size.saturating_sub(from));
        Ok(Self { store, key: key.to_owned(), version, at: from, body, left })
    }

    pub(super) const fn version(&self) -> &ObjectVersion {
        &self.version
    }

    /// `None` at the end.
    ///
    /// A body that breaks off is asked for again from there on, until so many answers in a row
    /// brought nothing, or the time for all of it is up.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let patience = *self.store.endpoint.patience();
        let mut attempts = 0_u32;
        loop {
            let error = match self.wait(patience.next_byte).await {
                Ok(None) if self.at < self.version.size => self.breaks_off("the answer ends"),
                Ok(chunk) => {
                    let count = chunk.as_ref().map_or(0, Bytes::len);
                    self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                    return Ok(chunk);
                }
                Err(error) => error,
            };
            self.store.endpoint.requests().count_error(operation(self.at), error.kind);
            attempts = attempts.saturating_add(1);
            if patience.attempts_max <= attempts || self.left.is_zero() {
                return Err(error);
            }
            if attempts > 1 {
                sleep(patience.pause_first).await;
            }
            (_, self.body) = self.store.get(&self.key, self.at, Some(&self.version)).await?;
        }
    }

    async fn wait(&mut self, next_byte: Duration) -> Result<Option<Bytes>, StoreError> {
        let began = Instant::now();
        let chunk = timeout(next_byte.min(self.left), self.body.next()).await;
        self.left = self.left.saturating_sub(began.elapsed());
        match chunk {
            Ok(chunk) => chunk.transpose().map_err(|error| self.breaks_off(&failure::text(&error))),
            Err(_) => {
                let detail = format!("`{}` arrives too slowly", self.key);
                Err(StoreError::new(StoreErrorKind::TimedOut, detail))
            }
        }
    }

    fn breaks_off(&self, why: &str) -> StoreError {
        let detail = format!("`{}` breaks off: {why}", self.key);
        StoreError::new(StoreErrorKind::Unavailable, detail)
    }
}

impl S3Store {
    /// An object from this byte on, to the end of the answer.
    async fn get(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<(ObjectVersion, ByteStream), StoreError> {
        let attempts = Attempts::new(operation(from), &self.endpoint);
        let request = self.endpoint.client().get_object().bucket(&self.bucket).key(key);
        let sent = request
            .set_range((from > 0).then(|| format!("bytes={from}-")))
            .set_if_match(expected.map(|version| version.etag.clone()))
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        let object = sent.map_err(|error| last_error(&attempts, &error))?;
        let version = version(&object, from);
        let version = match version {
            // Not every server knows `If-Match`.
            Ok(version) if expected.is_some_and(|it| *it != version) => {
                Err(StoreError::changed(key))
            }
            version => version,
        };
        Ok((version.map_err(|error| attempts.refuse(error))?, object.body))
    }
}

fn operation(from: u64) -> Operation {
    if from == 0 { Operation::Get } else { Operation::GetRange }
}

fn version(object: &GetObjectOutput, from: u64) -> Result<ObjectVersion, StoreError> {
    check_source(object.e_tag(), object.content_type())?;
    let size = if from == 0 {
        content_length(object.content_length())
    } else {
        size_of_whole(object.content_range(), from)
    };
    let size = size.ok_or_else(|| {
        let detail = "the answer does not say its size, or does not start at the byte asked for";
        StoreError::new(StoreErrorKind::Malformed, detail)
    })?;
    Ok(ObjectVersion::new(object.e_tag().unwrap_or_default(), size))
}

/// What `Content-Range` says of an answer that begins at this byte (RFC 9110, 14.4).
fn size_of_whole(content_range: Option<&str>, from: u64) -> Option<u64> {
    let (range, size) = content_range?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    if first.parse() == Ok(from) { size.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_whole_is_told_by_a_range_of_it() {
        assert_eq!(size_of_whole(Some("bytes 5-9/10"), 5), Some(10));
        assert_eq!(size_of_whole(Some("bytes 4-9/10"), 5), None);
        assert_eq!(size_of_whole(Some("bytes 5-9/*"), 5), None);
        assert_eq!(size_of_whole(Some("bytes */10"), 5), None);
        assert_eq!(size_of_whole(None, 5), None);
    }
}
