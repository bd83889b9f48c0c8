//! Restore drills of a database that grew.

use std::sync::Arc;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::expectations::DrillExpectation;
use cnpg_backup_verifier::assessment::forecast::Forecast;
use cnpg_backup_verifier::domain::cluster::DrillKind;
use cnpg_backup_verifier::domain::drill::CheckResult;
use cnpg_backup_verifier::domain::drill::DrillClass;
use cnpg_backup_verifier::domain::drill::DrillPhase;
use cnpg_backup_verifier::domain::drill::DrillReport;
use cnpg_backup_verifier::domain::drill::DrillTarget;
use cnpg_backup_verifier::domain::drill::DrillVersions;
use cnpg_backup_verifier::domain::drill::DrillVolume;
use cnpg_backup_verifier::domain::drill::DrillWay;
use cnpg_backup_verifier::domain::drill::PhaseName;
use cnpg_backup_verifier::domain::drill::RecoveryEnd;

use super::at;

pub(crate) fn expectation() -> DrillExpectation {
    DrillExpectation { are_run: true, ..DrillExpectation::default() }
}

pub(crate) fn forecast() -> Forecast {
    Forecast {
        lower: TimeDelta::seconds(212),
        upper: TimeDelta::seconds(655),
        drills: 2,
        base_bytes: 3_650_722_202,
        wal_bytes: 26_513_984,
    }
}

/// Newest first: to the newest state, one that was in nobody's power, to a moment.
pub(crate) fn reports(cluster: &str) -> Vec<Arc<DrillReport>> {
    let full = report(cluster, DrillKind::Full, "2026-01-03T10:05:02.5Z", DrillClass::Succeeded);
    let quota = DrillReport {
        detail: "exceeded quota: drills, requested: requests.storage=20Gi".to_owned(),
        phases: vec![phase(PhaseName::Start, 900.0)],
        volume: DrillVolume::default(),
        reached: None,
        checks: Vec::new(),
        ..report(cluster, DrillKind::Pitr, "2025-12-20T10:15:00Z", DrillClass::Quota)
    };
    let early = report(cluster, DrillKind::Pitr, "2025-12-02T10:04:40Z", DrillClass::Succeeded);
    let target = DrillTarget {
        time: Some(at("2025-11-28T17:03:12.345678Z")),
        lsn: None,
        timeline: None,
        seed: Some(12),
    };
    let backup_id = Some("20251128T000000".to_owned());
    [full, quota, DrillReport { target, backup_id, ..early }].map(Arc::new).into()
}

fn report(cluster: &str, kind: DrillKind, ended_at: &str, class: DrillClass) -> DrillReport {
    let ended_at: DateTime<Utc> = at(ended_at);
    let end = RecoveryEnd {
        system_identifier: Some(7_710_951_340_492_910_721),
        timeline: 1,
        lsn: "0/F9000148".parse().unwrap(),
        last_transaction_at: Some(at("2026-01-03T09:58:41.123456Z")),
    };
    let check = |name: &str| CheckResult {
        name: name.to_owned(),
        is_passed: true,
        detail: "as expected".to_owned(),
    };
    DrillReport {
        form: DrillReport::FORM,
        kind,
        way: DrillWay::Operator,
        namespace: "databases".to_owned(),
        cluster: cluster.to_owned(),
        server_name: cluster.to_owned(),
        began_at: ended_at - TimeDelta::milliseconds(302_500),
        ended_at,
        class,
        detail: String::new(),
        backup_id: Some("20260103T000000".to_owned()),
        target: DrillTarget { seed: Some(7), ..DrillTarget::default() },
        phases: vec![
            phase(PhaseName::Start, 41.0),
            phase(PhaseName::Base, 180.5),
            phase(PhaseName::Replay, 62.0),
            phase(PhaseName::Promote, 14.0),
            phase(PhaseName::Check, 5.0),
        ],
        volume: DrillVolume { base_bytes: 3_601_115_004, wal_bytes: 24_117_248, wal_segments: 6 },
        predicted: Some(end.clone()),
        reached: Some(end),
        checks: vec![check("orders"), check("fresh")],
        versions: DrillVersions {
            verifier: "0.1.0".to_owned(),
            postgres: Some("17.6".to_owned()),
            operator: Some("1.29.2".to_owned()),
        },
    }
}

const fn phase(name: PhaseName, seconds: f64) -> DrillPhase {
    DrillPhase { name, seconds }
}
