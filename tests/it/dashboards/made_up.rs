//! What the story cannot tell by itself, made up: the figures of a process, restore drills, an orphaned
//! archive, and what only Kubernetes knows.

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::service::own_metrics::OwnMetrics;

use crate::dashboards::history::History;
use crate::dashboards::story::Told;
use crate::dashboards::story::at;

const COST: &str = "backup_verifier_object_store_monthly_cost_dollars";

const OF_ARCHIVES: [&str; 10] = [
    "backup_verifier_cluster_created_timestamp_seconds",
    "backup_verifier_last_restore_drill_timestamp_seconds",
    "backup_verifier_recovery_time_estimate_seconds",
    "backup_verifier_recovery_time_objective_seconds",
    "backup_verifier_restore_drill_duration_seconds",
    "backup_verifier_restore_drill_matches_prediction",
    "backup_verifier_restore_drill_max_age_seconds",
    "backup_verifier_restore_drill_phase_seconds",
    "backup_verifier_restore_drill_success",
    "backup_verifier_scheduled_backups",
];

/// Whether a series is made up here, and what a scrape says of it is left out.
pub(crate) fn is_made_up(series: &str) -> bool {
    series.starts_with("process_")
        || series.starts_with(COST)
        || OF_ARCHIVES.iter().any(|metric| series.starts_with(metric))
}

/// The process that plays this is no daemon, so its figures are made up; the cost is counted.
pub(crate) fn add_process(own: &OwnMetrics, hour: i64, history: &mut History) {
    let hours = f64::from(i32::try_from(hour + 1).unwrap());
    history.add(at(hour), COST, own.requests.dollars() * 720.0 / hours);
    history.add(at(hour), "process_cpu_seconds_total", hours * 7.5);
    history.add(at(hour), "process_resident_memory_bytes", 21_000_000 + hour % 24 * 90_000);
}

/// What a cluster left that was deleted before the story begins: nothing in it changes any more.
pub(crate) fn add_orphans(hour: i64, history: &mut History) {
    history.add(at(hour), "backup_verifier_orphans", 1);
    let mut add = |name: &str, labels: &str, value: f64| {
        let series = format!(
            "backup_verifier_orphan_{name}{{cnpg_namespace=\"shop\",cnpg_cluster=\"\",\
             server_name=\"orders-2025\"{labels}}}"
        );
        history.add(at(hour), &series, value);
    };
    for (verdict, value) in
        [("recoverable", 1.0), ("at_risk", 0.0), ("unknown", 0.0), ("unrecoverable", 0.0)]
    {
        add("verdict", &format!(",verdict=\"{verdict}\""), value);
    }
    add("recovery_window_end_timestamp_seconds", "", seconds(at(-61 * 24)));
    add("bytes", ",kind=\"base\"", 84e9);
    add("bytes", ",kind=\"wal\"", 12e9);
}

pub(crate) fn add_of_archive(told: &Told, hour: i64, history: &mut History) {
    let backups = told.backups(hour);
    let due = backups.len();
    let failed = backups.iter().filter(|it| told.has_failed(**it)).count();
    let scheduled =
        [("expected", due), ("completed", due - failed), ("failed", failed), ("missed", 0)];
    for metric in OF_ARCHIVES {
        let name = metric.strip_prefix("backup_verifier_").unwrap();
        let mut add = |labels: &str, value: f64| {
            let Told { namespace, cluster, .. } = told;
            let series = format!(
                "{metric}{{cnpg_namespace=\"{namespace}\",cnpg_cluster=\"{cluster}\",\
                 server_name=\"{cluster}\"{labels}}}"
            );
            history.add(at(hour), &series, value);
        };
        if name == "cluster_created_timestamp_seconds" {
            add("", seconds(at(-140 * 24)));
        }
        if name == "scheduled_backups" {
            for (outcome, count) in scheduled {
                add(&format!(",outcome=\"{outcome}\""), f64::from(u32::try_from(count).unwrap()));
            }
        }
        let minutes = f64::from(u32::try_from(told.bytes / 3_500_000_000).unwrap()) + 2.0;
        match name {
            "recovery_time_objective_seconds" => add("", 7200.0),
            "recovery_time_estimate_seconds" => {
                // A day of WAL is replayed at the end of a day, and none after its backup.
                let replay = f64::from(i32::try_from((hour + 10) % 24).unwrap()) * 20.0;
                add(",bound=\"lower\"", minutes * 48.0 + replay);
                add(",bound=\"upper\"", minutes * 75.0 + 2.0 * replay);
            }
            _ => {}
        }
        for (kind, every_days, max_days, bytes_a_minute) in
            [("pitr", 7, 45.0, 4_000_000_000), ("full", 90, 120.0, 3_000_000_000)]
        {
            let last = (hour + 20 * 24).div_euclid(every_days * 24) * every_days * 24 - 20 * 24 + 4;
            let passed = !(told.cluster == "photos" && kind == "full");
            let took = 45 + told.bytes * 60 / bytes_a_minute + (last + 999).unsigned_abs() % 37;
            if name == "restore_drill_phase_seconds" {
                let base = f64::from(u32::try_from(told.bytes * 60 / bytes_a_minute).unwrap());
                let rest = f64::from(u32::try_from(took).unwrap()) - base;
                let parts = [("start", 0.3), ("replay", 0.4), ("promote", 0.2), ("check", 0.1)];
                let parts = parts.map(|(phase, part)| (phase, part * rest));
                for (phase, seconds) in parts.into_iter().chain([("base", base)]) {
                    add(&format!(",kind=\"{kind}\",phase=\"{phase}\""), seconds);
                }
            }
            let value = match name {
                "last_restore_drill_timestamp_seconds" => seconds(at(last)),
                "restore_drill_success" | "restore_drill_matches_prediction" => {
                    f64::from(u8::from(passed))
                }
                "restore_drill_duration_seconds" => f64::from(u32::try_from(took).unwrap()),
                "restore_drill_max_age_seconds" => max_days * 86_400.0,
                _ => continue,
            };
            add(&format!(",kind=\"{kind}\""), value);
        }
    }
}

fn seconds(at: DateTime<Utc>) -> f64 {
    f64::from(u32::try_from(at.timestamp()).unwrap())
}
