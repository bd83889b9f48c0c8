use super::*;
use crate::assessment::expectations::DrillExpectation;
use crate::domain::cluster::RestoreDrill;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillReport;
use crate::domain::drill::DrillTarget;
use crate::domain::drill::DrillVersions;
use crate::domain::drill::DrillVolume;
use crate::domain::drill::DrillWay;
use crate::domain::drill::RecoveryEnd;

fn by_hand(kind: DrillKind, days: i64) -> RestoreDrill {
    RestoreDrill { kind, at: now() - TimeDelta::days(days), is_success: true, duration: None }
}

fn failed_by_hand(kind: DrillKind, days: i64) -> RestoreDrill {
    RestoreDrill { is_success: false, ..by_hand(kind, days) }
}

fn report(kind: DrillKind, days: i64, class: DrillClass) -> DrillReport {
    let ended_at = now() - TimeDelta::days(days);
    DrillReport {
        form: DrillReport::FORM,
        kind,
        way: DrillWay::Operator,
        namespace: "databases".to_owned(),
        cluster: "postgres".to_owned(),
        server_name: "postgres".to_owned(),
        began_at: ended_at - TimeDelta::minutes(10),
        ended_at,
        class,
        detail: "segment 7 is missing".to_owned(),
        backup_id: Some("20260101T000003".to_owned()),
        target: DrillTarget::default(),
        phases: Vec::new(),
        volume: DrillVolume::default(),
        predicted: None,
        reached: None,
        checks: Vec::new(),
        versions: DrillVersions::default(),
    }
}

/// Newest first, as they are observed.
fn with(reports: Vec<DrillReport>) -> Example {
    let mut example = Example::healthy();
    example.cluster.drill_reports = Ok(reports.into_iter().map(Arc::new).collect());
    example
}

fn found(example: &Example) -> Vec<(FindingCode, Severity)> {
    example.judge().1.iter().map(|it| (it.code(), it.severity())).collect()
}

const PITR: DrillKind = DrillKind::Pitr;
const FAILED: FindingCode = FindingCode::RestoreDrillFailed;
const INCONCLUSIVE: FindingCode = FindingCode::RestoreDrillInconclusive;
const OVERDUE: FindingCode = FindingCode::RestoreDrillOverdue;

#[test]
fn the_last_drill_of_each_kind_counts() {
    let mut example = Example::healthy();
    example.cluster.drills = vec![failed_by_hand(PITR, 60), by_hand(PITR, 30)];
    assert_eq!(example.codes(), []);
    example.cluster.drills = vec![by_hand(PITR, 46), failed_by_hand(DrillKind::Full, 2)];
    assert_eq!(example.codes(), [OVERDUE, FAILED]);
}

#[test]
fn drills_by_hand_and_by_themselves_are_one_list() {
    let mut example = with(vec![report(PITR, 3, DrillClass::Succeeded)]);
    example.cluster.drills = vec![failed_by_hand(PITR, 5)];
    assert_eq!(found(&example), []);
    let state = example.judge().0;
    assert_eq!((state.drills.len(), state.drill_reports.len()), (1, 1));
    assert_eq!(state.drills[0].duration, Some(TimeDelta::minutes(10)));
    example.cluster.drills = vec![failed_by_hand(PITR, 2)];
    assert_eq!(found(&example), [(FAILED, Severity::Warning)]);
}

#[test]
fn each_class_of_failure_is_told_as_what_it_is() {
    for class in DrillClass::ALL {
        let expected = match class.code() {
            "succeeded" => None,
            "parameters_insufficient" | "tablespace_missing" | "operator_drops_timelines" => {
                Some((FAILED, Severity::Warning))
            }
            "denied" | "backup_not_found" | "base_unreadable" | "wal_missing"
            | "target_not_reached" | "stopped_early" | "wrong_timeline" | "check_failed" => {
                Some((FAILED, Severity::Critical))
            }
            _ => Some((INCONCLUSIVE, Severity::Warning)),
        };
        let example = with(vec![report(PITR, 3, *class)]);
        assert_eq!(found(&example), Vec::from_iter(expected), "{class}");
        let sentence = example.sentence();
        assert!(expected.is_none() || sentence.contains(class.code()), "{sentence}");
    }
    let missing = with(vec![report(PITR, 3, DrillClass::WalMissing)]).sentence();
    assert_eq!(
        missing,
        "the pitr restore drill at 2026-01-07T12:00:00Z failed: wal_missing, segment 7 is missing \
         (to the newest state, from backup 20260101T000003)"
    );
}

#[test]
fn what_got_in_the_way_neither_clears_a_failure_nor_counts_as_a_drill() {
    let inconclusive = || report(PITR, 1, DrillClass::Quota);
    let after = |days, class| found(&with(vec![inconclusive(), report(PITR, days, class)]));
    let open = (INCONCLUSIVE, Severity::Warning);
    assert_eq!(after(2, DrillClass::Succeeded), [open]);
    assert_eq!(after(2, DrillClass::WalMissing), [(FAILED, Severity::Critical), open]);
    assert_eq!(after(50, DrillClass::Succeeded), [(OVERDUE, Severity::Warning), open]);
    // A later one that got through has answered it.
    let through = vec![report(PITR, 1, DrillClass::Succeeded), report(PITR, 2, DrillClass::Quota)];
    assert_eq!(found(&with(through)), []);
}

