//! What became of every backup that was due, from the `Backup`s and the catalogue together.
//!
//! Neither tells it alone: a `Backup` can be completed while its objects are gone, and a base
//! backup can be stored whose `Backup` was deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use chrono::NaiveDateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::BackupKind;
use crate::assessment::backup_pace::run_max;
use crate::assessment::cluster::ClusterCase;
use crate::assessment::cluster::ScheduledBackups;
use crate::assessment::cluster::setup::asks_the_archiver;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::duty::Duty;
use crate::domain::backup::BackupId;
use crate::domain::cluster::Archiver;
use crate::domain::cluster::BackupPhase;
use crate::domain::moment::before;
use crate::domain::schedule::Schedule;
use crate::observation::cluster::BackupResource;
use crate::observation::cluster::ObservedCluster;
use crate::observation::cluster::ObservedSchedule;

/// What nobody promised to keep for longer.
const WINDOW: TimeDelta = TimeDelta::days(30);

/// The catalogue is looked at every ten minutes.
const CATALOGUE_GRACE: TimeDelta = TimeDelta::minutes(20);

/// The schedules that make base backups in this archive.
pub(super) fn active(cluster: &ObservedCluster) -> impl Iterator<Item = &ObservedSchedule> {
    cluster
        .schedules
        .iter()
        .flatten()
        .filter(|schedule| !schedule.is_suspended && asks_the_archiver(cluster, &schedule.method))
}

pub(super) fn judge(case: &ClusterCase<'_>) -> Vec<Finding> {
    // That they could not be read is a finding by itself.
    let Some(resources) = ours(case) else { return Vec::new() };
    resources.iter().filter_map(|resource| judge_one(resource, &resources, case)).collect()
}

/// The `Backup`s that land in this archive; `None` if they could not be read.
fn ours<'a>(case: &ClusterCase<'a>) -> Option<Vec<&'a BackupResource>> {
    let resources = case.cluster.backups.as_ref().ok()?;
    let is_ours = |it: &&BackupResource| {
        asks_the_archiver(case.cluster, &it.method) && is_of_this_archive(it, case)
    };
    Some(resources.iter().map(Arc::as_ref).filter(is_ours).collect())
}

/// A cluster that was made anew under its old name, as after a recovery, finds the `Backup`s of its
/// predecessor under that name, and they lie in the folder of that one.
fn is_of_this_archive(resource: &BackupResource, case: &ClusterCase<'_>) -> bool {
    let cluster = case.cluster;
    if cluster.archiver == Archiver::InTree {
        let own = case.address.map(|address| address.server_name.as_str());
        if let (Some(folder), Some(own)) = (resource.server_name.as_deref(), own) {
            return folder == own;
        }
    } else if let Some(made_of) = &resource.cluster_uid
        && !cluster.uid.is_empty()
    {
        // As the plugin's `useSameBackupLocation` (`internal/cnpgi/instance/retention.go`).
        return **made_of == *cluster.uid;
    }
    // One that did not get as far as to say it is of the cluster that was there.
    let created = resource.created_at.zip(cluster.created_at);
    created.is_none_or(|(resource, cluster)| cluster <= resource)
}

fn judge_one(
    resource: &BackupResource,
    all: &[&BackupResource],
    case: &ClusterCase<'_>,
) -> Option<Finding> {
    let began_at = resource.started_at.or(resource.created_at)?;
    let stored = resource.backup_id.as_ref().and_then(|id| case.stored(id));
    let is_superseded = newest_success(all, case).is_some_and(|newest| began_at < newest);
    let is_old = case.window() < case.age(began_at);
    let name = || resource.name.to_string();
    let duty = match resource.phase {
        BackupPhase::Completed => {
            let backup = resource.backup_id.clone()?;
            let stopped_at = resource.stopped_at.unwrap_or(began_at);
            let is_settled = CATALOGUE_GRACE < case.age(stopped_at);
            let is_absent = case.backups.is_some() && stored.is_none();
            if !is_absent || !is_settled || is_old {
                return None;
            }
            return Some(Finding::new(
                Weight::Risk,
                Duty::BackupAbsent { resource: name(), backup },
            ));
        }
        BackupPhase::Failed if is_of_hibernation(resource) => return None,
        // The catalogue tells of it with more detail.
        BackupPhase::Failed if stored.is_some() || is_old => return None,
        BackupPhase::Failed => {
            let error = resource.error.as_deref().map(str::to_owned);
            Duty::BackupFailed { resource: name(), error, is_superseded }
        }
        BackupPhase::New
        | BackupPhase::Pending
        | BackupPhase::Started
        | BackupPhase::Running
        | BackupPhase::Finalizing
        | BackupPhase::WalArchivingFailing
        | BackupPhase::Invalid
        | BackupPhase::Other(_) => {
            if case.age(began_at) <= run_max_of(all) {
                return None;
            }
            let blocks = resource.schedule.as_deref().map(str::to_owned);
            let is_superseded = is_superseded && blocks.is_none();
            let (phase, since) = (resource.phase.clone(), began_at);
            Duty::BackupStuck { resource: name(), phase, since, blocks, is_superseded }
        }
    };
    let is_harmless = matches!(
        duty,
        Duty::BackupStuck { is_superseded: true, .. }
            | Duty::BackupFailed { is_superseded: true, .. }
    );
    let weight = if is_harmless { Weight::Notice } else { Weight::Risk };
    Some(Finding::new(weight, duty))
}

/// CloudNativePG makes no backup of a cluster that sleeps, and says so by a `Backup` that failed
/// (`cannot backup a hibernated cluster`, in `internal/controller/backup_controller.go`).
fn is_of_hibernation(resource: &BackupResource) -> bool {
    let error = resource.error.as_deref();
    error.is_some_and(|error| error.contains("hibernated cluster"))
}

