//! Every query of the dashboards, on a real Prometheus that scrapes the real daemon.

use std::time::Duration;

use chrono::TimeDelta;
use cnpg_backup_verifier::config::ArchiveConfig;
use cnpg_backup_verifier::config::Config;
use cnpg_backup_verifier::config::ContentConfig;
use cnpg_backup_verifier::config::DrillsConfig;
use cnpg_backup_verifier::config::ExpectationConfig;
use cnpg_backup_verifier::config::KubernetesConfig;
use cnpg_backup_verifier::config::KubernetesEnabled;
use cnpg_backup_verifier::config::ObjectStoresConfig;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::domain::format::BaseBackupAgeMax;
use cnpg_backup_verifier::domain::retention_policy::RetentionPolicy;
use cnpg_backup_verifier::domain::schedule::Schedule;
use cnpg_backup_verifier::service::run::run_until;
use cnpg_backup_verifier::service::shutdown::Shutdown;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde_json::json;
use test_servers::prometheus::Prometheus;
use test_servers::s3::S3Server;
use tokio::net::TcpListener;

use crate::dashboards::expression;
use crate::dashboards::model::ALL;
use crate::dashboards::model::Choice;
use crate::dashboards::model::Dashboard;
use crate::dashboards::model::Target;
use crate::made_archive::MadeArchive;
use crate::made_archive::SERVER_NAME;
use crate::scene::KeyFiles;

/// Queries that rightly answer nothing here: a metric that they read, and why it has no sample.
const EMPTY: &[(&str, &str)] = &[
    ("backup_verifier_kubernetes_up", NO_KUBERNETES),
    ("backup_verifier_cluster_created_timestamp_seconds", NO_KUBERNETES),
    ("backup_verifier_last_restore_drill_timestamp_seconds", NO_KUBERNETES),
    ("backup_verifier_recovery_time_estimate_seconds", NO_KUBERNETES),
    ("backup_verifier_recovery_time_objective_seconds", NO_KUBERNETES),
    ("backup_verifier_restore_drill_duration_seconds", NO_KUBERNETES),
    ("backup_verifier_restore_drill_matches_prediction", NO_KUBERNETES),
    ("backup_verifier_restore_drill_max_age_seconds", NO_KUBERNETES),
    ("backup_verifier_restore_drill_phase_seconds", NO_KUBERNETES),
    ("backup_verifier_restore_drill_success", NO_KUBERNETES),
    ("backup_verifier_scheduled_backups", NO_KUBERNETES),
    ("backup_verifier_orphans", NO_KUBERNETES),
    ("backup_verifier_orphan_verdict", NO_KUBERNETES),
    ("backup_verifier_orphan_recovery_window_end_timestamp_seconds", NO_KUBERNETES),
    ("backup_verifier_orphan_bytes", NO_KUBERNETES),
    ("backup_verifier_content_unread_timestamp_seconds", "all was read"),
];

const NO_KUBERNETES: &str = "only Kubernetes tells it, and here an archive is named by hand";

/// One of each label, as on the dashboard of one cluster.
const ONE: Choice<'_> = Choice {
    kubernetes: "",
    namespace: "databases",
    cluster: SERVER_NAME,
    server: ".*",
    rate_interval: "1m",
};

/// What Prometheus puts on a target; a pod that restarts must not look like another archive.
const OF_TARGETS: [&str; 5] = ["job", "instance", "pod", "namespace", "cluster"];

