//! Pages of relations: is the checksum right, and if not, does it matter?
//!
//! Follows `pg_checksum_page` in `checksum_impl.h`: 32 sums of FNV-1a side by side, each over every
//! 32nd word of the page.

use multiversion::multiversion;

use crate::domain::lsn::Lsn;

/// `BLCKSZ`; other sizes must be compiled in, and CloudNativePG's images have none.
pub const PAGE_BYTES: usize = 8192;

/// `RELSEG_SIZE`: blocks in one file of a relation.
pub const BLOCKS_PER_FILE: u32 = 131_072;

type Page = [u8; PAGE_BYTES];

const SUMS: usize = 32;
const FNV_PRIME: u32 = 16_777_619;

/// `checksumBaseOffsets`.
const SEEDS: [u32; SUMS] = [
    0x5B1F_36E9,
    0xB852_5960,
    0x02AB_50AA,
    0x1DE6_6D2A,
    0x79FF_467A,
    0x9BB9_F8A3,
    0x217E_7CD2,
    0x83E1_3D2C,
    0xF8D4_474F,
    0xE39E_B970,
    0x42C6_AE16,
    0x9932_16FA,
    0x7B09_3B5D,
    0x98DA_FF3C,
    0xF718_902A,
    0x0B1C_9CDB,
    0xE58F_764B,
    0x1876_36BC,
    0x5D7B_3BB1,
    0xE73D_E7DE,
    0x92BE_C979,
    0xCCA6_C0B2,
    0x304A_0979,
    0x85AA_43D4,
    0x7831_25BB,
    0x6CA8_EAA2,
    0xE407_EAC6,
    0x4B5C_FC3E,
    0x9FBF_8C76,
    0x15CA_20BE,
    0xF2CA_9FD3,
    0x959B_D756,
];

/// What one page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// It was last written at this position of the log.
    Right(Lsn),
    /// Nothing was ever written to it.
    New,
    /// The checksum is wrong, and the page was last written at this position of the log. From where the
    /// backup began on, recovery writes such pages again.
    Wrong(Lsn),
}

/// Looks at the page that is this block of its relation, all files of that together.
pub fn check(page: &Page, block: u32) -> PageState {
    // `pd_upper` is 0 in no page that was ever initialised (`PageIsNew` in `bufpage.h`).
    if half_word(page, 14) == 0 && page.iter().all(|byte| *byte == 0) {
        return PageState::New;
    }
    let stored = half_word(page, 8);
    let at = lsn(page);
    if stored == checksum(page, block) { PageState::Right(at) } else { PageState::Wrong(at) }
}

/// `pd_lsn`: the upper half comes first. 0 of so few bytes that it is not there.
pub fn lsn(page: &[u8]) -> Lsn {
    let (words, _) = page.as_chunks::<4>();
    let word = |index| words.get(index).map_or(0, |word| u64::from(u32::from_le_bytes(*word)));
    Lsn::new(word(0) << 32 | word(1))
}

fn half_word(page: &Page, at: usize) -> u16 {
    let (half_words, _) = page.as_chunks::<2>();
    half_words.get(at / 2).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// As if no checksum were stored in it.
pub fn checksum(page: &Page, block: u32) -> u16 {
    let sum = sum(page) ^ block;
    // Never 0.
    u16::try_from(sum % 65_535 + 1).unwrap_or(u16::MAX)
}

/// With the widest instructions that the processor has.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn sum(page: &Page) -> u32 {
    let mut sums = SEEDS;
    let (words, _) = page.as_chunks::<4>();
    let (rows, _) = words.as_chunks::<SUMS>();
    for (row, bytes) in rows.iter().enumerate() {
        let mut words = bytes.map(u32::from_le_bytes);
        // Where the checksum itself stands.
        if row == 0 {
            words[2] &= 0xFFFF_0000;
        }
        for (sum, word) in sums.iter_mut().zip(words) {
            *sum = mix(*sum, word);
        }
    }
    for _ in 0..2 {
        for sum in &mut sums {
            *sum = mix(*sum, 0);
        }
    }
    sums.into_iter().fold(0, |all, sum| all ^ sum)
}

#[inline(always)]
const fn mix(sum: u32, word: u32) -> u32 {
    let mixed = sum ^ word;
    mixed.wrapping_mul(FNV_PRIME) ^ (mixed >> 17)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(fill: impl Fn(usize) -> u8) -> Page {
        let mut page = [0; PAGE_BYTES];
        page.iter_mut().enumerate().for_each(|(at, byte)| *byte = fill(at));
        page
    }

    /// The definition, word by word.
    fn slow(page: &Page, block: u32) -> u16 {
        let mut page = *page;
        page[8..10].fill(0);
        let words: Vec<u32> = page
            .chunks_exact(4)
            .map(|it| u32::from_le_bytes(it.try_into().unwrap()))
            .chain([0; 2 * SUMS])
            .collect();
        let mut sums = SEEDS;
        for (at, word) in words.into_iter().enumerate() {
            sums[at % SUMS] = mix(sums[at % SUMS], word);
        }
        let sum = sums.into_iter().fold(0, |all, sum| all ^ sum) ^ block;
        u16::try_from(sum % 65_535 + 1).unwrap()
    }

    #[test]
    fn every_way_to_sum_gives_the_same() {
        for (seed, block) in [(1_usize, 0), (7, 1), (251, 131_072), (3, u32::MAX)] {
            let page = page(|at| (at * seed).to_le_bytes()[1] ^ at.to_le_bytes()[0]);
            assert_eq!(checksum(&page, block), slow(&page, block), "{seed}");
        }
    }

    #[test]
    fn a_page_is_right_new_or_wrong() {
        let mut page = page(|at| at.to_le_bytes()[0] % 7);
        page[0..8].copy_from_slice(&[1, 0, 0, 0, 0x28, 0, 0, 2]);
        let sum = checksum(&page, 5);
        page[8..10].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(check(&page, 5), PageState::Right(Lsn::new(0x1_0200_0028)));
        assert_eq!(check(&page, 6), PageState::Wrong(Lsn::new(0x1_0200_0028)));
        page[100] ^= 4;
        assert_eq!(check(&page, 5), PageState::Wrong(Lsn::new(0x1_0200_0028)));
        let mut new = [0; PAGE_BYTES];
        assert_eq!(check(&new, 5), PageState::New);
        new[8000] = 1;
        assert_eq!(check(&new, 5), PageState::Wrong(Lsn::new(0)));
    }
}
