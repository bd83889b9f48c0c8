//! What the next look at an archive should ask for, so that what is awaited is seen soon.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::BackupKind;
use crate::assessment::Latest;
use crate::assessment::expectations::Expectations;
use crate::domain::cluster::BackupPhase;
use crate::domain::moment::together;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::observation::Observation;
use crate::observation::cluster::ObservedCluster;
use crate::observation::inventory::OVERLAP_SEGMENTS;
use crate::observation::store_clock::CLOCK_TOLERANCE;
use crate::observation::timeline_archive::TimelineArchive;

/// By our clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    pub late_wal: Option<LateWal>,
    /// Until then a segment that was overtaken may still come.
    pub segment_until: Option<DateTime<Utc>>,
    pub is_backup_running: bool,
    /// From then on another base backup would better the verdict, or is waited for.
    pub backup_from: Option<DateTime<Utc>>,
}

/// WAL is late once it is half as old as it may be; the rest is time enough to look for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateWal {
    pub from: DateTime<Utc>,
    pub every: TimeDelta,
}

/// A segment that may still be on its way is looked for until it counts as missing, and a few
/// polls longer.
const AWAITED_BEYOND_GRACE: TimeDelta = TimeDelta::minutes(5);

/// How long before the newest backup is too old `base/` is looked at more often: longer than the
/// ten minutes that a backup may be there unseen, so that it never counts as overdue.
const OVERDUE_SOON: TimeDelta = TimeDelta::minutes(15);

/// A backup that is not in the archive so long after Kubernetes told of its end will not be.
const TOLD_MAX: TimeDelta = TimeDelta::hours(1);

impl Wants {
    /// `None` where nothing could be listed.
    pub fn of(seen: &Observation, judged: &Assessment, expected: &Expectations) -> Option<Self> {
        let (Ok(backups), Ok(inventory)) = (&seen.backups, &seen.archive) else { return None };
        let newest = inventory.newest_segment(backups);
        let tail =
            newest.and_then(|newest| Some((inventory.timeline(newest.timeline)?, newest.number)));
        // What is stamped in the future is awaited at no time: it would be for ever.
        let soon = judged.checked_at.checked_add_signed(CLOCK_TOLERANCE)?;
        let ours = |at| Some(seen.store_clock.ours(at)).filter(|at| *at <= soon);
        Some(Self {
            late_wal: tail.zip(expected.wal_age_max).and_then(|((archive, newest), age_max)| {
                let uploaded_at = ours(archive.uploaded_at(newest)?)?;
                let from = uploaded_at.checked_add_signed(age_max.checked_div(2)?)?;
                Some(LateWal { from, every: age_max.checked_div(4)? })
            }),
            segment_until: tail.and_then(|(archive, newest)| {
                let overtaken_at = ours(newest_overtaking(archive, newest)?)?;
                let awaited = together(expected.uploading_grace, AWAITED_BEYOND_GRACE);
                overtaken_at.checked_add_signed(awaited)
            }),
            is_backup_running: judged.backups.iter().any(|it| it.kind == BackupKind::Running),
            backup_from: backup_from(judged, expected.base_backup_age_max),
        })
    }
}

/// When the latest segment came that has a hole before it, of those shortly before the newest.
fn newest_overtaking(archive: &TimelineArchive, newest: SegmentNumber) -> Option<DateTime<Utc>> {
    let first = SegmentNumber::new(newest.value().saturating_sub(OVERLAP_SEGMENTS));
    let gaps = archive.segments().gaps(SegmentRange::new(first, newest)?);
    gaps.into_iter().filter_map(|gap| archive.uploaded_at(gap.last.next())).max()
}

