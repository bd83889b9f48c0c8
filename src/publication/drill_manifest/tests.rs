use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::assessment::plan::RestorePlan;
use crate::assessment::plan::Stop;
use crate::domain::archive_id::StoreAddress;
use crate::domain::cluster::DrillKind;
use crate::publication::samples;

fn source(namespace: &str, server_name: &str) -> SourceCluster {
    let plugin = json!({
        "name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true,
        "parameters": {"barmanObjectName": "store", "serverName": server_name},
    });
    let affinity = json!({"nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "database"}]});
    let spec = json!({
        "instances": 3, "imageCatalogRef": {"kind": "ImageCatalog", "name": "images", "major": 17},
        "storage": {"size": "20Gi", "storageClass": "fast"}, "walStorage": {"size": "5Gi"},
        "plugins": [plugin], "backup": {"retentionPolicy": "30d"},
        "replica": {"source": "elsewhere", "enabled": false}, "managed": {"roles": []},
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "b", "key": "c"}}}],
        "monitoring": {"enablePodMonitor": true}, "superuserSecret": {"name": "superuser"},
        "postgresql": {
            "parameters": {"max_connections": "300", "work_mem": "64MB"},
            "shared_preload_libraries": ["pg_cron", "pgaudit"],
            "extensions": [{"name": "vector", "image": {"reference": "vector:1"}}],
        },
        "bootstrap": {"initdb": {"database": "app", "owner": "app"}},
        "imagePullSecrets": [{"name": "registry"}], "schedulerName": "own", "affinity": affinity,
        "resources": {"limits": {"memory": "4Gi"}},
        "inheritedMetadata": {"labels": {"team": "a"}},
    });
    let object = json!({
        "metadata": {"name": "main", "namespace": namespace}, "spec": spec,
        "status": {"image": "ghcr.io/cloudnative-pg/postgresql:17.5"},
    });
    serde_json::from_value(object).unwrap()
}

fn stores(assessment: &Assessment) -> Vec<DrillStore> {
    let address = assessment.address.as_ref().unwrap();
    let StoreAddress::S3 { endpoint_url, .. } = &address.store else { panic!("{address}") };
    let store = |name: &str, destination_path: String| DrillStore {
        name: name.to_owned(),
        destination_path,
        endpoint_url: endpoint_url.clone(),
    };
    vec![store("other", "s3://elsewhere/".to_owned()), store("drills", address.destination_path())]
}

struct Example {
    assessment: Arc<Assessment>,
    restore: Restore,
    source: SourceCluster,
    stores: Vec<DrillStore>,
    namespace: &'static str,
}

impl Example {
    /// Of the newest state of a healthy archive.
    fn new() -> Self {
        let fleet = samples::fleet(1);
        let assessment = Arc::clone(&fleet.archives[0].assessment);
        let plan = RestorePlan::new(&assessment, crate::domain::recovery_target::Target::Latest);
        let RestorePlan::Reachable(restore) = plan else { panic!("{plan:?}") };
        let source = source(&assessment.archive.namespace, &assessment.archive.server_name);
        let stores = stores(&assessment);
        Self { assessment, restore, source, stores, namespace: "drills" }
    }

    fn manifest(&self) -> Result<RecoveryCluster, DrillRefusal> {
        let at = "2026-01-10T12:00:00Z".parse().unwrap();
        let archive = &self.assessment.archive;
        let id = DrillId::new(at, DrillKind::Full, (&archive.namespace, &archive.cluster), 1);
        let order = DrillOrder {
            id: &id,
            namespace: self.namespace,
            stores: &self.stores,
            source: &self.source,
            assessment: &self.assessment,
            restore: &self.restore,
        };
        order.manifest()
    }
}

#[test]
fn a_manifest_takes_what_recovery_needs_and_leaves_the_rest() {
    let manifest = serde_json::to_value(Example::new().manifest().unwrap()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&manifest).unwrap());
}

#[test]
fn parameters_are_the_highest_of_source_and_log() {
    use crate::wal::Demands;
    use crate::wal::RequiredParameters;

    let mut example = Example::new();
    let parameters = RequiredParameters {
        max_connections: 200,
        max_worker_processes: 64,
        max_wal_senders: 10,
        max_prepared_transactions: 7,
        max_locks_per_transaction: 64,
    };
    let demands = Demands { parameters: Some(parameters), ..Demands::default() };
    example.restore.window.demands = Some(Box::new(demands));
    let set = example.manifest().unwrap().spec.postgresql.parameters;
    let expected = [
        ("max_connections", "300"),
        ("max_logical_replication_workers", "0"),
        ("max_prepared_transactions", "7"),
        ("max_worker_processes", "64"),
    ];
    assert_eq!(set, expected.map(|(name, value)| (name, value.to_owned())).into());
}

#[test]
fn a_moment_is_told_with_the_backup_it_is_reached_from() {
    let mut example = Example::new();
    let at = "2026-01-10T06:00:00.25Z".parse().unwrap();
    example.restore.stop = Stop::At(at);
    let manifest = serde_json::to_value(example.manifest().unwrap()).unwrap();
    let target = &manifest["spec"]["bootstrap"]["recovery"]["recoveryTarget"];
    assert_eq!(target["targetTime"], "2026-01-10T06:00:00.250000+00:00");
    assert_eq!(target["backupID"], example.restore.backup_id().as_str());
}

#[test]
fn a_drill_beside_its_source_is_refused() {
    let mut example = Example::new();
    example.namespace = "databases";
    let refusal = DrillRefusal::SameNamespace("databases".to_owned());
    assert_eq!(example.manifest(), Err(refusal));
}

#[test]
fn a_drill_of_another_archive_is_refused() {
    let mut example = Example::new();
    example.stores.pop();
    let told = example.manifest().unwrap_err().to_string();
    assert!(told.contains("no ObjectStore in namespace \"drills\" leads to s3://"), "{told}");
    assert!(told.contains("it has other (s3://elsewhere/)"), "{told}");
    example.stores.clear();
    let told = example.manifest().unwrap_err().to_string();
    assert!(told.ends_with("it has none"), "{told}");

    let mut example = Example::new();
    example.source = source("databases", "another");
    assert!(matches!(example.manifest(), Err(DrillRefusal::OtherServer { .. })));
}

#[test]
fn a_source_that_says_too_little_is_refused() {
    let mut example = Example::new();
    let server_name = &example.assessment.archive.server_name;
    let plugin = json!({
        "name": "barman-cloud.cloudnative-pg.io", "parameters": {"serverName": server_name},
    });
    let mut object = json!({
        "metadata": {"name": "main", "namespace": "databases"},
        "spec": {"storage": {"size": "1Gi"}, "plugins": [plugin]},
    });
    example.source = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(example.manifest(), Err(DrillRefusal::NoImage));
    object["spec"] = json!({"imageName": "postgresql:17", "plugins": object["spec"]["plugins"]});
    example.source = serde_json::from_value(object).unwrap();
    assert_eq!(example.manifest(), Err(DrillRefusal::NoStorage));
}
