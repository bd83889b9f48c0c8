//! Which segments were read.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use chrono::DateTime;
use chrono::Utc;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::ledger::Ledger;
use crate::ledger::demands::note_demands;
use crate::ledger::number_for;
use crate::ledger::number_of;
use crate::observation::content::WholeSegment;
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
    pub writer: Writer,
    /// The last of them in which a transaction ended, and when.
    pub newest_commit: Option<(SegmentNumber, DateTime<Utc>)>,
}

/// Which server wrote the segments of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writer {
    #[default]
    None,
    /// By its system identifier.
    One(u64),
    Several,
}

/// One segment that was read. One without an entity tag is not remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentNote {
    Whole(WholeSegment),
    Damaged,
}

impl Writer {
    const fn and(self, system: u64) -> Self {
        match self {
            Self::None => Self::One(system),
            Self::One(one) if one == system => self,
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

impl FolderRecord {
    fn note(&mut self, number: SegmentNumber, whole: &WholeSegment) {
        let Some(sum) = whole.sum.filter(|_| !self.segments.contains(number)) else { return };
        self.segments.insert(number);
        self.sum = self.sum.plus(sum);
        self.writer = self.writer.and(whole.system_identifier);
        let newest = whole.newest_commit_at.map(|at| (number, at));
        self.newest_commit = self.newest_commit.max(newest);
    }
}

const BITS_BYTES: usize = (SEGMENTS_PER_FOLDER / 8) as usize;

impl Ledger {
    /// What is known of an archive's segments, folder by folder; `None` where the ledger cannot be read.
    pub fn folders(&self, archive: &str) -> Option<BTreeMap<FolderId, FolderRecord>> {
        self.read(|connection| {
            let Some(archive) = number_of(connection, archive)? else { return Ok(BTreeMap::new()) };
            let mut find = connection.prepare_cached(
                "SELECT timeline, folder, verified, sum, system, committing, committed_at \
                 FROM folders WHERE archive = ?1",
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
            let mut by_folder: BTreeMap<FolderId, FolderRecord> = BTreeMap::new();
            for (id, note) in notes {
                match note {
                    SegmentNote::Whole(whole) => {
                        let folder = FolderId::of(*id);
                        let record = match by_folder.entry(folder) {
                            Entry::Occupied(known) => known.into_mut(),
                            Entry::Vacant(place) => {
                                let known = folder_of(transaction, archive, folder)?;
                                place.insert(known.unwrap_or_default())
                            }
                        };
                        record.note(id.number, whole);
                        forget_damage(transaction, archive, *id)?;
                        note_demands(transaction, archive, *id, &whole.demands)?;
                    }
                    SegmentNote::Damaged => note_damage(transaction, archive, *id)?,
                }
            }
            let mut by_folder = by_folder.into_iter();
            by_folder.try_for_each(|(folder, record)| {
                store_folder(transaction, archive, folder, &record)
            })
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
                let timeline = folder.timeline.value();
                forget.execute(params![archive, timeline, folder.index])?;
                let mut forget = transaction.prepare_cached(
                    "DELETE FROM demands WHERE archive = ?1 AND timeline = ?2 \
                     AND number BETWEEN ?3 AND ?4",
                )?;
                let SegmentRange { first, last } = folder.segments();
                forget.execute(params![archive, timeline, first.value(), last.value()])?;
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
        "SELECT timeline, folder, verified, sum, system, committing, committed_at FROM folders \
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
    let sum = ObjectSum(u128::from_le_bytes(sum));
    let system: Option<String> = row.get(4)?;
    let writer = match system.map(|system| system.parse()) {
        Some(Ok(system)) => Writer::One(system),
        Some(Err(_)) | None => Writer::Several,
    };
    let (committing, at): (Option<u64>, Option<i64>) = (row.get(5)?, row.get(6)?);
    let at = at.and_then(DateTime::from_timestamp_micros);
    let newest_commit = committing.map(SegmentNumber::new).zip(at);
    Ok(Some((folder, FolderRecord { segments, sum, writer, newest_commit })))
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
    let mut store = transaction
        .prepare_cached("INSERT OR REPLACE INTO folders VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    // A system identifier has 64 bits, and a number here 63.
    let system = match record.writer {
        Writer::One(system) => Some(system.to_string()),
        Writer::None | Writer::Several => None,
    };
    store
        .execute(params![
            archive,
            folder.timeline.value(),
            folder.index,
            bits,
            record.sum.0.to_le_bytes(),
            system,
            record.newest_commit.map(|(number, _)| number.value()),
            record.newest_commit.map(|(_, at)| at.timestamp_micros()),
        ])
        .map(drop)
}
