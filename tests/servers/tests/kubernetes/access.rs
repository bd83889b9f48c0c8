use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::User;

use crate::admin;
use crate::api;
use crate::client;
use crate::send;
use crate::server;

const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: databases}
rules:
  - {apiGroups: [''], resources: [secrets], resourceNames: [known], verbs: [get, list]}
  - {apiGroups: [postgresql.cnpg.io], resources: [clusters, backups/status], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: databases}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: verifier, namespace: databases}]
---
apiVersion: v1
kind: Secret
metadata: {name: known, namespace: databases}
stringData: {password: secret}
---
apiVersion: v1
kind: Secret
metadata: {name: other, namespace: databases}
";

#[tokio::test]
async fn a_role_grants_its_verbs_names_and_subresources_and_nothing_more() {
    let server = server().await;
    server.apply(ROLE);
    let user = User::service_account("databases", "verifier");
    let client = client(&server.kubeconfig(&user)).await;
    let root = "/api/v1/namespaces/databases";
    let cnpg = "/apis/postgresql.cnpg.io/v1";
    let expected = [
        (200, "GET", format!("{root}/secrets/known")),
        (403, "GET", format!("{root}/secrets/other")),
        (403, "GET", format!("{root}/secrets")),
        (200, "GET", format!("{root}/secrets?fieldSelector=metadata.name%3Dknown")),
        (403, "GET", format!("{root}/secrets?watch=true")),
        (403, "DELETE", format!("{root}/secrets/known")),
        (403, "GET", "/api/v1/namespaces/default/secrets/known".to_owned()),
        (404, "GET", format!("{cnpg}/namespaces/databases/clusters/main")),
        (404, "GET", format!("{cnpg}/namespaces/databases/backups/one/status")),
        (403, "GET", format!("{cnpg}/namespaces/databases/backups/one")),
        (403, "GET", format!("{cnpg}/clusters")),
        (403, "GET", "/metrics".to_owned()),
        (200, "GET", "/version".to_owned()),
    ];
    for (code, method, path) in expected {
        let (status, _, body) = send(&client, method, &path, Value::Null).await;
        assert_eq!(status, code, "{method} {path}: {body}");
    }
    let clusters = api(&client, "Cluster", "databases");
    let kube::Error::Api(status) = clusters.list(&ListParams::default()).await.unwrap_err() else {
        panic!("no status");
    };
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
    assert_eq!(
        status.message,
        "clusters.postgresql.cnpg.io is forbidden: User \
         \"system:serviceaccount:databases:verifier\" cannot list resource \"clusters\" in API \
         group \"postgresql.cnpg.io\" in the namespace \"databases\""
    );
}

#[tokio::test]
async fn what_is_bound_to_the_whole_cluster_holds_in_every_namespace_until_it_is_unbound() {
    let server = server().await;
    server.apply(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
  - {apiGroups: ['*'], resources: ['*/status', clusters], verbs: ['*']}
  - {nonResourceURLs: ['/metrics*'], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:serviceaccounts:databases'}]
",
    );
    let client = client(&server.kubeconfig(&User::service_account("databases", "any"))).await;
    let check = async |code: u16, path: &str| {
        let (status, _, body) = send(&client, "GET", path, Value::Null).await;
        assert_eq!(status, code, "{path}: {body}");
    };
    check(200, "/apis/postgresql.cnpg.io/v1/clusters").await;
    check(403, "/apis/postgresql.cnpg.io/v1/backups").await;
    check(404, "/apis/postgresql.cnpg.io/v1/namespaces/databases/backups/x/status").await;
    // Allowed, and nobody serves it.
    check(404, "/metrics/cadvisor").await;
    server.admin().delete("clusterrolebindings", "", "reader");
    check(403, "/apis/postgresql.cnpg.io/v1/clusters").await;
}

#[tokio::test]
async fn who_has_no_token_is_anonymous_and_a_wrong_token_is_nobody() {
    let server = ApiServer::start().await.unwrap();
    let token = server.create_service_account_token("databases", "verifier");
    let known = client(&server.kubeconfig_with_token(&token)).await;
    let (status, _, body) = send(&known, "GET", "/api/v1/pods", Value::Null).await;
    assert_eq!((status, &body["reason"]), (403, &json!("Forbidden")));
    server.revoke_token(&token);
    let (status, _, body) = send(&known, "GET", "/api/v1/pods", Value::Null).await;
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "Unauthorized", "reason": "Unauthorized", "code": 401,
    });
    assert_eq!((status, body), (401, expected));
    let nobody = client(&server.kubeconfig_with_token("''")).await;
    let (status, _, body) = send(&nobody, "GET", "/api/v1/pods", Value::Null).await;
    assert_eq!(status, 403);
    assert!(body["message"].as_str().unwrap().contains("\"system:anonymous\""), "{body}");
    let (status, _, _) = send(&nobody, "GET", "/readyz", Value::Null).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_rotated_token_stands_in_the_file_and_the_former_one_is_refused() {
    let server = server().await;
    let user = User::admin();
    let path = server.kubeconfig(&user);
    let before = client(&path).await;
    assert_eq!(send(&before, "GET", "/api/v1/pods", Value::Null).await.0, 200);
    server.rotate_token(&user);
    assert_eq!(send(&before, "GET", "/api/v1/pods", Value::Null).await.0, 401);
    let after = client(&path).await;
    assert_eq!(send(&after, "GET", "/api/v1/pods", Value::Null).await.0, 200);
}

#[tokio::test]
async fn a_pod_finds_its_token_authority_and_namespace() {
    let server = server().await;
    let files = server.in_cluster_files(&User::service_account("databases", "verifier"));
    let read = |name: &str| std::fs::read_to_string(files.join(name)).unwrap();
    assert_eq!(read("namespace"), "databases");
    assert_eq!(read("ca.crt"), server.ca_pem());
    let client = client(&server.kubeconfig_with_token(&read("token"))).await;
    let (_, _, body) = send(&client, "GET", "/api/v1/pods", Value::Null).await;
    assert!(body["message"].as_str().unwrap().contains(":databases:verifier"), "{body}");
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_does_not_connect() {
    let (server, stranger) = (server().await, server().await);
    let path = stranger.kubeconfig(&User::admin());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&stranger.url(), &server.url())).unwrap();
    let client = client(&path).await;
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::all(client);
    let error = pods.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_)), "{error:?}");
}

#[tokio::test]
async fn a_token_can_be_requested_and_access_asked_for_over_the_api() {
    let server = server().await;
    server.apply(ROLE);
    server.apply(
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: verifier, namespace: databases}}",
    );
    let admin = admin(&server).await;
    let path = "/api/v1/namespaces/databases/serviceaccounts/verifier/token";
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "audiences": [] },
    });
    let (status, _, body) = send(&admin, "POST", path, request).await;
    assert_eq!(status, 201);
    let token = body["status"]["token"].as_str().unwrap();
    let client = client(&server.kubeconfig_with_token(token)).await;
    for (resource, is_allowed) in [("clusters", true), ("backups", false)] {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "verb": "get", "group": "postgresql.cnpg.io", "resource": resource,
                "namespace": "databases",
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let (status, _, body) = send(&client, "POST", path, review).await;
        assert_eq!((status, &body["status"]["allowed"]), (201, &json!(is_allowed)), "{resource}");
    }
}
