//! Does the cluster archive its WAL, and does silence mean trouble?

use chrono::TimeDelta;

use crate::assessment::cluster::ClusterCase;
use crate::assessment::cluster::Silence;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::duty::Duty;
use crate::domain::moment::together;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::observation::cluster::Activity;
use crate::observation::cluster::WalArchiving;

/// Without a promise on the age of WAL: three times CloudNativePG's `archive_timeout`.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// `status.phase` while a cluster is busy with itself (`api/v1/cluster_types.go`).
const BUSY_PHASES: [&str; 12] = [
    "Switchover in progress",
    "Failing over",
    "Setting up primary",
    "Creating a new replica",
    "Upgrading cluster",
    "Upgrading Postgres major version",
    "Primary instance is being restarted in-place",
    "Primary instance is being restarted without a switchover",
    "Waiting for the instances to become active",
    "Online upgrade in progress",
    "Applying configuration",
    "Promoting to primary cluster",
];

/// A cluster that is busy for longer than this has a problem of its own.
const BUSY_MAX: TimeDelta = TimeDelta::hours(1);

pub(super) fn judge(case: &ClusterCase<'_>) -> Vec<Finding> {
    let patience = case.expected.wal_age_max.unwrap_or(PATIENCE);
    // One object that still arrives after the archiver failed proves little, and less as time goes on.
    let stored_at = case.newest.and_then(|it| it.stored_at);
    let is_recent = |since| stored_at.is_some_and(|at| since < at && case.age(at) <= patience);
    let fails = case
        .cluster
        .activity
        .archiving_fails
        .as_ref()
        .filter(|(since, _)| patience < case.age(*since) && !is_recent(*since));
    let fails = fails
        .map(|(since, message)| Duty::ArchiverFails { since: *since, message: message.clone() });
    let told = case.cluster.wal_archiving.as_ref().and_then(|reading| reading.as_ref().ok());
    let lags = told.and_then(|told| lag(told, case, patience));
    let lost = told.and_then(|told| not_stored(told, case));
    let duties = fails.or(lags).into_iter().chain(lost);
    duties.map(|duty| Finding::new(Weight::Urgent, duty)).collect()
}

fn lag(told: &WalArchiving, case: &ClusterCase<'_>, patience: TimeDelta) -> Option<Duty> {
    let ready_segments = told.ready_segments.filter(|ready| 0 < *ready)?;
    let is_recent = |at| case.age(at) <= patience;
    let moves = told.last_archived_at.is_some_and(is_recent)
        || case.newest.and_then(|newest| newest.stored_at).is_some_and(is_recent);
    let is_young = case.cluster.created_at.is_some_and(is_recent);
    (!moves && !is_young).then(|| Duty::ArchiverLags {
        pod: told.pod.clone(),
        ready_segments,
        last_archived_at: told.last_archived_at,
    })
}

fn not_stored(told: &WalArchiving, case: &ClusterCase<'_>) -> Option<Duty> {
    let archived = archived_segment(told, case.segment_size)?;
    let archived_at = told.last_archived_at?;
    let stored = case.newest.map(|newest| newest.name);
    let is_stored = stored
        .and_then(|name| name.number(case.segment_size).ok())
        .is_some_and(|stored| archived <= stored);
    let grace = case.expected.uploading_grace.max(PATIENCE);
    // An archive that could not be listed proves nothing.
    let is_listed = case.backups.is_some();
    (is_listed && !is_stored && grace < case.age(archived_at)).then(|| Duty::WalNotStored {
        pod: told.pod.clone(),
        archived: file_name_end(archived, case.segment_size),
        archived_at,
        stored: stored.map(|name| name.to_string()),
    })
}

/// The number of the last archived segment; `None` where the metric may show a history file,
/// whose eight digits end up in the upper half.
fn archived_segment(told: &WalArchiving, size: SegmentSize) -> Option<SegmentNumber> {
    let raw = told.last_archived?;
    let (log, segment) = (raw >> 32, raw & 0xFFFF_FFFF);
    let is_segment = 0 < segment && segment < size.segments_per_log();
    let before = log.checked_mul(size.segments_per_log())?;
    is_segment.then_some(SegmentNumber::new(before.checked_add(segment)?))
}

/// A segment's name without its timeline, which the metric does not tell.
fn file_name_end(number: SegmentNumber, size: SegmentSize) -> String {
    let name = number.name(TimelineId::FIRST, size).to_string();
    name.get(8..).unwrap_or_default().to_owned()
}

pub(super) fn silence(case: &ClusterCase<'_>) -> Option<Silence> {
    let activity = &case.cluster.activity;
    if activity.is_hibernated {
        Some(Silence::Hibernated)
    } else if activity.is_fenced {
        Some(Silence::Fenced)
    } else if let Some(phase) = busy(activity).filter(|_| is_busy_for_short(case)) {
        Some(Silence::Busy(phase.to_owned()))
    } else if activity.is_replica {
        Some(Silence::Replica)
    } else if is_idle(case) {
        Some(Silence::Idle)
    } else {
        None
    }
}

fn busy(activity: &Activity) -> Option<&str> {
    activity.phase.as_deref().filter(|phase| BUSY_PHASES.contains(phase))
}

fn is_busy_for_short(case: &ClusterCase<'_>) -> bool {
    let patience = together(case.expected.wal_age_max.unwrap_or(PATIENCE), BUSY_MAX);
    let stored_at = case.newest.and_then(|newest| newest.stored_at);
    stored_at.is_none_or(|stored_at| case.age(stored_at) < patience)
}

/// PostgreSQL has archived everything that it finished, and the last of it is stored.
fn is_idle(case: &ClusterCase<'_>) -> bool {
    let Some(Ok(told)) = &case.cluster.wal_archiving else { return false };
    let stored = case.newest.and_then(|newest| newest.name.number(case.segment_size).ok());
    told.ready_segments == Some(0)
        && archived_segment(told, case.segment_size).is_some_and(|it| stored >= Some(it))
}
