//! Until when a cluster may be without a base backup, as no one can have been made yet.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::backup_pace::run_max;
use crate::assessment::cluster::runs::active;
use crate::assessment::expectations::Expectations;
use crate::domain::moment::after;
use crate::observation::cluster::ObservedCluster;

/// Where nothing is scheduled: for as long as setting a cluster up may take.
const SET_UP_MAX: TimeDelta = TimeDelta::hours(1);

/// Where schedules cannot be read: for as long as most have to wait for the first backup.
const UNREAD_MAX: TimeDelta = TimeDelta::days(1);

/// When the first base backup should be stored; `None` once that is over, or nobody can tell.
pub(in crate::assessment) fn first_backup_due(
    cluster: &ObservedCluster,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let created_at = cluster.created_at?;
    let slots = active(cluster).filter_map(|observed| {
        let since = observed.created_at.map_or(created_at, |it| it.max(created_at));
        observed.schedule.as_ref().ok()?.next_after(since)
    });
    let run_max = run_max(std::iter::empty());
    let patience = || match &cluster.schedules {
        Err(_) => UNREAD_MAX,
        Ok(_) => expected.base_backup_age_max.unwrap_or(SET_UP_MAX),
    };
    let due =
        slots.min().map_or_else(|| after(created_at, patience()), |slot| after(slot, run_max));
    (now < due).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::Archiver;
    use crate::domain::cluster::BARMAN_PLUGIN;
    use crate::domain::cluster::BackupMethod;
    use crate::domain::cluster::ClusterId;
    use crate::domain::schedule::Schedule;
    use crate::domain::unreadable::Unreadable;
    use crate::domain::unreadable::UnreadableReason;
    use crate::observation::cluster::ObservedSchedule;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn weekly() -> ObservedSchedule {
        let text = "0 0 0 * * 0";
        ObservedSchedule {
            name: "weekly".to_owned(),
            created_at: Some(at("2025-06-01T00:00:00Z")),
            text: text.to_owned(),
            schedule: Ok(Schedule::parse(text).unwrap()),
            is_suspended: false,
            method: BackupMethod::Plugin(Some(BARMAN_PLUGIN.into())),
            error: None,
        }
    }

    #[test]
    fn a_cluster_has_until_the_end_of_its_first_scheduled_backup() {
        let unread = Unreadable {
            what: "list scheduledbackups".to_owned(),
            why: "forbidden".to_owned(),
            reason: UnreadableReason::Auth,
        };
        let id = ClusterId { namespace: "databases".to_owned(), name: "postgres".to_owned() };
        // A Wednesday.
        let created_at = at("2026-01-07T09:00:00Z");
        let cluster = ObservedCluster {
            created_at: Some(created_at),
            archiver: Archiver::Plugin { is_wal_archiver: true },
            ..ObservedCluster::unreadable(id, unread)
        };
        let due = |cluster: &ObservedCluster, now: &str| {
            first_backup_due(cluster, &Expectations::default(), at(now))
        };
        let now = "2026-01-07T09:30:00Z";
        assert_eq!(due(&cluster, now), Some(at("2026-01-08T09:00:00Z")));
        let bare = ObservedCluster { schedules: Ok(Vec::new()), ..cluster.clone() };
        assert_eq!(due(&bare, now), Some(at("2026-01-07T10:00:00Z")));
        let cluster = ObservedCluster { schedules: Ok(vec![weekly()]), ..cluster };
        let expected = at("2026-01-11T03:00:00Z");
        assert_eq!(due(&cluster, now), Some(expected));
        assert_eq!(due(&cluster, "2026-01-11T02:59:59Z"), Some(expected));
        assert_eq!(due(&cluster, "2026-01-11T03:00:00Z"), None);
        let unknown = ObservedCluster { created_at: None, ..cluster };
        assert_eq!(due(&unknown, now), None);
    }
}
