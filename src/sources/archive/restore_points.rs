//! Looks in the WAL that recovery would replay for positions that somebody gave a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::backup::BackupId;
use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::sources::archive::Collector;
use crate::sources::archive::probes::WantedSegment;
use crate::sources::decode::object::Decoded;
use crate::sources::decode::object::Fed;
use crate::sources::limits;
use crate::wal::Ending;
use crate::wal::RecordReader;
use crate::wal::RestorePoint;
use crate::wal::SegmentIdentity;
use crate::wal::Step;

/// The segments that recovery from a backup replays, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub backup_id: BackupId,
    pub stretches: Vec<(TimelineId, SegmentRange)>,
}

/// Why it is not known whether there is such a restore point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsearched {
    /// No more segments may be read than these.
    Limit(usize),
    Unread(Unreadable),
}

/// A search for restore points of one name, on one way after another. Reads no segment twice but for
/// those at which two ways meet.
pub struct RestorePointSearch<'a> {
    collector: &'a Collector,
    name: Arc<[u8]>,
    /// How many segments may still be read.
    left: usize,
    /// Where there are points of this name, of each segment that was read.
    read: BTreeMap<SegmentId, Vec<Lsn>>,
}

impl<'a> RestorePointSearch<'a> {
    pub fn new(collector: &'a Collector, name: &str) -> Self {
        let left = collector.segments_per_look;
        Self { collector, name: name.as_bytes().into(), left, read: BTreeMap::new() }
    }

    /// Where recovery stops that is told this name: at the first such point that it replays.
    pub async fn first_on(&mut self, way: &Way) -> Result<Option<Lsn>, Unsearched> {
        let cache = &self.collector.cache;
        let backup = cache.backup(&way.backup_id).and_then(|it| it.backup.parsed_info()?.wal);
        let (Some(inventory), Some(wal)) = (&cache.inventory, backup) else {
            return Err(Unsearched::Unread(Unreadable {
                what: format!("read the WAL of backup {}", way.backup_id),
                why: "the archive was not read".to_owned(),
                reason: UnreadableReason::Internal,
            }));
        };
        let mut reader: Option<RecordReader> = None;
        for &(timeline, segments) in &way.stretches {
            let mut number = segments.first;
            loop {
                let id = SegmentId { timeline, number };
                // Only what goes on in a segment that is known has to be read once more.
                let goes_on = reader.as_ref().is_some_and(goes_on);
                if !self.read.contains_key(&id) || goes_on {
                    let before = reader.take();
                    let after = self.read_segment(inventory, id, before).await?;
                    reader = Some(after);
                } else {
                    reader = None;
                }
                let points = self.read.get(&id).into_iter().flatten();
                if let Some(first) = points.copied().find(|lsn| wal.begin_lsn <= *lsn) {
                    return Ok(Some(first));
                }
                if number == segments.last {
                    break;
                }
                number = number.next();
            }
        }
        Ok(None)
    }

    async fn read_segment(
        &mut self,
        inventory: &Inventory,
        id: SegmentId,
        before: Option<RecordReader>,
    ) -> Result<RecordReader, Unsearched> {
        let limit = self.collector.segments_per_look;
        self.left = self.left.checked_sub(1).ok_or(Unsearched::Limit(limit))?;
        let mut reader = before.unwrap_or_else(|| RecordReader::new(SegmentIdentity::default()));
        reader.follow(id.timeline);
        let points = self.read.get(&id).cloned().unwrap_or_default();
        let fed = Points { reader, name: Arc::clone(&self.name), points };
        let size = inventory.segment_size;
        let bytes_max = limits::segment_content_bytes_max(size.bytes());
        let wanted = WantedSegment { inventory, id, bytes_max };
        let turns = &self.collector.turns;
        let _turn = turns.segment().await;
        let what = || format!("read WAL segment {}", id.number.name(id.timeline, size));
        let unread = |why| {
            let reason = UnreadableReason::Parse;
            Unsearched::Unread(Unreadable { what: what(), why, reason })
        };
        let decoded = self.collector.decode_segment_by(turns, wanted, fed).await;
        let (_, decoded) =
            decoded.map_err(|error| Unsearched::Unread(error.unreadable(&what())))?;
        let Decoded { fed, length, .. } = decoded;
        length.map_err(|error| unread(error.to_string()))?;
        if let Ending::Damaged(damage) = fed.reader.ending() {
            return Err(unread(damage.to_string()));
        }
        let mut points = fed.points;
        points.sort_unstable();
        points.dedup();
        self.read.insert(id, points);
        Ok(fed.reader)
    }
}

fn goes_on(reader: &RecordReader) -> bool {
    matches!(reader.ending(), Ending::InsideRecord(_))
}

/// More points of one name in a segment tell nothing more.
const POINTS_MAX: usize = 1_024;

/// Collects points of a name.
#[derive(Clone)]
struct Points {
    reader: RecordReader,
    name: Arc<[u8]>,
    points: Vec<Lsn>,
}

impl Fed for Points {
    fn feed(&mut self, mut piece: &[u8]) {
        while let Ok(Step::Record(record)) = self.reader.step(&mut piece) {
            let point = RestorePoint::of(&record).filter(|point| *point.name == *self.name);
            if self.points.len() < POINTS_MAX {
                self.points.extend(point.map(|point| point.lsn));
            }
        }
    }
}

impl Way {
    /// Between the ends of each stretch, both included.
    pub fn new(
        backup_id: BackupId,
        stretches: impl IntoIterator<Item = (TimelineId, SegmentNumber, SegmentNumber)>,
    ) -> Self {
        let stretches = stretches
            .into_iter()
            .map(|(timeline, first, last)| (timeline, SegmentRange { first, last }))
            .collect();
        Self { backup_id, stretches }
    }
}
