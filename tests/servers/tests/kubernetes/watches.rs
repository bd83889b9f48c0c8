use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::WatchBreak;

use crate::Lines;
use crate::admin;
use crate::config_map;
use crate::send;
use crate::server;

const MAPS: &str = "/api/v1/namespaces/databases/configmaps";

async fn version(client: &kube::Client) -> u64 {
    let (_, _, list) = send(client, "GET", MAPS, Value::Null).await;
    list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

fn event(kind: &str, name: &str, version: u64) -> (String, String, u64) {
    (kind.to_owned(), name.to_owned(), version)
}

#[tokio::test]
async fn a_watch_replays_from_a_version_and_goes_on() {
    let server = server().await;
    let client = admin(&server).await;
    let start = version(&client).await;
    server.admin().create(&config_map("a", &json!({})));
    server.admin().patch("configmaps", "databases", "a", &json!({ "data": { "k": "v" } }));
    let mut lines =
        Lines::open(&client, &format!("{MAPS}?watch=true&resourceVersion={start}")).await;
    assert_eq!(lines.event().await, event("ADDED", "a", start + 1));
    assert_eq!(lines.event().await, event("MODIFIED", "a", start + 2));
    server.admin().delete("configmaps", "databases", "a");
    let deleted = lines.next().await.unwrap().unwrap();
    assert_eq!(deleted["type"], "DELETED");
    assert_eq!(deleted["object"]["data"]["k"], "v");
    assert_eq!(deleted["object"]["metadata"]["resourceVersion"], (start + 3).to_string());
    // Another namespace is no news, and a change that changes nothing neither.
    server.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: default}}");
    server.admin().create(&config_map("b", &json!({})));
    server.admin().patch("configmaps", "databases", "b", &json!({}));
    server.admin().create(&config_map("c", &json!({})));
    assert_eq!(lines.event().await, event("ADDED", "b", start + 5));
    assert_eq!(lines.event().await, event("ADDED", "c", start + 6));
}

#[tokio::test]
async fn a_watch_without_a_version_begins_with_what_there_is() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&config_map("a", &json!({})));
    for query in ["watch=true", "watch=1&resourceVersion=0"] {
        let mut lines = Lines::open(&client, &format!("{MAPS}?{query}")).await;
        assert_eq!(lines.event().await.1, "a", "{query}");
    }
}

#[tokio::test]
async fn an_object_that_leaves_the_selector_is_deleted_for_the_watch() {
    let server = server().await;
    let client = admin(&server).await;
    let start = version(&client).await;
    let path = format!("{MAPS}?watch=true&labelSelector=app%3Done&resourceVersion={start}");
    let mut lines = Lines::open(&client, &path).await;
    server.admin().create(&config_map("a", &json!({ "app": "two" })));
    let label = |app: &str| json!({ "metadata": { "labels": { "app": app } } });
    server.admin().patch("configmaps", "databases", "a", &label("one"));
    server.admin().patch("configmaps", "databases", "a", &label("two"));
    assert_eq!(lines.event().await, event("ADDED", "a", start + 2));
    let left = lines.next().await.unwrap().unwrap();
    assert_eq!(
        (&left["type"], &left["object"]["metadata"]["labels"]["app"]),
        (&json!("DELETED"), &json!("one"))
    );
}

#[tokio::test]
async fn a_watch_sends_bookmarks_and_ends_in_time() {
    let server = server().await;
    let client = admin(&server).await;
    server.faults().set_bookmark_interval(Duration::from_millis(50));
    let start = version(&client).await;
    let path = format!("{MAPS}?watch=true&resourceVersion={start}");
    let mut silent = Lines::open(&client, &format!("{path}&timeoutSeconds=1")).await;
    let asking = format!("{path}&timeoutSeconds=1&allowWatchBookmarks=true");
    let mut lines = Lines::open(&client, &asking).await;
    server.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: default}}");
    let mut seen = start;
    while let Some(line) = lines.next().await.unwrap() {
        assert_eq!(
            (&line["type"], &line["object"]["kind"]),
            (&json!("BOOKMARK"), &json!("ConfigMap"))
        );
        let version = line["object"]["metadata"]["resourceVersion"].as_str().unwrap();
        assert!(version.parse::<u64>().unwrap() >= seen);
        seen = version.parse().unwrap();
    }
    assert!(seen > start);
    assert_eq!(silent.next().await, Ok(None));
}

