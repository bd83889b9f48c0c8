//! What was read of one archive to its last byte: looks judge by it, and a reader adds to it.

mod gone;
mod state;

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
use crate::ledger::BackupRecord;
use crate::ledger::Ledger;
use crate::ledger::SegmentNote;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::content::BackupContent;
use crate::observation::content::Gone;
use crate::observation::content::StuckReading;
use crate::observation::folder_sums::FolderSums;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::probe::SegmentId;
use crate::service::verified::gone::Listed;
use crate::service::verified::state::Forgotten;
use crate::service::verified::state::ReadBackup;
use crate::service::verified::state::Segments;
use crate::service::verified::state::State;
use crate::service::verified::state::within;
use crate::sources::archive::verification::Run;
use crate::sources::archive::verification::RunReport;

/// Of one archive; whoever holds it shares it.
#[derive(Debug)]
pub struct Verified {
    ledger: Arc<Ledger>,
    /// Under which the ledger knows the archive.
    archive: String,
    state: Mutex<State>,
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

    /// Its address.
    pub fn archive(&self) -> &str {
        &self.archive
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Segments that were read and found right.
    pub fn segments(&self) -> Segments {
        self.state().segments.clone()
    }

    /// Whether the segment before a run was read and found right, and not just now.
    pub fn is_before(&self, run: Run) -> bool {
        let state = self.state();
        let before = run.segments.first.previous();
        let whole = state.segments.get(&run.timeline);
        before.zip(whole).is_some_and(|(before, whole)| whole.contains(before))
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
        self.state().tell(seen);
    }

    /// Takes over what reading a run showed.
    pub async fn note_run(&self, report: &RunReport, read_at: DateTime<Utc>) {
        self.state().note_run(report, read_at);
        let id = |number| SegmentId { timeline: report.timeline, number };
        let damaged = report.damaged.iter();
        let mut notes: Vec<(SegmentId, SegmentNote)> =
            damaged.map(|(number, _)| (id(*number), SegmentNote::Damaged)).collect();
        let shown = report.shown.iter();
        notes.extend(shown.map(|(number, it)| (id(*number), SegmentNote::Whole(it.clone()))));
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

    /// Base backups that no Job reads, in place of those before.
    pub fn note_stuck(&self, stuck: Vec<StuckReading>) {
        self.state().stuck = stuck;
    }

    /// Forgets what is gone but for these, with the next listing of everything.
    pub fn keep_gone(&self, lost: &[Gone]) {
        self.state().listed.keep_gone(lost);
    }

    /// Forgets what is gone, and what another object has taken the place of, by a listing of everything
    /// that summed these up.
    pub async fn hold_against(&self, seen: &Observation, summed: &Segments, sums: FolderSums) {
        let (Ok(inventory), Ok(backups)) = (&seen.archive, &seen.backups) else { return };
        if self.state().listed.is_unread() {
            let (ledger, archive) = (Arc::clone(&self.ledger), self.archive.clone());
            let read = spawn_blocking(move || Listed::load(&ledger, &archive)).await;
            self.state().listed = read.unwrap_or_default();
        }
        let listed = self.state().listed.note(seen);
        if let Some(listed) = listed {
            self.write(move |ledger, archive| ledger.note_listed(archive, &listed)).await;
        }
        let (ledger, archive) = (Arc::clone(&self.ledger), self.archive.clone());
        let Ok(Some(folders)) = spawn_blocking(move || ledger.folders(&archive)).await else {
            // What may have been replaced is not known any more.
            self.state().forget_segments();
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

/// Over the objects of a backup; `None` if one has no entity tag.
pub fn sum_of(backup: &ObservedBackup) -> Option<ObjectSum> {
    backup.tars.iter().try_fold(ObjectSum::default(), |sum, tar| {
        let name = tar.contents.file_name(tar.piece, tar.codec);
        Some(sum.plus(ObjectSum::of(&name, &tar.version)?))
    })
}