/// When the newest backup that succeeded began.
fn newest_success(all: &[&BackupResource], case: &ClusterCase<'_>) -> Option<DateTime<Utc>> {
    let stored = case.backups.into_iter().flatten().filter(|it| it.is_usable());
    let stored = stored.filter_map(|backup| backup.began_at);
    let completed = all.iter().filter(|it| it.phase == BackupPhase::Completed);
    // Without a catalogue the word of Kubernetes is all there is.
    let completed = completed.filter(|_| case.backups.is_none());
    stored.chain(completed.filter_map(|it| it.started_at)).max()
}

/// One that is due is awaited as long as one may run.
fn run_max_of(all: &[&BackupResource]) -> TimeDelta {
    let completed = all.iter().filter(|it| it.phase == BackupPhase::Completed);
    run_max(completed.filter_map(|it| Some(it.stopped_at?.signed_duration_since(it.started_at?))))
}

pub(super) fn count(case: &ClusterCase<'_>) -> Option<ScheduledBackups> {
    let (stored, resources) = (case.backups?, ours(case)?);
    let mut total = None;
    for observed in active(case.cluster) {
        let Ok(schedule) = &observed.schedule else { continue };
        let total: &mut ScheduledBackups = total.get_or_insert_default();
        let mine = resources.iter().filter(|it| {
            it.schedule.as_deref() == Some(observed.name.as_str()) && !it.is_immediate
        });
        let mine: BTreeMap<DateTime<Utc>, &BackupResource> =
            mine.filter_map(|it| Some((slot_of(it, &observed.name)?, *it))).collect();
        let runs = Runs { case, stored, mine, run_max: run_max_of(&resources) };
        let start = before(case.now, case.window());
        // A schedule may be older than the cluster, and had to do with its predecessor then.
        let since = [observed.created_at, case.cluster.created_at].into_iter().flatten();
        let start = since.fold(start, DateTime::max);
        for (slot, next) in slots(schedule, start, case.now) {
            let Some(outcome) = runs.outcome(slot, next) else { continue };
            let count = match outcome {
                Outcome::Completed => &mut total.completed,
                Outcome::Failed => &mut total.failed,
                Outcome::Missed => &mut total.missed,
            };
            *count = count.saturating_add(1);
            total.expected = total.expected.saturating_add(1);
        }
    }
    total
}

/// Each due time with the one after it.
fn slots(
    schedule: &Schedule,
    start: DateTime<Utc>,
    now: DateTime<Utc>,
) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
    let due = schedule.due_between(start, now);
    due.map(|slot| (slot, schedule.next_after(slot).unwrap_or(DateTime::<Utc>::MAX_UTC)))
}

/// CloudNativePG names a scheduled `Backup` after its slot
/// (`internal/controller/scheduledbackup_controller.go`).
fn slot_of(resource: &BackupResource, schedule: &str) -> Option<DateTime<Utc>> {
    let stamp = resource.name.strip_prefix(schedule).and_then(|rest| rest.strip_prefix('-'));
    let named = stamp.and_then(|it| NaiveDateTime::parse_from_str(it, "%Y%m%d%H%M%S").ok());
    named.map(|named| named.and_utc()).or(resource.created_at)
}

#[derive(Clone, Copy)]
enum Outcome {
    Completed,
    Failed,
    Missed,
}

struct Runs<'a> {
    case: &'a ClusterCase<'a>,
    stored: &'a [AssessedBackup],
    /// The `Backup`s of one schedule by their slots.
    mine: BTreeMap<DateTime<Utc>, &'a BackupResource>,
    run_max: TimeDelta,
}

impl Runs<'_> {
    /// `None` while it is not decided.
    fn outcome(&self, slot: DateTime<Utc>, next: DateTime<Utc>) -> Option<Outcome> {
        let tried: Vec<&BackupResource> = self.mine.range(slot..next).map(|(_, it)| *it).collect();
        let is_within = |backup: &&AssessedBackup| {
            backup.began_at.is_some_and(|began_at| slot <= began_at && began_at < next)
        };
        let named = tried.iter().filter_map(|it| self.case.stored(it.backup_id.as_ref()?));
        let stored: Vec<&AssessedBackup> =
            named.chain(self.stored.iter().filter(is_within)).collect();
        if stored.iter().any(|backup| backup.is_usable()) {
            return Some(Outcome::Completed);
        }
        // Its backup.info could not be read.
        if stored.iter().any(|it| it.status.is_none() && it.kind != BackupKind::Failed) {
            return None;
        }
        if tried.iter().any(|it| is_of_hibernation(it)) {
            return None;
        }
        let is_young = self.case.age(slot) < self.run_max;
        let is_open =
            |it: &&BackupResource| !it.phase.is_final() || it.phase == BackupPhase::Completed;
        // The last WAL of a finished one may still come.
        let is_running = |it: &&AssessedBackup| it.kind != BackupKind::Failed;
        if is_young
            && (tried.iter().any(is_open) || stored.iter().copied().any(|it| is_running(&it)))
        {
            return None;
        }
        if !tried.is_empty() || !stored.is_empty() {
            return Some(Outcome::Failed);
        }
        (!is_young).then_some(Outcome::Missed)
    }
}

impl ClusterCase<'_> {
    fn stored(&self, id: &BackupId) -> Option<&AssessedBackup> {
        self.backups?.iter().find(|backup| backup.id == *id)
    }

    fn window(&self) -> TimeDelta {
        self.expected.retention.unwrap_or(WINDOW)
    }
}
