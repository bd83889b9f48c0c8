use std::sync::Arc;

use chrono::TimeDelta;

use super::*;
use crate::assessment::GapEffect;
use crate::domain::drill::DrillClass;
use crate::publication::samples;

fn healthy() -> Assessment {
    let snapshot = samples::fleet(8);
    let archives = snapshot.archives.iter().map(|archive| &archive.assessment);
    let healthy = archives.max_by_key(|it| (it.findings.is_empty(), it.windows.len()));
    Assessment::clone(healthy.unwrap())
}

fn reasons(before: &Assessment, after: &Assessment) -> Vec<Reason> {
    changes(before, after).iter().map(|event| event.reason).collect()
}

fn broken() -> Assessment {
    let snapshot = samples::fleet(8);
    let mut archives = snapshot.archives.iter().map(|archive| &archive.assessment);
    let is_broken = |it: &&Arc<Assessment>| {
        it.unreadable.is_none() && it.gaps.iter().any(|gap| gap.effect == GapEffect::StopsRecovery)
    };
    Assessment::clone(archives.find(is_broken).unwrap())
}

#[test]
fn the_same_state_sends_nothing() {
    for archive in &samples::fleet(8).archives {
        assert_eq!(changes(&archive.assessment, &archive.assessment), []);
    }
}

#[test]
fn a_gap_is_told_when_it_comes_and_when_it_goes() {
    let (before, after) = (healthy(), broken());
    let there = reasons(&before, &after);
    assert!(there.contains(&Reason::Unrecoverable), "{there:?}");
    assert!(there.contains(&Reason::WalGapDetected), "{there:?}");
    let back = reasons(&after, &before);
    assert!(back.contains(&Reason::Recoverable), "{back:?}");
    assert!(back.contains(&Reason::WalGapCleared), "{back:?}");
}

#[test]
fn an_age_that_grows_is_no_change() {
    let mut before = broken();
    let mut after = before.clone();
    after.checked_at += TimeDelta::hours(1);
    assert_eq!(reasons(&before, &after), []);
    before.findings = Vec::new().into();
    assert!(reasons(&before, &after).iter().all(|reason| reason.is_warning()));
}

#[test]
fn what_was_not_read_did_not_change() {
    let before = healthy();
    let mut after = broken();
    after.unreadable = Some(crate::domain::unreadable::UnreadableReason::Timeout);
    assert_eq!(reasons(&before, &after), [Reason::ArchiveUnreachable]);
    assert_eq!(reasons(&after, &before).first(), Some(&Reason::ArchiveReachable));
}

#[test]
fn a_drill_that_ended_is_told_once_and_an_old_one_that_was_not_seen_is_not() {
    let mut after = healthy();
    let mut before = after.clone();
    let reports =
        |it: &mut Assessment| std::mem::take(&mut it.cluster.as_mut().unwrap().drill_reports);
    reports(&mut before);
    assert_eq!(reasons(&before, &after), []);
    let [full, quota, _] = <[Arc<DrillReport>; 3]>::try_from(reports(&mut after)).unwrap();
    let now = |report: &DrillReport| {
        Arc::new(DrillReport { ended_at: after.checked_at, ..report.clone() })
    };
    let failed = DrillReport { class: DrillClass::WalMissing, ..DrillReport::clone(&full) };
    let seen = vec![now(&failed), now(&full), now(&quota)];
    after.cluster.as_mut().unwrap().drill_reports = seen;
    assert_eq!(
        reasons(&before, &after),
        [Reason::RestoreDrillFailed, Reason::RestoreDrillSucceeded]
    );
    assert_eq!(reasons(&after, &after), []);
}

#[test]
fn a_backup_that_became_usable_is_told_once() {
    let after = healthy();
    let mut before = after.clone();
    before.backups.pop();
    let events = changes(&before, &after);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].reason, Reason::BackupVerified);
    assert!(events[0].note.contains(&events[0].key), "{:?}", events[0]);
}
