//! Records: their header, their checksum, where their main data lies.
//!
//! Leaves block references alone: they follow the header, all of them within
//! [`Record::HEAD_BYTES_MAX`].

use crate::domain::lsn::Lsn;
use crate::wal::checksum;
use crate::wal::damage::RecordDamage;
use crate::wal::fields::LittleEndian;

/// A complete record whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub start: Lsn,
    /// The first position after it, where the next record or page starts.
    pub end: Lsn,
    pub header: RecordHeader,
    /// Its first bytes, page headers left out, at most [`Self::HEAD_BYTES_MAX`].
    pub head: &'a [u8],
}

/// The fixed part of a record (`XLogRecord` in `xlogrecord.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// `xl_tot_len`: all bytes of the record, this header included.
    pub length: u32,
    pub transaction_id: u32,
    /// `xl_prev`: where the record before starts.
    pub previous: Lsn,
    pub flags: u8,
    pub resource_manager: u8,
    pub checksum: u32,
}

/// Longest record that any version replays, in bytes: `MaxAllocSize` of `memutils.h`. From 16 on
/// `XLogRecordMaxSize` is 4 MiB less.
const LENGTH_MAX: u32 = (1 << 30) - 1;

/// `RM_XLOG_ID`, `RM_XACT_ID`, `RM_DBASE_ID` and `RM_RELMAP_ID` in `rmgrlist.h`.
const RM_XLOG: u8 = 0;
const RM_TRANSACTION: u8 = 1;
const RM_DATABASE: u8 = 4;
const RM_RELATION_MAP: u8 = 7;
/// `XLOG_SWITCH`, `XLOG_RESTORE_POINT` and `XLOG_OVERWRITE_CONTRECORD` in `pg_control.h`.
const SWITCH: u8 = 0x40;
const RESTORE_POINT: u8 = 0x70;
const OVERWRITE_CONTRECORD: u8 = 0xD0;
/// `XLR_RMGR_INFO_MASK` in `xlogrecord.h`.
const RESOURCE_MANAGER_FLAGS: u8 = 0xF0;

/// `XLR_BLOCK_ID_*` in `xlogrecord.h`.
const ID_DATA_SHORT: u8 = 255;
const ID_DATA_LONG: u8 = 254;
const ID_ORIGIN: u8 = 253;
const ID_TOPLEVEL_XID: u8 = 252;

impl RecordHeader {
    /// `SizeOfXLogRecord`.
    pub const BYTES: usize = 24;

    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = LittleEndian(bytes);
        let length = fields.u32()?;
        let transaction_id = fields.u32()?;
        let previous = Lsn::new(fields.u64()?);
        let flags = fields.u8()?;
        let resource_manager = fields.u8()?;
        fields.skip(2)?;
        let checksum = fields.u32()?;
        Some(Self { length, transaction_id, previous, flags, resource_manager, checksum })
    }

    /// A record after which the rest of its segment is unused.
    #[inline]
    pub fn is_switch(&self) -> bool {
        self.is_log_record(SWITCH)
    }

    /// A record that names a position.
    #[inline]
    pub(super) fn is_restore_point(&self) -> bool {
        self.is_log_record(RESTORE_POINT)
    }

    /// A record written over the missing rest of one that a crash cut off.
    pub(super) fn is_overwrite_contrecord(&self) -> bool {
        self.is_log_record(OVERWRITE_CONTRECORD)
    }

    /// A record that makes or drops a database, or gives a catalogue another file.
    pub const fn rearranges(&self) -> bool {
        matches!(self.resource_manager, RM_DATABASE | RM_RELATION_MAP)
    }

    #[inline]
    fn is_log_record(&self, operation: u8) -> bool {
        self.resource_manager == RM_XLOG && self.flags & RESOURCE_MANAGER_FLAGS == operation
    }
}

impl<'a> Record<'a> {
    /// How much of a record is kept, in bytes.
    ///
    /// All block references lie within `HEADER_SCRATCH_SIZE` of `xloginsert.c`, 928 bytes: the
    /// record's header, 33 references of 27 bytes, 13 bytes of other ids. The rest is for main
    /// data.
    pub const HEAD_BYTES_MAX: usize = 1024;

