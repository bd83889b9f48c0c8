//! Decodes objects while they arrive: neither what is stored nor what it holds is ever in memory as
//! a whole.

use std::io;
use std::io::BufRead;
use std::io::Read;

use bytes::Buf;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::domain::codec::Bzip2;
use crate::domain::codec::Codec;
use crate::domain::object_version::ObjectVersion;
use crate::sources::decode::decoder::DecompressError;
use crate::sources::decode::decoder::decode;
use crate::sources::decode::lying::Watch;
use crate::sources::decode::lying::Watched;
use crate::sources::limits;
use crate::sources::store::body::Body;
use crate::sources::store::body::Lying;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::workshop::Turns;

/// An object with content in it, and how much there may be of both.
#[derive(Clone, Copy, Debug)]
pub struct StoredContent<'a> {
    pub key: &'a str,
    pub codec: Codec,
    pub stored_bytes_max: u64,
    pub bytes_max: u64,
}

/// What is fed content piece by piece, on a thread where it may take its time.
pub trait Fed: Clone + Send + 'static {
    fn feed(&mut self, piece: &[u8]);
}

/// An object that was read to its end, or as far as it could be decoded.
#[derive(Clone, Debug)]
pub struct Decoded<F> {
    pub fed: F,
    /// In bytes of content.
    pub length: Result<u64, DecompressError>,
    /// Of what was read.
    pub version: ObjectVersion,
}

impl Fed for Vec<u8> {
    fn feed(&mut self, piece: &[u8]) {
        self.extend_from_slice(piece);
    }
}

/// Feeds the content to `fed`.
///
/// What the fast decoder of bzip2 cannot decode is read again for the other one, if it is still
/// there as it was.
pub async fn decode_object<F: Fed>(
    store: &dyn ObjectStore,
    turns: &Turns,
    content: StoredContent<'_>,
    fed: F,
) -> Result<Decoded<F>, StoreError> {
    let body = store.open(content.key, 0, None).await?.at_most(content.stored_bytes_max)?;
    let version = body.version().clone();
    let _in_flight = turns.bytes(limits::DECODER_BYTES).await;
    let bzip2 = turns.bzip2();
    let decoded = decode_body(body, content, bzip2, fed.clone()).await?;
    if !decoded.length.as_ref().is_err_and(|error| error.needs_reference(content.codec, bzip2)) {
        return Ok(decoded);
    }
    let body = store.open(content.key, 0, Some(&version)).await?;
    decode_body(body, content, Bzip2::Reference, fed).await
}

async fn decode_body<F: Fed>(
    body: Body,
    content: StoredContent<'_>,
    bzip2: Bzip2,
    fed: F,
) -> Result<Decoded<F>, StoreError> {
    let version = body.version().clone();
    let (fed, length) = match body.lying() {
        Ok(file) => decode_lying(file, content, bzip2, fed).await?,
        Err(body) => decode_arriving(body, content, bzip2, fed).await?,
    };
    Ok(Decoded { fed, length, version })
}

type Ended<F> = Result<(F, Result<u64, DecompressError>), StoreError>;

async fn decode_arriving<F: Fed>(
    body: Body,
    StoredContent { codec, bytes_max, .. }: StoredContent<'_>,
    bzip2: Bzip2,
    mut fed: F,
) -> Ended<F> {
    let (sender, chunks) = mpsc::channel(limits::CHUNKS_WAITING_MAX);
    let decoding = spawn_blocking(move || {
        let stored = Arriving { chunks, chunk: Bytes::new() };
        let end = decode(codec, bzip2, stored, bytes_max, |piece| fed.feed(piece));
        (fed, end)
    });
    let arrived = forward(body, sender).await;
    let decoded = decoding.await;
    // Of a body that broke off, the decoder saw an end that means nothing.
    arrived?;
    decoded.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error.to_string()))
}

