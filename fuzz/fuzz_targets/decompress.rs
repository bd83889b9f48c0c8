//! Any bytes decode to content within the limit, whose beginning is what a probe of it sees.
//!
//! The last byte chooses the codec; the rest is what is stored.
#![no_main]

use std::io::Read;

use bzip2::bufread::MultiBzDecoder;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::sources::decode::DecompressError;
use cnpg_backup_verifier::sources::decode::decompress;
use cnpg_backup_verifier::sources::decode::decompress_prefix;
use libfuzzer_sys::fuzz_target;

/// Above the largest content in the corpus.
const BYTES_MAX: u64 = 64 << 10;
/// What a probe of a segment wants, roughly.
const WANTED: u64 = 100;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, stored)) = bytes.split_last() else { return };
    let codec = Codec::ALL[usize::from(*choice) % Codec::ALL.len()];
    let whole = decompress(codec, stored, BYTES_MAX);
    let begin = decompress_prefix(codec, stored, WANTED);
    let beginning = |content: &[u8]| content.iter().copied().take(100).collect::<Vec<u8>>();
    match &whole {
        Ok(content) => {
            assert!(content.len() <= 64 << 10, "{codec:?}: {} bytes", content.len());
            assert_eq!(begin.as_ref(), Ok(&beginning(content)), "{codec:?}");
        }
        Err(DecompressError::TooLarge { .. }) => {
            let most = decompress_prefix(codec, stored, BYTES_MAX).expect("as much as wanted");
            assert_eq!(most.len(), 64 << 10, "{codec:?}");
            assert_eq!(begin.as_ref(), Ok(&beginning(&most)), "{codec:?}");
        }
        Err(_) => {}
    }
    if codec == Codec::Bzip2
        && let Ok(content) = &whole
    {
        check_bzip2(stored, content);
    }
});

/// The decoder for speed must not accept what the reference decoder sees otherwise.
fn check_bzip2(stored: &[u8], content: &[u8]) {
    let mut expected = Vec::new();
    let end = MultiBzDecoder::new(stored).read_to_end(&mut expected);
    assert!(end.is_ok() && expected == content, "{} {} {end:?}", expected.len(), content.len());
}
