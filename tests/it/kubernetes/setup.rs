//! Each finding about how a cluster is set up comes with one edit, and goes with its undoing.

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::objects::merge;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;

const MAIN: &str = "main";

/// Everything that is set up for one cluster.
struct Example {
    cluster: Value,
    store: Value,
    schedule: Value,
}

struct Case {
    code: &'static str,
    severity: &'static str,
    /// Part of the sentence.
    says: &'static str,
    edit: fn(&mut Example),
}

const CASES: [Case; 14] = [
    Case {
        code: "schedule_five_fields",
        severity: "warning",
        says: "the first is the second, not the minute, so it runs hourly",
        edit: |it| it.schedule["spec"]["schedule"] = json!("0 0 * * *"),
    },
    Case {
        code: "schedule_suspended",
        severity: "warning",
        says: "is suspended, and no other one is active",
        edit: |it| it.schedule["spec"]["suspend"] = json!(true),
    },
    Case {
        code: "schedule_wrong_method",
        severity: "warning",
        says: "asks for method barmanObjectStore",
        edit: |it| {
            let spec = it.schedule["spec"].as_object_mut().unwrap();
            spec.insert("method".to_owned(), json!("barmanObjectStore"));
            spec.remove("pluginConfiguration");
        },
    },
    Case {
        code: "wal_archiver_not_enabled",
        severity: "warning",
        says: "isWALArchiver is not true",
        edit: |it| it.cluster["spec"]["plugins"][0]["isWALArchiver"] = json!(false),
    },
    Case {
        code: "wal_archiving_skipped",
        severity: "warning",
        says: "cnpg.io/skipWalArchiving",
        edit: |it| annotate(it, "cnpg.io/skipWalArchiving", "enabled"),
    },
    Case {
        code: "empty_archive_check_skipped",
        severity: "info",
        says: "cnpg.io/skipEmptyWalArchiveCheck",
        edit: |it| annotate(it, "cnpg.io/skipEmptyWalArchiveCheck", "enabled"),
    },
    Case {
        code: "annotation_invalid",
        severity: "warning",
        says: "backup-verifier.monosense.dev/wal-max-age is \"soon\"",
        edit: |it| annotate(it, "backup-verifier.monosense.dev/wal-max-age", "soon"),
    },
    Case {
        code: "restore_drill_failed",
        severity: "warning",
        says: "the pitr restore drill at 2026-01-10T12:00:00Z failed",
        edit: |it| {
            let text = "2026-01-10T12:00:00Z failure 12m";
            annotate(it, "backup-verifier.monosense.dev/restore-drill-pitr", text);
        },
    },
    Case {
        code: "restore_drill_overdue",
        severity: "warning",
        says: "the last full restore drill, at 2020-01-10T12:00:00Z, is ",
        edit: |it| {
            let text = "2020-01-10T12:00:00Z success";
            annotate(it, "backup-verifier.monosense.dev/restore-drill-full", text);
        },
    },
    Case {
        code: "no_retention_policy",
        severity: "info",
        says: "no retentionPolicy in ObjectStore case-",
        edit: |it| drop(it.store["spec"].as_object_mut().unwrap().remove("retentionPolicy")),
    },
    Case {
        code: "no_object_store",
        severity: "warning",
        says: "there is no ObjectStore elsewhere in this namespace",
        edit: |it| {
            let plugin = &mut it.cluster["spec"]["plugins"][0];
            plugin["parameters"]["barmanObjectName"] = json!("elsewhere");
        },
    },
    Case {
        code: "no_object_store",
        severity: "warning",
        says: "cannot be read",
        edit: |it| {
            it.store["spec"]["configuration"]["destinationPath"] = json!("gs://backups/");
        },
    },
    Case {
        code: "wal_stale",
        severity: "warning",
        says: "the newest WAL segment, 000000010000000000000008, arrived ",
        edit: |it| annotate(it, "backup-verifier.monosense.dev/wal-max-age", "1s"),
    },
    Case {
        code: "backup_overdue",
        severity: "warning",
        says: "the newest usable backup, ",
        edit: |it| annotate(it, "backup-verifier.monosense.dev/base-backup-max-age", "1s"),
    },
];

#[tokio::test]
async fn a_mistake_in_an_object_is_told_and_its_correction_ends_that() {
    let world = World::begin().await;
    world.install_plugin().await;
    let archive = MadeArchive::healthy(8);
    for (number, case) in CASES.iter().enumerate() {
        let mut example = Example::of(&world, &name(number));
        world.store(&archive, &name(number));
        (case.edit)(&mut example);
        example.apply(&world).await;
    }
    let daemon = world.daemon(Options::default()).await;
    for (number, case) in CASES.iter().enumerate() {
        let archive = world.findings_become(&daemon, &name(number), &[case.code]).await;
        let found = finding(&archive, case.code);
        assert_eq!(found["severity"], case.severity, "{found:#}");
        let says = found["message"].as_str().unwrap();
        assert!(says.contains(case.says), "{says}");
        Example::of(&world, &name(number)).apply(&world).await;
    }
    for number in 0..CASES.len() {
        let archive = world.findings_become(&daemon, &name(number), &[]).await;
        assert_eq!(archive["verdict"], "recoverable");
        assert_eq!(archive["kubernetes"]["schedules"], json!(["0 0 0 * * *"]));
    }
}

