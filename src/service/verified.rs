//! What was read of one archive to its last byte: looks judge by it, and a reader adds to it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use chrono::DateTime;
use chrono::Utc;
use tokio::task::spawn_blocking;

use crate::domain::backup::BackupId;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::ledger::BackupRecord;
use crate::ledger::FolderRecord;
use crate::ledger::Ledger;
use crate::ledger::SegmentNote;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::content::BackupContent;
use crate::observation::folder_sums::FolderId;
use crate::observation::folder_sums::FolderSums;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentDamage;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;
use crate::observation::timeline_archive::TimelineArchive;
use crate::sources::archive::verification::RunReport;

/// Of one archive; whoever holds it shares it.
#[derive(Debug)]
pub struct Verified {
    ledger: Arc<Ledger>,
    /// Under which the ledger knows the archive.
    archive: String,
    state: Mutex<State>,
}

/// By timeline.
type Segments = BTreeMap<TimelineId, SegmentSet>;

#[derive(Debug, Default)]
struct State {
    segments: Segments,
    damaged: BTreeMap<SegmentId, Damaged>,
    backups: BTreeMap<BackupId, ReadBackup>,
}

#[derive(Clone, Debug)]
struct Damaged {
    /// `None` if it was found before a restart: it is read again before it accuses.
    damage: Option<SegmentDamage>,
    /// Whether it is to be read again: somebody may have put it right.
    is_due: bool,
}

#[derive(Clone, Debug)]
struct ReadBackup {
    record: BackupRecord,
    /// Of one that is not whole, unless it was read before a restart.
    content: Option<BackupContent>,
}