/// On the thread that reads the file. That one may hang with a mounted directory; whoever waits for it does
/// not.
async fn decode_lying<F: Fed>(
    file: Lying,
    StoredContent { codec, bytes_max, .. }: StoredContent<'_>,
    bzip2: Bzip2,
    mut fed: F,
) -> Ended<F> {
    let watch = Watch::default();
    let mut stored = Watched::new(file, &watch);
    let mut decoding = spawn_blocking(move || {
        let end = decode(codec, bzip2, &mut stored, bytes_max, |piece| fed.feed(piece));
        stored.failure().map_or(Ok((fed, end)), Err)
    });
    loop {
        let asked = watch.call();
        match timeout(limits::DIRECTORY_CALL, &mut decoding).await {
            Ok(decoded) => {
                let broken = |error: JoinError| {
                    StoreError::new(StoreErrorKind::Unavailable, error.to_string())
                };
                return decoded.map_err(broken)?;
            }
            // It may as well take its time to decode what it has.
            Err(_) if asked.is_some() && asked == watch.call() => {
                let seconds = limits::DIRECTORY_CALL.as_secs();
                let detail = format!("the directory gave no answer within {seconds} s");
                return Err(StoreError::new(StoreErrorKind::TimedOut, detail));
            }
            Err(_) => {}
        }
    }
}

