use serde_json::Value;
use serde_json::json;

use crate::admin;
use crate::cluster;
use crate::config_map;
use crate::send;
use crate::server;

const MAPS: &str = "/api/v1/namespaces/databases/configmaps";

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_show_one_state_and_count_what_remains() {
    let server = server().await;
    let client = admin(&server).await;
    for name in ["a", "b", "c", "d"] {
        server.admin().create(&config_map(name, &json!({})));
    }
    let (_, _, first) = send(&client, "GET", &format!("{MAPS}?limit=2"), Value::Null).await;
    assert_eq!(first["kind"], "ConfigMapList");
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    server.admin().delete("configmaps", "databases", "c");
    server.admin().create(&config_map("bb", &json!({})));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let path = format!("{MAPS}?limit=2&continue={token}");
    let (_, _, second) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(second["metadata"].get("continue"), None);

    server.faults().compact(Some("configmaps"));
    let (status, _, body) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!((status, &body["reason"]), (410, &json!("Expired")));
    let token = body["metadata"]["continue"].as_str().unwrap();
    let path = format!("{MAPS}?limit=9&continue={token}");
    let (_, _, rest) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!(names(&rest), ["bb", "d"]);
    let (status, _, _) = send(&client, "GET", &format!("{MAPS}?continue=x"), Value::Null).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_list_has_the_version_it_was_asked_for() {
    let server = server().await;
    let client = admin(&server).await;
    let version = |list: &Value| -> u64 {
        list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    };
    server.admin().create(&config_map("a", &json!({})));
    let (_, _, before) = send(&client, "GET", MAPS, Value::Null).await;
    server.admin().create(&config_map("b", &json!({})));
    let (_, _, after) = send(&client, "GET", MAPS, Value::Null).await;
    assert!(version(&after) > version(&before));

    // The watch cache knows no pages.
    let path = format!("{MAPS}?resourceVersion=0&limit=1");
    let (_, _, cached) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!(names(&cached), ["a", "b"]);
    let exact = version(&before);
    let path = format!("{MAPS}?resourceVersion={exact}&resourceVersionMatch=Exact");
    let (_, _, then) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!((names(&then), version(&then)), (vec!["a"], exact));
    server.faults().compact(None);
    assert_eq!(send(&client, "GET", &path, Value::Null).await.0, 410);
    let path = format!("{MAPS}?resourceVersion=999999");
    let (status, _, body) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!((status, &body["reason"]), (504, &json!("Timeout")));
    for query in ["resourceVersionMatch=Exact", "sendInitialEvents=true", "resourceVersion=x"] {
        let (status, _, body) = send(&client, "GET", &format!("{MAPS}?{query}"), Value::Null).await;
        assert_eq!(status, 422, "{query}: {body}");
    }
}

#[tokio::test]
async fn selectors_narrow_a_list_and_unknown_fields_are_refused() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&config_map("a", &json!({ "app": "one" })));
    server.admin().create(&config_map("b", &json!({ "app": "two" })));
    server.admin().create(&cluster("main"));
    let check = async |path: &str, expected: &[&str]| {
        let (status, _, body) = send(&client, "GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        assert_eq!(names(&body), expected, "{path}");
    };
    check(&format!("{MAPS}?labelSelector=app%20in%20(two,three)"), &["b"]).await;
    check(&format!("{MAPS}?labelSelector=app!%3Dtwo"), &["a"]).await;
    check("/api/v1/configmaps?fieldSelector=metadata.name%3Db", &["b"]).await;
    check("/api/v1/configmaps?fieldSelector=metadata.namespace%3Ddefault", &[]).await;
    check("/api/v1/namespaces/default/configmaps", &[]).await;
    let clusters = "/apis/postgresql.cnpg.io/v1/clusters";
    check(&format!("{clusters}?fieldSelector=metadata.name!%3Dmain"), &[]).await;
    let path = format!("{clusters}?fieldSelector=spec.instances%3D1");
    let (status, _, body) = send(&client, "GET", &path, Value::Null).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().ends_with("not supported: spec.instances"), "{body}");
}

#[tokio::test]
async fn a_big_list_is_compressed_for_who_asks() {
    let server = server().await;
    let client = admin(&server).await;
    let mut object = config_map("big", &json!({}));
    object["data"] = json!({ "text": "x".repeat(200_000) });
    server.admin().create(&object);
    let get = async |encoding: &str| {
        let request = http::Request::get(MAPS).header("accept-encoding", encoding);
        let request = request.body(kube::client::Body::empty()).unwrap();
        let response = client.send(request).await.unwrap();
        let encoding = response.headers().get("content-encoding").cloned();
        (encoding, response.into_body().collect_bytes().await.unwrap())
    };
    let (encoding, body) = get("gzip").await;
    assert_eq!(encoding.unwrap(), "gzip");
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&*body);
    std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    let (encoding, plain) = get("identity").await;
    assert_eq!((encoding, text.as_bytes()), (None, &*plain));
}