#[test]
fn a_recovery_that_ended_elsewhere_than_predicted_failed_whatever_it_says() {
    let end = |lsn: &str| {
        let lsn = lsn.parse().unwrap();
        Some(RecoveryEnd { system_identifier: None, timeline: 1, lsn, last_transaction_at: None })
    };
    let (predicted, reached) = (end("0/7000000"), end("0/6000028"));
    let detail = String::new();
    let elsewhere =
        DrillReport { predicted, reached, detail, ..report(PITR, 3, DrillClass::Succeeded) };
    let example = with(vec![elsewhere]);
    assert_eq!(found(&example), [(FAILED, Severity::Critical)]);
    let sentence = example.sentence();
    let expected = "recovery ended at 0/6000028 on timeline 1, but should have ended at 0/7000000 on timeline 1";
    assert!(sentence.contains(expected), "{sentence}");
}

#[test]
fn where_drills_run_a_cluster_without_any_has_missed_them() {
    let judged = |expected: DrillExpectation, example: &Example| -> Vec<FindingCode> {
        let expected = Expectations { drills: expected, ..Example::expected() };
        example.judge_by(&expected).1.iter().map(Finding::code).collect()
    };
    let run = DrillExpectation { are_run: true, ..DrillExpectation::default() };
    let mut example = Example::healthy();
    assert_eq!(judged(run, &example), [OVERDUE, OVERDUE]);
    assert_eq!(judged(DrillExpectation::default(), &example), []);
    assert_eq!(judged(DrillExpectation { pitr_every: None, ..run }, &example), [OVERDUE]);
    // Since 45 days a monthly one is late, since 120 one each quarter.
    let since = |days| Some(now() - TimeDelta::days(days));
    for (days, expected) in [(45, &[][..]), (46, &[OVERDUE]), (121, &[OVERDUE, OVERDUE])] {
        example.cluster.created_at = since(days);
        assert_eq!(judged(run, &example), expected, "{days}");
    }
    // Where Kubernetes does not tell how old it is, the oldest backup does, of nine days ago.
    example.cluster.created_at = None;
    assert_eq!(judged(run, &example), []);
    let weekly = DrillExpectation { pitr_every: Some(TimeDelta::days(3)), ..run };
    assert_eq!(judged(weekly, &example), [OVERDUE]);
    // Drills that cannot be read may have been run.
    example.cluster.created_at = since(500);
    example.cluster.drill_reports = Err(Unreadable {
        what: "list configmaps".to_owned(),
        why: "forbidden".to_owned(),
        reason: UnreadableReason::Auth,
    });
    assert_eq!(judged(run, &example), [FindingCode::KubernetesUnreadable]);
    // One by hand, long ago, does not make them late either.
    example.cluster.drills = vec![RestoreDrill {
        kind: DrillKind::Full,
        at: now() - TimeDelta::days(400),
        is_success: true,
        duration: None,
    }];
    assert_eq!(judged(run, &example), [FindingCode::KubernetesUnreadable]);
    example.cluster.drill_reports = Ok(Vec::new());
    assert_eq!(judged(run, &example), [OVERDUE, OVERDUE]);
    // A cluster without an archive has another problem.
    example = Example::healthy();
    example.address = None;
    assert_eq!(judged(run, &example), []);
}

/// Nothing gets better by not seeing it.
#[test]
fn a_known_failure_stays_told_while_drills_cannot_be_read() {
    let mut example = with(vec![report(PITR, 3, DrillClass::WalMissing)]);
    example.cluster.known_drill_reports = example.cluster.drill_reports.unwrap();
    example.cluster.drill_reports = Err(Unreadable {
        what: "list configmaps".to_owned(),
        why: "forbidden".to_owned(),
        reason: UnreadableReason::Auth,
    });
    let told = found(&example);
    assert!(told.contains(&(FAILED, Severity::Critical)), "{told:?}");
    assert!(told.contains(&(FindingCode::KubernetesUnreadable, Severity::Warning)), "{told:?}");
    let state = example.judge().0;
    assert_eq!((state.drill_reports.len(), state.are_drills_read), (1, false));
}

#[test]
fn every_remedy_ends_in_its_command() {
    let archive = crate::domain::archive_id::ArchiveId {
        namespace: "databases".to_owned(),
        cluster: "postgres".to_owned(),
        server_name: "postgres".to_owned(),
    };
    for class in DrillClass::ALL {
        for finding in with(vec![report(PITR, 3, *class)]).judge().1 {
            let hint = finding.problem.hint(&archive);
            let Some((_, command)) = hint.split_once(": kubectl ") else { continue };
            assert!(!command.contains(", ") && !command.contains("; "), "{hint}");
        }
    }
}
