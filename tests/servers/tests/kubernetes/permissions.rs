use serde_json::Value;
use test_servers::kubernetes::Permission;
use test_servers::kubernetes::User;

use crate::client;
use crate::send;
use crate::server;

#[tokio::test]
async fn what_is_used_is_compared_with_what_is_granted_both_ways() {
    let server = server().await;
    server.apply(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
  - {apiGroups: [postgresql.cnpg.io], resources: [clusters], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: verifier, namespace: databases}]
",
    );
    let user = User::service_account("databases", "verifier");
    let client = client(&server.kubeconfig(&user)).await;
    let clusters = "/apis/postgresql.cnpg.io/v1/clusters";
    send(&client, "GET", clusters, Value::Null).await;
    send(&client, "GET", "/apis/postgresql.cnpg.io/v1", Value::Null).await;
    send(&client, "GET", "/api/v1/namespaces/databases/pods/one/status", Value::Null).await;

    let shown = |permissions: &[Permission]| -> Vec<String> {
        permissions.iter().map(ToString::to_string).collect()
    };
    let list = "list clusters.postgresql.cnpg.io";
    let watch = "watch clusters.postgresql.cnpg.io";
    assert_eq!(shown(&server.used_permissions(&user)), ["get pods/status", list]);
    assert_eq!(shown(&server.granted_permissions(&user)), [list, watch]);
    let compared = server.permission_use(&user);
    assert_eq!(shown(&compared.refused), ["get pods/status"]);
    assert_eq!(shown(&compared.unused), [watch]);

    let records = server.requests_of(&user);
    let seen: Vec<_> = records
        .iter()
        .map(|r| (&*r.verb, &*r.resource, &*r.subresource, &*r.namespace, r.is_allowed, r.status))
        .collect();
    assert_eq!(
        seen,
        [
            ("list", "clusters", "", "", true, 200),
            ("get", "", "", "", true, 200),
            ("get", "pods", "status", "databases", false, 403),
        ]
    );
    assert_eq!((&*records[0].group, &*records[0].version), ("postgresql.cnpg.io", "v1"));
    assert_eq!((&*records[2].name, &*records[0].uri), ("one", clusters));
    server.reset_requests();
    assert_eq!(server.requests(), []);
}