#[tokio::test]
async fn an_old_version_is_refused_under_a_200() {
    let server = server().await;
    let client = admin(&server).await;
    let start = version(&client).await;
    let mut open =
        Lines::open(&client, &format!("{MAPS}?watch=true&resourceVersion={start}")).await;
    server.admin().create(&config_map("a", &json!({})));
    server.faults().compact(Some("configmaps"));
    let path = format!("{MAPS}?watch=true&resourceVersion={start}");
    let mut lines = Lines::open(&client, &path).await;
    let error = lines.next().await.unwrap().unwrap();
    assert_eq!(error["type"], "ERROR");
    let object = &error["object"];
    assert_eq!((&object["code"], &object["reason"]), (&json!(410), &json!("Expired")));
    assert!(object["message"].as_str().unwrap().starts_with("too old resource version: "));
    assert_eq!(lines.next().await, Ok(None));
    // Who was there before misses nothing.
    assert_eq!(open.event().await.1, "a");
}

#[tokio::test]
async fn a_list_is_streamed_where_the_server_knows_how() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&config_map("a", &json!({})));
    let start = version(&client).await;
    let path = format!(
        "{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
         &allowWatchBookmarks=true"
    );
    let mut lines = Lines::open(&client, &path).await;
    assert_eq!(lines.event().await.1, "a");
    let end = lines.next().await.unwrap().unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    let metadata = &end["object"]["metadata"];
    assert_eq!(metadata["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(metadata["resourceVersion"], start.to_string());
    server.admin().create(&config_map("b", &json!({})));
    assert_eq!(lines.event().await, event("ADDED", "b", start + 1));

    let unmatched = path.replace("&resourceVersionMatch=NotOlderThan", "");
    assert_eq!(send(&client, "GET", &unmatched, Value::Null).await.0, 422);
    server.faults().refuse_streaming_lists();
    let (status, _, body) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!(status, 422);
    assert_eq!(
        body["message"],
        "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents \
         is forbidden for watch unless the WatchList feature gate is enabled"
    );
}

#[tokio::test]
async fn a_watch_breaks_as_it_is_told() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&config_map("a", &json!({})));
    let path = format!("{MAPS}?watch=true&resourceVersion={}", version(&client).await);
    let break_off = async |how: WatchBreak| {
        let mut lines = Lines::open(&client, &path).await;
        server.faults().break_watches(Some("pods"), WatchBreak::End);
        server.faults().break_watches(Some("configmaps"), how);
        let first = lines.next().await;
        let has_half_a_line = !lines.rest.is_empty();
        (first, has_half_a_line)
    };
    assert_eq!(break_off(WatchBreak::End).await, (Ok(None), false));
    let (torn, has_half_a_line) = break_off(WatchBreak::Torn).await;
    assert!(torn.is_err() && !has_half_a_line, "{torn:?}");
    let (torn, has_half_a_line) = break_off(WatchBreak::TornInLine).await;
    assert!(torn.is_err() && has_half_a_line, "{torn:?}");
    let (expired, _) = break_off(WatchBreak::Expired).await;
    assert_eq!(expired.unwrap().unwrap()["object"]["code"], 410);
}

#[tokio::test]
async fn a_silenced_watch_stays_open_and_tells_later() {
    let server = server().await;
    let client = admin(&server).await;
    let start = version(&client).await;
    let path = format!("{MAPS}?watch=true&resourceVersion={start}&timeoutSeconds=1");
    let mut lines = Lines::open(&client, &path).await;
    server.faults().silence_watches("configmaps");
    server.admin().create(&config_map("a", &json!({})));
    let waited = tokio::time::timeout(Duration::from_millis(1500), lines.next()).await;
    assert!(waited.is_err(), "{waited:?}");
    server.faults().unsilence_watches("configmaps");
    assert_eq!(lines.event().await, event("ADDED", "a", start + 1));
}