    /// Whether it names a relation's file: as the one that a block belongs to, that is made, or that is removed when
    /// a transaction ends.
    pub fn names(&self, tablespace: u32, database: u32, relation: u32) -> bool {
        let [a, b, c] = [tablespace, database, relation].map(u32::to_le_bytes);
        let name = [a, b, c].concat();
        self.head.windows(name.len()).any(|window| window == name)
    }

    /// Whether it ends a transaction that removed more files than are kept of the record.
    pub const fn removes_many(&self) -> bool {
        self.header.resource_manager == RM_TRANSACTION
            && self.header.length as usize > Self::HEAD_BYTES_MAX
    }

    /// The start of what the resource manager stored, for records without block references.
    pub fn main_data(&self) -> Option<&'a [u8]> {
        main_data(self.head)
    }
}

pub(super) fn main_data(head: &[u8]) -> Option<&[u8]> {
    let mut fields = LittleEndian(head);
    fields.skip(RecordHeader::BYTES)?;
    loop {
        match fields.u8()? {
            ID_ORIGIN => fields.skip(2)?,
            ID_TOPLEVEL_XID => fields.skip(4)?,
            ID_DATA_SHORT => {
                let length = usize::from(fields.u8()?);
                return Some(fields.0.get(..length).unwrap_or(fields.0));
            }
            ID_DATA_LONG => {
                let length = usize::try_from(fields.u32()?).ok()?;
                return Some(fields.0.get(..length).unwrap_or(fields.0));
            }
            _ => return None,
        }
    }
}

/// Refuses lengths that `ValidXLogRecordHeader` refuses, and those that no server could replay.
#[inline]
pub(super) fn check_length(length: u32) -> Result<(), RecordDamage> {
    if (24..=LENGTH_MAX).contains(&length) { Ok(()) } else { Err(RecordDamage::Length(length)) }
}

/// Compares a record's checksum with that of its body, the header coming last
/// (`ValidXLogRecord`).
#[inline]
pub(super) fn check_sum(header: &[u8], stored: u32, body_sum: u32) -> Result<(), RecordDamage> {
    const SUMMED: usize = RecordHeader::BYTES - size_of::<u32>();
    let computed = checksum::append(body_sum, header.get(..SUMMED).unwrap_or_default());
    if computed == stored { Ok(()) } else { Err(RecordDamage::Checksum { computed, stored }) }
}

/// Refuses a record that replaces the rest of another one than the record before, which was cut
/// off (`xlogrecovery_redo` in `xlogrecovery.c` calls it fatal).
pub(super) fn check_overwritten(
    header: &RecordHeader,
    head: &[u8],
    expected: Lsn,
) -> Result<(), RecordDamage> {
    let named = main_data(head).and_then(|data| LittleEndian(data).u64()).map(Lsn::new);
    match named {
        Some(found) if header.is_overwrite_contrecord() && found != expected => {
            Err(RecordDamage::OtherOverwritten { found, expected })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the ids matter here.
    fn record(body: &[u8]) -> Vec<u8> {
        [&[0; RecordHeader::BYTES], body].concat()
    }

    #[test]
    fn main_data_follows_origin_and_toplevel_transaction() {
        let bare = record(&[255, 2, b'o', b'k']);
        let with_ids = record(&[253, 1, 0, 252, 1, 2, 3, 4, 255, 2, b'o', b'k']);
        let long = record(&[254, 2, 0, 0, 0, b'o', b'k', b'!']);
        for head in [bare, with_ids, long] {
            assert_eq!(main_data(&head), Some(&b"ok"[..]));
        }
    }

    #[test]
    fn main_data_that_is_cut_off_is_given_as_far_as_it_goes() {
        assert_eq!(main_data(&record(&[254, 255, 255, 0, 0, 7])), Some(&[7][..]));
    }

    #[test]
    fn records_with_blocks_or_without_data_have_no_main_data_here() {
        assert_eq!(main_data(&record(&[0, 0, 0, 0])), None);
        assert_eq!(main_data(&record(&[])), None);
        assert_eq!(main_data(&[]), None);
    }
}
