//! Decodes what barman-cloud stored, piece by piece, with a limit on the output and on the memory
//! used.
//!
//! Several members, streams or frames in a row are one content, as Python's decoders see it. So is what
//! they make of anything else that follows the last one: some fail, and some pass it over.

use std::fmt;
use std::io;
use std::io::BufRead;
use std::io::Read;

use mibz2::BzReader;
use snap::read::FrameDecoder as SnappyDecoder;

use crate::domain::codec::Bzip2;
use crate::domain::codec::Codec;
use crate::sources::decode::bzip2::Streams;
use crate::sources::decode::gzip::Members;
use crate::sources::decode::lz4::Frames;
use crate::sources::decode::snappy::Chunks;
use crate::sources::decode::trailing::Trailing;
use crate::sources::decode::xz::Streams as XzStreams;
use crate::sources::limits::ZSTD_WINDOW_LOG_MAX;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// Uncompressed content has no end mark, and a snappy stream may end after any chunk.
    #[error("the content ends too early")]
    Truncated,
    /// The same, where barman hands out what there is: all of it, if only what closes it is missing.
    #[error("the content ends too early")]
    Short { delivered: u64 },
    /// All of the content is there, and behind it something that Python's decoder fails on.
    #[error("something else follows the content")]
    Trailing,
    #[error("{0}")]
    Undecodable(String),
    #[error("the content is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
}

/// As much as a decoder is asked for at once: what a chunk of snappy holds.
const PIECE_BYTES: usize = 64 << 10;

/// Shows the content to `add`, at most `bytes_max` bytes of it, and tells how long it is.
///
/// A limit below the length is an error, after all that is within it was shown, even where the rest
/// is damaged or missing.
pub fn decode(
    codec: Codec,
    bzip2: Bzip2,
    mut stored: impl BufRead,
    bytes_max: u64,
    mut add: impl FnMut(&[u8]),
) -> Result<u64, DecompressError> {
    let of = |error: io::Error| DecompressError::of(&error);
    if codec != Codec::None && stored.fill_buf().map_err(of)?.is_empty() {
        return Err(DecompressError::Truncated);
    }
    match (codec, bzip2) {
        (Codec::None, _) => pass(stored, bytes_max, add),
        (Codec::Gzip, _) => read(Members::of(stored), bytes_max, add),
        (Codec::Bzip2, Bzip2::Fast) => read(BzReader::new(stored), bytes_max, add),
        (Codec::Bzip2, Bzip2::Reference) => read(Streams::of(stored), bytes_max, add),
        (Codec::Xz, _) => read(XzStreams::of(stored), bytes_max, add),
        (Codec::Snappy, _) => {
            let mut chunks = Chunks::of(stored);
            let end = read(SnappyDecoder::new(&mut chunks), bytes_max, add);
            match end {
                Ok(delivered) if chunks.is_cut() => Err(DecompressError::Short { delivered }),
                end => end,
            }
        }
        (Codec::Zstd, _) => {
            let mut decoder = zstd::Decoder::with_buffer(stored).map_err(of)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(of)?;
            let mut delivered = 0_u64;
            let add = |piece: &[u8]| {
                delivered =
                    delivered.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                add(piece);
            };
            match read(decoder, bytes_max, add) {
                Err(DecompressError::Truncated) => Err(DecompressError::Short { delivered }),
                end => end,
            }
        }
        (Codec::Lz4, _) => read(Frames::of(stored), bytes_max, add),
    }
}

/// The whole content of an object that is small and in memory. What the fast decoder of bzip2 cannot
/// decode is left to the other one.
pub fn decompress(
    codec: Codec,
    bzip2: Bzip2,
    stored: &[u8],
    bytes_max: u64,
) -> Result<Vec<u8>, DecompressError> {
    let decompress = |bzip2| {
        let mut content = Vec::new();
        decode(codec, bzip2, stored, bytes_max, |piece| content.extend_from_slice(piece))
            .map(|_| content)
    };
    decompress(bzip2).or_else(|error| {
        if error.needs_reference(codec, bzip2) { decompress(Bzip2::Reference) } else { Err(error) }
    })
}

impl DecompressError {
    /// Whether the decoder may be to blame, which was the fast one.
    pub fn needs_reference(&self, codec: Codec, bzip2: Bzip2) -> bool {
        (codec, bzip2) == (Codec::Bzip2, Bzip2::Fast)
            && match self {
                Self::Truncated | Self::Short { .. } | Self::Trailing | Self::Undecodable(_) => {
                    true
                }
                Self::TooLarge { .. } => false,
            }
    }

    fn undecodable(error: impl fmt::Display) -> Self {
        Self::Undecodable(error.to_string())
    }

    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ if error.get_ref().is_some_and(|it| it.is::<Trailing>()) => Self::Trailing,
            _ => Self::undecodable(error),
        }
    }
}

fn read(
    decoder: impl Read,
    bytes_max: u64,
    add: impl FnMut(&[u8]),
) -> Result<u64, DecompressError> {
    let wanted = bytes_max.saturating_add(1);
    let mut decoder = decoder.take(wanted);
    // No decoder is asked to go far beyond what is wanted, where it may meet damage.
    let mut buffer = vec![0; PIECE_BYTES.min(usize::try_from(wanted).unwrap_or(PIECE_BYTES))];
    let mut shown = Shown { add, bytes: 0, bytes_max };
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(shown.bytes),
            Ok(count) => shown.show(buffer.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DecompressError::of(&error)),
        }
    }
}

/// What needs no decoder is shown where it lies.
fn pass(
    stored: impl BufRead,
    bytes_max: u64,
    add: impl FnMut(&[u8]),
) -> Result<u64, DecompressError> {
    let mut stored = stored.take(bytes_max.saturating_add(1));
    let mut shown = Shown { add, bytes: 0, bytes_max };
    loop {
        let count = match stored.fill_buf() {
            Ok([]) => return Ok(shown.bytes),
            Ok(piece) => {
                shown.show(piece)?;
                piece.len()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(DecompressError::of(&error)),
        };
        stored.consume(count);
    }
}

/// What was shown of a content.
struct Shown<F> {
    add: F,
    bytes: u64,
    bytes_max: u64,
}

impl<F: FnMut(&[u8])> Shown<F> {
    fn show(&mut self, piece: &[u8]) -> Result<(), DecompressError> {
        let bytes_max = self.bytes_max;
        let room = usize::try_from(bytes_max.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        (self.add)(piece.get(..room).unwrap_or(piece));
        if piece.len() > room {
            return Err(DecompressError::TooLarge { bytes_max });
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}
