use chrono::DateTime;

use super::*;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::Severity;
use crate::domain::cluster::DrillKind;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillPhase;
use crate::domain::drill::DrillTarget;
use crate::domain::drill::DrillVersions;
use crate::domain::drill::DrillVolume;

const GB: u64 = 1_000_000_000;

/// How a made-up platform restores: a start, two rates, and what the day adds.
fn taken(base_bytes: u64, wal_bytes: u64, day: f64) -> [f64; 4] {
    let (base, wal) = (to_f64(base_bytes) / 80e6, to_f64(wal_bytes) / 25e6);
    [45.0 * day, base * day, wal * day, 15.0 * day]
}

fn drill(base_bytes: u64, wal_bytes: u64, day: f64) -> Arc<DrillReport> {
    let [start, base, replay, promote] = taken(base_bytes, wal_bytes, day);
    let phases = [
        (PhaseName::Start, start),
        (PhaseName::Base, base),
        (PhaseName::Replay, replay),
        (PhaseName::Promote, promote),
    ];
    Arc::new(DrillReport {
        form: DrillReport::FORM,
        kind: DrillKind::Full,
        way: DrillWay::Operator,
        namespace: "databases".to_owned(),
        cluster: "main".to_owned(),
        server_name: "main".to_owned(),
        began_at: DateTime::UNIX_EPOCH,
        ended_at: DateTime::UNIX_EPOCH,
        class: DrillClass::Succeeded,
        detail: String::new(),
        backup_id: None,
        target: DrillTarget::default(),
        phases: phases.map(|(name, seconds)| DrillPhase { name, seconds }).into(),
        volume: DrillVolume { base_bytes, wal_bytes, wal_segments: wal_bytes >> 24 },
        predicted: None,
        reached: None,
        checks: Vec::new(),
        versions: DrillVersions::default(),
    })
}

fn forecast(drills: &[Arc<DrillReport>], base_bytes: u64, wal_bytes: u64) -> (f64, f64) {
    let forecast = Forecast::by(drills, base_bytes, wal_bytes).unwrap();
    (forecast.lower.as_seconds_f64(), forecast.upper.as_seconds_f64())
}

#[test]
fn the_interval_holds_what_a_recovery_of_any_of_three_sizes_takes() {
    let sizes = [(GB, GB / 4), (20 * GB, 3 * GB), (300 * GB, 40 * GB)];
    let days = [0.9, 1.0, 1.2];
    for (base, wal) in sizes {
        // From drills of a twentieth of it less, the same and a tenth more, as a database grows.
        let drills: Vec<Arc<DrillReport>> = days
            .iter()
            .zip([95, 100, 110])
            .map(|(day, percent)| drill(base / 100 * percent, wal / 100 * percent, *day))
            .collect();
        for number in 1..=drills.len() {
            let (lower, upper) = forecast(&drills[..number], base, wal);
            for day in days {
                let truth: f64 = taken(base, wal, day).iter().sum();
                assert!(lower < truth && truth < upper, "{base}: {lower} < {truth} < {upper}");
            }
            // An interval that holds everything says nothing.
            assert!(upper < 5.0 * lower, "{number} drills of {base}: {lower} to {upper}");
        }
    }
    let all: Vec<_> = sizes.iter().map(|(base, wal)| drill(*base, *wal, 1.0)).collect();
    for (base, wal) in [(5 * GB, GB), (100 * GB, 20 * GB)] {
        let truth: f64 = taken(base, wal, 1.0).iter().sum();
        let (lower, upper) = forecast(&all, base, wal);
        assert!(lower < truth && truth < upper, "{base}: {lower} < {truth} < {upper}");
    }
}

#[test]
fn more_drills_that_agree_leave_less_open() {
    let width = |number| {
        let (lower, upper) = forecast(&vec![drill(GB, GB, 1.0); number], GB, GB);
        upper - lower
    };
    assert!(width(2) < width(1) && width(10) < width(2));
}

#[test]
fn without_a_drill_through_the_operator_nothing_is_forecast() {
    let edited = |edit: fn(&mut DrillReport)| {
        let mut report = DrillReport::clone(&drill(GB, GB, 1.0));
        edit(&mut report);
        Forecast::by(&[Arc::new(report)], GB, GB)
    };
    assert!(edited(|_| ()).is_some());
    assert_eq!(Forecast::by(&[], GB, GB), None);
    assert_eq!(edited(|it| it.way = DrillWay::Local), None);
    assert_eq!(edited(|it| it.volume.base_bytes = 0), None);
    // It did not get to its end.
    assert_eq!(edited(|it| it.phases.truncate(3)), None);
    assert_eq!(edited(|it| it.phases.retain(|it| it.name == PhaseName::Promote)), None);
    // Without the log of the sidecar one phase is both.
    let both = edited(|it| it.phases.retain(|it| it.name != PhaseName::Base)).unwrap();
    assert_eq!((both.base_bytes, both.wal_bytes, both.drills), (GB, GB, 1));
}

#[test]
fn an_objective_is_missed_surely_or_perhaps() {
    let (lower, upper) = (TimeDelta::hours(1), TimeDelta::hours(3));
    let forecast = Forecast { lower, upper, drills: 2, base_bytes: 1, wal_bytes: 1 };
    let judged = |hours| forecast.judge(TimeDelta::hours(hours));
    assert_eq!(judged(3), None);
    assert_eq!(judged(2).unwrap().severity(), Severity::Warning);
    let surely = forecast.judge(TimeDelta::minutes(59)).unwrap();
    assert_eq!(
        (surely.code(), surely.severity()),
        (FindingCode::RecoveryTooSlow, Severity::Critical)
    );
    assert_eq!(
        surely.to_string(),
        "judging by past drills, a recovery to now would take 1 h to 3 h; the objective is 59 min"
    );
}