#[tokio::test]
async fn every_panel_shows_something_of_a_damaged_archive() {
    let server = S3Server::start().await.unwrap();
    let archive = damaged();
    archive.put_into(&server);
    let keys = KeyFiles::of(&server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, shutdown) = Shutdown::channel();
    let config = watching(promising(archive.config(Some(server.endpoint_url()))), &keys);
    let running = tokio::spawn(run_until(config, listener, shutdown));
    let prometheus = Prometheus::start(&[&address], &[]).await;
    // A rate needs two scrapes, and both after the first check.
    let rated = "rate(backup_verifier_checks_total[1m]) > 0";
    prometheus.query_until(rated, LIMIT, |found| !found.is_empty()).await;

    for (dashboard, choice) in Dashboard::all().iter().zip([ALL, ONE]) {
        for target in dashboard.targets() {
            let query = target.expanded(&choice);
            if is_excused(target) {
                assert!(prometheus.query(&query).await.is_empty(), "{}", target.place());
                continue;
            }
            let place = format!("{}: {query}", target.place());
            let found = prometheus.query_until(&query, LIMIT, |found| !found.is_empty()).await;
            let labels = found.iter().flat_map(|sample| sample.labels.keys());
            let of_target = labels.filter(|label| OF_TARGETS.contains(&label.as_str()));
            assert_eq!(of_target.count(), 0, "{place}: {found:?}");
        }
        // Nobody says here which Kubernetes cluster it is.
        for (variable, count) in dashboard.variables()[1..5].iter().zip([0, 1, 1, 1]) {
            let query = variable["query"]["query"].as_str().unwrap();
            assert_eq!(values(&prometheus, query).await.len(), count, "{query}");
        }
    }
    stop.send_replace(true);
    running.await.unwrap().unwrap();
}

/// Asks what Grafana asks for a variable.
async fn values(prometheus: &Prometheus, definition: &str) -> Vec<serde_json::Value> {
    let inner = definition.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
    let (selector, label) = inner.rsplit_once(", ").unwrap();
    let mut selector = selector.to_owned();
    for variable in ["$kubernetes", "$namespace", "$cluster"] {
        selector = selector.replace(variable, ".*");
    }
    let selector = utf8_percent_encode(&selector, NON_ALPHANUMERIC);
    let answer = prometheus.api(&format!("label/{label}/values?match%5B%5D={selector}")).await;
    let expected = match label {
        "cluster" => json!([]),
        "cnpg_namespace" => json!(["databases"]),
        _ => json!([SERVER_NAME]),
    };
    assert_eq!(answer["data"], expected, "{definition}");
    answer["data"].as_array().unwrap().clone()
}

fn is_excused(target: Target<'_>) -> bool {
    let asked = expression::read(&target.expanded(&ALL)).unwrap();
    let excused = EMPTY.iter().map(|(metric, _)| metric);
    excused.into_iter().any(|metric| asked.metrics.contains(*metric))
}

/// A hole in the past, and a backup that failed after the good ones.
fn damaged() -> MadeArchive {
    let mut archive = MadeArchive::healthy(40).without_segment(12);
    let began_at = archive.minutes_ago(5).format("%Y-%m-%d %H:%M:%S%:z").to_string();
    let id = archive.minutes_ago(5).format("%Y%m%dT%H%M%S").to_string();
    let info =
        format!("begin_time={began_at}\nend_time=None\nerror=no space left\nstatus=FAILED\n");
    archive.add(&format!("base/{id}/backup.info"), info, archive.minutes_ago(4));
    archive
}

fn promising(archive: ArchiveConfig) -> ArchiveConfig {
    ArchiveConfig {
        retention_policy: RetentionPolicy::parse("30d"),
        schedule: Some(Schedule::parse("0 0 0 * * *").unwrap()),
        expectations: ExpectationConfig {
            base_backup_age_max: Some(BaseBackupAgeMax::FromSchedule),
            ..archive.expectations
        },
        ..archive
    }
}

fn watching(archive: ArchiveConfig, keys: &KeyFiles) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        poll_interval: Duration::from_millis(500),
        polling: Polling::List,
        full_listing_interval: Duration::from_secs(3600),
        kubernetes: KubernetesConfig { enabled: KubernetesEnabled::Never, ..Default::default() },
        credentials: keys.config(),
        object_stores: ObjectStoresConfig::default(),
        drills: DrillsConfig::default(),
        content: ContentConfig {
            ledger: Some(keys.folder.path().join("ledger")),
            ..ContentConfig::default()
        },
        bzip2_decoder: Bzip2::Fast,
        segments_per_look: None,
        archives: vec![archive],
        expectations: ExpectationConfig {
            uploading_grace: Some(TimeDelta::minutes(10)),
            ..ExpectationConfig::default()
        },
    }
}

/// It takes a few seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
