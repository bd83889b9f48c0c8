//! What holds for any archive, however odd.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeDelta;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::assess_and_ask;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use proptest::prelude::*;

use crate::scenarios::file::Scenario;

/// A small archive of three timelines.
#[derive(Clone, Debug)]
struct Drawn {
    /// Timeline and number of each segment.
    segments: BTreeSet<(u32, u64)>,
    /// Timeline, first and last required segment.
    backups: Vec<(u32, u64, u64)>,
    histories: Vec<&'static str>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let segment = (1_u32..=3, 0x10_u64..0x30);
    let backup = (1_u32..=3, 0x10_u64..0x2C, 0_u64..3);
    let history = prop_oneof![
        Just("history 2 1@0/18000100"),
        Just("history 2 malformed"),
        Just("history 2 undecodable"),
        Just("history 3 1@0/18000100 2@0/20000100"),
        Just("history 3 1@0/16000000"),
        Just("history 3 unreadable"),
    ];
    (
        proptest::collection::btree_set(segment, 0..60),
        proptest::collection::vec(backup, 0..4),
        proptest::collection::vec(history, 0..3),
    )
        .prop_map(|(segments, backups, histories)| Drawn {
            segments,
            backups: backups
                .into_iter()
                .map(|(it, first, more)| (it, first, first + more))
                .collect(),
            histories,
        })
}

impl Drawn {
    fn scenario(&self) -> Scenario {
        let mut text = "now 2026-01-10 12:00\n".to_owned();
        for (timeline, number) in &self.segments {
            text += &format!("timeline {timeline} wal {number:X}\n");
        }
        let mut seen = BTreeSet::new();
        for history in &self.histories {
            if seen.insert(&history[..9]) {
                text += &format!("{history}\n");
            }
        }
        for (index, (timeline, first, last)) in self.backups.iter().enumerate() {
            text += &format!(
                "backup 20260110T0{index}0000 wal {first:X}..{last:X} timeline {timeline}\n"
            );
        }
        Scenario::parse(&text, Path::new("drawn"))
    }

    /// Judged without a grace, within which a lost segment hides what comes after it.
    fn assess(&self) -> Assessment {
        let scenario = self.scenario();
        let mut expectations = scenario.expectations.clone();
        expectations.uploading_grace = TimeDelta::zero();
        assess(&scenario.subject, &scenario.observe(), &expectations, scenario.now)
    }

    fn without(&self, segment: (u32, u64)) -> Self {
        let mut less = self.clone();
        less.segments.remove(&segment);
        less
    }

    /// Nothing tells that the newest segments were ever there.
    fn has_later(&self, (timeline, number): (u32, u64)) -> bool {
        self.segments.iter().any(|it| it.0 == timeline && number < it.1)
    }

    /// The first segment of a timeline that lies before its switch point contradicts the history
    /// file; without it they agree.
    fn has_earlier(&self, (timeline, number): (u32, u64)) -> bool {
        self.segments.iter().any(|it| it.0 == timeline && it.1 < number)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_archive_is_judged_and_always_the_same(drawn in drawn()) {
        let assessment = drawn.assess();
        prop_assert_eq!(&assessment, &drawn.assess());
        let scenario = drawn.scenario();
        let seen = scenario.observe();
        let (_, asked) = assess_and_ask(&scenario.subject, &seen, &scenario.expectations, scenario.now);
        // A border for each backup, and the newest of each timeline that may live.
        prop_assert!(asked.segments.len() <= 4 * drawn.backups.len() + 6);
    }

    #[test]
    fn losing_a_segment_never_improves_a_verdict_of_any_archive(drawn in drawn()) {
        let before = drawn.assess().verdict;
        for &segment in &drawn.segments {
            if drawn.has_later(segment) && drawn.has_earlier(segment) {
                let after = drawn.without(segment).assess().verdict;
                prop_assert!(before <= after, "{segment:X?}: {before:?} became {after:?}");
            }
        }
    }

    #[test]
    fn a_recoverable_archive_has_a_window_to_its_newest_segment(drawn in drawn()) {
        let assessment = drawn.assess();
        if assessment.verdict <= Verdict::AtRisk {
            let newest = assessment.newest_segment.unwrap().name;
            prop_assert!(assessment.windows.iter().any(|window| window.last.segment == newest));
        }
    }

    #[test]
    fn a_window_never_passes_a_missing_segment(drawn in drawn()) {
        let assessment = drawn.assess();
        let scenario = drawn.scenario();
        for window in &assessment.windows {
            let last = window.last.segment;
            let number = last.number(scenario.size).unwrap().value();
            prop_assert!(drawn.segments.contains(&(last.timeline.value(), number)));
            let backup = assessment.backups.iter().find(|it| it.id == window.backup_id).unwrap();
            let first = backup.begin_wal.unwrap().number(scenario.size).unwrap().value();
            for number in first..=number {
                let is_there = drawn.segments.iter().any(|it| it.1 == number);
                prop_assert!(is_there, "{last} is said to be reached past {number:X}");
            }
        }
    }
}