/// Now, if the newest state needs another backup; else shortly before the next one is overdue.
fn backup_from(judged: &Assessment, age_max: Option<TimeDelta>) -> Option<DateTime<Utc>> {
    let usable = judged.backups.iter().filter(|backup| backup.is_usable());
    match (judged.latest, usable.filter_map(|backup| backup.ended_at).max()) {
        (Latest::Reached, Some(newest)) => {
            newest.checked_add_signed(age_max?.checked_sub(&OVERDUE_SOON)?)
        }
        (Latest::Reached, None) if age_max.is_none() => None,
        _ => Some(judged.checked_at),
    }
}

/// Until when a backup is looked for that Kubernetes tells of and that was not seen in the archive.
pub fn told_until(cluster: &ObservedCluster, seen: &Assessment) -> Option<DateTime<Utc>> {
    let completed = cluster.backups.iter().flatten().filter(|backup| {
        let id = backup.backup_id.as_ref();
        backup.phase == BackupPhase::Completed
            && id.is_some_and(|id| seen.backups.iter().all(|known| known.id != *id))
    });
    completed.filter_map(|backup| backup.stopped_at?.checked_add_signed(TOLD_MAX)).max()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::domain::backup::BackupId;
    use crate::domain::cluster::BackupMethod;
    use crate::domain::cluster::ClusterId;
    use crate::domain::unreadable::Unreadable;
    use crate::domain::unreadable::UnreadableReason;
    use crate::observation::cluster::BackupResource;
    use crate::publication::samples;

    use super::*;

    const DAY: TimeDelta = TimeDelta::days(1);

    fn healthy() -> Assessment {
        Assessment::clone(&samples::only(samples::HEALTHY).archives[0].assessment)
    }

    #[test]
    fn another_backup_is_waited_for_shortly_before_the_newest_is_too_old() {
        let healthy = healthy();
        let newest = healthy.backups.iter().filter_map(|it| it.ended_at).max().unwrap();
        assert_eq!(backup_from(&healthy, Some(DAY)), Some(newest + DAY - OVERDUE_SOON));
        assert_eq!(backup_from(&healthy, None), None);
    }

    #[test]
    fn where_the_newest_state_is_not_reached_another_backup_is_waited_for_now() {
        for latest in [Latest::Unknown, Latest::NotReached] {
            let broken = Assessment { latest, ..healthy() };
            assert_eq!(backup_from(&broken, None), Some(broken.checked_at));
        }
        let mut without = healthy();
        without.backups.clear();
        assert_eq!(backup_from(&without, Some(DAY)), Some(without.checked_at));
    }

    #[test]
    fn a_backup_that_kubernetes_tells_of_is_looked_for_until_it_is_seen_or_an_hour_has_passed() {
        let seen = healthy();
        let id = ClusterId { namespace: "databases".to_owned(), name: "postgres".to_owned() };
        let unread = Unreadable {
            what: "list backups".to_owned(),
            why: "forbidden".to_owned(),
            reason: UnreadableReason::Auth,
        };
        let mut cluster = ObservedCluster::unreadable(id, unread);
        assert_eq!(told_until(&cluster, &seen), None);
        let stopped_at = seen.checked_at;
        let told = |backup_id: &BackupId, phase| {
            Arc::new(BackupResource {
                name: "daily".into(),
                cluster: "postgres".into(),
                created_at: None,
                method: BackupMethod::Plugin(None),
                phase,
                backup_id: Some(backup_id.clone()),
                started_at: None,
                stopped_at: Some(stopped_at),
                begin_wal: None,
                error: None,
                schedule: None,
                is_immediate: false,
                cluster_uid: None,
                server_name: None,
            })
        };
        let unseen = BackupId::parse("20300101T000000").unwrap();
        cluster.backups = Ok(vec![
            told(&seen.backups[0].id, BackupPhase::Completed),
            told(&unseen, BackupPhase::Running),
        ]);
        assert_eq!(told_until(&cluster, &seen), None);
        cluster.backups = Ok(vec![told(&unseen, BackupPhase::Completed)]);
        assert_eq!(told_until(&cluster, &seen), Some(stopped_at + TimeDelta::hours(1)));
    }
}