/// To its end, or until the decoder wants no more.
async fn forward(mut body: Body, sender: mpsc::Sender<Bytes>) -> Result<(), StoreError> {
    while let Some(chunk) = body.next().await? {
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The stored bytes, for a thread that may wait for them.
struct Arriving {
    chunks: mpsc::Receiver<Bytes>,
    chunk: Bytes,
}

impl BufRead for Arriving {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            let Some(chunk) = self.chunks.blocking_recv() else { break };
            self.chunk = chunk;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, count: usize) {
        self.chunk.advance(count);
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::mpsc as std_mpsc;
    use std::time::Duration;

    use futures::stream;
    use tokio::task::yield_now;
    use tokio::time::advance;

    use crate::domain::archive_id::StoreAddress;
    use crate::domain::object_version::ObjectVersion;
    use crate::sources::store::body::Chunks;
    use crate::sources::store::body::FileBody;
    use crate::sources::store::directory::DirectoryStore;
    use crate::sources::store::failing::Failing;
    use crate::sources::store::memory::MemoryStore;
    use crate::sources::store::requests::Operation;
    use crate::sources::workshop::Workshop;

    use super::*;

    const KEY: &str = "segment.bz2";

    fn bzip2(content: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(9));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// Some megabytes that compress badly.
    fn content() -> Vec<u8> {
        let mut state = 1_u32;
        let bytes = (0..3_000_000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        });
        bytes.collect()
    }

    fn store(bytes: Vec<u8>) -> Failing<MemoryStore> {
        let store = Failing::new(MemoryStore::default());
        store.inner().put(KEY, bytes);
        store
    }

    async fn decode_all(
        store: &dyn ObjectStore,
        codec: Codec,
    ) -> Result<Decoded<Vec<u8>>, StoreError> {
        decode_by(Bzip2::Fast, store, codec).await
    }

    async fn decode_by(
        bzip2: Bzip2,
        store: &dyn ObjectStore,
        codec: Codec,
    ) -> Result<Decoded<Vec<u8>>, StoreError> {
        let content =
            StoredContent { key: KEY, codec, stored_bytes_max: 1 << 24, bytes_max: 1 << 24 };
        let turns =
            Workshop::decoding_by(bzip2).at(&StoreAddress::Directory("/archive".to_owned()));
        decode_object(store, &turns, content, Vec::new()).await
    }

    #[tokio::test]
    async fn what_arrives_in_many_chunks_is_one_content() {
        let content = content();
        for (codec, stored) in [(Codec::None, content.clone()), (Codec::Bzip2, bzip2(&content))] {
            let Decoded { fed: found, length: end, .. } =
                decode_all(&store(stored), codec).await.unwrap();
            assert_eq!(end, Ok(3_000_000), "{codec:?}");
            assert!(found == content, "{codec:?}");
        }
    }

    #[tokio::test]
    async fn what_the_fast_decoder_refuses_is_read_again_as_it_was() {
        let mut damaged = bzip2(&content());
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let store = store(damaged);
        let Decoded { length: end, .. } = decode_all(&store, Codec::Bzip2).await.unwrap();
        assert!(matches!(end, Err(DecompressError::Undecodable(_))), "{end:?}");
        assert_eq!(store.calls(), 2);
        store.fail_nth(Operation::Get, 2, StoreError::changed(KEY));
        let error = decode_all(&store, Codec::Bzip2).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Changed);
    }

    #[tokio::test]
    async fn where_the_reference_decoder_is_chosen_no_other_is_asked() {
        let content = content();
        let Decoded { fed: found, length: end, .. } =
            decode_by(Bzip2::Reference, &store(bzip2(&content)), Codec::Bzip2).await.unwrap();
        assert_eq!(end, Ok(3_000_000));
        assert!(found == content);
        // The fast decoder sees nothing in these; the other one says what is wrong, and at once.
        let empty = store(b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0".repeat(1_001));
        assert_eq!(decode_by(Bzip2::Fast, &empty, Codec::Bzip2).await.unwrap().length, Ok(0));
        let Decoded { length: end, .. } =
            decode_by(Bzip2::Reference, &empty, Codec::Bzip2).await.unwrap();
        assert!(matches!(end, Err(DecompressError::Undecodable(_))), "{end:?}");
        assert_eq!(empty.calls(), 2);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_damage() {
        let stored = bzip2(&content());
        let version = ObjectVersion::new("\"e\"", stored.len() as u64);
        let half = Bytes::from(stored).split_to(1_000_000);
        let broken = StoreError::new(StoreErrorKind::Unavailable, "on purpose");
        for end in [Some(Err(broken)), None] {
            let chunks = stream::iter([Ok(half.clone())].into_iter().chain(end));
            let body = Body::new(KEY, 0, None, version.clone(), chunks).unwrap();
            let content = StoredContent {
                key: KEY,
                codec: Codec::Bzip2,
                stored_bytes_max: 0,
                bytes_max: 9 << 20,
            };
            decode_body(body, content, Bzip2::Fast, Vec::new()).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn what_lies_in_a_file_is_one_content() {
        let (content, directory) = (content(), tempfile::tempdir().unwrap());
        let store = DirectoryStore::new(directory.path());
        for (codec, stored) in [(Codec::None, content.clone()), (Codec::Bzip2, bzip2(&content))] {
            fs::write(directory.path().join(KEY), stored).unwrap();
            let Decoded { fed: found, length: end, .. } = decode_all(&store, codec).await.unwrap();
            assert_eq!(end, Ok(3_000_000), "{codec:?}");
            assert!(found == content, "{codec:?}");
        }
    }

    /// Writes to the file that it is fed.
    #[derive(Clone)]
    struct Spoiling(PathBuf);

    impl Fed for Spoiling {
        fn feed(&mut self, _: &[u8]) {
            fs::write(&self.0, b"something else").unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_shows_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(KEY);
        let store = DirectoryStore::new(directory.path());
        fs::write(&file, content()).unwrap();
        let (codec, bytes_max) = (Codec::None, 1 << 24);
        let content = StoredContent { key: KEY, codec, stored_bytes_max: bytes_max, bytes_max };
        let decoded = decode_object(&store, &Turns::default(), content, Spoiling(file)).await;
        let error = decoded.map(|it| it.length).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Changed);
    }

    /// Of a directory that gives no answer until its other end is dropped.
    struct Hanging(std_mpsc::Receiver<()>);

    impl FileBody for Hanging {
        fn read(&mut self, piece: &mut Vec<u8>) -> Result<(), StoreError> {
            piece.clear();
            self.0.recv().unwrap_err();
            Ok(())
        }

        fn into_chunks(self: Box<Self>) -> Chunks {
            Box::pin(stream::empty())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_hangs_keeps_nobody_waiting() {
        let (answer, hanging) = std_mpsc::channel();
        let version = ObjectVersion::new("\"e\"", 1);
        let body = Body::of_file(KEY, 0, None, version, Box::new(Hanging(hanging))).unwrap();
        let content =
            StoredContent { key: KEY, codec: Codec::None, stored_bytes_max: 1, bytes_max: 1 };
        let decoding = tokio::spawn(decode_body(body, content, Bzip2::Fast, Vec::new()));
        while !decoding.is_finished() {
            advance(limits::DIRECTORY_CALL.saturating_add(Duration::from_secs(1))).await;
            yield_now().await;
        }
        drop(answer);
        let error = decoding.await.unwrap().map(|it| it.length).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::TimedOut);
    }
}
