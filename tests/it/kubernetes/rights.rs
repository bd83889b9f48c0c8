//! The roles of `deploy` are enough, and none of their verbs is too much.

use serde_json::Value;
use serde_json::json;
use test_servers::process::wait_until;

use crate::kubernetes::instance_metrics::Instance;
use crate::kubernetes::world::LIMIT;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;

const MAIN: &str = "main";

#[tokio::test]
async fn the_roles_are_enough_and_none_of_their_verbs_is_unused() {
    let world = World::begin().await;
    let daemon = live(&world, Options { all_namespaces: true, ..Options::default() }).await;
    judge(&world, &daemon);
}

#[tokio::test]
async fn with_both_components_too() {
    let world = World::with_components(&["instance-metrics", "secret-reading"]).await;
    let keys = world.secret(world.s3.access_key(), world.s3.secret_key());
    world.server.apply(&keys).await;
    let instance = Instance::start(&world, MAIN).await;
    instance.says(0, 8);
    let options = Options {
        all_namespaces: true,
        instance_metrics: true,
        secret_reading: true,
        ..Options::default()
    };
    let daemon = live(&world, options).await;
    judge(&world, &daemon);
}

/// Lets the daemon find a cluster, and write an Event on it.
async fn live(world: &World, options: Options) -> Daemon {
    let archive = MadeArchive::healthy(8);
    world.install_cluster(MAIN, &archive).await;
    let daemon = world.daemon(options).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    let key = archive.segment_key(1, 7).replacen(archive.folder().as_str(), "main/", 1);
    world.s3.delete(BUCKET, &key);
    wait_until("an Event", LIMIT, async || {
        let events = world.events().await;
        (events.len() == 2).then_some(())
    })
    .await;
    daemon
}

/// What it asked for is what was granted. Another server than the double has an audit log for that;
/// there it is known that nothing was refused which the daemon would have told.
fn judge(world: &World, daemon: &Daemon) {
    let log = daemon.log();
    assert!(!log.contains("forbidden"), "{log}");
    if world.server.is_double() {
        let compared = world.server.as_double().permission_use(&world.user());
        assert_eq!((compared.refused, compared.unused), (vec![], vec![]));
    }
}

#[tokio::test]
async fn a_kind_that_may_not_be_read_is_told() {
    let world = World::on(crate::kubernetes::server::Server::start().await).await;
    for mut object in world.deployed(&[]).await {
        if object["kind"] == "ClusterRole" {
            let rules = object["rules"].as_array_mut().unwrap();
            for rule in rules {
                let resources = rule["resources"].as_array_mut().unwrap();
                resources.retain(|resource| resource != "backups");
            }
        }
        world.server.apply(&object).await;
    }
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    let daemon = world.daemon(Options::default()).await;
    let told = world.findings_become(&daemon, MAIN, &["kubernetes_unreadable"]).await;
    assert_eq!(told["verdict"], "at_risk");
    let found = finding(&told, "kubernetes_unreadable");
    assert_eq!(found["evidence"]["reason"], "auth");
    let says = found["message"].as_str().unwrap();
    assert!(says.contains("backups") && says.contains("forbidden"), "{says}");
    // The right is given, and the daemon takes it without a restart.
    for object in world.deployed(&[]).await {
        world.server.apply(&object).await;
    }
    world.findings_become(&daemon, MAIN, &[]).await;
}

impl World {
    /// The Events on `Cluster`s of this world.
    pub(super) async fn events(&self) -> Vec<Value> {
        let example = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"namespace": self.namespace},
        });
        let mut events = self.server.list(&example).await;
        events.retain(|event| event["regarding"]["kind"] == "Cluster");
        events
    }
}
