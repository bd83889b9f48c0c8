//! What the primary itself says of its archiver.

use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use axum::routing;
use chrono::TimeDelta;
use cnpg_backup_verifier::service::clock;
use serde_json::json;
use tokio::net::TcpListener;

use crate::kubernetes::objects::STORE;
use crate::kubernetes::objects::merge;
use crate::kubernetes::objects::to_store;
use crate::kubernetes::world::ACCOUNT;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::made_archive::MadeArchive;

const MAIN: &str = "main";

/// A primary: its pod, and the metrics that it serves on loopback until the test ends.
pub(super) struct Instance {
    text: Arc<Mutex<String>>,
}

impl Instance {
    pub(super) async fn start(world: &World, cluster: &str) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let served = Arc::clone(&text);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let metrics = routing::get(async move || served.lock().unwrap().clone());
        let router = Router::new().route("/metrics", metrics);
        tokio::spawn(async { axum::serve(listener, router).await });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("{cluster}-1"), "namespace": world.namespace,
                "labels": {
                    "cnpg.io/cluster": cluster, "cnpg.io/instanceName": format!("{cluster}-1"),
                    "cnpg.io/podRole": "instance", "cnpg.io/instanceRole": "primary",
                },
            },
            "spec": {
                "serviceAccountName": ACCOUNT, "automountServiceAccountToken": false,
                "containers": [{
                    "name": "postgres", "image": "ghcr.io/cloudnative-pg/postgresql:17",
                    "ports": [{"name": "metrics", "containerPort": port}],
                }],
            },
        });
        world.server.apply(&pod).await;
        let status = json!({"phase": "Running", "podIP": "127.0.0.1"});
        world.server.set_status(&pod, &status).await;
        Self { text }
    }

    /// How many segments wait, and the last archived one, twenty minutes ago.
    pub(super) fn says(&self, ready: u64, last_archived: u64) {
        let at = (clock::now() - TimeDelta::minutes(20)).timestamp();
        *self.text.lock().unwrap() = format!(
            "# TYPE cnpg_collector_pg_wal_archive_status gauge\n\
             cnpg_collector_pg_wal_archive_status{{value=\"done\"}} 3\n\
             cnpg_collector_pg_wal_archive_status{{value=\"ready\"}} {ready}\n\
             cnpg_pg_stat_archiver_last_archived_wal_start_lsn {last_archived}\n\
             cnpg_pg_stat_archiver_last_archived_time {at}\n\
             cnpg_pg_stat_archiver_last_failed_time -1\n"
        );
    }
}

#[tokio::test]
async fn the_primary_tells_an_idle_database_from_a_stuck_archiver_and_lost_wal() {
    let world = World::with_components(&["instance-metrics"]).await;
    world.install_plugin().await;
    let mut archive = MadeArchive::healthy(8);
    // The last segment came twenty minutes ago.
    for (_, uploaded_at) in archive.objects.values_mut() {
        *uploaded_at -= TimeDelta::minutes(20);
    }
    world.store(&archive, MAIN);
    let mut cluster = world.plugin_cluster(MAIN, to_store());
    // It is as young as this test, which would excuse a backlog for a quarter of an hour.
    let annotation = json!({"backup-verifier.monosense.dev/wal-max-age": "1s"});
    merge(&mut cluster["metadata"], json!({"annotations": annotation}));
    world.apply(&[world.object_store(STORE, "/"), cluster, world.schedule(MAIN)]).await;
    let options = Options { instance_metrics: true, ..Options::default() };
    let daemon = world.daemon(options).await;
    world.findings_become(&daemon, MAIN, &["wal_stale"]).await;

    let primary = Instance::start(&world, MAIN).await;
    primary.says(0, 8);
    let idle = world.findings_become(&daemon, MAIN, &[]).await;
    assert_eq!(idle["kubernetes"]["silence"], "idle");

    primary.says(5, 8);
    let what = "a backlog";
    let is_stuck = |it: &serde_json::Value| it.to_string().contains("archiver_stuck");
    let told = world.cluster_when(&daemon, MAIN, what, is_stuck).await;
    let found = finding(&told, "archiver_stuck");
    assert_eq!(found["evidence"]["ready_segments"], "5");
    assert_eq!(found["evidence"]["pod"], "main-1");
    assert_eq!(found["severity"], "critical");

    primary.says(0, 11);
    let is_lost = |it: &serde_json::Value| it.to_string().contains("wal_not_stored");
    let told = world.cluster_when(&daemon, MAIN, "WAL that is lost", is_lost).await;
    let evidence = &finding(&told, "wal_not_stored")["evidence"];
    assert_eq!(evidence["archived"], "000000000000000B");
    assert!(evidence["stored"].as_str().unwrap().ends_with("0000000000000008"), "{evidence}");

    primary.says(0, 8);
    world.findings_become(&daemon, MAIN, &[]).await;
}

/// Whoever was not told that the primary can be asked gets a warning for every idle database.
#[tokio::test]
async fn a_warning_for_want_of_metrics_advises_them() {
    let world = World::with_components(&["instance-metrics"]).await;
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    let mut cluster = world.plugin_cluster(MAIN, to_store());
    let annotation = json!({"backup-verifier.monosense.dev/wal-max-age": "1s"});
    merge(&mut cluster["metadata"], json!({"annotations": annotation}));
    world.server.apply(&cluster).await;
    let primary = Instance::start(&world, MAIN).await;
    // That it has archived nothing yet is no proof that it is idle.
    primary.says(0, 0);
    let advises = |it: &serde_json::Value| {
        let findings = it["findings"].as_array().unwrap();
        let stale = findings.iter().find(|it| it["code"] == "wal_stale");
        stale.map(|it| it["hint"].as_str().unwrap().contains("kubernetes.instance_metrics"))
    };
    let daemon = world.daemon(Options::default()).await;
    let what = "advice to ask for the metrics";
    world.cluster_when(&daemon, MAIN, what, |it| advises(it) == Some(true)).await;
    drop(daemon);
    let daemon = world.daemon(Options { instance_metrics: true, ..Options::default() }).await;
    let what = "a warning without that advice";
    world.cluster_when(&daemon, MAIN, what, |it| advises(it) == Some(false)).await;
}
