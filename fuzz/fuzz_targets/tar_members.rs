//! A tar file says the same however its bytes are cut into pieces, and what is kept of it is bounded.
//!
//! The last two bytes choose the pieces, and whether the first header is given the checksum that fits.
#![no_main]

use cnpg_backup_verifier::content::tar_check::TarCheck;
use cnpg_backup_verifier::content::tar_check::TarExpectation;
use cnpg_backup_verifier::content::tar_check::TarReport;
use cnpg_backup_verifier::domain::object_key::TarContents;
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512;

fuzz_target!(|bytes: &[u8]| {
    let Some((bytes, &[piece, mended])) = bytes.split_last_chunk() else { return };
    let mut bytes = bytes.to_vec();
    // A mutation hardly ever finds a sum; with one, what lies behind it is reached.
    for block in bytes.chunks_exact_mut(BLOCK).take(usize::from(mended)) {
        mend(block);
    }
    for contents in [TarContents::DataDirectory, TarContents::Tablespace(16_400)] {
        let whole = check(&bytes, contents, bytes.len().max(1));
        let pieces = check(&bytes, contents, usize::from(piece) + 1);
        assert_eq!(whole, pieces);
        assert!(whole.strays.first.len() <= 20 && whole.wrong_maps.first.len() <= 20);
        assert!(whole.wrong_pages.len() <= 10_000);
        assert!(whole.backup_label.is_none_or(|label| label.text.len() <= 3 * 4096));
    }
});

fn check(bytes: &[u8], contents: TarContents, piece: usize) -> TarReport {
    let mut check = TarCheck::new(TarExpectation { contents, has_checksums: true });
    bytes.chunks(piece).for_each(|piece| check.feed(piece));
    check.report()
}

fn mend(block: &mut [u8]) {
    block[257..262].copy_from_slice(b"ustar");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}
