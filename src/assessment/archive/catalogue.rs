//! Whether a base backup's own objects make it restorable.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::content::fatal;
use crate::assessment::archive::identity::Owners;
use crate::assessment::backup_pace::run_max;
use crate::assessment::finding::archive::backup::BackupDefect;
use crate::assessment::finding::archive::backup::Missing;
use crate::assessment::unusable::UnusableReason;
use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::backup_info::BackupInfo;
use crate::domain::backup_info::BackupWal;
use crate::domain::object_key::TarContents;
use crate::domain::segment::SegmentSize;
use crate::domain::storage_class::StorageClass;
use crate::observation::backup::ObservedBackup;
use crate::observation::content::Content;

/// All backups with what their folders amount to, and whose they are.
pub(super) struct Catalogue<'a> {
    pub(super) backups: Vec<(&'a ObservedBackup, BackupState)>,
    pub(super) owners: Owners,
}

/// A finished backup with all its objects.
#[derive(Clone, Copy)]
pub(super) struct Complete<'a> {
    pub(super) backup: &'a ObservedBackup,
    pub(super) info: &'a BackupInfo,
    pub(super) wal: BackupWal,
}

/// What a backup's folder amounts to, its WAL not yet considered: finished with all its objects,
/// or not to be restored.
pub(super) type BackupState = Result<BackupWal, UnusableReason>;

/// What is common to all backups of an archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackupPace {
    now: DateTime<Utc>,
    /// What was uploaded is as old as the store says.
    store: Clock,
    running_max: TimeDelta,
    /// When the newest finished backup began.
    newest_success_began_at: Option<DateTime<Utc>>,
}

impl BackupPace {
    pub(super) fn of(backups: &[ObservedBackup], now: DateTime<Utc>, store: Clock) -> Self {
        let finished = || {
            backups
                .iter()
                .filter_map(ObservedBackup::parsed_info)
                .filter(|info| info.status == BackupStatus::Done && info.parent.is_none())
        };
        Self {
            now,
            store,
            running_max: run_max(
                finished()
                    .filter_map(|info| Some(info.ended_at?.signed_duration_since(info.began_at?))),
            ),
            newest_success_began_at: finished().filter_map(|info| info.began_at).max(),
        }
    }

    fn is_superseded(&self, began_at: DateTime<Utc>) -> bool {
        self.newest_success_began_at.is_some_and(|newest| began_at < newest)
    }
}

impl<'a> Catalogue<'a> {
    pub(super) fn of(
        backups: &'a [ObservedBackup],
        content: &Content,
        now: DateTime<Utc>,
        store: Clock,
    ) -> Self {
        let pace = BackupPace::of(backups, now, store);
        let own = backups.iter().filter(|backup| !is_leftover(backup));
        let judged = own.map(|backup| {
            let state = state_of(backup, &pace)
                .and_then(|wal| whole(backup, backups, &pace, wal))
                .and_then(|wal| intact(backup, content, wal));
            (backup, state)
        });
        Self { backups: judged.collect(), owners: Owners::of(backups) }
    }

    /// Complete backups of one server.
    pub(super) fn complete(&self, system: Option<u64>, size: SegmentSize) -> Vec<Complete<'a>> {
        let complete = self.backups.iter().filter_map(|(backup, state)| {
            Some(Complete { backup, info: backup.parsed_info()?, wal: *state.as_ref().ok()? })
        });
        complete
            .filter(|it| it.info.system_identifier == system && it.wal.segment_size == size)
            .collect()
    }
}

/// Older versions of Barman left a `backup_label` alone behind a backup that was deleted; what has no
/// data and says nothing of any is no backup.
fn is_leftover(backup: &ObservedBackup) -> bool {
    matches!(backup.info, Ok(None)) && backup.tars.is_empty()
}

/// Neither `barman-cloud-restore` nor the plugin puts an incremental backup together with those that
/// it stands on.
fn whole(
    backup: &ObservedBackup,
    backups: &[ObservedBackup],
    pace: &BackupPace,
    wal: BackupWal,
) -> BackupState {
    let Some(parent) = parent_of(backup) else { return Ok(wal) };
    let mut root = parent;
    // A chain that leads back to itself has no full backup.
    for _ in backups {
        match backups.iter().find(|it| it.id == *root).and_then(parent_of) {
            Some(next) => root = next,
            None => break,
        }
    }
    let full = backups.iter().find(|it| it.id == *root && parent_of(it).is_none());
    let is_superseded = backup.id.began_at().is_some_and(|it| pace.is_superseded(it));
    let full = full.map(|it| it.id.clone());
    let (backup, parent) = (backup.id.clone(), parent.clone());
    Err(BackupDefect::Incremental { backup, parent, full, is_superseded }.into())
}

/// By its content, as far as that was read.
fn intact(backup: &ObservedBackup, content: &Content, wal: BackupWal) -> BackupState {
    let read = content.backups.get(&backup.id).zip(backup.parsed_info());
    let damages = read.map(|(content, info)| fatal(content, info)).unwrap_or_default();
    if damages.is_empty() {
        return Ok(wal);
    }
    Err(BackupDefect::Damaged { backup: backup.id.clone(), damages }.into())
}

fn parent_of(backup: &ObservedBackup) -> Option<&BackupId> {
    backup.parsed_info()?.parent.as_ref()
}

