//! What a restore drill restores was promised, for any archive.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::TimeSource;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::drill::DrawnTarget;
use cnpg_backup_verifier::assessment::drill::WhyNot;
use cnpg_backup_verifier::assessment::drill::draw;
use cnpg_backup_verifier::assessment::plan::RestorePlan;
use cnpg_backup_verifier::assessment::plan::Stop;
use cnpg_backup_verifier::domain::cluster::DrillKind;
use proptest::prelude::*;

use crate::scenarios::file::Scenario;
use crate::scenarios::scenario_files;

fn assessed(text: &str) -> Assessment {
    let scenario = Scenario::parse(text, Path::new("drawn"));
    assess(&scenario.subject, &scenario.observe(), &scenario.expectations, scenario.now)
}

/// What is true of every target that is drawn.
fn check(assessment: &Assessment, drawn: &DrawnTarget) {
    assert!(drawn.question.backup.is_some());
    let again = RestorePlan::new(assessment, drawn.question.clone());
    assert_eq!(again, RestorePlan::Reachable(drawn.restore.clone()));
    let (window, target) = (&drawn.restore.window, drawn.target());
    assert_eq!(window.system, None);
    assert_eq!(target.seed, Some(drawn.seed));
    if drawn.kind == DrillKind::Full {
        assert_eq!(drawn.restore.stop, Stop::Never);
        let newest = assessment.newest_segment.map(|it| it.name);
        assert_eq!(Some(window.last.segment), newest);
        return;
    }
    if let Some(lsn) = target.lsn {
        assert!(window.first.lsn <= lsn && lsn < window.last.lsn, "{lsn}");
        assert!(drawn.seed % 4 == 3 && 1 < window.path.len());
        return;
    }
    // What proves it may be another window that ends later on the same segments.
    let at = target.time.unwrap();
    let proves = assessment
        .windows
        .iter()
        .any(|it| it.last.source == TimeSource::Commit && it.first.at <= at && at < it.last.at);
    assert!(proves && window.first.at <= at, "{at}");
}

/// A hole after which the log goes on, two changes of the timeline, and times of most ends.
fn archives() -> impl Strategy<Value = String> {
    let backups = proptest::collection::vec((0x10_u64..0x50, 1_u64..4), 1..4);
    let holes = proptest::collection::btree_set(0x10_u64..0x50, 0..3);
    let switches = prop_oneof![Just(None), (0x18_u64..0x48).prop_map(Some)];
    (backups, holes, switches, any::<bool>()).prop_map(|(backups, holes, switch, is_timed)| {
        let mut text = "now 2026-01-10 12:00\n".to_owned();
        let switch = switch.unwrap_or(0x60);
        for number in (0x10..0x58).filter(|it| !holes.contains(it)) {
            let timeline = if number < switch { 1 } else { 2 };
            text += &format!("timeline {timeline} wal {number:X}\n");
            if is_timed || number == 0x57 {
                let minute = number - 0x10;
                let at = format!("2026-01-10 {:02}:{:02}", 8 + minute / 30, minute % 30 * 2);
                text += &format!("probe {timeline} {number:X} commit {at}\n");
            }
        }
        if switch < 0x58 {
            text += &format!("history 2 1@0/{switch:X}000100\n");
        }
        for (index, (first, count)) in backups.into_iter().enumerate() {
            let (last, minute) = (first + count, first - 0x10);
            let timeline = if first < switch { 1 } else { 2 };
            text += &format!(
                "backup 20260110T{:02}{:02}{index:02} wal {first:X}..{last:X} timeline {timeline}\n",
                8 + minute / 30,
                minute % 30 * 2,
            );
        }
        text
    })
}

/// An archive of which nothing can be restored has no moments either, for the same reason.
fn is_right(assessment: &Assessment, kind: DrillKind, why: &WhyNot) -> bool {
    let is_same = || draw(assessment, DrillKind::Full, 0).as_ref() == Err(why);
    kind == DrillKind::Full || *why == WhyNot::NoProvenMoment || is_same()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_drawn_can_be_restored(text in archives(), seed in any::<u64>()) {
        let assessment = assessed(&text);
        for kind in DrillKind::ALL {
            for seed in [seed, seed | 3] {
                let drawn = draw(&assessment, kind, seed);
                prop_assert_eq!(&drawn, &draw(&assessment, kind, seed));
                match drawn {
                    Ok(drawn) => check(&assessment, &drawn),
                    Err(why) => prop_assert!(is_right(&assessment, kind, &why), "{why:?}"),
                }
            }
        }
    }
}

#[test]
fn in_every_scenario_a_drill_finds_what_a_restore_finds() {
    let (mut kinds, mut refusals) = (BTreeSet::new(), BTreeSet::new());
    for path in scenario_files() {
        let text = fs::read_to_string(&path).unwrap();
        let assessment = assessed(text.split_once("\n---\n").unwrap().0);
        for (kind, seed) in
            DrillKind::ALL.into_iter().flat_map(|kind| (0..8).map(move |it| (kind, it)))
        {
            match draw(&assessment, kind, seed) {
                Ok(drawn) => {
                    check(&assessment, &drawn);
                    kinds.insert((
                        kind,
                        drawn.target().time.is_some(),
                        drawn.target().lsn.is_some(),
                    ));
                }
                Err(why) => {
                    assert!(is_right(&assessment, kind, &why), "{path:?}: {why:?}");
                    let is_reached = assessment.latest.is_reached() == Some(true);
                    refusals.insert(match why {
                        WhyNot::NotReachable(_) => {
                            assert!(!is_reached, "{path:?}");
                            "not reachable"
                        }
                        WhyNot::Unknown(_) => "unknown",
                        WhyNot::NoProvenMoment => "no proven moment",
                    });
                }
            }
        }
    }
    let (pitr, full) = (DrillKind::Pitr, DrillKind::Full);
    let expected = [(pitr, false, true), (pitr, true, false), (full, false, false)];
    assert_eq!(kinds, BTreeSet::from(expected));
    assert_eq!(refusals, BTreeSet::from(["no proven moment", "not reachable", "unknown"]));
}

#[test]
fn every_fourth_drill_restores_what_came_right_after_the_newest_change_of_the_timeline() {
    let text = "now 2026-01-10 12:00
        timeline 1 wal 10..1F
        timeline 2 wal 20..30
        history 2 1@0/20000100
        backup 20260110T080000 wal 10..11
        probe 2 30 commit 2026-01-10 11:57";
    let assessment = assessed(text);
    for seed in 0..16 {
        let drawn = draw(&assessment, DrillKind::Pitr, seed).unwrap();
        check(&assessment, &drawn);
        let lsn = (seed % 4 == 3).then(|| "0/21000000".parse().unwrap());
        assert_eq!((drawn.target().lsn, drawn.target().time.is_none()), (lsn, seed % 4 == 3));
    }
}
