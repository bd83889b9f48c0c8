use std::collections::BTreeMap;

use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use serde_json::json;
use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::Fault;
use test_servers::kubernetes::Trigger;
use test_servers::kubernetes::WatchBreak;

use crate::LIMIT;
use crate::admin;
use crate::api;
use crate::cluster;
use crate::server;

/// What a reflector would know: the clusters and their instances.
async fn follow(
    stream: &mut (impl futures::Stream<Item = watcher::Result<watcher::Event<DynamicObject>>> + Unpin),
    known: &mut BTreeMap<String, i64>,
    expected: &[(&str, i64)],
) {
    let expected: BTreeMap<String, i64> =
        expected.iter().map(|(name, instances)| ((*name).to_owned(), *instances)).collect();
    tokio::time::timeout(LIMIT, async {
        while *known != expected {
            match stream.next().await.unwrap() {
                Ok(watcher::Event::Init) => known.clear(),
                Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                    let instances = object.data["spec"]["instances"].as_i64().unwrap();
                    known.insert(object.name_any(), instances);
                }
                Ok(watcher::Event::Delete(object)) => {
                    known.remove(&object.name_any());
                }
                // The watcher goes on by itself after a pause.
                Ok(watcher::Event::InitDone) | Err(_) => {}
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{known:?} instead of {expected:?}"));
}

async fn survives(server: &ApiServer, config: watcher::Config) {
    let client = admin(server).await;
    let clusters = api(&client, "Cluster", "databases");
    let mut stream = watcher(clusters, config).default_backoff().boxed();
    let mut known = BTreeMap::new();
    server.admin().create(&cluster("a"));
    follow(&mut stream, &mut known, &[("a", 1)]).await;

    let breaks = [WatchBreak::End, WatchBreak::Torn, WatchBreak::TornInLine, WatchBreak::Expired];
    for (instances, how) in (2..).zip(breaks) {
        server.faults().break_watches(Some("clusters"), how);
        let patch = json!({ "spec": { "instances": instances } });
        server.admin().patch("clusters", "databases", "a", &patch);
        follow(&mut stream, &mut known, &[("a", instances)]).await;
    }
    // Nobody watches while the object goes, and the history forgets it.
    server.stop_listening().await;
    server.admin().delete("clusters", "databases", "a");
    server.admin().create(&cluster("b"));
    server.restart().await.unwrap();
    follow(&mut stream, &mut known, &[("b", 1)]).await;
    server.faults().inject(Trigger::next(1).verb("watch").resource("clusters"), Fault::Expired);
    server.faults().break_watches(None, WatchBreak::End);
    server.admin().create(&cluster("c"));
    follow(&mut stream, &mut known, &[("b", 1), ("c", 1)]).await;
}

#[tokio::test]
async fn a_watcher_that_lists_survives_what_happens_to_watches() {
    let server = server().await;
    survives(&server, watcher::Config::default().page_size(1)).await;
    assert!(server.requests().iter().any(|record| record.verb == "list"));
}

#[tokio::test]
async fn a_watcher_that_streams_survives_what_happens_to_watches() {
    let server = server().await;
    survives(&server, watcher::Config::default().streaming_lists()).await;
    assert!(server.requests().iter().all(|record| record.verb != "list"));
}

#[tokio::test]
async fn a_watcher_finds_a_kind_that_appears_later() {
    let server = ApiServer::start().await.unwrap();
    server.apply("{apiVersion: v1, kind: Namespace, metadata: {name: databases}}");
    let client = admin(&server).await;
    let clusters = api(&client, "Cluster", "databases");
    let mut stream = watcher(clusters, watcher::Config::default()).default_backoff().boxed();
    let missing = stream.next().await.unwrap();
    let missing = match missing {
        Ok(watcher::Event::Init) => stream.next().await.unwrap(),
        other => other,
    };
    assert!(missing.is_err(), "{missing:?}");
    server.install_all_crds();
    server.admin().create(&cluster("a"));
    let mut known = BTreeMap::new();
    follow(&mut stream, &mut known, &[("a", 1)]).await;
    // Told by a watch, so that there is one to end.
    server.admin().create(&cluster("b"));
    follow(&mut stream, &mut known, &[("a", 1), ("b", 1)]).await;
    server.remove_crd("clusters.postgresql.cnpg.io");
    follow(&mut stream, &mut known, &[]).await;
}
