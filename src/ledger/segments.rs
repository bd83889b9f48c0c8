//! Which segments were read.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::domain::segment::SegmentNumber;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::ledger::Ledger;
use crate::ledger::number_for;
use crate::ledger::number_of;
use crate::observation::folder_sums::FolderId;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::folder_sums::SEGMENTS_PER_FOLDER;
use crate::observation::probe::SegmentId;

/// Those of one folder that were read and found right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderRecord {
    pub segments: SegmentSet,
    /// Over the objects of them.
    pub sum: ObjectSum,
}

/// One segment that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentNote {
    Whole(ObjectSum),
    Damaged,
}

const BITS_BYTES: usize = (SEGMENTS_PER_FOLDER / 8) as usize;

impl Ledger {
    /// What is known of an archive's segments, folder by folder; `None` where the ledger cannot be read.
    pub fn folders(&self, archive: &str) -> Option<BTreeMap<FolderId, FolderRecord>> {
        self.read(|connection| {
            let Some(archive) = number_of(connection, archive)? else { return Ok(BTreeMap::new()) };
            let mut find = connection.prepare_cached(
                "SELECT timeline, folder, verified, sum FROM folders WHERE archive = ?1",
            )?;
            let rows = find.query_map([archive], read_folder)?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// Segments that were found wrong. One that is not told is read again, as none of them is known to be
    /// right.
    pub fn damaged(&self, archive: &str) -> BTreeSet<SegmentId> {
        self.read(|connection| {
            let Some(archive) = number_of(connection, archive)? else { return Ok(BTreeSet::new()) };
            let mut find = connection
                .prepare_cached("SELECT timeline, number FROM damaged WHERE archive = ?1")?;
            let rows = find.query_map([archive], |row| {
                let timeline = TimelineId::new(row.get(0)?);
                let number = SegmentNumber::new(row.get(1)?);
                Ok(timeline.map(|timeline| SegmentId { timeline, number }))
            })?;
            rows.filter_map(Result::transpose).collect()
        })
        .unwrap_or_default()
    }

    /// Adds what was read; tells whether that is on the disk.
    pub fn note_segments(&self, archive: &str, notes: &[(SegmentId, SegmentNote)]) -> bool {
        self.write(|transaction| {
            let archive = number_for(transaction, archive)?;
            let mut by_folder: BTreeMap<FolderId, Vec<(SegmentNumber, ObjectSum)>> =
                BTreeMap::new();
            for &(id, note) in notes {
                match note {
                    SegmentNote::Whole(sum) => {
                        by_folder.entry(FolderId::of(id)).or_default().push((id.number, sum));
                        forget_damage(transaction, archive, id)?;
                    }
                    SegmentNote::Damaged => note_damage(transaction, archive, id)?,
                }
            }
            for (folder, read) in by_folder {
                let mut record = folder_of(transaction, archive, folder)?.unwrap_or_default();
                for (number, sum) in read {
                    if !record.segments.contains(number) {
                        record.segments.insert(number);
                        record.sum = record.sum.plus(sum);
                    }
                }
                store_folder(transaction, archive, folder, &record)?;
            }
            Ok(())
        })
    }

    /// What these folders held is read again, or is gone.
    pub fn forget_folders(&self, archive: &str, folders: &[FolderId]) -> bool {
        self.write(|transaction| {
            let archive = number_for(transaction, archive)?;
            for folder in folders {
                let mut forget = transaction.prepare_cached(
                    "DELETE FROM folders WHERE archive = ?1 AND timeline = ?2 AND folder = ?3",
                )?;
                forget.execute(params![archive, folder.timeline.value(), folder.index])?;
            }
            Ok(())
        })
    }

    /// These segments are gone, or were replaced.
    pub fn forget_damaged(&self, archive: &str, segments: &[SegmentId]) -> bool {
        self.write(|transaction| {
            let archive = number_for(transaction, archive)?;
            segments.iter().try_for_each(|id| forget_damage(transaction, archive, *id))
        })
    }
}

fn note_damage(transaction: &Transaction<'_>, archive: i64, id: SegmentId) -> rusqlite::Result<()> {
    let mut note =
        transaction.prepare_cached("INSERT OR IGNORE INTO damaged VALUES (?1, ?2, ?3)")?;
    note.execute(params![archive, id.timeline.value(), id.number.value()]).map(drop)
}

fn forget_damage(
    transaction: &Transaction<'_>,
    archive: i64,
    id: SegmentId,
) -> rusqlite::Result<()> {
    let mut forget = transaction.prepare_cached(
        "DELETE FROM damaged WHERE archive = ?1 AND timeline = ?2 AND number = ?3",
    )?;
    forget.execute(params![archive, id.timeline.value(), id.number.value()]).map(drop)
}

fn folder_of(
    connection: &Connection,
    archive: i64,
    folder: FolderId,
) -> rusqlite::Result<Option<FolderRecord>> {
    let mut find = connection.prepare_cached(
        "SELECT timeline, folder, verified, sum FROM folders \
         WHERE archive = ?1 AND timeline = ?2 AND folder = ?3",
    )?;
    let key = params![archive, folder.timeline.value(), folder.index];
    let found = find.query_row(key, read_folder).optional()?;
    Ok(found.flatten().map(|(_, record)| record))
}

/// `None` for what this program does not write.
fn read_folder(row: &Row<'_>) -> rusqlite::Result<Option<(FolderId, FolderRecord)>> {
    let (timeline, index): (u32, u64) = (row.get(0)?, row.get(1)?);
    let bits: Option<Vec<u8>> = row.get(2)?;
    let sum: Vec<u8> = row.get(3)?;
    let (Some(timeline), Ok(sum)) = (TimelineId::new(timeline), <[u8; 16]>::try_from(sum)) else {
        return Ok(None);
    };
    let folder = FolderId { timeline, index };
    let mut segments = SegmentSet::default();
    match bits {
        None => segments.insert_range(folder.segments()),
        Some(bits) => {
            let first = folder.segments().first.value();
            let numbers = (0..SEGMENTS_PER_FOLDER).filter(|at| {
                let byte = usize::try_from(at / 8).ok().and_then(|byte| bits.get(byte));
                byte.is_some_and(|byte| byte >> (at % 8) & 1 == 1)
            });
            let numbers = numbers.map(|at| SegmentNumber::new(first.saturating_add(at)));
            numbers.for_each(|number| segments.insert(number));
        }
    }
    Ok(Some((folder, FolderRecord { segments, sum: ObjectSum(u128::from_le_bytes(sum)) })))
}

fn store_folder(
    transaction: &Transaction<'_>,
    archive: i64,
    folder: FolderId,
    record: &FolderRecord,
) -> rusqlite::Result<()> {
    let bits = (record.segments.count() < SEGMENTS_PER_FOLDER).then(|| {
        let mut bits = [0_u8; BITS_BYTES];
        for at in 0..SEGMENTS_PER_FOLDER {
            let number = SegmentNumber::new(folder.segments().first.value().saturating_add(at));
            let byte = usize::try_from(at / 8).ok().and_then(|byte| bits.get_mut(byte));
            if let (Some(byte), true) = (byte, record.segments.contains(number)) {
                *byte |= 1 << (at % 8);
            }
        }
        bits
    });
    let mut store =
        transaction.prepare_cached("INSERT OR REPLACE INTO folders VALUES (?1, ?2, ?3, ?4, ?5)")?;
    store
        .execute(params![
            archive,
            folder.timeline.value(),
            folder.index,
            bits,
            record.sum.0.to_le_bytes()
        ])
        .map(drop)
}
