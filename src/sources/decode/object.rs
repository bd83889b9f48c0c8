//! Decodes objects while they arrive: neither what is stored nor what it holds is ever in memory as
//! a whole.

use std::io;
use std::io::BufRead;
use std::io::Read;

use bytes::Buf;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::domain::codec::Bzip2;
use crate::domain::codec::Codec;
use crate::domain::object_version::ObjectVersion;
use crate::sources::decode::decoder::DecompressError;
use crate::sources::decode::decoder::decode;
use crate::sources::limits;
use crate::sources::store::body::Body;
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
    StoredContent { codec, bytes_max, .. }: StoredContent<'_>,
    bzip2: Bzip2,
    mut fed: F,
) -> Result<Decoded<F>, StoreError> {
    let version = body.version().clone();
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
    let (fed, length) =
        decoded.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error.to_string()))?;
    Ok(Decoded { fed, length, version })
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
    use std::io::Write;

    use futures::stream;

    use crate::domain::archive_id::StoreAddress;
    use crate::domain::object_version::ObjectVersion;
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
}
