use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::Fault;
use test_servers::kubernetes::Trigger;
use test_servers::kubernetes::User;
use tokio::time::Instant;

use crate::Lines;
use crate::admin;
use crate::cluster;
use crate::send;
use crate::server;

const CLUSTERS: &str = "/apis/postgresql.cnpg.io/v1/clusters";

#[tokio::test]
async fn a_fault_meets_the_requests_it_is_meant_for() {
    let server = server().await;
    let client = admin(&server).await;
    let faults = server.faults();
    let get = async || {
        let (status, headers, body) = send(&client, "GET", CLUSTERS, Value::Null).await;
        (status, headers.get("retry-after").cloned(), body)
    };
    let trigger = |times: u64| Trigger::next(times).verb("list").resource("clusters");
    faults.inject(trigger(1), Fault::TooManyRequests { retry_after_seconds: 7 });
    faults.inject(trigger(1), Fault::InternalError);
    faults.inject(trigger(1), Fault::Unavailable);
    faults.inject(trigger(1), Fault::Expired);
    faults.inject(trigger(1), Fault::BadGateway);
    faults.inject(Trigger::nth(2).resource("clusters"), Fault::InternalError);
    let backups = "/apis/postgresql.cnpg.io/v1/backups";
    assert_eq!(send(&client, "GET", backups, Value::Null).await.0, 200);
    let (status, retry_after, body) = get().await;
    assert_eq!((status, &body["reason"]), (429, &json!("TooManyRequests")));
    assert_eq!(retry_after.unwrap(), "7");
    for code in [500, 503, 410, 502] {
        assert_eq!(get().await.0, code);
    }
    assert_eq!(faults.left(), 1);
    assert_eq!([get().await.0, get().await.0, get().await.0], [200, 500, 200]);
    faults.inject(Trigger::always(), Fault::Unavailable);
    assert_eq!(get().await.0, 503);
    faults.clear();
    assert_eq!(get().await.0, 200);
}

#[tokio::test]
async fn answers_are_late_cut_or_missing() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&cluster("main"));
    let faults = server.faults();
    let request = || {
        let request = http::Request::get(CLUSTERS).body(kube::client::Body::empty()).unwrap();
        client.send(request)
    };
    faults.inject(Trigger::next(1), Fault::Slow(Duration::from_millis(100)));
    let start = Instant::now();
    assert_eq!(request().await.unwrap().status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(100));
    faults.inject(Trigger::next(1), Fault::CutBody);
    let response = request().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect_bytes().await.is_err());
    server.reset_requests();
    faults.inject(Trigger::next(1), Fault::Reset);
    assert!(request().await.is_err());
    assert_eq!(server.requests_of(&User::admin())[0].status, 0);
}

#[tokio::test]
async fn a_restart_keeps_the_objects_and_forgets_the_history() {
    let server = server().await;
    let client = admin(&server).await;
    server.admin().create(&cluster("main"));
    let (_, _, list) = send(&client, "GET", CLUSTERS, Value::Null).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{CLUSTERS}?watch=true&resourceVersion={version}");
    let mut open = Lines::open(&client, &path).await;
    server.stop_listening().await;
    assert!(open.next().await.is_err());
    let refused = http::Request::get(CLUSTERS).body(kube::client::Body::empty()).unwrap();
    assert!(client.send(refused).await.is_err());
    server.resume_listening().await.unwrap();
    server.restart().await.unwrap();
    let (status, _, list) = send(&client, "GET", CLUSTERS, Value::Null).await;
    assert_eq!((status, list["items"].as_array().unwrap().len()), (200, 1));
    let mut resumed = Lines::open(&client, &path).await;
    let error = resumed.next().await.unwrap().unwrap();
    assert_eq!((&error["type"], &error["object"]["code"]), (&json!("ERROR"), &json!(410)));
}
