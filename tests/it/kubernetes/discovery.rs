//! Which archive belongs to which `Cluster`.

use serde_json::Value;
use serde_json::json;
use test_servers::process::wait_until;

use crate::kubernetes::objects::PLUGIN;
use crate::kubernetes::objects::STORE;
use crate::kubernetes::objects::merge;
use crate::kubernetes::objects::plugin;
use crate::kubernetes::objects::to_store;
use crate::kubernetes::world::LIMIT;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::sorted_codes;
use crate::kubernetes::world::wait_or_tell;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;

/// Cluster, server name, address, verdict, findings.
type Row<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, &'a [&'a str]);

const EXPECTED: [Row<'_>; 13] = [
    ("bare", "bare", None, "unrecoverable", &["no_object_store"]),
    ("deep", "deep", Some("/of/many/"), "at_risk", &["no_schedule"]),
    ("disabled", "disabled", None, "unrecoverable", &["no_object_store"]),
    ("follower", "follower", Some("/"), "unknown", &["first_backup_awaited", "no_schedule"]),
    ("in-tree", "old-name", Some("/tree/"), "at_risk", &["legacy_in_tree_backup", "no_schedule"]),
    ("lost", "lost", None, "unrecoverable", &["no_object_store", "no_schedule"]),
    ("named", "another", Some("/"), "recoverable", &[]),
    ("other", "other", None, "unknown", &["backups_elsewhere"]),
    ("plain", "plain", Some("/"), "recoverable", &[]),
    ("resting", "resting", Some("/"), "at_risk", &["schedule_suspended"]),
    ("slashes", "slashes", Some("/slashes/"), "at_risk", &["no_schedule"]),
    ("snapshots", "snapshots", None, "unknown", &["backups_elsewhere"]),
    ("unnamed", "unnamed", None, "unrecoverable", &["no_object_store", "no_schedule"]),
];

#[tokio::test]
async fn every_way_to_wire_a_cluster_leads_to_its_archive() {
    let world = World::begin().await;
    world.install_plugin().await;
    let archive = MadeArchive::healthy(8);
    for folder in [
        "plain",
        "another",
        "resting",
        "of/many/deep",
        "slashes/slashes",
        "tree/old-name",
        "elsewhere",
    ] {
        world.store(&archive, folder);
    }
    world.apply(&clusters(&world)).await;
    world.apply(&others(&world)).await;
    let daemon = world.daemon(Options { all_namespaces: true, ..Options::default() }).await;
    let expected = EXPECTED.map(expected).to_vec();
    let mut found = Vec::new();
    let settled = wait_or_tell(async || {
        found = world.archives(&daemon).await.iter().map(row).collect::<Vec<_>>();
        (found == expected).then_some(())
    });
    settled.await;
    assert_eq!(found, expected);

    // A cluster that is deleted is watched no longer, and one that is no longer ignored is.
    let mut ignored = world.plugin_cluster("ignored", json!({"barmanObjectName": STORE}));
    world.server.apply(&ignored).await;
    world.server.delete(&world.plugin_cluster("lost", to_store())).await;
    let awaited = |it: &Value| it.to_string().contains("first_backup_awaited");
    world.cluster_when(&daemon, "ignored", "an annotation is gone", awaited).await;
    assert!(world.archives(&daemon).await.iter().all(|it| it["cnpg_cluster"] != "lost"));
    merge(&mut ignored["metadata"], json!({"annotations": ignore()}));
    world.server.apply(&ignored).await;
    wait_until("ignored again", LIMIT, async || {
        let archives = world.archives(&daemon).await;
        archives.iter().all(|it| it["cnpg_cluster"] != "ignored").then_some(())
    })
    .await;
}

fn clusters(world: &World) -> Vec<Value> {
    let store = |name: &str| json!({"barmanObjectName": name});
    let mut disabled = plugin(to_store());
    disabled["enabled"] = json!(false);
    disabled["isWALArchiver"] = json!(false);
    let other = json!({"name": "pgbackrest.dalibo.com", "isWALArchiver": true});
    let mut tree = world.configuration("/tree");
    tree["serverName"] = json!("old-name");
    let mut ignored = world.plugin_cluster("ignored", to_store());
    merge(&mut ignored["metadata"], json!({"annotations": ignore()}));
    let follower = json!({
        "plugins": [plugin(to_store())],
        "replica": {"enabled": true, "source": "origin"},
        "externalClusters": [{
            "name": "origin",
            "plugin": {"name": PLUGIN, "parameters": {
                "barmanObjectName": STORE, "serverName": "elsewhere",
            }},
        }],
    });
    vec![
        world.cluster("bare", json!({})),
        world.plugin_cluster("deep", store("deep")),
        world.cluster("disabled", json!({"plugins": [disabled]})),
        world.cluster("follower", follower),
        ignored,
        world.cluster(
            "in-tree",
            json!({"backup": {"barmanObjectStore": tree, "retentionPolicy": "30d"}}),
        ),
        world.plugin_cluster("lost", store("nowhere")),
        world.plugin_cluster("named", json!({"barmanObjectName": STORE, "serverName": "another"})),
        world.cluster("other", json!({"plugins": [other]})),
        world.plugin_cluster("plain", to_store()),
        world.plugin_cluster("resting", to_store()),
        world.plugin_cluster("slashes", store("slashes")),
        world.cluster("snapshots", json!({"backup": {"volumeSnapshot": {"className": "fast"}}})),
        world.plugin_cluster("unnamed", json!({})),
    ]
}

fn others(world: &World) -> Vec<Value> {
    let mut suspended = world.schedule("resting");
    suspended["spec"]["suspend"] = json!(true);
    let mut snapshots = world.schedule("snapshots");
    snapshots["spec"] = json!({
        "schedule": "0 0 0 * * *", "cluster": {"name": "snapshots"}, "method": "volumeSnapshot",
    });
    vec![
        world.object_store(STORE, ""),
        world.object_store("deep", "/of/many"),
        world.object_store("slashes", "/slashes/"),
        world.schedule("plain"),
        world.schedule("named"),
        suspended,
        snapshots,
    ]
}

fn ignore() -> Value {
    json!({"backup-verifier.monosense.dev/ignore": "true"})
}

fn row(archive: &Value) -> String {
    format!(
        "{} {} {} {} {:?}",
        archive["cnpg_cluster"],
        archive["server_name"],
        archive["destination_path"],
        archive["verdict"],
        sorted_codes(archive),
    )
}

fn expected((cluster, server_name, path, verdict, codes): Row<'_>) -> String {
    let path = path.map(|path| format!("s3://{BUCKET}{path}"));
    let [cluster, server_name, verdict] = [cluster, server_name, verdict].map(|it| json!(it));
    format!("{cluster} {server_name} {} {verdict} {codes:?}", json!(path))
}
