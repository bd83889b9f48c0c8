//! What only a server that can be broken on purpose shows: `make test-kube` leaves these out.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::Fault;
use test_servers::kubernetes::Trigger;
use test_servers::kubernetes::WatchBreak;
use test_servers::process::wait_until;

use crate::kubernetes::objects::merge;
use crate::kubernetes::objects::to_store;
use crate::kubernetes::server::Server;
use crate::kubernetes::world::LIMIT;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;

const MAIN: &str = "main";

/// The double with one healthy cluster.
async fn healthy() -> World {
    let server = Server::double().await;
    server.as_double().install_all_crds();
    let world = World::on(server).await;
    world.grant().await;
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    world
}

impl World {
    async fn grant(&self) {
        for object in self.deployed(&[]).await {
            self.server.apply(&object).await;
        }
    }

    /// Gives the cluster an annotation that nobody knows, or takes it away, and waits until the
    /// daemon says so.
    async fn annotation_is_seen(&self, daemon: &Daemon, text: Option<&str>) {
        let mut cluster = self.plugin_cluster(MAIN, to_store());
        if let Some(text) = text {
            let annotation = json!({"backup-verifier.monosense.dev/nonsense": text});
            merge(&mut cluster["metadata"], json!({"annotations": annotation}));
        }
        self.server.apply(&cluster).await;
        let codes: &[&str] = if text.is_some() { &["annotation_invalid"] } else { &[] };
        self.findings_become(daemon, MAIN, codes).await;
    }
}

#[tokio::test]
async fn a_broken_watch_is_taken_up_again_without_a_restart() {
    let world = healthy().await;
    let daemon = world.daemon(Options::default()).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    let double = world.server.as_double();

    double.faults().break_watches(None, WatchBreak::Expired);
    world.annotation_is_seen(&daemon, Some("1")).await;
    double.faults().break_watches(Some("clusters"), WatchBreak::TornInLine);
    world.annotation_is_seen(&daemon, None).await;
    double.restart().await.unwrap();
    world.annotation_is_seen(&daemon, Some("1")).await;
    double.faults().inject(Trigger::next(4), Fault::Unavailable);
    double.faults().break_watches(None, WatchBreak::Torn);
    world.annotation_is_seen(&daemon, None).await;
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
}

#[tokio::test]
async fn what_was_read_last_stays_while_the_server_is_away() {
    let world = healthy().await;
    let daemon = world.daemon(Options::default()).await;
    let before = world.findings_become(&daemon, MAIN, &[]).await;
    world.server.as_double().stop_listening().await;
    // Several cycles later.
    let later = later(&world, &daemon, &before, 4).await;
    for kept in ["verdict", "destination_path", "findings", "kubernetes"] {
        assert_eq!(later[kept], before[kept], "{kept}");
    }
    // The store is read on meanwhile, to the last byte.
    let ends = |archive: &Value| archive["recovery_windows"][0]["last"].clone();
    assert_eq!(ends(&later), ends(&before));
    let away = world.daemon_at_once(Options::default()).await;
    metric_becomes(&away, "backup_verifier_kubernetes_up 0").await;
    assert_eq!(world.archives(&away).await, Vec::<Value>::new());
    world.server.as_double().resume_listening().await.unwrap();
    for daemon in [&daemon, &away] {
        metric_becomes(daemon, "backup_verifier_kubernetes_up 1").await;
        world.findings_become(daemon, MAIN, &[]).await;
    }
    world.annotation_is_seen(&daemon, Some("1")).await;
    for daemon in [&daemon, &away] {
        let log = daemon.log();
        assert!(log.contains("Connection refused") && !log.contains("kube_"), "{log}");
        assert!(log.contains("works again"), "{log}");
    }
    // Whoever reads the server's audit log sees who asks.
    let requests = world.server.as_double().requests_of(&world.user());
    let agent = format!("cnpg-backup-verifier/{}", env!("CARGO_PKG_VERSION"));
    assert!(requests.iter().all(|it| it.user_agent == agent), "{requests:?}");
}

#[tokio::test]
async fn a_token_that_ends_is_replaced_by_the_one_in_its_file() {
    let world = healthy().await;
    let daemon = world.daemon(Options::default()).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    let double = world.server.as_double();
    double.revoke_tokens_of(&world.user());
    world.write_new_token().await;
    // Watches that are open go on; new ones ask with the new token within a minute.
    double.faults().break_watches(None, WatchBreak::Expired);
    let mut cluster = world.plugin_cluster(MAIN, to_store());
    let annotation = json!({"backup-verifier.monosense.dev/nonsense": "1"});
    merge(&mut cluster["metadata"], json!({"annotations": annotation}));
    world.server.apply(&cluster).await;
    wait_until("the new token", Duration::from_secs(100), async || {
        let archives = world.archives(&daemon).await;
        archives[0].to_string().contains("annotation_invalid").then_some(())
    })
    .await;
    let refused = double.requests_of(&world.user());
    assert!(refused.iter().all(|request| request.is_allowed), "{refused:?}");
}

#[tokio::test]
async fn custom_resources_that_come_later_are_found() {
    let world = World::on(Server::double().await).await;
    world.grant().await;
    let daemon = world.daemon(Options::default()).await;
    let double = world.server.as_double();
    double.install_all_crds();
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    // What was read last stays; a kind that is back is read anew.
    double.remove_crd("backups.postgresql.cnpg.io");
    let before = world.findings_become(&daemon, MAIN, &[]).await;
    let after = later(&world, &daemon, &before, 3).await;
    assert_eq!(after["verdict"], before["verdict"]);
    double.install_crd("backups.postgresql.cnpg.io");
    let failed = world.backup("main-1", MAIN);
    world.server.apply(&failed).await;
    world.server.set_status(&failed, &json!({"phase": "failed"})).await;
    world.findings_become(&daemon, MAIN, &["backup_failed"]).await;
}

/// The archive as it is some looks later.
async fn later(world: &World, daemon: &Daemon, before: &Value, looks: u32) -> Value {
    let mut seen = before["observed_at"].clone();
    let mut left = looks;
    world
        .cluster_when(daemon, MAIN, "later looks", |it| {
            if it["observed_at"] != seen {
                seen = it["observed_at"].clone();
                left = left.saturating_sub(1);
            }
            left == 0
        })
        .await
}

async fn metric_becomes(daemon: &Daemon, line: &str) {
    wait_until(line, LIMIT, async || {
        let metrics = daemon.get("/metrics").await.body;
        metrics.lines().any(|it| it == line).then_some(())
    })
    .await;
}
