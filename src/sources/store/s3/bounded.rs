//! Reads an answer up to a limit, where the SDK would take all of it into memory.

use std::sync::Arc;

use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use bytes::BytesMut;
use futures::stream;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use hyper::body::Body;
use hyper::body::Frame;
use tokio::sync::Semaphore;

use crate::sources::limits::ERROR_ANSWER_BYTES_MAX;
use crate::sources::limits::LIST_ANSWER_BYTES_MAX;
use crate::sources::limits::LIST_PAGE_BYTES;
use crate::sources::store::s3::list_answer;

/// An answer that is larger than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has over {bytes_max} bytes")]
pub(super) struct TooLarge {
    bytes_max: u64,
}

/// A listing without keys, for the SDK, which would read them a second time.
const NO_KEYS: &[u8] = b"<ListBucketResult></ListBucketResult>";

/// The body of an error.
pub(super) fn error(body: SdkBody) -> SdkBody {
    body_of(async { whole(body, ERROR_ANSWER_BYTES_MAX, None).await })
}

/// The body of a listing, which goes to `taken`; the SDK gets one without keys.
///
/// More than a page usually has needs one of the turns, so that not every answer of a store is as
/// large as it may be at the same time.
pub(super) fn listing(
    body: SdkBody,
    turns: Arc<Semaphore>,
    taken: impl FnOnce(Bytes) + Send + Sync + 'static,
) -> SdkBody {
    body_of(async move {
        let answer = whole(body, LIST_ANSWER_BYTES_MAX, Some(turns)).await?;
        // The SDK knows which errors are worth another attempt.
        if list_answer::is_error(&answer) {
            return error_within_limit(answer);
        }
        taken(answer);
        Ok(Bytes::from_static(NO_KEYS))
    })
}

fn error_within_limit(answer: Bytes) -> Result<Bytes, BoxError> {
    let bytes = u64::try_from(answer.len()).unwrap_or(u64::MAX);
    let bytes_max = ERROR_ANSWER_BYTES_MAX;
    if bytes <= bytes_max { Ok(answer) } else { Err(TooLarge { bytes_max }.into()) }
}

fn body_of(
    whole: impl Future<Output = Result<Bytes, BoxError>> + Send + Sync + 'static,
) -> SdkBody {
    let frame = async { whole.await.map(Frame::data) };
    SdkBody::from_body_1_x(StreamBody::new(stream::once(frame)))
}

async fn whole(
    mut body: SdkBody,
    bytes_max: u64,
    turns: Option<Arc<Semaphore>>,
) -> Result<Bytes, BoxError> {
    if bytes_max < body.size_hint().lower() {
        return Err(TooLarge { bytes_max }.into());
    }
    let mut whole = BytesMut::new();
    let mut turn = None;
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        let bytes = u64::try_from(whole.len().saturating_add(chunk.len())).unwrap_or(u64::MAX);
        if bytes_max < bytes {
            return Err(TooLarge { bytes_max }.into());
        }
        if let (None, Some(turns), true) = (&turn, &turns, LIST_PAGE_BYTES < bytes) {
            turn = Some(Arc::clone(turns).acquire_owned().await?);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Mutex;

    use futures::FutureExt;

    use super::*;

    /// A body of so many bytes in pieces, and how many pieces of it were asked for.
    fn body(pieces: u64, piece: &'static [u8]) -> (SdkBody, Arc<Mutex<u64>>) {
        let asked = Arc::<Mutex<u64>>::default();
        let count = Arc::clone(&asked);
        let frames = (0..pieces).map(move |_| {
            *count.lock().unwrap() += 1;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece)))
        });
        (SdkBody::from_body_1_x(StreamBody::new(stream::iter(frames))), asked)
    }

    fn too_large(error: &BoxError) -> TooLarge {
        *error.downcast_ref::<TooLarge>().unwrap()
    }

    #[tokio::test]
    async fn an_error_is_read_up_to_its_limit_and_no_further() {
        let (exact, _) = body(ERROR_ANSWER_BYTES_MAX / 1024, &[b' '; 1024]);
        let read = error(exact).collect().await.unwrap().to_bytes();
        assert_eq!(u64::try_from(read.len()).unwrap(), ERROR_ANSWER_BYTES_MAX);
        let (endless, asked) = body(u64::MAX, &[b' '; 1024]);
        let found = error(endless).collect().await.unwrap_err();
        assert_eq!(too_large(&found), TooLarge { bytes_max: ERROR_ANSWER_BYTES_MAX });
        assert_eq!(*asked.lock().unwrap(), ERROR_ANSWER_BYTES_MAX / 1024 + 1);
    }

    #[tokio::test]
    async fn what_announces_too_much_is_not_read_at_all() {
        let announced = SdkBody::from(vec![b' '; 70_000]);
        let found = error(announced).collect().await.unwrap_err();
        assert_eq!(too_large(&found), TooLarge { bytes_max: ERROR_ANSWER_BYTES_MAX });
    }

    #[tokio::test]
    async fn the_sdk_gets_a_listing_without_keys_and_errors_as_they_are() {
        let check = async |answer: &'static [u8], expected: &'static [u8], is_taken: bool| {
            let taken = Arc::<Mutex<Option<Bytes>>>::default();
            let keep = Arc::clone(&taken);
            let turns = Arc::new(Semaphore::new(1));
            let body = listing(SdkBody::from(answer), turns, move |answer| {
                *keep.lock().unwrap() = Some(answer);
            });
            assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
            let taken = taken.lock().unwrap().take();
            assert_eq!(taken.as_deref(), is_taken.then_some(answer));
        };
        check(b"<ListBucketResult>...", NO_KEYS, true).await;
        check(b"<html></html>", NO_KEYS, true).await;
        let error = b"<Error><Code>SlowDown</Code></Error>";
        check(error, error, false).await;
    }

    #[tokio::test]
    async fn of_large_listings_only_so_many_are_read_at_once() {
        let turns = Arc::new(Semaphore::new(1));
        let large = || {
            let (large, asked) = body(LIST_ANSWER_BYTES_MAX / 1024, &[b' '; 1024]);
            (listing(large, Arc::clone(&turns), drop), asked)
        };
        let held = Arc::clone(&turns).acquire_owned().await.unwrap();
        let (waiting, asked) = large();
        let mut waiting = Box::pin(waiting.collect());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(*asked.lock().unwrap(), LIST_PAGE_BYTES / 1024 + 1);
        let (small, _) = body(LIST_PAGE_BYTES / 1024, &[b' '; 1024]);
        let small = listing(small, Arc::clone(&turns), drop).collect().now_or_never();
        assert!(small.unwrap().is_ok());
        drop(held);
        assert!(waiting.await.is_ok());
        assert_eq!(turns.available_permits(), 1);
    }
}
