//! The drill that should be run next, for whoever runs it.

use chrono::DateTime;
use chrono::Utc;
use serde::Serialize;

use crate::assessment::drill::due::DueDrill;
use crate::assessment::drill::due::due;
use crate::assessment::finding::duration;
use crate::domain::archive_id::ArchiveAddress;
use crate::publication::view::ArchiveView;
use crate::publication::view::View;
use crate::publication::wording::rfc3339;

/// Names and a target, and no manifest: what is applied in Kubernetes does not come from an answer that
/// anybody may give.
#[derive(Debug, Serialize)]
pub struct DueDrillDocument<'a> {
    kind: &'static str,
    cnpg_namespace: &'a str,
    cnpg_cluster: &'a str,
    server_name: &'a str,
    destination_path: Option<String>,
    backup_id: String,
    /// `null` for another target, and for the newest state.
    target_time: Option<String>,
    target_lsn: Option<String>,
    target_timeline: Option<u32>,
    seed: u64,
    base_bytes: u64,
    wal_bytes_max: u64,
    due_at: String,
    last_at: Option<String>,
    why: String,
}

/// The one that has been due for longest, of all archives that were read in time.
pub fn next<'a>(view: &View<'a>) -> Option<DueDrillDocument<'a>> {
    let read = view.archives.iter().filter(|it| !it.standing.is_old());
    let due = read.filter_map(|it| Some((it, due(it.assessment, view.now)?)));
    let (archive, next) = due.min_by_key(|(_, it)| it.due_at)?;
    Some(DueDrillDocument::new(archive, &next, view.now))
}

impl<'a> DueDrillDocument<'a> {
    fn new(archive: &ArchiveView<'a>, next: &DueDrill, now: DateTime<Utc>) -> Self {
        let assessment = archive.assessment;
        let (drawn, target) = (&next.drawn, next.drawn.target());
        let kind = drawn.kind.code();
        let why = match next.last_at {
            Some(at) => format!("the last {kind} drill was {} ago", duration(now - at)),
            None => format!("no {kind} drill has ever been recorded"),
        };
        Self {
            kind,
            cnpg_namespace: &assessment.archive.namespace,
            cnpg_cluster: &assessment.archive.cluster,
            server_name: &assessment.archive.server_name,
            destination_path: assessment.address.as_ref().map(ArchiveAddress::destination_path),
            backup_id: drawn.restore.backup_id().to_string(),
            target_time: target.time.map(rfc3339),
            target_lsn: target.lsn.map(|lsn| lsn.to_string()),
            target_timeline: target.timeline,
            seed: drawn.seed,
            base_bytes: drawn.restore.base_bytes,
            wal_bytes_max: drawn.restore.wal_bytes_max,
            due_at: rfc3339(next.due_at),
            last_at: next.last_at.map(rfc3339),
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;
    use serde_json::Value;

    use super::*;
    use crate::assessment::Assessment;
    use crate::domain::cluster::DrillKind;
    use crate::publication::samples;
    use crate::publication::snapshot::Snapshot;

    fn fleet(edit: impl Fn(usize, &mut Assessment)) -> Snapshot {
        let mut fleet = samples::fleet(samples::KINDS);
        for (index, watched) in fleet.archives.iter_mut().enumerate() {
            edit(index, Arc::make_mut(&mut watched.assessment));
        }
        fleet
    }

    fn document(fleet: &Snapshot, days: i64) -> Option<Value> {
        let now = fleet.generated_at + TimeDelta::days(days);
        // As if it had just been looked at.
        let mut fleet = fleet.clone();
        for watched in &mut fleet.archives {
            let assessment = Arc::make_mut(&mut watched.assessment);
            if assessment.observed_at == Some(assessment.checked_at) {
                (assessment.checked_at, assessment.observed_at) = (now, Some(now));
            }
        }
        next(&View::new(&fleet, now)).map(|it| serde_json::to_value(it).unwrap())
    }

    #[test]
    fn a_month_after_the_last_drill_of_a_moment_the_next_one_is_due() {
        let healthy = fleet(|index, it| it.promises.drills.are_run = index == 0);
        assert_eq!(document(&healthy, 21), None);
        let due = document(&healthy, 23).unwrap();
        assert_eq!(due["cnpg_cluster"], "postgres-0000");
        assert_eq!(due["kind"], "pitr");
        assert_eq!(due["due_at"], "2026-02-01T10:00:00Z");
        assert_eq!(due["why"], "the last pitr drill was 31 d 2 h ago");
        assert!(due["target_time"].is_string() && due["backup_id"].is_string(), "{due}");
        assert_eq!(due, document(&healthy, 23).unwrap());
        let text = due.to_string();
        assert!(!text.contains("spec") && due["seed"].as_u64().unwrap() < 1 << 53, "{text}");
    }

    /// One may have run an hour ago.
    #[test]
    fn nothing_is_due_where_it_could_not_be_read_which_drills_there_were() {
        let unread = fleet(|_, it| {
            it.promises.drills.are_run = true;
            if let Some(cluster) = &mut it.cluster {
                cluster.drills.clear();
                cluster.drill_reports.clear();
                cluster.are_drills_read = false;
            }
        });
        assert_eq!(document(&unread, 23), None);
    }

    #[test]
    fn what_nobody_has_drilled_comes_first_and_what_can_not_be_restored_not_at_all() {
        let forget = |it: &mut Assessment| {
            it.promises.drills.are_run = true;
            if let Some(cluster) = &mut it.cluster {
                cluster.drills.clear();
                cluster.drill_reports.clear();
            }
        };
        let young = fleet(|index, it| {
            it.promises.drills.are_run = index == 0;
            if index == 1 {
                forget(it);
            }
        });
        let due = document(&young, 23).unwrap();
        assert_eq!(due["cnpg_cluster"], "postgres-0001");
        assert_eq!(
            (&due["last_at"], &due["why"]),
            (&Value::Null, &"no pitr drill has ever been recorded".into())
        );
        // One that is unrecoverable, one that is not read, one that never was, one that is empty.
        let broken =
            fleet(
                |index, it| {
                    if 2 <= index { forget(it) } else { it.promises.drills.are_run = false }
                },
            );
        assert_eq!(document(&broken, 23), None);
    }

    #[test]
    fn a_drill_that_failed_is_tried_again_a_day_later_and_others_come_before_it() {
        let failed = fleet(|index, it| {
            it.promises.drills.are_run = index == 0;
            for drill in it.cluster.iter_mut().flat_map(|it| &mut it.drills) {
                drill.is_success = drill.kind != DrillKind::Pitr;
                drill.at = it.checked_at;
            }
        });
        assert_eq!(document(&failed, 0), None);
        let due = document(&failed, 1).unwrap();
        assert_eq!(
            (&due["kind"], &due["due_at"]),
            (&"pitr".into(), &"2026-01-11T11:59:58Z".into())
        );
    }
}
