//! CRC-32C of what records hold (`pg_crc32c.h`).
//!
//! Most records are shorter than what general routines are made for: these take whole words by one
//! instruction each and lose no time over the rest. Consecutive records do not depend on each other, so the
//! processor sums several of them at once.

use multiversion::multiversion;
use multiversion::target::match_target;

/// From here on three sums side by side, as the library makes them, are faster than one.
const LONG: usize = 1024;

/// Goes on from the checksum of what came before these bytes; 0 before the first.
#[inline]
pub(super) fn append(sum: u32, bytes: &[u8]) -> u32 {
    if bytes.len() < LONG { append_short(sum, bytes) } else { crc32c::crc32c_append(sum, bytes) }
}

#[multiversion(targets("x86_64+sse4.2"))]
fn append_short(sum: u32, bytes: &[u8]) -> u32 {
    match_target! {
        "x86_64+sse4.2" => by_words(sum, bytes),
        _ => crc32c::crc32c_append(sum, bytes),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
#[inline]
fn by_words(sum: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::_mm_crc32_u8;
    use std::arch::x86_64::_mm_crc32_u32;
    use std::arch::x86_64::_mm_crc32_u64;

    let (words, rest) = bytes.as_chunks::<8>();
    let mut wide = u64::from(!sum);
    for word in words {
        wide = _mm_crc32_u64(wide, u64::from_le_bytes(*word));
    }
    // The upper half is always zero.
    let mut sum = u32::try_from(wide).unwrap_or_default();
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        sum = _mm_crc32_u32(sum, u32::from_le_bytes(*half));
    }
    for byte in rest {
        sum = _mm_crc32_u8(sum, *byte);
    }
    !sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_value_is_that_of_the_definition() {
        assert_eq!(append(0, b"123456789"), 0xE306_9283);
    }

    proptest! {
        #[test]
        fn a_sum_is_the_same_however_it_is_made(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
            cut in 0_usize..3000,
        ) {
            let (first, rest) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(append(append(0, first), rest), crc32c::crc32c(&bytes));
        }
    }
}
