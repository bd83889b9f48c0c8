use serde_json::Value;
use serde_json::json;

use crate::Lines;
use crate::admin;
use crate::cluster;
use crate::send;
use crate::send_as;
use crate::server;

const STORES: &str = "/apis/barmancloud.cnpg.io/v1/namespaces/databases/objectstores";
const CNPG: &str = "/apis/postgresql.cnpg.io/v1/namespaces/databases";
const APPLY: &str = "application/apply-patch+yaml";

fn store() -> Value {
    json!({
        "apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore",
        "metadata": { "name": "store", "namespace": "databases" },
        "spec": {
            "retentionPolicy": "30d",
            "configuration": {
                "destinationPath": "s3://backups/", "wal": { "compression": "bzip2" },
                "s3Credentials": { "accessKeyId": { "name": "r2", "key": "ACCESS_KEY_ID" } },
            },
            "instanceSidecarConfiguration": { "env": [{ "name": "A", "value": "b" }] },
        },
    })
}

/// The store with one value changed.
fn store_with(pointer: &str, value: Value) -> Value {
    let mut store = store();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    store.pointer_mut(parent).unwrap()[key] = value;
    store
}

#[tokio::test]
async fn a_server_name_in_the_configuration_is_forbidden() {
    let server = server().await;
    let client = admin(&server).await;
    let sent = store_with("/spec/configuration/serverName", json!("main"));
    let (status, _, body) = send(&client, "POST", STORES, sent).await;
    assert_eq!(status, 422);
    assert_eq!(
        body["message"],
        "ObjectStore.barmancloud.cnpg.io \"store\" is invalid: spec.configuration.serverName: \
         Forbidden: use the 'serverName' plugin parameter in the Cluster resource"
    );
    assert_eq!(body["details"]["causes"][0]["reason"], "FieldValueForbidden");
}

#[tokio::test]
async fn a_retention_policy_in_the_configuration_is_refused_warned_of_or_pruned() {
    let server = server().await;
    let client = admin(&server).await;
    let sent = store_with("/spec/configuration/retentionPolicy", json!("30d"));
    let post = async |mode: &str| {
        let path = format!("{STORES}?dryRun=All&fieldValidation={mode}");
        send(&client, "POST", &path, sent.clone()).await
    };
    let unknown = "unknown field \"spec.configuration.retentionPolicy\"";
    let (status, _, body) = post("Strict").await;
    let message = format!(
        "ObjectStore in version \"v1\" cannot be handled as a ObjectStore: strict decoding error: \
         {unknown}"
    );
    assert_eq!((status, &body["message"]), (400, &json!(message)));
    let (status, headers, body) = post("Warn").await;
    assert_eq!(status, 201);
    assert_eq!(
        headers["warning"].to_str().unwrap(),
        format!("299 - \"{}\"", unknown.replace('"', "\\\""))
    );
    assert_eq!(body["spec"]["configuration"].get("retentionPolicy"), None);
    let (status, headers, body) = post("Ignore").await;
    assert_eq!((status, headers.get("warning")), (201, None));
    assert_eq!(body["spec"]["configuration"].get("retentionPolicy"), None);
    let path = format!("{STORES}/store?fieldManager=flux&dryRun=All");
    let (status, _, body) = send_as(&client, "PATCH", &path, APPLY, sent).await;
    assert_eq!(status, 500);
    assert_eq!(
        body["message"],
        "failed to create typed patch object (databases/store; barmancloud.cnpg.io/v1, \
         Kind=ObjectStore): .spec.configuration.retentionPolicy: field not declared in schema"
    );
}