fn state_of(backup: &ObservedBackup, pace: &BackupPace) -> BackupState {
    let info = match &backup.info {
        Err(unread) => return Err(UnusableReason::Unread(unread.clone())),
        Ok(None) => return Err(without_info(backup, pace)),
        Ok(Some(info)) => info.content.as_ref().map_err(|error| {
            let (backup, why) = (backup.id.clone(), error.clone());
            BackupDefect::InfoUnreadable { backup, why }
        })?,
    };
    match info.status {
        BackupStatus::Done => finished(backup, info),
        // Barman sets the end of one that it gave up before it had begun.
        BackupStatus::Failed | BackupStatus::Empty if is_over(info) => {
            let began_at = info.began_at.or_else(|| backup.id.began_at());
            let is_superseded = began_at.is_some_and(|began_at| pace.is_superseded(began_at));
            let (backup, error) = (backup.id.clone(), info.error.clone());
            Err(BackupDefect::Failed { backup, error, is_superseded }.into())
        }
        BackupStatus::Failed
        | BackupStatus::Empty
        | BackupStatus::Started
        | BackupStatus::WaitingForWals
        | BackupStatus::Syncing => Err(unfinished(backup, info.began_at, pace)),
    }
}

fn is_over(info: &BackupInfo) -> bool {
    info.status == BackupStatus::Failed || info.ended_at.is_some()
}

/// Barman before 3.19 writes `backup.info` only at the end, so a running backup has none. The
/// data directory's tar is the last one it uploads, moments before.
fn without_info(backup: &ObservedBackup, pace: &BackupPace) -> UnusableReason {
    let began_at = backup.id.began_at().unwrap_or(backup.last_uploaded_at);
    let has_data = backup.tars.iter().any(|tar| tar.contents == TarContents::DataDirectory);
    let is_young = match pace.store.age(backup.last_uploaded_at) {
        Some(_) if has_data => pace.store.is_within_grace(Some(backup.last_uploaded_at)),
        Some(age) => age < pace.running_max,
        // Its name tells when it began, by the clock of the pod.
        None => backup
            .id
            .began_at()
            .is_some_and(|it| pace.now.signed_duration_since(it) < pace.running_max),
    };
    if is_young && !pace.is_superseded(began_at) {
        return UnusableReason::Running;
    }
    let missing = Missing::Objects(vec!["backup.info".to_owned()]);
    BackupDefect::Incomplete { backup: backup.id.clone(), missing }.into()
}

fn unfinished(
    backup: &ObservedBackup,
    began_at: Option<DateTime<Utc>>,
    pace: &BackupPace,
) -> UnusableReason {
    let since = began_at.or_else(|| backup.id.began_at()).unwrap_or(backup.last_uploaded_at);
    let is_superseded = pace.is_superseded(since);
    if pace.now.signed_duration_since(since) < pace.running_max && !is_superseded {
        return UnusableReason::Running;
    }
    BackupDefect::Stuck { backup: backup.id.clone(), since, is_superseded }.into()
}

fn finished(backup: &ObservedBackup, info: &BackupInfo) -> BackupState {
    if info.is_snapshot {
        return Err(UnusableReason::Snapshot);
    }
    let missing = missing_objects(backup, info);
    let cold = backup.tars.iter().filter(|tar| tar.class == StorageClass::Frozen).count();
    if missing.is_empty() && cold > 0 {
        return Err(BackupDefect::Cold { backup: backup.id.clone(), objects: cold }.into());
    }
    info.wal.filter(|_| missing.is_empty()).ok_or_else(|| {
        let missing = Missing::Objects(missing);
        BackupDefect::Incomplete { backup: backup.id.clone(), missing }.into()
    })
}

/// The tar files that a restore needs and cannot have: one set of pieces for the data directory
/// and for each tablespace, numbered without a hole, none empty.
///
/// How many pieces there were is written nowhere, so a missing last one is not seen here.
fn missing_objects(backup: &ObservedBackup, info: &BackupInfo) -> Vec<String> {
    let mut pieces: BTreeMap<TarContents, Vec<(u32, u64)>> = BTreeMap::new();
    pieces.insert(TarContents::DataDirectory, Vec::new());
    for tablespace in &info.tablespaces {
        pieces.insert(TarContents::Tablespace(tablespace.oid), Vec::new());
    }
    for tar in &backup.tars {
        pieces.entry(tar.contents).or_default().push((tar.piece, tar.version.size));
    }
    let mut missing = Vec::new();
    for (contents, mut found) in pieces {
        found.sort_unstable();
        let mut expected = 0;
        for (piece, size) in &found {
            missing.extend((expected..*piece).take(PIECES_NAMED_MAX).map(|it| name(contents, it)));
            if *size == 0 {
                missing.push(format!("{} (0 bytes)", name(contents, *piece)));
            }
            expected = piece.saturating_add(1);
        }
        if found.is_empty() {
            missing.push(name(contents, 0));
        }
    }
    missing
}

/// A hostile number in a name must not make a list of four billion.
const PIECES_NAMED_MAX: usize = 10;

fn name(contents: TarContents, piece: u32) -> String {
    let stem = match contents {
        TarContents::DataDirectory => "data".to_owned(),
        TarContents::Tablespace(oid) => oid.to_string(),
    };
    if piece == 0 { format!("{stem}.tar") } else { format!("{stem}_{piece:04}.tar") }
}
