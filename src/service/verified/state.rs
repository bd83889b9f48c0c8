//! What is known of one archive, in memory.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::ledger::BackupRecord;
use crate::ledger::FolderRecord;
use crate::ledger::Ledger;
use crate::ledger::Writer;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::content::BackupContent;
use crate::observation::content::Gone;
use crate::observation::content::GoneObject;
use crate::observation::content::StuckReading;
use crate::observation::folder_sums::FolderId;
use crate::observation::folder_sums::FolderSums;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::inventory::Inventory;
use crate::observation::probe::DamagedSegment;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;
use crate::observation::range_ends::RangeEnd;
use crate::observation::range_ends::RangeEnds;
use crate::observation::timeline_archive::TimelineArchive;
use crate::service::clock;
use crate::service::verified::gone::Listed;
use crate::service::verified::sum_of;
use crate::sources::archive::verification::RunReport;
use crate::wal::Demands;

/// By timeline.
pub(super) type Segments = BTreeMap<TimelineId, SegmentSet>;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) segments: Segments,
    range_ends: BTreeMap<TimelineId, RangeEnds>,
    demands: BTreeMap<SegmentId, Demands>,
    pub(super) damaged: BTreeMap<SegmentId, Damaged>,
    pub(super) backups: BTreeMap<BackupId, ReadBackup>,
    began_at: Option<DateTime<Utc>>,
    wal_read_at: Option<DateTime<Utc>>,
    pub(super) listed: Listed,
    pub(super) stuck: Vec<StuckReading>,
}

#[derive(Clone, Debug)]
pub(super) struct Damaged {
    /// `None` if it was found before a restart: it is read again before it accuses.
    damage: Option<DamagedSegment>,
    /// Whether it is to be read again: somebody may have put it right.
    pub(super) is_due: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ReadBackup {
    pub(super) record: BackupRecord,
    /// Of one that is not whole, unless it was read before a restart.
    pub(super) content: Option<BackupContent>,
}

/// What is not known any more.
#[derive(Default)]
pub(super) struct Forgotten {
    pub(super) gone: Vec<FolderId>,
    pub(super) replaced: Vec<FolderId>,
    pub(super) lost: Vec<SegmentId>,
    pub(super) old: Vec<BackupId>,
}

impl State {
    /// Adds to an observation what is known of the objects that it shows.
    pub(super) fn tell(&self, seen: &mut Observation) {
        seen.content.began_at = self.began_at;
        seen.content.wal_read_at = self.wal_read_at;
        // Somebody may have put it back since everything was listed.
        let is_back = |gone: &GoneObject| match &gone.what {
            Gone::Backup(id) => seen.backups.iter().flatten().any(|it| it.id == *id),
            Gone::History(timeline) => seen.histories.contains_key(timeline),
        };
        seen.content.gone = self.listed.gone().iter().filter(|it| !is_back(it)).cloned().collect();
        seen.content.stuck.clone_from(&self.stuck);
        if let Ok(inventory) = &seen.archive {
            seen.content.segments.clone_from(&self.segments);
            seen.content.demands.clone_from(&self.demands);
            for (timeline, ends) in &self.range_ends {
                for (segments, end) in ends.iter() {
                    seen.probes.insert_range_end(*timeline, segments.last, end);
                }
            }
            for (id, Damaged { damage, .. }) in &self.damaged {
                if !is_listed(inventory, *id) {
                    continue;
                }
                seen.content.damaged_segments = seen.content.damaged_segments.saturating_add(1);
                let probe = damage.clone().map(SegmentProbe::Damaged);
                let probe = probe.ok_or_else(|| {
                    let name = id.number.name(id.timeline, inventory.segment_size);
                    was_damaged(format!("read WAL segment {name}"))
                });
                seen.probes.insert(*id, probe);
            }
        }
        for backup in seen.backups.iter().flatten() {
            let Some(read) = self.backups.get(&backup.id) else { continue };
            if sum_of(backup) != Some(read.record.sum) {
                continue;
            }
            seen.content.read_at.insert(backup.id.clone(), read.record.read_at);
            if read.record.is_whole {
                seen.content.whole_backups.insert(backup.id.clone());
                continue;
            }
            let unread = || BackupContent {
                log_unread: Some(was_damaged(format!("read base backup {}", backup.id))),
                ..BackupContent::default()
            };
            let content = read.content.clone().unwrap_or_else(unread);
            seen.content.backups.insert(backup.id.clone(), content);
        }
    }

    /// Takes over what reading a run showed.
    pub(super) fn note_run(&mut self, report: &RunReport, now: DateTime<Utc>) {
        if !report.whole.is_empty() || !report.damaged.is_empty() {
            self.wal_read_at = Some(now);
        }
        let timeline = report.timeline;
        let id = |number| SegmentId { timeline, number };
        let whole = self.segments.entry(timeline).or_default();
        report.whole.ranges().iter().for_each(|range| whole.insert_range(*range));
        let ends = self.range_ends.entry(timeline).or_default();
        for (number, shown) in &report.shown {
            ends.note(shown.range_end(*number), *number);
            self.demands.remove(&id(*number));
            if !shown.demands.is_empty() {
                self.demands.insert(id(*number), shown.demands.clone());
            }
        }
        ends.keep_ends_of(whole);
        while DEMANDS_MAX < self.demands.len() {
            self.demands.pop_first();
        }
        self.damaged.retain(|id, _| id.timeline != timeline || !report.whole.contains(id.number));
        for (number, damage) in &report.damaged {
            let damage = Some(damage.clone());
            self.damaged.insert(id(*number), Damaged { damage, is_due: false });
        }
    }

