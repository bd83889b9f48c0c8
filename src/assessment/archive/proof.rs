//! What the verdict rests on, and what should have been read by now.

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::RecoveryWindow;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::content::is_content_right;
use crate::assessment::expectations::ContentExpectation;
use crate::assessment::finding::archive::promise::ContentKind;
use crate::assessment::proof::Proof;
use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::backup_info::BackupInfo;
use crate::domain::moment::after;
use crate::domain::moment::together;
use crate::domain::segment_set::SegmentSet;
use crate::observation::backup::ObservedBackup;

/// Where base backups are read by no cadence, WAL is held to this.
const CADENCE: TimeDelta = TimeDelta::days(7);

/// How much of an archive was read.
pub(super) fn proof(case: &ArchiveCase<'_>) -> Proof {
    let ArchiveCase { seen, inventory, catalogue, .. } = case;
    let windows = &case.recoverability.windows;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let content = &seen.content;
    let whole: u64 = content.segments.values().map(SegmentSet::count).sum();
    let is_finished = |info: &BackupInfo| info.status == BackupStatus::Done && !info.is_snapshot;
    let infos =
        catalogue.backups.iter().filter_map(|(backup, _)| Some((*backup, backup.parsed_info()?)));
    let infos: Vec<(&ObservedBackup, &BackupInfo)> = infos.collect();
    let is_damaged = |(backup, info): &&(&ObservedBackup, &BackupInfo)| {
        let content = content.backups.get(&backup.id);
        content.is_some_and(|it| it.is_read() && !is_content_right(it, info))
    };
    Proof {
        is_read: case.expected.content.is_some(),
        segments: inventory.timelines.values().map(|it| it.segments().count()).sum(),
        segments_read: whole.saturating_add(content.damaged_segments),
        segments_damaged: content.damaged_segments,
        segments_read_at: content.wal_read_at,
        backups: count(infos.iter().filter(|(_, info)| is_finished(info)).count()),
        backups_damaged: count(infos.iter().filter(is_damaged).count()),
        backups_read_at: content.read_at.values().max().copied(),
        backups_read: count(content.backups.values().filter(|it| it.is_read()).count())
            .saturating_add(count(content.whole_backups.len())),
        read_until: windows.iter().filter_map(|window| window.read_until).max(),
        unread_since: unread_since(case),
        due_at: due_at(case),
    }
}

/// Of the windows that reach the newest state, by that of which most was read.
fn unread_since(case: &ArchiveCase<'_>) -> Option<DateTime<Utc>> {
    let best = best_read(case)?;
    match best.read_until {
        Some(_) => unread_wal_since(case),
        None => case.backups.iter().find(|it| it.id == best.backup_id)?.ended_at,
    }
}

/// The same of WAL behind a backup that was read.
fn unread_wal_since(case: &ArchiveCase<'_>) -> Option<DateTime<Utc>> {
    let best = best_read(case)?;
    best.unread_since
}

fn best_read<'a>(case: &'a ArchiveCase<'_>) -> Option<&'a RecoveryWindow> {
    let newest = case.recoverability.newest_segment?;
    let windows = case.recoverability.windows.iter();
    let reaching = windows.filter(|window| window.last.segment == newest.name);
    reaching.max_by_key(|window| (window.read_until, window.first.at))
}

/// When all of what is unread now should have been read.
fn due_at(case: &ArchiveCase<'_>) -> Option<DateTime<Utc>> {
    duties(case).into_iter().map(|duty| duty.due_at).min()
}

/// What is to be read.
pub(super) struct Duty {
    pub(super) kind: ContentKind,
    pub(super) since: DateTime<Utc>,
    pub(super) age_max: TimeDelta,
    /// A new archive has as much time from when reading began.
    pub(super) due_at: DateTime<Utc>,
}

pub(super) fn duties(case: &ArchiveCase<'_>) -> Vec<Duty> {
    let (Some(content), Some(began_at)) = (case.expected.content, case.seen.content.began_at)
    else {
        return Vec::new();
    };
    let duty = |kind, every: TimeDelta, since: DateTime<Utc>| {
        // Reading begins when the time has come, and takes its own time.
        let age_max = together(every, every.checked_div(4).unwrap_or(every));
        Duty { kind, since, age_max, due_at: after(since.max(began_at), age_max) }
    };
    let ContentExpectation { reads_wal, base_backups_every, .. } = content;
    let backups = base_backups_every.and_then(|every| {
        Some(duty(ContentKind::BaseBackups, every, no_backup_since(case, content)?))
    });
    let wal = unread_wal_since(case).filter(|_| reads_wal);
    let every = base_backups_every.unwrap_or(CADENCE);
    let wal = wal.map(|since| duty(ContentKind::Wal, every, since));
    backups.into_iter().chain(wal).collect()
}

/// When a usable backup was read last, or, as none ever was, when the oldest one ended.
fn no_backup_since(case: &ArchiveCase<'_>, content: ContentExpectation) -> Option<DateTime<Utc>> {
    let unread: BTreeSet<&BackupId> = case
        .catalogue
        .backups
        .iter()
        .filter(|(backup, _)| backup.is_infrequent() && !content.reads_infrequent_backups)
        .map(|(backup, _)| &backup.id)
        .collect();
    let usable =
        || case.backups.iter().filter(|backup| backup.is_usable() && !unread.contains(&backup.id));
    let read = usable().filter_map(|backup| backup.read_at).max();
    read.or_else(|| usable().filter_map(|backup| backup.ended_at).min())
}