#[tokio::test]
async fn values_are_held_to_the_schema_and_defaults_filled_in() {
    let server = server().await;
    let client = admin(&server).await;
    let refused = [
        ("/spec/retentionPolicy", json!("30"), "should match '^[1-9][0-9]*[dwm]$'"),
        ("/spec/configuration/destinationPath", json!(""), "at least 1 chars long"),
        ("/spec/configuration/wal/compression", json!("rar"), "Unsupported value: \"rar\""),
        ("/spec/configuration/wal/maxParallel", json!(0), "greater than or equal to 1"),
        ("/spec/configuration/wal/maxParallel", json!("2"), "must be of type integer"),
        ("/spec/configuration/tags", json!({ "a": 1 }), "must be of type string"),
        (
            "/spec/configuration/s3Credentials/accessKeyId",
            json!({ "name": "r2" }),
            "spec.configuration.s3Credentials.accessKeyId.key: Required value",
        ),
        (
            "/spec/instanceSidecarConfiguration/additionalContainerArgs",
            json!(["--log-level=debug"]),
            "Forbidden: do not set --log-level",
        ),
    ];
    for (pointer, value, expected) in refused {
        let (status, _, body) = send(&client, "POST", STORES, store_with(pointer, value)).await;
        let message = body["message"].as_str().unwrap();
        assert!(status == 422 && message.contains(expected), "{status} {message}");
    }
    let (status, _, made) = send(&client, "POST", STORES, store()).await;
    assert_eq!(status, 201);
    let sidecar = &made["spec"]["instanceSidecarConfiguration"];
    assert_eq!(
        (&sidecar["logLevel"], &sidecar["retentionPolicyIntervalSeconds"]),
        (&json!("info"), &json!(1800))
    );
    let window = json!({ "serverRecoveryWindow": { "main": {
        "firstRecoverabilityPoint": "2026-01-10T00:00:00Z",
    }}});
    let made = server.admin().patch_status("objectstores", "databases", "store", &window);
    assert_eq!(made["status"], window);
    let wrong = json!({ "status": { "serverRecoveryWindow": { "main": {
        "lastSuccessfulBackupTime": "yesterday",
    }}}});
    let path = format!("{STORES}/store/status");
    let (status, _, _) =
        send_as(&client, "PATCH", &path, "application/merge-patch+json", wrong).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn the_operators_webhooks_refuse_and_warn() {
    let server = server().await;
    let client = admin(&server).await;
    let object = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": kind,
            "metadata": { "name": "daily" }, "spec": spec,
        })
    };
    let backup = |plugin: Value| {
        let cluster = json!({ "name": "main" });
        object(
            "Backup",
            json!({ "cluster": cluster, "method": "plugin", "pluginConfiguration": plugin }),
        )
    };
    let backups = format!("{CNPG}/backups");
    let mut bare = backup(Value::Null);
    bare["spec"].as_object_mut().unwrap().remove("pluginConfiguration");
    let (status, _, body) = send(&client, "POST", &backups, bare).await;
    let message = body["message"].as_str().unwrap();
    assert!(status == 422 && message.contains("cannot be empty when the backup method"), "{body}");
    let good = backup(json!({ "name": "barman-cloud.cloudnative-pg.io" }));
    assert_eq!(send(&client, "POST", &backups, good).await.0, 201);
    let path = format!("{backups}/daily");
    let patch = json!({ "spec": { "target": "primary" } });
    let (status, _, body) =
        send_as(&client, "PATCH", &path, "application/merge-patch+json", patch).await;
    let message = body["message"].as_str().unwrap();
    assert!(status == 422 && message.contains("BackupSpec is immutable once set"), "{body}");

    let post = async |schedule: &str| {
        let spec = json!({ "cluster": { "name": "main" }, "schedule": schedule });
        let path = format!("{CNPG}/scheduledbackups?dryRun=All");
        let (status, headers, _) =
            send(&client, "POST", &path, object("ScheduledBackup", spec)).await;
        (status, headers.contains_key("warning"))
    };
    assert_eq!(post("0 0 0 * * *").await, (201, false));
    assert_eq!(post("0 0 * * *").await, (201, true));
    assert_eq!(post("every night").await, (422, false));
    let archiver = |name: &str| json!({ "name": name, "isWALArchiver": true });
    let mut twice = cluster("twice");
    twice["spec"]["plugins"] = json!([archiver("one"), archiver("other")]);
    assert_eq!(send(&client, "POST", &format!("{CNPG}/clusters"), twice).await.0, 422);
}

#[tokio::test]
async fn a_definition_comes_and_goes_with_its_objects() {
    let server = test_servers::kubernetes::ApiServer::start().await.unwrap();
    let client = admin(&server).await;
    let clusters = "/apis/postgresql.cnpg.io/v1/clusters";
    let page = (404, Value::String("404 page not found\n".to_owned()));
    let get = async |path: &str| {
        let (status, _, body) = send(&client, "GET", path, Value::Null).await;
        (status, body)
    };
    assert_eq!(get(clusters).await, page);
    assert_eq!(get("/apis/postgresql.cnpg.io/v1").await, page);
    server.install_crd("clusters.postgresql.cnpg.io");
    assert_eq!(get(clusters).await.0, 200);
    assert_eq!(get("/apis/postgresql.cnpg.io/v1/backups").await, page);
    let definition =
        server.admin().get("customresourcedefinitions", "", "clusters.postgresql.cnpg.io");
    let conditions = definition.unwrap()["status"]["conditions"].clone();
    assert_eq!(
        (&conditions[1]["type"], &conditions[1]["status"]),
        (&json!("Established"), &json!("True"))
    );

    server.apply("{apiVersion: v1, kind: Namespace, metadata: {name: databases}}");
    server.admin().create(&cluster("main"));
    let mut lines = Lines::open(&client, &format!("{clusters}?watch=true")).await;
    assert_eq!(lines.event().await.0, "ADDED");
    server.remove_crd("clusters.postgresql.cnpg.io");
    assert_eq!(lines.event().await.0, "DELETED");
    assert_eq!(lines.next().await, Ok(None));
    assert_eq!(get(clusters).await, page);
    server.install_all_crds();
    assert_eq!(get(clusters).await.1["items"], json!([]));
}

#[tokio::test]
async fn a_definition_with_a_rule_that_cannot_be_judged_is_refused() {
    let server = server().await;
    let definition = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {kind: Thing, plural: things}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          x-kubernetes-validations: [{rule: RULE}]
          properties: {size: {type: integer}}
";
    let refused = server.admin().try_apply(&definition.replace("RULE", "self.size > 1"));
    assert!(refused.unwrap_err().contains("cannot be judged"));
    server.apply(&definition.replace("RULE", "self == oldSelf"));
    server.apply("{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, size: 1}");
    let changed = "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, size: 2}";
    assert!(server.admin().try_apply(changed).unwrap_err().contains("self == oldSelf"));
}