    pub(super) fn hold_against(
        &mut self,
        folders: &BTreeMap<FolderId, FolderRecord>,
        inventory: &Inventory,
        backups: &[ObservedBackup],
        sums: &FolderSums,
    ) -> Forgotten {
        let mut forgotten = Forgotten::default();
        for (&folder, record) in folders {
            if !is_any_listed(inventory, folder) {
                forgotten.gone.push(folder);
            // Where the ledger was not written, it tells nothing.
            } else if within(&self.segments, folder) == record.segments
                && sums.get(folder) != Some(record.sum)
            {
                forgotten.replaced.push(folder);
            }
        }
        for folder in &forgotten.replaced {
            if let Some(set) = self.segments.get_mut(&folder.timeline) {
                set.remove_range(folder.segments());
            }
        }
        self.segments.retain(|timeline, set| {
            let listed = inventory.timeline(*timeline).map(TimelineArchive::segments);
            *set = listed.map_or_else(SegmentSet::default, |listed| both(set, listed));
            !set.is_empty()
        });
        let is_whole = |segments: &Segments, id: &SegmentId| {
            segments.get(&id.timeline).is_some_and(|set| set.contains(id.number))
        };
        for (timeline, ends) in &mut self.range_ends {
            ends.keep_ends_of(self.segments.get(timeline).unwrap_or(&SegmentSet::default()));
        }
        self.demands.retain(|id, _| is_whole(&self.segments, id));
        let lost = self.damaged.extract_if(.., |id, _| !is_listed(inventory, *id));
        forgotten.lost = lost.map(|(id, _)| id).collect();
        self.damaged.values_mut().for_each(|it| it.is_due = true);
        let sums: BTreeMap<&BackupId, Option<ObjectSum>> =
            backups.iter().map(|backup| (&backup.id, sum_of(backup))).collect();
        let old = self
            .backups
            .extract_if(.., |id, read| sums.get(id).copied().flatten() != Some(read.record.sum));
        forgotten.old = old.map(|(id, _)| id).collect();
        forgotten
    }

    /// What is not known any more is read again.
    pub(super) fn forget_segments(&mut self) {
        self.segments.clear();
        self.range_ends.clear();
        self.demands.clear();
    }

    pub(super) fn load(ledger: &Ledger, archive: &str) -> Self {
        let mut segments = Segments::new();
        let mut range_ends: BTreeMap<TimelineId, RangeEnds> = BTreeMap::new();
        // Where it is not known what the segments ask for, they are read again.
        let (folders, demands) =
            ledger.folders(archive).zip(ledger.demands(archive)).unwrap_or_default();
        // Which of two servers wrote which segment is not remembered, and those are read again as well.
        let folders = folders.into_iter().filter(|(_, record)| record.writer != Writer::Several);
        for (folder, record) in folders {
            let known = segments.entry(folder.timeline).or_default();
            record.segments.ranges().iter().for_each(|range| known.insert_range(*range));
            let ends = range_ends.entry(folder.timeline).or_default();
            note_folder(ends, &record);
            ends.keep_ends_of(known);
        }
        let before = Damaged { damage: None, is_due: true };
        let damaged = ledger.damaged(archive).into_iter().map(|id| (id, before.clone())).collect();
        let backups = ledger.backups(archive).into_iter();
        let backups =
            backups.map(|(id, record)| (id, ReadBackup { record, content: None })).collect();
        let began_at = Some(ledger.began(archive).unwrap_or_else(clock::now));
        let listed = Listed::load(ledger, archive);
        let (wal_read_at, stuck) = (None, Vec::new());
        Self {
            segments,
            range_ends,
            demands,
            damaged,
            backups,
            began_at,
            wal_read_at,
            listed,
            stuck,
        }
    }
}

pub(super) fn within(segments: &Segments, folder: FolderId) -> SegmentSet {
    let mut held = SegmentSet::default();
    let known = segments.get(&folder.timeline).into_iter();
    let ranges = known.flat_map(|set| set.overlapping(folder.segments()));
    ranges.for_each(|range| held.insert_range(range));
    held
}

/// What is remembered of a folder tells where its ranges end.
fn note_folder(ends: &mut RangeEnds, record: &FolderRecord) {
    let Writer::One(system_identifier) = record.writer else { return };
    for range in record.segments.ranges() {
        let (first, newest_commit_at) = match record.newest_commit {
            // What precedes it in the folder is not remembered.
            Some((number, _)) if range.last < number => continue,
            Some((number, at)) if range.contains(number) => (number, Some(at)),
            Some(_) | None => (range.first, None),
        };
        ends.note(RangeEnd { first, newest_commit_at, system_identifier }, range.last);
    }
}

fn both(one: &SegmentSet, other: &SegmentSet) -> SegmentSet {
    one.without(&one.without(other))
}

fn is_listed(inventory: &Inventory, id: SegmentId) -> bool {
    inventory.timeline(id.timeline).is_some_and(|it| it.segments().contains(id.number))
}

fn is_any_listed(inventory: &Inventory, folder: FolderId) -> bool {
    let listed = inventory.timeline(folder.timeline);
    listed.is_some_and(|it| it.segments().overlapping(folder.segments()).next().is_some())
}

fn was_damaged(what: String) -> Unreadable {
    let why = "it was damaged when it was last read, and is read again".to_owned();
    Unreadable { what, why, reason: UnreadableReason::Internal }
}

/// Most segments ask for nothing; of an archive with more than this that do, the oldest are forgotten.
const DEMANDS_MAX: usize = 4096;
