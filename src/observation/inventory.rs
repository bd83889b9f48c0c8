//! What the archive holds, as listings of `wals/` showed it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::codec::Codec;
use crate::domain::object_version::ObjectVersion;
use crate::domain::segment::SegmentSize;
use crate::domain::storage_class::StorageClass;
use crate::domain::timeline::TimelineId;
use crate::observation::backup::ObservedBackup;
use crate::observation::folder_sums::FolderSums;
use crate::observation::probe::SegmentId;
use crate::observation::timeline_archive::TimelineArchive;

/// One object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    pub version: ObjectVersion,
    pub uploaded_at: DateTime<Utc>,
    pub class: StorageClass,
}

/// How far a listing of what is new goes back behind the newest segment, for segments that arrive
/// late: twice as many as may be missing below it before a hole counts as a gap.
pub const OVERLAP_SEGMENTS: u64 = 64;

/// What the archive holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    pub segment_size: SegmentSize,
    pub timelines: BTreeMap<TimelineId, TimelineArchive>,
    pub histories: BTreeMap<TimelineId, HistoryObject>,
    pub strays: StrayKeys,
    /// Every object that the last complete listing showed, and what came since.
    pub object_count: u64,
    pub size_bytes: u64,
    pub oldest_upload_at: Option<DateTime<Utc>>,
    /// Whether some segment is in a class of which each read is billed.
    pub has_infrequent: bool,
    /// Over the objects that were asked for, of a complete listing.
    pub sums: FolderSums,
}

/// A history file, not opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryObject {
    pub codec: Codec,
    pub version: ObjectVersion,
    pub uploaded_at: DateTime<Utc>,
}

/// Objects that mean nothing to a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrayKeys {
    pub count: u64,
    pub samples: Vec<String>,
}

/// So many timelines in a row may have left neither WAL nor a history file: a standby that was
/// promoted and lost again within minutes finishes no segment. More of them in a row would be as
/// many failovers of which every trace was deleted.
const TRACELESS_TIMELINES_MAX: u32 = 8;

/// Enough for a person to recognise what they are.
pub(super) const STRAY_SAMPLES_MAX: usize = 5;

impl Inventory {
    pub const fn empty(segment_size: SegmentSize) -> Self {
        Self {
            segment_size,
            timelines: BTreeMap::new(),
            histories: BTreeMap::new(),
            strays: StrayKeys { count: 0, samples: Vec::new() },
            object_count: 0,
            size_bytes: 0,
            oldest_upload_at: None,
            has_infrequent: false,
            sums: FolderSums::new(),
        }
    }

    pub fn timeline(&self, timeline: TimelineId) -> Option<&TimelineArchive> {
        self.timelines.get(&timeline)
    }

    /// The latest time that a segment was stamped with, as far as is known: at the ends of ranges.
    pub fn latest_upload(&self) -> Option<DateTime<Utc>> {
        self.timelines.values().filter_map(TimelineArchive::latest_upload).max()
    }

    /// Joins the parts of one listing, in the order of their keys.
    pub fn join(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        parts.into_iter().reduce(|mut whole, part| {
            for (timeline, archive) in part.timelines {
                whole.timelines.entry(timeline).or_default().absorb(archive);
            }
            whole.histories.extend(part.histories);
            whole.strays.count = whole.strays.count.saturating_add(part.strays.count);
            let room = STRAY_SAMPLES_MAX.saturating_sub(whole.strays.samples.len());
            whole.strays.samples.extend(part.strays.samples.into_iter().take(room));
            whole.object_count = whole.object_count.saturating_add(part.object_count);
            whole.size_bytes = whole.size_bytes.saturating_add(part.size_bytes);
            whole.has_infrequent |= part.has_infrequent;
            whole.sums.absorb(part.sums);
            let oldest = [whole.oldest_upload_at, part.oldest_upload_at];
            whole.oldest_upload_at = oldest.into_iter().flatten().min();
            whole
        })
    }

    /// The newest segment of the newest timeline that has any, strays left out.
    pub fn newest_segment<'a>(
        &self,
        backups: impl IntoIterator<Item = &'a ObservedBackup>,
    ) -> Option<SegmentId> {
        let strays = self.stray_timelines(backups);
        let mut timelines = self.timelines.iter().rev().filter(|(it, _)| !strays.contains(it));
        timelines.find_map(|(timeline, archive)| {
            let number = archive.segments().last()?;
            Some(SegmentId { timeline: *timeline, number })
        })
    }

    /// Timelines that cannot have grown out of those below them, and have no backup.
    ///
    /// A promotion takes the number after the last one that has a history file
    /// (`findNewestTimeLine` in `timeline.c`). So numbers rise without a hole, and each leaves its
    /// history file, which nobody deletes on purpose.
    pub fn stray_timelines<'a>(
        &self,
        backups: impl IntoIterator<Item = &'a ObservedBackup>,
    ) -> BTreeSet<TimelineId> {
        let of_backup = |backup: &ObservedBackup| {
            let wal = backup.parsed_info()?.wal?;
            Some([wal.begin.timeline, wal.end.timeline])
        };
        let claimed: BTreeSet<TimelineId> =
            backups.into_iter().filter_map(of_backup).flatten().collect();
        let with_wal = self.timelines.keys();
        let mut traces: BTreeSet<TimelineId> =
            with_wal.chain(self.histories.keys()).copied().collect();
        traces.extend(&claimed);
        let mut strays = BTreeSet::new();
        let mut below: Option<TimelineId> = None;
        for timeline in traces {
            let is_near = below.is_none_or(|below| {
                timeline.value().saturating_sub(below.value())
                    <= TRACELESS_TIMELINES_MAX.saturating_add(1)
            });
            if is_near || claimed.contains(&timeline) {
                below = Some(timeline);
            } else {
                strays.insert(timeline);
            }
        }
        strays
    }

    /// Takes out a segment that was not there any more when it was opened.
    pub fn lose(&mut self, id: SegmentId) {
        if let Some(archive) = self.timelines.get_mut(&id.timeline) {
            archive.lose(id.number);
        }
    }

    /// Remembers which segments an earlier complete listing showed that this one does not.
    pub fn note_vanished(&mut self, earlier: &Self) {
        if earlier.segment_size != self.segment_size {
            return;
        }
        for (timeline, before) in &earlier.timelines {
            self.timelines.entry(*timeline).or_default().note_vanished(before);
        }
    }
}