fn name(number: usize) -> String {
    format!("case-{number}")
}

#[tokio::test]
async fn what_is_missing_or_too_much_beside_a_cluster_is_told() {
    let world = World::begin().await;
    world.install_plugin().await;
    world.store(&MadeArchive::healthy(8), MAIN);
    Example::of(&world, MAIN).apply(&world).await;
    let daemon = world.daemon(Options::default()).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    no_schedule(&world, &daemon).await;
    no_plugin(&world, &daemon).await;
    a_neighbour(&world, &daemon).await;
    in_tree(&world, &daemon).await;
}

async fn no_schedule(world: &World, daemon: &Daemon) {
    let schedule = world.schedule(MAIN);
    world.server.delete(&schedule).await;
    world.findings_become(daemon, MAIN, &["no_schedule"]).await;
    world.server.apply(&schedule).await;
    world.findings_become(daemon, MAIN, &[]).await;
}

async fn no_plugin(world: &World, daemon: &Daemon) {
    let deployment = world.deployment();
    world.server.set_status(&deployment, &json!({"availableReplicas": null})).await;
    let archive = world.findings_become(daemon, MAIN, &["plugin_unavailable"]).await;
    let says = finding(&archive, "plugin_unavailable")["message"].as_str().unwrap().to_owned();
    assert!(says.contains("barman-cloud has 0 of 1 replicas available"), "{says}");
    world.server.delete(&deployment).await;
    let what = "the Deployment is gone";
    world.cluster_when(daemon, MAIN, what, |it| it.to_string().contains("no Deployment")).await;
    world.install_plugin().await;
    world.findings_become(daemon, MAIN, &[]).await;
}

async fn a_neighbour(world: &World, daemon: &Daemon) {
    let parameters = json!({"barmanObjectName": MAIN, "serverName": MAIN});
    let neighbour = world.plugin_cluster("neighbour", parameters);
    world.server.apply(&neighbour).await;
    let archive = world.findings_become(daemon, MAIN, &["shared_server_name"]).await;
    let evidence = &finding(&archive, "shared_server_name")["evidence"]["clusters"];
    assert_eq!(*evidence, json!(format!("{}/neighbour", world.namespace)));
    let both = ["no_schedule", "shared_server_name"];
    world.findings_become(daemon, "neighbour", &both).await;
    world.server.delete(&neighbour).await;
    world.findings_become(daemon, MAIN, &[]).await;
}

/// Nobody asks R2: the address in the configuration wins.
#[tokio::test]
async fn an_entry_of_the_configuration_wins_with_its_address_and_is_judged_by_the_objects_too() {
    let world = World::begin().await;
    world.install_plugin().await;
    world.store(&MadeArchive::healthy(8), MAIN);
    let mut example = Example::of(&world, MAIN);
    let address = "https://account.r2.cloudflarestorage.com";
    example.store["spec"]["configuration"]["endpointURL"] = json!(address);
    example.apply(&world).await;
    let daemon = world.daemon(Options { configures: Some(MAIN), ..Options::default() }).await;
    let archive = world.findings_become(&daemon, MAIN, &["r2_checksum_env_missing"]).await;
    assert_eq!(archive["verdict"], "recoverable");
    let names = ["AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"];
    let env = names.map(|name| json!({"name": name, "value": "when_required"}));
    example.store["spec"]["instanceSidecarConfiguration"] = json!({"env": env});
    example.apply(&world).await;
    world.findings_become(&daemon, MAIN, &[]).await;
}

async fn in_tree(world: &World, daemon: &Daemon) {
    let backup = json!({
        "barmanObjectStore": world.configuration("/"), "retentionPolicy": "30d",
    });
    let mut example = Example::of(world, MAIN);
    example.cluster = world.cluster(MAIN, json!({"backup": backup}));
    example.schedule["spec"] = json!({
        "schedule": "0 0 0 * * *", "cluster": {"name": MAIN}, "method": "barmanObjectStore",
    });
    example.apply(world).await;
    world.findings_become(daemon, MAIN, &["legacy_in_tree_backup"]).await;
    Example::of(world, MAIN).apply(world).await;
    world.findings_become(daemon, MAIN, &[]).await;
}

impl Example {
    /// A cluster with a store and a schedule of its own name, without a mistake.
    fn of(world: &World, name: &str) -> Self {
        Self {
            cluster: world.plugin_cluster(name, json!({"barmanObjectName": name})),
            store: world.object_store(name, "/"),
            schedule: world.schedule(name),
        }
    }

    async fn apply(&self, world: &World) {
        for object in [&self.cluster, &self.store, &self.schedule] {
            world.server.apply(object).await;
        }
    }
}

fn annotate(example: &mut Example, key: &str, value: &str) {
    merge(&mut example.cluster["metadata"], json!({"annotations": {key: value}}));
}
