//! Base backups that are read by Jobs, from what the daemon creates to what it says of them.

use chrono::SecondsFormat;
use chrono::TimeDelta;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::Fault;
use test_servers::kubernetes::Trigger;
use test_servers::s3;

use crate::deploy::manifests::Object;
use crate::deploy::schemas;
use crate::kubernetes::kubelet::Fate;
use crate::kubernetes::objects::STORE;
use crate::kubernetes::objects::to_store;
use crate::kubernetes::server::Server;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::kubernetes::world::sorted_codes;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;

const MAIN: &str = "main";
const STUCK: &str = "content_verification_stuck";
const JOBS: Options = Options {
    instance_metrics: false,
    secret_reading: false,
    all_namespaces: false,
    configures: None,
    jobs: true,
    drills: false,
};

/// With clusters that have one base backup each.
async fn world(clusters: &[&str]) -> World {
    let world = World::with_components(&["content-jobs"]).await;
    install(&world, clusters).await;
    world
}

async fn install(world: &World, clusters: &[&str]) {
    world.install_pod().await;
    world.install_plugin().await;
    world.apply(&[world.object_store(STORE, "/")]).await;
    for cluster in clusters {
        world.store(&one_backup(), cluster);
        world.apply(&[world.plugin_cluster(cluster, to_store()), world.schedule(cluster)]).await;
    }
}

fn one_backup() -> MadeArchive {
    let mut archive = MadeArchive::empty();
    for number in 1..=8 {
        archive.add_segment(number, archive.minutes_ago(8 - number));
    }
    archive.add_backup(archive.minutes_ago(5), 2, 3);
    archive
}

/// The double with the rights of the component.
async fn on_double(clusters: &[&str]) -> World {
    let server = Server::double().await;
    server.as_double().install_all_crds();
    let world = World::on(server).await;
    for object in world.deployed(&["content-jobs"]).await {
        world.server.apply(&object).await;
    }
    install(&world, clusters).await;
    world
}

fn is_read(archive: &Value) -> bool {
    archive["proof"]["backups"] == archive["proof"]["backups_read"]
}

/// Some looks later.
async fn later(world: &World, daemon: &Daemon, cluster: &str) -> Value {
    let (mut seen, mut looks) = (Value::Null, 0);
    world
        .cluster_when(daemon, cluster, "later looks", |it| {
            if it["observed_at"] != seen {
                seen = it["observed_at"].clone();
                looks += 1;
            }
            looks == 4
        })
        .await
}

#[tokio::test]
async fn a_base_backup_is_read_by_a_job_once_and_the_job_is_deleted() {
    let world = World::with_components(&["content-jobs"]).await;
    world.install_pod().await;
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    let daemon = world.daemon(JOBS).await;
    let job = world.job_of(MAIN).await;
    let object = Object { origin: "the daemon".to_owned(), value: job.clone() };
    assert_eq!(schemas::problems(&[object]).await, [Vec::<String>::new()]);
    let spec = &job["spec"]["template"]["spec"];
    assert_eq!(spec["containers"][0]["image"], "registry.example/verifier:1");
    assert_eq!(spec["automountServiceAccountToken"], false);
    world.run(&job, Fate::Ends).await;
    // One at a time: the older one comes next.
    let one = |it: &Value| it["proof"]["backups_read"] == 1;
    world.cluster_when(&daemon, MAIN, "one is read", one).await;
    let older = world.job_of(MAIN).await;
    assert_ne!(older["metadata"]["name"], job["metadata"]["name"]);
    assert_eq!(world.jobs_of(&[MAIN]).await.len(), 1);
    world.run(&older, Fate::Ends).await;
    let read = world.cluster_when(&daemon, MAIN, "both are read", is_read).await;
    assert_eq!((&read["verdict"], sorted_codes(&read)), (&json!("recoverable"), vec![]));
    world.no_job_is_left().await;
    later(&world, &daemon, MAIN).await;
    assert_eq!(world.jobs().await, Vec::<Value>::new());
    assert_eq!(daemon.log().matches("a Job reads a base backup").count(), 2, "{}", daemon.log());
    let log = daemon.log();
    assert!(!log.contains("forbidden"), "{log}");
    if world.server.is_double() {
        let compared = world.server.as_double().permission_use(&world.user());
        let unused: Vec<String> = compared.unused.iter().map(ToString::to_string).collect();
        assert_eq!(
            (compared.refused, unused),
            (vec![], vec!["create events.events.k8s.io".to_owned()])
        );
    }
}

#[tokio::test]
async fn what_is_damaged_is_told_by_its_job() {
    let world = world(&[MAIN]).await;
    let key = world.s3.keys(BUCKET, "main/base/").into_iter().find(|it| it.ends_with(".bz2"));
    let key = key.unwrap();
    let mut damaged = world.s3.get(BUCKET, &key).unwrap().to_vec();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 16].iter_mut().for_each(|byte| *byte ^= 0xFF);
    world.s3.put(BUCKET, key, damaged);
    let daemon = world.daemon(JOBS).await;
    world.run(&world.job_of(MAIN).await, Fate::Ends).await;
    let told = |it: &Value| sorted_codes(it).contains(&"backup_damaged");
    let archive = world.cluster_when(&daemon, MAIN, "it is damaged", told).await;
    let evidence = &finding(&archive, "backup_damaged")["evidence"];
    assert_eq!(
        (&evidence["kind"], &evidence["places"]),
        (&json!("undecodable"), &json!("data.tar.bz2"))
    );
    assert_eq!(archive["proof"]["backups_read"], 1);
    world.no_job_is_left().await;
}

