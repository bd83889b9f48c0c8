use kube::core::DeserializeGuard;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::BackupPhase;
use crate::observation::cluster::BackupResource;

/// As the watch reads it: an object, or why it is none.
fn read<K: Kind>(yaml: &str) -> Result<K::Kept, String> {
    let object: DeserializeGuard<Object<K>> = from_yaml(yaml);
    let words = &mut Words::default();
    let name = ObjectName::of(object.meta(), words);
    object.0.map(|it| K::Kept::keep(&name, it, words)).map_err(|invalid| invalid.error)
}

pub(in crate::sources::kubernetes) fn from_yaml<T: DeserializeOwned>(yaml: &str) -> T {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_cluster_keeps_what_is_used_and_ignores_the_rest() {
    let yaml = r#"
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: postgres
  namespace: databases
  uid: 2f1d
  creationTimestamp: "2026-01-02T03:04:05Z"
  annotations:
    cnpg.io/hibernation: "on"
    backup-verifier.monosense.dev/wal-max-age: 1h
    kubectl.kubernetes.io/last-applied-configuration: "{}"
  managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
spec:
  instances: 3
  plugins:
    - name: barman-cloud.cloudnative-pg.io
      isWALArchiver: true
      parameters: {barmanObjectName: store, serverName: postgres-main}
  storage: {size: 20Gi}
  backup: null
status:
  phase: Cluster in healthy state
  currentPrimary: postgres-1
  systemID: "7710951340492910721"
  conditions:
    - {type: Ready, status: "True", reason: ClusterIsReady, lastTransitionTime: "2026-01-02T03:04:05Z"}
"#;
    let Kept { meta, spec, status } = read::<Cluster>(yaml).unwrap();
    assert_eq!(meta.uid, "2f1d");
    assert_eq!(meta.created_at, "2026-01-02T03:04:05Z".parse().ok());
    assert_eq!(meta.annotation("cnpg.io/hibernation"), Some("on"));
    assert_eq!(meta.annotation("kubectl.kubernetes.io/last-applied-configuration"), None);
    assert_eq!(spec.plugins[0].is_wal_archiver, Some(true));
    assert_eq!(spec.plugins[0].parameters["serverName"], "postgres-main");
    assert_eq!(status.system_id.as_deref(), Some("7710951340492910721"));
    assert_eq!(status.conditions.len(), 1);
}

#[test]
fn an_object_without_status_is_a_new_one() {
    let yaml = "
metadata: {name: postgres-20260102000000, namespace: databases}
spec: {cluster: {name: postgres}, method: plugin, pluginConfiguration: {name: barman-cloud.cloudnative-pg.io}}
";
    let backup = read::<Backup>(yaml).unwrap();
    assert_eq!(backup.phase, BackupPhase::New);
    assert_eq!(&*backup.cluster, "postgres");
    assert_eq!(backup.created_at, None);
}

#[test]
fn a_store_of_the_documentation_is_read() {
    let yaml = r#"
metadata: {name: store, namespace: databases}
spec:
  retentionPolicy: "30d"
  configuration:
    destinationPath: s3://bucket/prefix
    endpointURL: https://account.r2.cloudflarestorage.com
    s3Credentials:
      accessKeyId: {name: r2, key: ACCESS_KEY_ID}
      secretAccessKey: {name: r2, key: ACCESS_SECRET_KEY}
    wal: {compression: bzip2, maxParallel: 2}
  instanceSidecarConfiguration:
    env: [{name: AWS_REQUEST_CHECKSUM_CALCULATION, value: when_required}]
status:
  serverRecoveryWindow: {postgres: {lastSuccessfulBackupTime: "2026-01-02T03:04:05Z"}}
"#;
    let store = read::<ObjectStoreResource>(yaml).unwrap();
    let keys = store.spec.configuration.s3_credentials.unwrap();
    assert_eq!(keys.access_key_id.unwrap().key, "ACCESS_KEY_ID");
    assert_eq!(store.spec.retention_policy.as_deref(), Some("30d"));
}

#[test]
fn an_object_of_another_shape_does_not_parse_and_keeps_its_name() {
    let metadata = json!({"name": "postgres", "namespace": "databases"});
    for spec in [
        json!({"plugins": "barman"}),
        json!({"plugins": [{"enabled": true}]}),
        json!({"replica": {"enabled": "yes"}}),
    ] {
        let object = json!({"metadata": metadata, "spec": spec});
        let object: DeserializeGuard<Object<Cluster>> = serde_json::from_value(object).unwrap();
        assert_eq!(
            ObjectName::of(object.meta(), &mut Words::default()).to_string(),
            "databases/postgres"
        );
        assert!(object.0.is_err(), "{spec}");
    }
    for (status, is_read) in [
        (json!({"startedAt": "2026-01-02T03:04:05+01:00"}), true),
        (json!({"startedAt": null}), true),
        (json!({"startedAt": "yesterday"}), false),
        (json!({"phase": 3}), false),
    ] {
        let spec = json!({"cluster": {"name": "postgres"}});
        let object = json!({"metadata": metadata, "spec": spec, "status": status});
        let object: DeserializeGuard<Object<Backup>> = serde_json::from_value(object).unwrap();
        assert_eq!(object.0.is_ok(), is_read, "{status}");
    }
}

#[test]
fn kinds_have_the_addresses_of_the_api_server() {
    assert_eq!(
        Object::<ObjectStoreResource>::url_path(&(), Some("databases")),
        "/apis/barmancloud.cnpg.io/v1/namespaces/databases/objectstores"
    );
    assert_eq!(Object::<Pod>::url_path(&(), None), "/api/v1/pods");
}

#[test]
fn what_backups_have_in_common_is_in_memory_once() {
    let words = &mut Words::default();
    let mut keep = |number: usize| {
        let yaml = format!(
            "metadata: {{name: b{number}, namespace: databases, labels: {{cnpg.io/scheduled-backup: daily}}}}
spec: {{cluster: {{name: postgres}}, method: plugin, pluginConfiguration: {{name: barman-cloud.cloudnative-pg.io}}}}
status: {{phase: completed, serverName: postgres, pluginMetadata: {{clusterUID: u1}}}}
"
        );
        let object: DeserializeGuard<Object<Backup>> = from_yaml(&yaml);
        let name = ObjectName::of(object.meta(), words);
        let backup = BackupResource::keep(&name, object.0.unwrap(), words);
        (name, backup)
    };
    let ((one, first), (other, second)) = (keep(1), keep(2));
    assert!(Arc::ptr_eq(&one.namespace, &other.namespace));
    assert!(Arc::ptr_eq(&one.name, &first.name));
    assert!(Arc::ptr_eq(&first.cluster, &second.cluster));
    assert!(Arc::ptr_eq(&first.cluster, second.server_name.as_ref().unwrap()));
    let texts = |it: &BackupResource| {
        let BackupMethod::Plugin(plugin) = &it.method else { panic!("{it:?}") };
        [&it.schedule, &it.cluster_uid, plugin].map(|it| Arc::clone(it.as_ref().unwrap()))
    };
    let pairs = std::iter::zip(texts(&first), texts(&second));
    assert!(pairs.into_iter().all(|(one, other)| Arc::ptr_eq(&one, &other)));
    // Of thirty thousand, a hundred bytes are three megabytes.
    assert!(size_of::<BackupResource>() <= 232, "{} bytes", size_of::<BackupResource>());

    assert_eq!(words.0.len(), 5);
    drop((one, first));
    words.forget_unused();
    assert_eq!(words.0.len(), 5);
    drop((other, second));
    words.forget_unused();
    assert_eq!(words.0.len(), 0);
}
