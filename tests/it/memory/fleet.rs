//! A thousand clusters with a month of daily backups each, as Kubernetes tells of them.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::User;
use test_servers::process::Account;
use test_servers::s3::S3Server;
use tokio::time::Instant;
use tokio::time::sleep;

use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::memory::LIMIT;
use crate::memory::REST;
use crate::memory::check_peak;
use crate::memory::group::MemoryGroup;
use crate::program::Daemon;
use crate::program::READS_NOTHING;

/// More than most else takes, as every Backup is kept. Without optimisation it takes a third more, of which
/// a part is its code.
const PEAK_MAX: u64 = if cfg!(debug_assertions) { 116 << 20 } else { 92 << 20 };

const CLUSTERS: usize = 1_000;
const BACKUPS_EACH: usize = 30;
const NAMESPACE: &str = "databases";
const POLL: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_secs(2);

const PLUGIN: &str = "barman-cloud.cloudnative-pg.io";

fn cluster(name: &str) -> Value {
    json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "instances": 3, "storage": {"size": "10Gi"},
            "plugins": [{
                "name": PLUGIN, "isWALArchiver": true,
                "parameters": {"barmanObjectName": "store"},
            }],
        },
    })
}

fn backup(name: &str, cluster: &str) -> Value {
    json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup",
        "metadata": {
            "name": name, "namespace": NAMESPACE,
            "labels": {"cnpg.io/cluster": cluster, "cnpg.io/scheduled-backup": cluster},
            "annotations": {"cnpg.io/snapshotStartTime": "2026-11-01T00:00:00Z"},
        },
        "spec": {
            "cluster": {"name": cluster}, "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        },
    })
}

/// As the operator writes it, with what only the plugin knows.
fn completed(cluster: &str, day: usize) -> Value {
    json!({
        "phase": "completed", "method": "plugin", "online": true, "serverName": cluster,
        "backupId": format!("202610{day:02}T000000"), "backupName": format!("backup-{day}"),
        "startedAt": format!("2026-10-{day:02}T00:00:00Z"),
        "stoppedAt": format!("2026-10-{day:02}T00:10:00Z"),
        "beginWal": "000000010000000000000010", "endWal": "000000010000000000000011",
        "beginLSN": "0/10000028", "endLSN": "0/11000138",
        "instanceID": {"ContainerID": "containerd://0123456789abcdef", "podName": format!("{cluster}-1")},
        "pluginMetadata": {
            "clusterUID": "8f4a6d0e-0000-4000-8000-000000000000", "timeline": "1",
            "version": "0.14.0", "name": PLUGIN, "displayName": "BarmanCloudInstance",
        },
        "backupLabelFile": "U1RBUlQgV0FMIExPQ0FUSU9OOiAwLzEwMDAwMDI4IChmaWxlIDAwMDAwMDAxMDAwMDAwMDAwMDAwMDAxMCk=",
    })
}

/// Whether the archive of each was looked at.
async fn are_read(daemon: &Daemon) -> bool {
    let status = daemon.get("/api/v1/status").await.json();
    let archives = status["archives"].as_array().unwrap();
    archives.len() == CLUSTERS && archives.iter().all(|it| it["backups"] != json!([]))
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_backups_fit() {
    let (api, s3) = (ApiServer::start().await.unwrap(), S3Server::start().await.unwrap());
    s3.create_bucket(BUCKET);
    let archive = MadeArchive::healthy(8);
    let own = archive.folder().as_str().to_owned();
    api.install_all_crds();
    let admin = api.admin();
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: databases}}");
    admin.create(&json!({
        "apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore",
        "metadata": {"name": "store", "namespace": NAMESPACE},
        "spec": {"configuration": {
            "destinationPath": format!("s3://{BUCKET}/"), "endpointURL": s3.endpoint_url(),
            "s3Credentials": {
                "accessKeyId": {"name": "keys", "key": "id"},
                "secretAccessKey": {"name": "keys", "key": "secret"},
            },
        }},
    }));
    for number in 0..CLUSTERS {
        let name = format!("cluster-{number:04}");
        admin.create(&cluster(&name));
        for (key, (content, uploaded_at)) in &archive.objects {
            let key = format!("{name}/{}", key.strip_prefix(&own).unwrap());
            s3.put_at(BUCKET, key, content.clone(), *uploaded_at);
        }
        for day in 1..=BACKUPS_EACH {
            let backup_name = format!("{name}-{day:02}");
            admin.create(&backup(&backup_name, &name));
            admin.patch_status("backups", NAMESPACE, &backup_name, &completed(&name, day));
        }
    }
    let directory = Account::own().temporary_directory();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let config = format!(
        "{READS_NOTHING}poll_interval: {}s\nkubernetes: {{enabled: true, namespaces: [{NAMESPACE}]}}\n\
         credentials: {{access_key_id_file: {}, secret_access_key_file: {}}}\n",
        POLL.as_secs(),
        file("id", s3.access_key()),
        file("secret", s3.secret_key()),
    );
    let what = "1000 clusters with 30000 Backups";
    let group = MemoryGroup::create(what, PEAK_MAX + REST);
    let confine = |command| match &group {
        Some(group) => group.contain(command),
        None => command,
    };
    let kubeconfig = api.kubeconfig(&User::admin());
    let mut daemon = Daemon::confined(&config, Some(&kubeconfig), directory, confine).await;
    // Each answer is of megabytes, so they are not asked for as often as anywhere else.
    let last = Instant::now() + LIMIT;
    while !are_read(&daemon).await {
        assert!(Instant::now() < last, "{}", daemon.log());
        sleep(PAUSE).await;
    }
    // A change may cost a copy of everything.
    let status = json!({"error": "changed"});
    admin.patch_status("backups", NAMESPACE, "cluster-0000-01", &status);
    sleep(POLL + PAUSE).await;
    check_peak(what, &mut daemon, PEAK_MAX).await;
}