/// None of these may pass for a backup that is whole.
#[tokio::test]
async fn a_job_that_says_nothing_of_use_verifies_nothing_and_is_not_repeated_at_once() {
    let fates = [
        ("killed", Fate::IsKilled, "it left no result: exit code 137 Error"),
        ("cut", Fate::IsCut, "its message is not a result"),
        ("other", Fate::SpeaksOfAnother, "its result is of another backup"),
        ("replaced", Fate::ReadsOthers, "its result is of other objects than are stored now"),
    ];
    let clusters = fates.map(|(cluster, _, _)| cluster);
    let world = world(&clusters).await;
    let daemon = world.daemon(JOBS).await;
    let jobs = world.jobs_of(&clusters).await;
    for (cluster, fate, _) in fates {
        world.run(&jobs[cluster], fate).await;
    }
    world.no_job_is_left().await;
    for (cluster, _, why) in fates {
        let archive = later(&world, &daemon, cluster).await;
        assert_eq!(archive["proof"]["backups_read"], 0, "{archive:#}");
        assert_eq!(sorted_codes(&archive), Vec::<&str>::new());
        let log = daemon.log();
        assert!(log.contains(why), "{why}: {log}");
    }
    assert_eq!(world.jobs().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_job_that_runs_out_of_memory_is_told() {
    let world = world(&[MAIN]).await;
    let daemon = world.daemon(JOBS).await;
    world.run(&world.job_of(MAIN).await, Fate::RunsOutOfMemory).await;
    let archive = world.findings_become(&daemon, MAIN, &[STUCK]).await;
    let found = finding(&archive, STUCK);
    assert_eq!(
        (&found["severity"], &found["evidence"]["cause"]),
        (&json!("warning"), &json!("out_of_memory"))
    );
    assert_eq!(archive["proof"]["backups_read"], 0);
}

#[tokio::test]
async fn a_job_that_waits_for_long_is_told_and_stays_the_only_one() {
    let world = on_double(&[MAIN]).await;
    let daemon = world.daemon(JOBS).await;
    let job = world.job_of(MAIN).await;
    let name = job["metadata"]["name"].as_str().unwrap();
    later(&world, &daemon, MAIN).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    let long_ago = clock::now() - TimeDelta::minutes(31);
    let long_ago = long_ago.to_rfc3339_opts(SecondsFormat::Secs, true);
    let admin = world.server.as_double().admin();
    admin.predate("jobs", &world.namespace, name, &long_ago);
    let archive = world.findings_become(&daemon, MAIN, &[STUCK]).await;
    let found = finding(&archive, STUCK);
    assert_eq!(
        (&found["severity"], &found["evidence"]["cause"]),
        (&json!("info"), &json!("pending"))
    );
    assert_eq!(found["evidence"]["since"], json!(long_ago));
    assert_eq!(world.jobs().await.len(), 1);
    world.run(&job, Fate::Ends).await;
    world.cluster_when(&daemon, MAIN, "it is read", is_read).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    world.no_job_is_left().await;
}

#[tokio::test]
async fn where_kubernetes_takes_no_job_the_process_reads_and_says_so_once() {
    let world = on_double(&[MAIN, "second"]).await;
    let faults = world.server.as_double().faults();
    faults.inject(Trigger::always().verb("create").resource("jobs"), Fault::OverQuota);
    // Until then nothing can be read, and the finding stays to be seen.
    let of_tars = s3::Trigger::always(s3::Operation::Get).on_key("data.tar");
    world.s3.inject(of_tars, s3::Fault::AccessDenied);
    let daemon = world.daemon(JOBS).await;
    for cluster in [MAIN, "second"] {
        let told = |it: &Value| sorted_codes(it).contains(&STUCK);
        let archive = world.cluster_when(&daemon, cluster, "it is refused", told).await;
        let found = finding(&archive, STUCK);
        assert_eq!(
            (&found["severity"], &found["evidence"]["cause"]),
            (&json!("info"), &json!("refused"))
        );
        assert!(found["evidence"]["why"].as_str().unwrap().contains("exceeded quota"), "{found}");
    }
    world.s3.clear_faults();
    for cluster in [MAIN, "second"] {
        world.cluster_when(&daemon, cluster, "the process reads", is_read).await;
        world.findings_become(&daemon, cluster, &[]).await;
    }
    let log = daemon.log();
    assert_eq!(log.matches("Kubernetes refuses Jobs").count(), 1, "{log}");
    assert_eq!(world.jobs().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_job_is_found_again_after_the_daemon_was_killed() {
    let world = world(&[MAIN]).await;
    let mut daemon = world.daemon(JOBS).await;
    let job = world.job_of(MAIN).await;
    daemon.kill().await;
    world.run(&job, Fate::Ends).await;
    let daemon = world.daemon(JOBS).await;
    world.cluster_when(&daemon, MAIN, "it is read", is_read).await;
    world.no_job_is_left().await;
    let log = daemon.log();
    assert!(!log.contains("a Job reads a base backup"), "{log}");
}

#[tokio::test]
async fn a_job_for_what_is_not_stored_any_more_is_deleted() {
    let world = world(&[MAIN]).await;
    let daemon = world.daemon(JOBS).await;
    world.job_of(MAIN).await;
    for key in world.s3.keys(BUCKET, "main/base/") {
        world.s3.delete(BUCKET, &key);
    }
    world.no_job_is_left().await;
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
}
