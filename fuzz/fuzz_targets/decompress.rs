//! Any bytes decode to content within the limit, whose beginning is what a probe of it sees.
//!
//! The last byte chooses the codec; the rest is what is stored.
#![no_main]

use std::io::Read;

use bzip2::bufread::MultiBzDecoder;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::sources::decode::decoder::DecompressError;
use cnpg_backup_verifier::sources::decode::decoder::decode;
use cnpg_backup_verifier::sources::decode::decoder::decompress;
use libfuzzer_sys::fuzz_target;

/// Above the largest content in the corpus.
const BYTES_MAX: u64 = 64 << 10;
/// What a probe of a segment wants, roughly.
const WANTED: u64 = 100;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, stored)) = bytes.split_last() else { return };
    let codec = Codec::ALL[usize::from(*choice) % Codec::ALL.len()];
    let whole = decompress(codec, Bzip2::Fast, stored, BYTES_MAX);
    let begin = begin(codec, stored, WANTED);
    let beginning = |content: &[u8]| content.iter().copied().take(100).collect::<Vec<u8>>();
    match &whole {
        Ok(content) => {
            assert!(content.len() <= 64 << 10, "{codec:?}: {} bytes", content.len());
            assert_eq!(begin, beginning(content), "{codec:?}");
        }
        Err(DecompressError::TooLarge { .. }) => {
            let most = self::begin(codec, stored, BYTES_MAX);
            assert_eq!(most.len(), 64 << 10, "{codec:?}");
            assert_eq!(begin, beginning(&most), "{codec:?}");
        }
        Err(_) => {}
    }
    if codec == Codec::Bzip2
        && let Ok(content) = &whole
    {
        check_bzip2(stored, content);
    }
});

/// What is shown within a limit; of bzip2, to the decoder that sees more.
fn begin(codec: Codec, stored: &[u8], bytes_max: u64) -> Vec<u8> {
    let shown = Bzip2::ALL.map(|bzip2| {
        let mut shown = Vec::new();
        let _ = decode(codec, bzip2, stored, bytes_max, |piece| shown.extend_from_slice(piece));
        shown
    });
    let [fast, reference] = shown;
    if fast.len() < reference.len() { reference } else { fast }
}

/// The decoder for speed must not accept what the reference decoder sees otherwise.
fn check_bzip2(stored: &[u8], content: &[u8]) {
    let mut expected = Vec::new();
    let end = MultiBzDecoder::new(stored).read_to_end(&mut expected);
    // It fails on what Python passes over behind the last stream.
    let reference = decode(Codec::Bzip2, Bzip2::Reference, stored, BYTES_MAX, |_| {});
    let is_right = (end.is_ok() || reference.is_ok()) && expected == content;
    assert!(is_right, "{} {} {end:?}", expected.len(), content.len());
}
