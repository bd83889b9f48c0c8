use std::io;
use std::io::Write;

use proptest::prelude::*;

use crate::domain::codec::Bzip2;
use crate::domain::codec::Codec;
use crate::sources::decode::decoder;
use crate::sources::decode::decoder::DecompressError;
use crate::sources::decode::decoder::decode;

const MEGABYTE: u64 = 1 << 20;

fn decompress(codec: Codec, stored: &[u8], bytes_max: u64) -> Result<Vec<u8>, DecompressError> {
    decoder::decompress(codec, Bzip2::Fast, stored, bytes_max)
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
fn begin(codec: Codec, stored: &[u8], bytes_max: u64) -> (Vec<u8>, Result<u64, DecompressError>) {
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
                Err(DecompressError::Short { delivered }) => {
                    assert!(codec.delivers_cut_as_short(), "{codec:?} {end}");
                    assert!(delivered <= 150_000, "{codec:?} {end}");
                }
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

/// What barman makes of these is seen in `tests/it/real_archives/tails.rs`.
#[test]
fn what_follows_the_end_is_passed_over_where_python_does() {
    let tails: [&[u8]; 5] = [b"<html>garbage</html>", b"x", b"\0", b"B", &[0; 4096]];
    for codec in compressed() {
        for tail in tails {
            let stored = [&compress(codec, b"content"), tail].concat();
            let found = decompress(codec, &stored, 999);
            let is_zero = tail.iter().all(|byte| *byte == 0);
            let is_passed_over = match codec {
                Codec::Gzip => is_zero,
                Codec::Bzip2 => tail != b"B",
                Codec::Xz => !is_zero,
                Codec::None | Codec::Snappy | Codec::Zstd | Codec::Lz4 => false,
            };
            assert_eq!(found.is_ok(), is_passed_over, "{codec:?}: {tail:?}: {found:?}");
            if codec == Codec::Snappy && tail.len() < 4096 {
                let whole = DecompressError::Short { delivered: 7 };
                assert_eq!(found.unwrap_err(), whole, "{tail:?}");
            }
        }
    }
}

#[test]
fn both_decoders_of_bzip2_agree_on_what_may_follow() {
    let whole = compress(Codec::Bzip2, &content(70_000));
    for tail in [&b"x"[..], b"B", b"BZh", b"BZh9", b"BZh9x", &[0; 64], &whole, &whole[..90]] {
        let stored = [&whole, tail].concat();
        let ends = Bzip2::ALL.map(|it| decode(Codec::Bzip2, it, &*stored, MEGABYTE, |_| {}));
        let [fast, reference] = ends;
        // What the fast one refuses is left to the other.
        assert!(fast.is_err() || fast == reference, "{tail:?}: {fast:?} {reference:?}");
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
        // python-snappy takes it for the beginning of a chunk of which the rest never comes.
        let is_short = error == DecompressError::Short { delivered: 0 };
        let is_told = matches!(error, DecompressError::Undecodable(_));
        assert!(is_told || codec == Codec::Snappy && is_short, "{codec:?}: {error:?}");
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
        let is_cut = matches!(end, Err(DecompressError::Truncated | DecompressError::Short { .. }));
        assert_eq!(is_cut, codec != Codec::None, "{codec:?}");
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
