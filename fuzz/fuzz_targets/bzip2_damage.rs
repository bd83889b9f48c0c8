//! Streams of a real encoder, damaged and given checksums that fit again: what the fast decoder takes
//! for whole, the reference decoder sees the same way, and no piece or kernel makes a difference.
//!
//! The last byte says how often something is damaged, by four bytes before it each; the byte before
//! those chooses the level and how often the rest, which is the content, is repeated.
#![no_main]

use std::io::BufReader;
use std::io::Read;
use std::io::Write;

use bzip2::Compression;
use bzip2::write::BzEncoder;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::sources::decode::decoder::DecompressError;
use cnpg_backup_verifier::sources::decode::decoder::decode;
use cnpg_backup_verifier::sources::decode::decoder::decompress;
use libfuzzer_sys::fuzz_target;
use mibz2::BzReader;
use mibz2::ErrorKind;
use mibz2::Kernels;

/// Above what an encoder is given, several times.
const BYTES_MAX: u64 = 4 << 20;
/// The encoder is slower than both decoders, and not what is tested.
const DRAWN_BYTES_MAX: usize = 200;
/// Two blocks at the first level, which holds 100,000 bytes; only one input in many has them.
const CONTENT_BYTES_MAX: usize = 110_000;
/// A stream or two of two blocks each, each mended once, and then some.
const REPAIRS_MAX: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let Some((bytes, damages)) = split_damages(bytes) else { return };
    let Some((&shape, content)) = bytes.split_last() else { return };
    let content = &content[..content.len().min(DRAWN_BYTES_MAX)];
    // No repetition is like another: to sort those takes long.
    let repeats = match shape {
        0..0xF0 => 1,
        0xF0..0xFF => 4,
        0xFF => 600,
    };
    let level = if shape % 4 == 0 { u32::from(shape >> 2) % 9 + 1 } else { 1 };
    let content = (0..=u8::MAX)
        .cycle()
        .take(repeats)
        .flat_map(|repetition| content.iter().map(move |byte| byte.wrapping_add(repetition)));
    let content: Vec<u8> = content.take(CONTENT_BYTES_MAX).collect();
    let mut stored = encode(&content, level);
    assert_eq!(decode_all(Bzip2::Fast, &stored), (content, None));

    for damage in damages {
        harm(&mut stored, damage);
    }
    for _ in 0..REPAIRS_MAX {
        let Some(refusal) = check(&stored) else { return };
        if !repair(&mut stored, &refusal) {
            return;
        }
    }
});

fn split_damages(bytes: &[u8]) -> Option<(&[u8], Vec<[u8; 4]>)> {
    let (count, rest) = bytes.split_last()?;
    let at = rest.len().checked_sub(usize::from(count % 8) * 4)?;
    let (content, damages) = rest.split_at(at);
    Some((content, damages.chunks_exact(4).map(|it| it.try_into().unwrap()).collect()))
}

fn encode(content: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn harm(stored: &mut Vec<u8>, [kind, high, low, value]: [u8; 4]) {
    let at = usize::from(u16::from_be_bytes([high, low])) % (stored.len().max(1));
    match kind % 8 {
        // The head of a block tells more than the rest: what its symbols and tables are.
        0..=2 => flip(stored, (at % 64) * 8 + usize::from(value % 8)),
        3 | 4 => flip(stored, at * 8 + usize::from(value % 8)),
        5 => stored.truncate(at),
        6 => stored.extend(encode(&[value; 7][..usize::from(high % 8)], 1)),
        _ => {
            stored.insert(at.min(stored.len()), value);
        }
    }
}

fn flip(stored: &mut [u8], bit: usize) {
    if let Some(byte) = stored.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
}

/// Why the fast decoder refuses it, if it does.
fn check(stored: &[u8]) -> Option<mibz2::Error> {
    let (fast, refusal) = decode_all(Bzip2::Fast, stored);
    let (reference, end) = decode_all(Bzip2::Reference, stored);
    match refusal {
        None => {
            assert_eq!(end, None, "the fast decoder takes {} bytes for whole", fast.len());
            assert!(fast == reference, "{} and {} bytes", fast.len(), reference.len());
            return None;
        }
        Some(DecompressError::TooLarge { .. }) => return None,
        Some(
            DecompressError::Truncated
            | DecompressError::Short { .. }
            | DecompressError::Trailing
            | DecompressError::Undecodable(_),
        ) => {}
    }
    if end.is_none() {
        let found = decompress(Codec::Bzip2, Bzip2::Fast, stored, BYTES_MAX);
        assert!(found.as_ref() == Ok(&reference), "{:?}", found.err());
    }
    // Neither the kernel nor the pieces make a difference.
    let mut scalar = Vec::new();
    let error = BzReader::with_kernels(stored, Kernels::scalar()).read_to_end(&mut scalar);
    assert!(scalar == fast, "{} and {} bytes", scalar.len(), fast.len());
    let error = error.expect_err("the scalar kernels refuse it too");
    Some(error.downcast().expect("nothing else fails"))
}

/// What is shown of bytes that arrive in pieces, and why not more.
fn decode_all(bzip2: Bzip2, stored: &[u8]) -> (Vec<u8>, Option<DecompressError>) {
    let mut shown = Vec::new();
    let pieces = BufReader::with_capacity(stored.len() % 97 + 1, stored);
    let end = decode(Codec::Bzip2, bzip2, pieces, BYTES_MAX, |it| shown.extend_from_slice(it));
    (shown, end.err())
}

/// Writes the checksum that the fast decoder computed in place of one that it refused: what it made of
/// the damage is then taken for whole, unless the reference decoder sees something else in it.
fn repair(stored: &mut [u8], refusal: &mibz2::Error) -> bool {
    let (ErrorKind::BlockCrc { computed, .. } | ErrorKind::StreamCrc { computed, .. }) =
        refusal.kind
    else {
        return false;
    };
    let Some(begin) = refusal.bit else { return false };
    // It stands behind the 48 bits that a block or the end of a stream begins with.
    let begin = usize::try_from(begin).unwrap() + 48;
    for (offset, bit) in (0..32).zip((0..32).rev().map(|it| computed >> it & 1 == 1)) {
        let at = begin + offset;
        let mask = 0x80 >> (at % 8);
        let Some(byte) = stored.get_mut(at / 8) else { return false };
        *byte = if bit { *byte | mask } else { *byte & !mask };
    }
    true
}
