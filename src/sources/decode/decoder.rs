//! Decodes what barman-cloud stored, piece by piece, with a limit on the output and on the memory
//! used.
//!
//! Several members, streams or frames in a row are one content, as Python's decoders see it. What
//! follows the last one is damage, but for the zeros that `gzip` allows as padding.

use std::fmt;
use std::io;
use std::io::BufRead;
use std::io::Read;

use liblzma::bufread::XzDecoder;
use liblzma::stream::CONCATENATED;
use liblzma::stream::Stream;
use mibz2::BzReader;
use snap::read::FrameDecoder as SnappyDecoder;

use crate::domain::codec::Bzip2;
use crate::domain::codec::Codec;
use crate::sources::decode::bzip2::Streams;
use crate::sources::decode::gzip::Members;
use crate::sources::decode::lz4::Frames;
use crate::sources::limits::XZ_MEMORY_BYTES_MAX;
use crate::sources::limits::ZSTD_WINDOW_LOG_MAX;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// Uncompressed content has no end mark, and a snappy stream may end after any chunk.
    #[error("the content ends too early")]
    Truncated,
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
    add: impl FnMut(&[u8]),
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
        (Codec::Xz, _) => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, CONCATENATED);
            let stream = stream.map_err(|error| of(error.into()))?;
            read(XzDecoder::new_stream(stored, stream), bytes_max, add)
        }
        (Codec::Snappy, _) => read(SnappyDecoder::new(stored), bytes_max, add),
        (Codec::Zstd, _) => {
            let mut decoder = zstd::Decoder::with_buffer(stored).map_err(of)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(of)?;
            read(decoder, bytes_max, add)
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
                Self::Truncated | Self::Undecodable(_) => true,
                Self::TooLarge { .. } => false,
            }
    }

    fn undecodable(error: impl fmt::Display) -> Self {
        Self::Undecodable(error.to_string())
    }

    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const MEGABYTE: u64 = 1 << 20;

    fn decompress(codec: Codec, stored: &[u8], bytes_max: u64) -> Result<Vec<u8>, DecompressError> {
        super::decompress(codec, Bzip2::Fast, stored, bytes_max)
    }

    fn compress(codec: Codec, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match codec {
            Codec::None => out.extend_from_slice(content),
            Codec::Gzip => {
                let level = flate2::Compression::new(6);
                let mut encoder = flate2::write::GzEncoder::new(&mut out, level);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap();
            }
            Codec::Bzip2 => {
                let level = bzip2::Compression::new(5);
                let mut encoder = bzip2::write::BzEncoder::new(&mut out, level);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap();
            }
            Codec::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(&mut out, 3);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap();
            }
            Codec::Snappy => {
                // The encoder writes no stream identifier for nothing; Python's does.
                if content.is_empty() {
                    out.extend_from_slice(b"\xff\x06\x00\x00sNaPpY");
                }
                let mut encoder = snap::write::FrameEncoder::new(&mut out);
                encoder.write_all(content).unwrap();
                encoder.flush().unwrap();
            }
            Codec::Zstd => {
                let mut encoder = zstd::Encoder::new(&mut out, 4).unwrap();
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap();
            }
            Codec::Lz4 => {
                let mut info = lz4_flex::frame::FrameInfo::new();
                info.block_size = lz4_flex::frame::BlockSize::Max64KB;
                info.block_mode = lz4_flex::frame::BlockMode::Linked;
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, &mut out);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap();
            }
        }
        out
    }

    /// What is shown of stored bytes that arrive three at a time.
    fn begin(
        codec: Codec,
        stored: &[u8],
        bytes_max: u64,
    ) -> (Vec<u8>, Result<u64, DecompressError>) {
        let begin = |bzip2| {
            let mut shown = Vec::new();
            let stored = io::BufReader::with_capacity(3, stored);
            let end = decode(codec, bzip2, stored, bytes_max, |it| shown.extend_from_slice(it));
            (shown, end)
        };
        let (shown, end) = begin(Bzip2::Fast);
        let is_refused = end.as_ref().is_err_and(|error| error.needs_reference(codec, Bzip2::Fast));
        if is_refused { begin(Bzip2::Reference) } else { (shown, end) }
    }

    fn compressed() -> impl Iterator<Item = Codec> {
        Codec::ALL.into_iter().filter(|codec| *codec != Codec::None)
    }

    /// Compressible, but not to almost nothing.
    fn content(length: u32) -> Vec<u8> {
        let mut state = 1_u32;
        let bytes = (0..length).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 28).to_le_bytes()[0]
        });
        bytes.collect()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for codec in Codec::ALL {
            for length in [0, 1, 70_000, 300_000] {
                let content = content(length);
                let stored = compress(codec, &content);
                let found = decompress(codec, &stored, u64::from(length));
                assert!(found.as_ref() == Ok(&content), "{codec:?} {length}: {:?}", found.err());
            }
        }
    }

    #[test]
    fn it_matters_not_in_which_pieces_the_stored_bytes_arrive() {
        for codec in Codec::ALL {
            let mut stored = compress(codec, &content(70_000));
            stored.extend(compress(codec, &content(500)));
            if codec == Codec::Gzip {
                stored.extend([0; 10]);
            }
            let (found, end) = begin(codec, &stored, MEGABYTE);
            assert_eq!(end, Ok(70_500), "{codec:?}");
            assert!(found == [content(70_000), content(500)].concat(), "{codec:?}");
        }
    }

    #[test]
    fn both_decoders_of_bzip2_see_the_same() {
        let stored = compress(Codec::Bzip2, &content(300_000));
        for end in [stored.len(), stored.len() / 2] {
            let shown = Bzip2::ALL.map(|bzip2| {
                let mut shown = Vec::new();
                let add = |piece: &[u8]| shown.extend_from_slice(piece);
                let end = decode(Codec::Bzip2, bzip2, &stored[..end], MEGABYTE, add);
                (shown, end)
            });
            let [fast, reference] = shown;
            assert!(fast.0 == reference.0, "{end}");
            assert_eq!(fast.1.ok(), reference.1.ok(), "{end}");
        }
    }

    #[test]
    fn one_byte_more_than_allowed_is_too_large() {
        for codec in Codec::ALL {
            let stored = compress(codec, &content(5000));
            let error = decompress(codec, &stored, 4999).unwrap_err();
            assert_eq!(error, DecompressError::TooLarge { bytes_max: 4999 }, "{codec:?}");
        }
    }

    #[test]
    fn several_streams_in_a_row_are_one_content() {
        for codec in Codec::ALL {
            let mut stored = compress(codec, b"first ");
            stored.extend(compress(codec, b"second"));
            assert_eq!(decompress(codec, &stored, 99).unwrap(), b"first second", "{codec:?}");
        }
    }

    #[test]
    fn a_cut_is_told_wherever_the_format_allows() {
        let content = content(150_000);
        for codec in compressed() {
            let stored = compress(codec, &content);
            let step = (stored.len() / 300).max(1);
            let mut undetected = 0;
            for end in (0..stored.len()).step_by(step).chain([stored.len() - 1]) {
                match decompress(codec, &stored[..end], MEGABYTE) {
                    Err(error) => assert_eq!(error, DecompressError::Truncated, "{codec:?} {end}"),
                    Ok(_) => undetected += 1,
                }
            }
            // A snappy stream may end after any chunk, and there are three.
            let is_silent = codec == Codec::Snappy;
            assert!(undetected <= if is_silent { 3 } else { 0 }, "{codec:?}: {undetected} cuts");
        }
    }

    #[test]
    fn a_snappy_stream_may_end_after_any_chunk() {
        let stored = compress(Codec::Snappy, &content(150_000));
        // The stream identifier takes ten bytes; a chunk's length is in its bytes 1 to 3.
        let length = u32::from_le_bytes([stored[11], stored[12], stored[13], 0]);
        let end = 10 + 4 + usize::try_from(length).unwrap();
        let found = decompress(Codec::Snappy, &stored[..end], MEGABYTE).unwrap();
        assert_eq!(found.len(), 65_536);
    }

    #[test]
    fn garbage_after_the_end_is_damage() {
        for codec in compressed() {
            let mut stored = compress(codec, b"content");
            stored.extend_from_slice(b"<html>garbage</html>");
            let error = decompress(codec, &stored, 999).unwrap_err();
            assert!(matches!(error, DecompressError::Undecodable(_)), "{codec:?}: {error:?}");
        }
    }

    #[test]
    fn gzip_may_be_padded_with_zeros() {
        let mut stored = compress(Codec::Gzip, b"content");
        stored.extend([0; 512]);
        assert_eq!(decompress(Codec::Gzip, &stored, 99).unwrap(), b"content");
    }

    #[test]
    fn html_is_no_compressed_content() {
        for codec in compressed() {
            let error = decompress(codec, b"<!DOCTYPE html><html></html>", 999).unwrap_err();
            assert!(matches!(error, DecompressError::Undecodable(_)), "{codec:?}: {error:?}");
        }
    }

    #[test]
    fn the_beginning_needs_no_more_than_its_part_of_the_input() {
        let content = content(3_000_000);
        for codec in Codec::ALL {
            let stored = compress(codec, &content);
            let part = &stored[..stored.len() * 2 / 3];
            let (found, end) = begin(codec, part, 8192);
            assert_eq!(end, Err(DecompressError::TooLarge { bytes_max: 8192 }), "{codec:?}");
            assert!(found == content[..8192], "{codec:?}");
            let (_, end) = begin(codec, part, 4_000_000);
            assert_eq!(end == Err(DecompressError::Truncated), codec != Codec::None, "{codec:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_decoded_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            is_headed: bool,
        ) {
            for codec in Codec::ALL {
                let mut stored = if is_headed { compress(codec, &bytes[..bytes.len() / 2]) } else { Vec::new() };
                let keep = stored.len() * 2 / 3;
                stored.truncate(keep);
                stored.extend_from_slice(&bytes);
                if let Ok(found) = decompress(codec, &stored, 10_000) {
                    prop_assert!(found.len() <= 10_000);
                }
                prop_assert!(begin(codec, &stored, 100).0.len() <= 100);
            }
        }

        #[test]
        fn a_flipped_bit_is_never_a_panic(at in 0_usize..4000, bit in 0_u8..8) {
            let content = content(20_000);
            for codec in Codec::ALL {
                let mut stored = compress(codec, &content);
                let at = at % stored.len();
                stored[at] ^= 1 << bit;
                let found = decompress(codec, &stored, MEGABYTE);
                // These three carry a checksum of the content or of every block.
                if matches!(codec, Codec::Gzip | Codec::Bzip2 | Codec::Xz) && let Ok(found) = found {
                    prop_assert_eq!(found, content.clone());
                }
            }
        }
    }
}
