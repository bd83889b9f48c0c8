use serde_json::Value;
use serde_json::json;

use crate::admin;
use crate::cluster;
use crate::config_map;
use crate::send;
use crate::send_as;
use crate::server;

const CLUSTERS: &str = "/apis/postgresql.cnpg.io/v1/namespaces/databases/clusters";
const MAIN: &str = "/apis/postgresql.cnpg.io/v1/namespaces/databases/clusters/main";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

#[tokio::test]
async fn the_server_books_what_is_its_own() {
    let server = server().await;
    let client = admin(&server).await;
    let mut sent = cluster("main");
    sent["metadata"]["uid"] = json!("mine");
    sent["status"] = json!({ "phase": "mine" });
    let (status, _, created) = send(&client, "POST", CLUSTERS, sent.clone()).await;
    assert_eq!(status, 201);
    let metadata = &created["metadata"];
    assert_ne!(metadata["uid"], "mine");
    assert!(metadata["creationTimestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(metadata["generation"], 1);
    assert_eq!(created.get("status"), None);
    assert_eq!(created["spec"]["logLevel"], "info");
    let managed = &metadata["managedFields"][0];
    assert_eq!(managed["operation"], "Update");
    assert_eq!(managed["fieldsV1"]["f:spec"]["f:instances"], json!({}));

    let (status, _, again) = send(&client, "POST", CLUSTERS, sent).await;
    assert_eq!((status, &again["reason"]), (409, &json!("AlreadyExists")));
    let patch = json!({ "spec": { "instances": 3 } });
    let (_, _, changed) = send_as(&client, "PATCH", MAIN, MERGE, patch).await;
    assert_eq!(changed["metadata"]["generation"], 2);
    let patch = json!({ "metadata": { "labels": { "a": "b" } } });
    let (_, _, changed) = send_as(&client, "PATCH", MAIN, MERGE, patch).await;
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[tokio::test]
async fn a_stale_version_is_a_conflict() {
    let server = server().await;
    let client = admin(&server).await;
    let stale = server.admin().create(&cluster("main"));
    let patch = json!({ "spec": { "instances": 2 } });
    server.admin().patch("clusters", "databases", "main", &patch);
    let (status, _, body) = send(&client, "PUT", MAIN, stale.clone()).await;
    assert_eq!((status, &body["reason"]), (409, &json!("Conflict")));
    let patch = json!({ "metadata": { "resourceVersion": "1" }, "spec": { "instances": 5 } });
    assert_eq!(send_as(&client, "PATCH", MAIN, MERGE, patch).await.0, 409);
    let mut versionless = stale.clone();
    versionless["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let (status, _, body) = send(&client, "PUT", MAIN, versionless).await;
    assert_eq!(status, 422, "{body}");
    let mut fresh = server.admin().get("clusters", "databases", "main").unwrap();
    fresh["metadata"]["uid"] = json!("another");
    assert_eq!(send(&client, "PUT", MAIN, fresh).await.0, 409);
    let delete = json!({ "preconditions": { "resourceVersion": "1" } });
    assert_eq!(send(&client, "DELETE", MAIN, delete).await.0, 409);
}

#[tokio::test]
async fn the_status_is_written_through_its_own_door_only() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&cluster("main"));
    let both = json!({ "spec": { "instances": 2 }, "status": { "phase": "told" } });
    let (_, _, main) = send_as(&client, "PATCH", MAIN, MERGE, both.clone()).await;
    assert_eq!((&main["spec"]["instances"], main.get("status")), (&json!(2), None));
    let both = json!({ "spec": { "instances": 9 }, "status": both["status"] });
    let path = format!("{MAIN}/status");
    let (_, _, main) = send_as(&client, "PATCH", &path, MERGE, both).await;
    assert_eq!((&main["spec"]["instances"], &main["status"]["phase"]), (&json!(2), &json!("told")));
    assert_eq!(main["metadata"]["generation"], 2);
    let entries = main["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["subresource"] == "status"), "{entries:?}");
    let mut whole = main.clone();
    whole["status"]["phase"] = json!("put");
    let (_, _, main) = send(&client, "PUT", &path, whole).await;
    assert_eq!(main["status"]["phase"], "put");
    let secret = "/api/v1/namespaces/databases/secrets/x/status";
    assert_eq!(send(&client, "GET", secret, Value::Null).await.0, 404);
}

#[tokio::test]
async fn patches_come_in_four_forms() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&cluster("main"));
    let patch = json!([{ "op": "replace", "path": "/spec/instances", "value": 4 }]);
    let json_patch = "application/json-patch+json";
    let (_, _, main) = send_as(&client, "PATCH", MAIN, json_patch, patch).await;
    assert_eq!(main["spec"]["instances"], 4);
    let test = json!([{ "op": "test", "path": "/spec/instances", "value": 1 }]);
    assert_eq!(send_as(&client, "PATCH", MAIN, json_patch, test).await.0, 422);
    let strategic = "application/strategic-merge-patch+json";
    let labels = json!({ "metadata": { "labels": { "a": "b" } } });
    assert_eq!(send_as(&client, "PATCH", MAIN, strategic, labels).await.0, 415);
    server.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: databases}, spec: \
         {containers: [{name: a, image: one}, {name: b, image: one}]}}",
    );
    let pod = "/api/v1/namespaces/databases/pods/p";
    let patch = json!({ "spec": { "containers": [{ "name": "b", "image": "two" }] } });
    let (_, _, pod) = send_as(&client, "PATCH", pod, strategic, patch).await;
    let containers = json!([{ "name": "a", "image": "one" }, { "name": "b", "image": "two" }]);
    assert_eq!(pod["spec"]["containers"], containers);
}

