use serde_json::Value;
use serde_json::json;

use crate::admin;
use crate::send;
use crate::send_as;
use crate::server;

const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/databases/events";

fn event() -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": { "name": "main.1", "namespace": "databases" },
        "eventTime": "2026-01-10T00:00:00.000000Z", "type": "Warning", "reason": "WalGap",
        "action": "Judge", "note": "a gap", "reportingController": "example.com/verifier",
        "reportingInstance": "verifier-1",
        "regarding": { "kind": "Cluster", "name": "main", "namespace": "databases" },
    })
}

#[tokio::test]
async fn an_event_is_held_to_the_strict_rules_of_its_group() {
    let server = server().await;
    let client = admin(&server).await;
    let refused = [
        ("note", json!("x".repeat(1025)), "message: Invalid value"),
        ("reason", json!("x".repeat(129)), "reason: Invalid value"),
        ("reason", json!(""), "reason: Required value"),
        ("action", Value::Null, "action: Required value"),
        ("eventTime", Value::Null, "eventTime: Required value"),
        ("type", json!("Error"), "has invalid value: Error"),
        ("reportingController", Value::Null, "reportingController: Required value"),
        ("reportingController", json!("a b"), "reportingController: Invalid value"),
        ("reportingInstance", Value::Null, "reportingInstance: Required value"),
        ("deprecatedCount", json!(1), "needs to be unset"),
        (
            "series",
            json!({ "count": 1, "lastObservedTime": "2026-01-10T00:00:00.000000Z" }),
            "at least 2",
        ),
        (
            "regarding",
            json!({ "kind": "Cluster", "namespace": "default" }),
            "does not match event.namespace",
        ),
    ];
    for (field, value, expected) in refused {
        let mut sent = event();
        sent[field] = value;
        let (status, _, body) = send(&client, "POST", EVENTS, sent).await;
        let message = body["message"].as_str().unwrap();
        assert!(status == 422 && message.contains(expected), "{field}: {status} {message}");
    }
    assert_eq!(send(&client, "POST", EVENTS, event()).await.0, 201);
    assert_eq!(send(&client, "POST", EVENTS, event()).await.0, 409);
}

#[tokio::test]
async fn an_event_changes_in_its_series_only() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&event());
    let path = format!("{EVENTS}/main.1");
    let patch = async |patch: Value| {
        send_as(&client, "PATCH", &path, "application/merge-patch+json", patch).await
    };
    let series = json!({ "count": 2, "lastObservedTime": "2026-01-10T01:00:00.000000Z" });
    let (status, _, body) = patch(json!({ "series": series })).await;
    assert_eq!((status, &body["series"]), (200, &series));
    let (status, _, body) = patch(json!({ "note": "another" })).await;
    assert_eq!(status, 422);
    assert!(body["message"].as_str().unwrap().contains("field is immutable"), "{body}");
}
