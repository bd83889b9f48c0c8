//! `global/pg_control`: whose data it is, and whether it is whole (`ControlFileData` in `pg_control.h`).

use crate::content::transactions::Transactions;
use crate::domain::lsn::Lsn;

/// What of it is compared with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlFile {
    pub system_identifier: u64,
    /// The major version of PostgreSQL, by the version of the catalogue.
    pub major: Option<u32>,
    /// Where recovery without a `backup_label` would begin.
    pub checkpoint: Lsn,
    /// At that checkpoint.
    pub transactions: Transactions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlFileError {
    #[error("it has {0} bytes")]
    Length(usize),
    #[error("its checksum is wrong")]
    Checksum,
}

/// `PG_CONTROL_FILE_SIZE`.
pub const CONTROL_FILE_BYTES: usize = 8192;

/// Where the checksum may stand, which is the last field: at 288 until version 17, at 292 in 18, behind a
/// field more or less in others.
const CHECKSUM_AT: std::ops::RangeInclusive<usize> = 272..=320;

/// `CATALOG_VERSION_NO` of each release.
const CATALOGUES: [(u32, u32); 6] = [
    (202_007_201, 13),
    (202_107_181, 14),
    (202_209_061, 15),
    (202_307_071, 16),
    (202_406_281, 17),
    (202_506_291, 18),
];

impl ControlFile {
    pub fn parse(bytes: &[u8]) -> Result<Self, ControlFileError> {
        if bytes.len() != CONTROL_FILE_BYTES {
            return Err(ControlFileError::Length(bytes.len()));
        }
        let word = |at: usize| {
            let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
            u32::from_le_bytes(word.unwrap_or_default())
        };
        let long = |at: usize| u64::from(word(at + 4)) << 32 | u64::from(word(at));
        let is_whole = |at: usize| crc32c::crc32c(bytes.get(..at).unwrap_or_default()) == word(at);
        if !CHECKSUM_AT.step_by(4).any(is_whole) {
            return Err(ControlFileError::Checksum);
        }
        let catalogue = word(12);
        let major = CATALOGUES.iter().find(|(known, _)| *known == catalogue).map(|(_, it)| *it);
        // `checkPointCopy`, as it is until version 18.
        let transactions = Transactions {
            oldest: word(84),
            next: word(64),
            oldest_group: word(92),
            next_group: word(76),
            next_member: word(80),
        };
        Ok(Self { system_identifier: long(0), major, checkpoint: Lsn::new(long(32)), transactions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(checksum_at: usize) -> Vec<u8> {
        let mut bytes = vec![0; CONTROL_FILE_BYTES];
        bytes[0..8].copy_from_slice(&7_000_000_000_000_000_001_u64.to_le_bytes());
        bytes[8..12].copy_from_slice(&1300_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&202_209_061_u32.to_le_bytes());
        bytes[32..40].copy_from_slice(&0x1_0200_0060_u64.to_le_bytes());
        bytes[64..68].copy_from_slice(&1_048_577_u32.to_le_bytes());
        bytes[84..88].copy_from_slice(&716_u32.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..checksum_at]);
        bytes[checksum_at..checksum_at + 4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_control_file_says_whose_data_it_is() {
        for checksum_at in [288, 292] {
            let found = ControlFile::parse(&file(checksum_at)).unwrap();
            assert_eq!(found.system_identifier, 7_000_000_000_000_000_001);
            assert_eq!(found.major, Some(15));
            assert_eq!(found.checkpoint, Lsn::new(0x1_0200_0060));
            let Transactions { oldest, next, .. } = found.transactions;
            assert_eq!((oldest, next), (716, 1_048_577));
        }
    }

    #[test]
    fn one_that_is_cut_or_changed_is_refused() {
        let whole = file(288);
        assert_eq!(ControlFile::parse(&whole[..512]), Err(ControlFileError::Length(512)));
        let mut changed = whole.clone();
        changed[20] ^= 1;
        assert_eq!(ControlFile::parse(&changed), Err(ControlFileError::Checksum));
        // What follows the last field is zero, and nobody reads it.
        let mut padded = whole;
        padded[8000] = 1;
        assert!(ControlFile::parse(&padded).is_ok());
    }
}
