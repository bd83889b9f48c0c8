//! Which blocks a record restores whole, so that it does not matter what they were before
//! (`DecodeXLogRecord` in `xlogreader.c`).

use crate::wal::fields::LittleEndian;
use crate::wal::record::Record;
use crate::wal::record::RecordHeader;
use crate::wal::version::Version;

/// A block of a relation, by where PostgreSQL keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockReference {
    pub tablespace: u32,
    pub database: u32,
    pub relation: u32,
    pub fork: u8,
    pub block: u32,
}

/// `XLR_MAX_BLOCK_ID`.
const BLOCK_ID_MAX: u8 = 32;

/// `BKPBLOCK_*` in `xlogrecord.h`.
const FORK_MASK: u8 = 0x0F;
const HAS_IMAGE: u8 = 0x10;
const WILL_INIT: u8 = 0x40;
const SAME_RELATION: u8 = 0x80;

/// `BKPIMAGE_HAS_HOLE`.
const HAS_HOLE: u8 = 0x01;

/// From 15 on, replay takes an image only with this flag, and three flags tell how it is compressed.
const APPLY: u8 = 0x02;
const COMPRESSED: u8 = 0x1C;
/// Before.
const APPLY_BEFORE_15: u8 = 0x04;
const COMPRESSED_BEFORE_15: u8 = 0x02;

impl Record<'_> {
    /// Shows each block that replay writes whole: from an image, or anew.
    pub fn restored_blocks(&self, version: Version, mut show: impl FnMut(BlockReference)) {
        let mut fields = LittleEndian(self.head);
        let (apply, compressed) = if version.major < 15 {
            (APPLY_BEFORE_15, COMPRESSED_BEFORE_15)
        } else {
            (APPLY, COMPRESSED)
        };
        // A record whose checksum is right has no other form.
        let _: Option<()> = (|| {
            fields.skip(RecordHeader::BYTES)?;
            let mut relation = None;
            loop {
                let id = fields.u8()?;
                if BLOCK_ID_MAX < id {
                    return None;
                }
                let flags = fields.u8()?;
                fields.skip(2)?;
                let mut is_restored = flags & WILL_INIT != 0;
                if flags & HAS_IMAGE != 0 {
                    fields.skip(4)?;
                    let image = fields.u8()?;
                    if image & HAS_HOLE != 0 && image & compressed != 0 {
                        fields.skip(2)?;
                    }
                    is_restored |= image & apply != 0;
                }
                if flags & SAME_RELATION == 0 {
                    relation = Some((fields.u32()?, fields.u32()?, fields.u32()?));
                }
                let (tablespace, database, relation) = relation?;
                let block = fields.u32()?;
                if is_restored {
                    let fork = flags & FORK_MASK;
                    show(BlockReference { tablespace, database, relation, fork, block });
                }
            }
        })();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lsn::Lsn;

    fn shown(major: u16, body: &[u8]) -> Vec<(u32, u8, u32)> {
        let head = [&[0; RecordHeader::BYTES], body].concat();
        let header = RecordHeader::parse(&head).unwrap();
        let record = Record { start: Lsn::new(0), end: Lsn::new(0), header, head: &head };
        let mut found = Vec::new();
        let version = Version::of_major(major).unwrap();
        record.restored_blocks(version, |it| found.push((it.relation, it.fork, it.block)));
        found
    }

    fn relation(number: u32) -> Vec<u8> {
        [1663_u32, 5, number].iter().flat_map(|it| it.to_le_bytes()).collect()
    }

    #[test]
    fn images_and_new_pages_are_told_from_changes() {
        let image = |flags: u8| vec![0, 32, 0, 0, flags];
        let block = |number: u32| number.to_le_bytes().to_vec();
        let body = [
            vec![0, 0x10, 0, 0],
            image(0x03),
            relation(16_384),
            block(7),
            // The same relation, a change, an image that is only for checks, another fork made anew.
            vec![1, 0xA0, 3, 0],
            block(8),
            vec![2, 0x90, 0, 0],
            image(0x00),
            block(9),
            vec![3, 0x42, 0, 0],
            relation(16_385),
            block(1),
            // Compressed, with the length of its hole behind.
            vec![4, 0x90, 0, 0],
            image(0x07),
            vec![9, 9],
            block(10),
            vec![255, 1, 0],
        ]
        .concat();
        assert_eq!(shown(15, &body), [(16_384, 0, 7), (16_385, 2, 1), (16_385, 0, 10)]);
    }

    #[test]
    fn older_versions_have_other_flags() {
        let body =
            [vec![0, 0x10, 0, 0], vec![0, 32, 0, 0, 0x07, 9, 9], relation(1), vec![3, 0, 0, 0]];
        assert_eq!(shown(14, &body.concat()), [(1, 0, 3)]);
        let body =
            [vec![0, 0x10, 0, 0], vec![0, 32, 0, 0, 0x03, 9, 9], relation(1), vec![3, 0, 0, 0]];
        assert_eq!(shown(14, &body.concat()), []);
    }

    #[test]
    fn what_is_cut_shows_what_came_before() {
        let body = [vec![0, 0x40, 0, 0], relation(1), vec![3, 0, 0, 0], vec![1, 0x40]].concat();
        assert_eq!(shown(15, &body), [(1, 0, 3)]);
        assert_eq!(shown(15, &body[..9]), []);
        // Refers to the relation of a block before, and there is none.
        assert_eq!(shown(15, &[0, 0xC0, 0, 0, 1, 0, 0, 0]), []);
    }
}
