use kube::discovery::Discovery;
use kube::discovery::verbs;
use serde_json::Value;

use crate::admin;
use crate::send;
use crate::server;

#[tokio::test]
async fn a_client_discovers_what_is_served() {
    let server = server().await;
    let client = admin(&server).await;
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    let group = discovery.get("postgresql.cnpg.io").unwrap();
    let mut kinds: Vec<String> =
        group.recommended_resources().into_iter().map(|(resource, _)| resource.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["Backup", "Cluster", "ScheduledBackup"]);
    let (resource, capabilities) = group.recommended_kind("Cluster").unwrap();
    assert_eq!((&*resource.plural, &*resource.api_version), ("clusters", "postgresql.cnpg.io/v1"));
    assert!(capabilities.supports_operation(verbs::WATCH));
    assert_eq!(capabilities.subresources.len(), 1);
    server.remove_crd("objectstores.barmancloud.cnpg.io");
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    assert!(discovery.get("barmancloud.cnpg.io").is_none());
    let version = client.apiserver_version().await.unwrap();
    assert_eq!((&*version.major, &*version.minor), ("1", "36"));
    assert_eq!(send(&client, "GET", "/apis/nobody.example.com", Value::Null).await.0, 404);
}
