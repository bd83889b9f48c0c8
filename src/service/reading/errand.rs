//! Reads what a look left to be read, one errand after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::assessment::is_content_right;
use crate::domain::timeline::TimelineId;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::publication::wording::bytes;
use crate::service::clock;
use crate::service::reading::ReadingRoom;
use crate::service::verified::Verified;
use crate::sources::archive::Collector;
use crate::sources::archive::verification::Log;
use crate::sources::archive::verification::Run;
use crate::sources::archive::verification::runs;

/// What is there to be read of one archive, as a look saw it.
pub(super) struct Errand {
    pub(super) inventory: Inventory,
    pub(super) runs: Vec<Run>,
    pub(super) backups: Vec<ObservedBackup>,
    /// All that are stored: where they begin says from where on their log is needed.
    pub(super) stored: Vec<ObservedBackup>,
}

/// After a failure the archive waits this long, and each time twice as long: an object may just be
/// replaced, and a store that is down is no better a second later.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(20);

pub(super) async fn read(
    verified: Arc<Verified>,
    room: Arc<ReadingRoom>,
    mut collector: Collector,
    mut errands: mpsc::Receiver<Errand>,
) {
    let mut ends: BTreeMap<TimelineId, (Run, Log)> = BTreeMap::new();
    let (mut pause, mut is_first) = (PAUSE_FIRST, true);
    while let Some(errand) = errands.recv().await {
        if is_first {
            log_expected(&errand, &verified);
            is_first = false;
        }
        collector.note_backups(&errand.stored);
        // In a box, as a thousand of them wait.
        let is_read = Box::pin(run_errand(&verified, &room, &collector, errand, &mut ends)).await;
        if is_read {
            pause = PAUSE_FIRST;
        } else {
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }
}

/// Tells whether everything could be read.
async fn run_errand(
    verified: &Verified,
    room: &ReadingRoom,
    collector: &Collector,
    errand: Errand,
    ends: &mut BTreeMap<TimelineId, (Run, Log)>,
) -> bool {
    let Errand { inventory, runs, backups, .. } = errand;
    let mut is_all_read = true;
    for run in runs {
        let Ok(_turn) = room.wal.acquire().await else { return false };
        if !room.budget.allows(stored_bytes(&inventory, run.segments.count()), clock::now()).await {
            break;
        }
        let before = room.bytes.wal();
        // A record that began in the segment before is read as a whole.
        let known = ends.get(&run.timeline);
        let follows = known.filter(|(last, _)| last.segments.last.next() == run.segments.first);
        let mut log = follows.and_then(|(_, log)| log.clone());
        if log.is_none() && verified.is_before(run) {
            log = collector.log_before(&inventory, run).await;
        }
        let report = collector.verify_run(&inventory, run, log, &room.progress).await;
        verified.note_run(&report, clock::now()).await;
        room.budget.spend(room.bytes.wal().saturating_sub(before), clock::now()).await;
        is_all_read &= report.unread.is_empty();
        if let Some((_, unread)) = report.unread.first() {
            tracing::warn!(%unread, "WAL could not be read to its last byte");
            break;
        }
        let is_newest = known.is_none_or(|(last, _)| last.segments.last < run.segments.last);
        if is_newest {
            ends.insert(run.timeline, (run, report.log));
        }
    }
    for backup in backups {
        let Some(info) = backup.parsed_info() else { continue };
        let Ok(_turn) = room.backups.acquire().await else { return false };
        if !room.budget.allows(backup.size_bytes(), clock::now()).await {
            break;
        }
        let before = room.bytes.base();
        let archive = Ok(&inventory);
        let content = collector.verify_backup(&backup, info, archive, &room.progress).await;
        room.budget.spend(room.bytes.base().saturating_sub(before), clock::now()).await;
        let unread = content.tars.iter().find_map(|tar| tar.report.as_ref().err());
        if let Some(unread) = unread.or(content.log_unread.as_ref()) {
            tracing::warn!(%unread, "a base backup could not be read to its last byte");
            is_all_read = false;
            continue;
        }
        let is_whole = is_content_right(&content, info);
        tracing::info!(backup = %backup.id, is_whole, "read a base backup to its last byte");
        let wrong = (!is_whole).then_some(content);
        verified.note_backup(&backup, wrong, clock::now()).await;
    }
    is_all_read
}

/// From the mean size of a segment.
fn stored_bytes(inventory: &Inventory, segments: u64) -> u64 {
    let mean = inventory.size_bytes.checked_div(inventory.object_count).unwrap_or_default();
    segments.saturating_mul(mean)
}

/// What the first pass will cost.
fn log_expected(errand: &Errand, verified: &Verified) {
    let Errand { inventory, backups, .. } = errand;
    let unread = runs(inventory, &verified.read());
    let segments: u64 = unread.iter().map(|run| run.segments.count()).sum();
    let base_bytes = backups.iter().map(ObservedBackup::size_bytes).sum();
    tracing::info!(
        archive = verified.archive(),
        segments,
        wal = bytes(stored_bytes(inventory, segments)),
        base_backups = backups.len(),
        base = bytes(base_bytes),
        "starts reading to the last byte what has not been read yet"
    );
}
