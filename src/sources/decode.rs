//! Decompresses what barman-cloud stored, with a limit on the output and on the memory used.
//!
//! Several members, streams or frames in a row are one content, as Python's decoders see it. What
//! follows the last one is damage, but for the zeros that `gzip` allows as padding.

use std::fmt;
use std::io;
use std::io::Read;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::CONCATENATED;
use liblzma::stream::Stream;
use lz4_flex::frame::FrameDecoder as Lz4Decoder;
use mibz2::BzReader;
use snap::read::FrameDecoder as SnappyDecoder;

use crate::domain::codec::Codec;
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

/// The whole content, of at most this many bytes.
pub fn decompress(codec: Codec, stored: &[u8], bytes_max: u64) -> Result<Vec<u8>, DecompressError> {
    let fast = decode(codec, stored, bytes_max);
    if codec == Codec::Bzip2 && fast.as_ref().is_err_and(|(_, error)| error.may_be_ours()) {
        return decode_bzip2_again(stored, bytes_max).map_err(|(_, error)| error);
    }
    fast.map_err(|(_, error)| error)
}

/// The first `wanted` bytes, even of input that ends or is damaged after them; fewer only where
/// the content has no more.
pub fn decompress_prefix(
    codec: Codec,
    stored: &[u8],
    wanted: u64,
) -> Result<Vec<u8>, DecompressError> {
    let bytes = match decode(codec, stored, wanted) {
        Err((_, error)) if codec == Codec::Bzip2 && error.may_be_ours() => {
            decode_bzip2_again(stored, wanted)
        }
        other => other,
    };
    bytes.or_else(|(bytes, error)| match error {
        DecompressError::TooLarge { .. } => Ok(bytes),
        _ => Err(error),
    })
}

/// With the bytes before the error, at most `bytes_max`.
type Decoded = Result<Vec<u8>, (Vec<u8>, DecompressError)>;

impl DecompressError {
    /// Whether another decoder might see it differently.
    const fn may_be_ours(&self) -> bool {
        match self {
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

fn decode(codec: Codec, stored: &[u8], bytes_max: u64) -> Decoded {
    if stored.is_empty() && codec != Codec::None {
        return Err((Vec::new(), DecompressError::Truncated));
    }
    let unstarted = |error: io::Error| (Vec::new(), DecompressError::of(&error));
    match codec {
        Codec::None => read(stored, bytes_max),
        Codec::Gzip => read(Members::of(stored), bytes_max),
        Codec::Bzip2 => read(BzReader::new(stored), bytes_max),
        Codec::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, CONCATENATED);
            let stream = stream.map_err(|error| unstarted(error.into()))?;
            read(XzDecoder::new_stream(stored, stream), bytes_max)
        }
        Codec::Snappy => read(SnappyDecoder::new(stored), bytes_max),
        Codec::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(stored).map_err(unstarted)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(unstarted)?;
            read(decoder, bytes_max)
        }
        Codec::Lz4 => read(Lz4Frames::of(stored), bytes_max),
    }
}

/// A fault of the fast decoder must never pass for a damaged backup.
fn decode_bzip2_again(stored: &[u8], bytes_max: u64) -> Decoded {
    read(MultiBzDecoder::new(stored), bytes_max)
}

fn read(decoder: impl Read, bytes_max: u64) -> Decoded {
    let mut bytes = Vec::new();
    let end = decoder.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        bytes.truncate(usize::try_from(bytes_max).unwrap_or(usize::MAX));
        return Err((bytes, DecompressError::TooLarge { bytes_max }));
    }
    match end {
        Ok(_) => Ok(bytes),
        Err(error) => Err((bytes, DecompressError::of(&error))),
    }
}

/// The members of a gzip file, one after another; zeros between and after them are padding
/// (`_GzipReader` in Python's `gzip.py`).
struct Members<'a> {
    decoder: GzDecoder<&'a [u8]>,
}

impl<'a> Members<'a> {
    fn of(stored: &'a [u8]) -> Self {
        Self { decoder: GzDecoder::new(stored) }
    }
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let mut rest: &[u8] = self.decoder.get_ref();
            while let Some((0, tail)) = rest.split_first() {
                rest = tail;
            }
            if rest.is_empty() {
                return Ok(0);
            }
            self.decoder = GzDecoder::new(rest);
        }
    }
}

/// The frames of an lz4 file, one after another.
struct Lz4Frames<'a>(Lz4Decoder<Lz4Input<'a>>);

/// The decoder takes an end of input between two blocks for the end of the frame, so it gets an
/// error that it knows nothing about.
struct Lz4Input<'a>(&'a [u8]);

impl<'a> Lz4Frames<'a> {
    fn of(stored: &'a [u8]) -> Self {
        Self(Lz4Decoder::new(Lz4Input(stored)))
    }

    fn has_input(&self) -> bool {
        !self.0.get_ref().0.is_empty()
    }
}

impl Read for Lz4Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                // The decoder ends with every frame, and begins the next one if it is asked again.
                Ok(0) if self.has_input() && !buffer.is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                other => return other,
            }
        }
    }
}

impl Read for Lz4Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const MEGABYTE: u64 = 1 << 20;

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
    fn a_prefix_needs_no_more_than_its_part_of_the_input() {
        let content = content(3_000_000);
        for codec in Codec::ALL {
            let stored = compress(codec, &content);
            let part = &stored[..stored.len() * 2 / 3];
            let found = decompress_prefix(codec, part, 8192);
            assert!(found.as_deref() == Ok(&content[..8192]), "{codec:?}: {:?}", found.err());
            let found = decompress_prefix(codec, &stored, 4_000_000).unwrap();
            assert!(found == content, "{codec:?}");
            let cut = decompress_prefix(codec, part, 4_000_000);
            let is_told = cut.is_err_and(|error| error == DecompressError::Truncated);
            assert_eq!(is_told, codec != Codec::None, "{codec:?}");
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
                if let Ok(found) = decompress_prefix(codec, &stored, 100) {
                    prop_assert!(found.len() <= 100);
                }
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