impl Verified {
    /// With what the ledger knows.
    pub async fn load(ledger: Arc<Ledger>, archive: String) -> Self {
        let (known, address) = (Arc::clone(&ledger), archive.clone());
        let read = spawn_blocking(move || State::load(&known, &address)).await;
        // Only a panic ends a thread early, and of that the process has heard.
        let state = Mutex::new(read.unwrap_or_default());
        Self { ledger, archive, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Segments that were read and found right.
    pub fn segments(&self) -> Segments {
        self.state().segments.clone()
    }

    /// The same, and those that need not be read again for now, as they were damaged a while ago.
    pub fn read(&self) -> Segments {
        let state = self.state();
        let mut read = state.segments.clone();
        for (id, _) in state.damaged.iter().filter(|(_, it)| !it.is_due) {
            read.entry(id.timeline).or_default().insert(id.number);
        }
        read
    }

    /// What is remembered of each backup that was read.
    pub fn backups(&self) -> BTreeMap<BackupId, BackupRecord> {
        self.state().backups.iter().map(|(id, read)| (id.clone(), read.record)).collect()
    }

    /// Backups that were damaged when they were read before a restart: what was wrong is not known.
    pub fn doubted_backups(&self) -> BTreeSet<BackupId> {
        let state = self.state();
        let doubted =
            state.backups.iter().filter(|(_, it)| !it.record.is_whole && it.content.is_none());
        doubted.map(|(id, _)| id.clone()).collect()
    }

    /// Adds to an observation what is known of the objects that it shows.
    pub fn tell(&self, seen: &mut Observation) {
        let state = self.state();
        if let Ok(inventory) = &seen.archive {
            seen.content.segments.clone_from(&state.segments);
            for (id, Damaged { damage, .. }) in &state.damaged {
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
            let Some(read) = state.backups.get(&backup.id) else { continue };
            if sum_of(backup) != Some(read.record.sum) {
                continue;
            }
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
    pub async fn note_run(&self, report: &RunReport) {
        let timeline = report.timeline;
        let id = |number| SegmentId { timeline, number };
        let mut notes = Vec::new();
        {
            let mut state = self.state();
            for range in report.whole.ranges() {
                state.segments.entry(timeline).or_default().insert_range(*range);
            }
            state
                .damaged
                .retain(|id, _| id.timeline != timeline || !report.whole.contains(id.number));
            for (number, damage) in &report.damaged {
                let damage = Some(damage.clone());
                state.damaged.insert(id(*number), Damaged { damage, is_due: false });
                notes.push((id(*number), SegmentNote::Damaged));
            }
        }
        let whole = report.sums.iter();
        notes.extend(whole.map(|(number, sum)| (id(*number), SegmentNote::Whole(*sum))));
        self.write(move |ledger, archive| ledger.note_segments(archive, &notes)).await;
    }

    /// Takes over what reading a backup showed: nothing, if all was right.
    pub async fn note_backup(
        &self,
        backup: &ObservedBackup,
        wrong: Option<BackupContent>,
        read_at: DateTime<Utc>,
    ) {
        let Some(sum) = sum_of(backup) else { return };
        let (id, record) =
            (backup.id.clone(), BackupRecord { sum, is_whole: wrong.is_none(), read_at });
        self.state().backups.insert(id.clone(), ReadBackup { record, content: wrong });
        self.write(move |ledger, archive| ledger.note_backup(archive, &id, &record)).await;
    }

    /// Forgets what is gone, and what another object has taken the place of, by a listing of everything
    /// that summed these up.
    pub async fn hold_against(&self, seen: &Observation, summed: &Segments, sums: FolderSums) {
        let (Ok(inventory), Ok(backups)) = (&seen.archive, &seen.backups) else { return };
        let (ledger, archive) = (Arc::clone(&self.ledger), self.archive.clone());
        let Ok(Some(folders)) = spawn_blocking(move || ledger.folders(&archive)).await else {
            // What may have been replaced is not known any more.
            self.state().segments.clear();
            return;
        };
        let forgotten = {
            // What was noted meanwhile is in no sum.
            let folders = folders.into_iter();
            let summed = folders.filter(|(it, record)| within(summed, *it) == record.segments);
            let folders = summed.collect();
            self.state().hold_against(&folders, inventory, backups, &sums)
        };
        let Forgotten { gone, replaced, lost, old } = forgotten;
        if !replaced.is_empty() {
            tracing::info!(
                archive = self.archive,
                folders = replaced.len(),
                "objects were replaced since they were read, and are read again"
            );
        }
        let folders = [gone, replaced].concat();
        self.write(move |ledger, archive| {
            (folders.is_empty() || ledger.forget_folders(archive, &folders))
                && (lost.is_empty() || ledger.forget_damaged(archive, &lost))
                && (old.is_empty() || ledger.forget_backups(archive, &old))
        })
        .await;
    }

    /// On a thread where it may wait for the disk. What is not written is read again some day.
    async fn write(&self, write: impl FnOnce(&Ledger, &str) -> bool + Send + 'static) {
        let (ledger, archive) = (Arc::clone(&self.ledger), self.archive.clone());
        let _: Result<bool, _> = spawn_blocking(move || write(&ledger, &archive)).await;
    }
}

/// What is not known any more.
#[derive(Default)]
struct Forgotten {
    gone: Vec<FolderId>,
    replaced: Vec<FolderId>,
    lost: Vec<SegmentId>,
    old: Vec<BackupId>,
}

impl State {
    fn hold_against(
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

    fn load(ledger: &Ledger, archive: &str) -> Self {
        let mut segments = Segments::new();
        for (folder, record) in ledger.folders(archive).unwrap_or_default() {
            let known = segments.entry(folder.timeline).or_default();
            record.segments.ranges().iter().for_each(|range| known.insert_range(*range));
        }
        let before = Damaged { damage: None, is_due: true };
        let damaged = ledger.damaged(archive).into_iter().map(|id| (id, before.clone())).collect();
        let backups = ledger.backups(archive).into_iter();
        let backups =
            backups.map(|(id, record)| (id, ReadBackup { record, content: None })).collect();
        Self { segments, damaged, backups }
    }
}

fn within(segments: &Segments, folder: FolderId) -> SegmentSet {
    let mut held = SegmentSet::default();
    let known = segments.get(&folder.timeline).into_iter();
    let ranges = known.flat_map(|set| set.overlapping(folder.segments()));
    ranges.for_each(|range| held.insert_range(range));
    held
}

/// Over the objects of a backup; `None` if one has no entity tag.
pub fn sum_of(backup: &ObservedBackup) -> Option<ObjectSum> {
    backup.tars.iter().try_fold(ObjectSum::default(), |sum, tar| {
        let name = tar.contents.file_name(tar.piece, tar.codec);
        Some(sum.plus(ObjectSum::of(&name, &tar.version)?))
    })
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
    let why = "it was damaged when it was read last, and is read again".to_owned();
    Unreadable { what, why, reason: UnreadableReason::Internal }
}