#[tokio::test]
async fn an_applied_configuration_owns_its_fields() {
    let server = server().await;
    let client = admin(&server).await;
    let path = "/api/v1/namespaces/databases/configmaps/a";
    let apply = async |manager: &str, force: bool, data: Value| {
        let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": data });
        let path = format!("{path}?fieldManager={manager}&force={force}");
        send_as(&client, "PATCH", &path, APPLY, body).await
    };
    let (status, _, made) = apply("one", false, json!({ "a": "1", "b": "1" })).await;
    assert_eq!((status, &made["metadata"]["namespace"]), (201, &json!("databases")));
    let (status, _, body) = apply("two", false, json!({ "a": "2", "c": "2" })).await;
    assert_eq!(status, 409);
    assert_eq!(body["details"]["causes"][0]["reason"], "FieldManagerConflict");
    assert_eq!(body["details"]["causes"][0]["field"], ".data.a");
    let (status, _, made) = apply("two", true, json!({ "a": "2", "c": "2" })).await;
    assert_eq!((status, &made["data"]), (200, &json!({ "a": "2", "b": "1", "c": "2" })));
    let (_, _, made) = apply("one", false, json!({})).await;
    assert_eq!(made["data"], json!({ "a": "2", "c": "2" }));
    let before = made["metadata"]["resourceVersion"].clone();
    let (_, _, made) = apply("two", false, json!({ "a": "2", "c": "2" })).await;
    assert_eq!(made["metadata"]["resourceVersion"], before);
    let body = json!({ "apiVersion": "v1", "kind": "ConfigMap" });
    assert_eq!(send_as(&client, "PATCH", path, APPLY, body).await.0, 422);
}

#[tokio::test]
async fn finalizers_hold_an_object_and_its_namespace() {
    let server = server().await;
    let client = admin(&server).await;
    let mut held = config_map("held", &json!({}));
    held["metadata"]["finalizers"] = json!(["tests/hold"]);
    server.admin().create(&held);
    server.admin().create(&config_map("free", &json!({})));
    let namespace = "/api/v1/namespaces/databases";
    let (status, _, body) = send(&client, "DELETE", namespace, Value::Null).await;
    assert_eq!((status, &body["status"]["phase"]), (200, &json!("Terminating")));
    let maps = server.admin().list("configmaps", "databases");
    assert_eq!(maps.len(), 1);
    assert!(maps[0]["metadata"]["deletionTimestamp"].is_string());
    let path = format!("{namespace}/configmaps");
    let (status, _, body) = send(&client, "POST", &path, config_map("new", &json!({}))).await;
    assert_eq!(status, 403);
    assert_eq!(body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let more = json!({ "metadata": { "finalizers": ["tests/hold", "tests/more"] } });
    let (status, _, _) = send_as(&client, "PATCH", &format!("{path}/held"), MERGE, more).await;
    assert_eq!(status, 422);
    let none = json!({ "metadata": { "finalizers": null } });
    server.admin().patch("configmaps", "databases", "held", &none);
    assert_eq!(server.admin().get("configmaps", "databases", "held"), None);
    assert_eq!(send(&client, "GET", namespace, Value::Null).await.0, 404);
    let (status, _, body) = send(&client, "POST", &path, config_map("new", &json!({}))).await;
    assert_eq!((status, &body["message"]), (404, &json!("namespaces \"databases\" not found")));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let server = server().await;
    let client = admin(&server).await;
    let path = format!("{CLUSTERS}?dryRun=All");
    assert_eq!(send(&client, "POST", &path, cluster("main")).await.0, 201);
    server.admin().create(&cluster("main"));
    let path = format!("{MAIN}?dryRun=All");
    let patch = json!({ "spec": { "instances": 7 } });
    let (_, _, body) = send_as(&client, "PATCH", &path, MERGE, patch).await;
    assert_eq!(body["spec"]["instances"], 7);
    assert_eq!(send(&client, "DELETE", &path, Value::Null).await.0, 200);
    let main = server.admin().get("clusters", "databases", "main").unwrap();
    assert_eq!(main["spec"]["instances"], 1);
}

#[tokio::test]
async fn malformed_objects_are_refused() {
    let server = server().await;
    let client = admin(&server).await;
    let check = async |code: u16, path: &str, object: Value| {
        let (status, _, body) = send(&client, "POST", path, object).await;
        assert_eq!((status, &body["kind"]), (code, &json!("Status")), "{body}");
    };
    check(422, CLUSTERS, cluster("Main_1")).await;
    check(422, CLUSTERS, cluster("")).await;
    check(400, CLUSTERS, config_map("a", &json!({}))).await;
    check(400, &CLUSTERS.replace("databases", "default"), cluster("main")).await;
    check(405, MAIN, cluster("main")).await;
    let secrets = "/api/v1/namespaces/databases/secrets";
    let secret = |data: Value| json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "data": data });
    check(400, secrets, secret(json!({ "key": "no base64!" }))).await;
    assert_eq!(send(&client, "POST", secrets, secret(json!({ "key": "a2V5" }))).await.0, 201);
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j" },
        "spec": { "template": { "spec": { "containers": [{ "name": "a", "image": "b" }] } } },
    });
    let jobs = "/apis/batch/v1/namespaces/databases/jobs";
    check(422, jobs, job.clone()).await;
    let mut good = job;
    good["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    assert_eq!(send(&client, "POST", jobs, good).await.0, 201);
    server.admin().patch_status("jobs", "databases", "j", &json!({ "succeeded": 1 }));
    let job = server.admin().get("jobs", "databases", "j").unwrap();
    assert_eq!(job["status"]["succeeded"], 1);
}
