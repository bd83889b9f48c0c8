use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::User;
use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::process::run_with_input;

use crate::server;

const SCHEDULE: &str = "
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: {name: daily, namespace: databases}
spec: {cluster: {name: main}, schedule: '0 0 * * *'}
";

const STORE: &str = "
apiVersion: barmancloud.cnpg.io/v1
kind: ObjectStore
metadata: {name: store, namespace: databases}
spec:
  configuration:
    destinationPath: s3://backups/
";

struct Kubectl {
    home: tempfile::TempDir,
    kubeconfig: PathBuf,
}

impl Kubectl {
    fn new(server: &ApiServer) -> Self {
        let kubeconfig = server.kubeconfig(&User::admin());
        Self { home: Account::own().temporary_directory(), kubeconfig }
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Finished {
        let program = Path::new("/usr/bin/kubectl");
        assert!(program.exists(), "no kubectl: run `make tools`");
        let mut command = Account::own().command(program);
        command.env("HOME", self.home.path()).arg("--kubeconfig").arg(&self.kubeconfig);
        run_with_input(
            {
                command.args(arguments);
                command
            },
            input,
            Duration::from_secs(60),
        )
        .await
    }

    async fn succeeds(&self, arguments: &[&str], input: &str) -> String {
        self.run(arguments, input).await.expect_success()
    }
}

#[tokio::test]
async fn kubectl_creates_shows_annotates_and_deletes() {
    let server = server().await;
    let kubectl = Kubectl::new(&server);
    let applied = kubectl.succeeds(&["apply", "--server-side", "-f", "-"], STORE).await;
    assert_eq!(applied, "objectstore.barmancloud.cnpg.io/store serverside-applied\n");
    let shown = kubectl.succeeds(&["get", "objectstores", "-A", "-o", "name"], "").await;
    assert_eq!(shown, "objectstore.barmancloud.cnpg.io/store\n");
    let table = kubectl.succeeds(&["get", "objectstore", "store", "-n", "databases"], "").await;
    assert!(table.starts_with("NAME"), "{table}");
    let annotate = ["annotate", "objectstore", "store", "-n", "databases", "a=b"];
    kubectl.succeeds(&annotate, "").await;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {k: v}\n";
    kubectl.succeeds(&["create", "-f", "-"], map).await;
    kubectl.succeeds(&["annotate", "configmap", "m", "a=b"], "").await;
    let map = server.admin().get("configmaps", "default", "m").unwrap();
    assert_eq!(
        (&map["data"]["k"], &map["metadata"]["annotations"]["a"]),
        (&"v".into(), &"b".into())
    );
    kubectl.succeeds(&["delete", "objectstore", "store", "-n", "databases"], "").await;
    assert!(server.admin().get("objectstores", "databases", "store").is_none());
    kubectl.succeeds(&["delete", "namespace", "databases"], "").await;
    assert!(server.admin().get("namespaces", "", "databases").is_none());
}

#[tokio::test]
async fn kubectl_tells_what_the_server_refuses_and_warns_of() {
    let server = server().await;
    let kubectl = Kubectl::new(&server);
    let misplaced = format!("{STORE}    retentionPolicy: 30d\n");
    let refused = kubectl.run(&["create", "-f", "-"], &misplaced).await;
    let unknown = "unknown field \"spec.configuration.retentionPolicy\"";
    assert!(!refused.success() && refused.stderr.contains(unknown), "{refused:?}");
    let refused = kubectl.run(&["apply", "--server-side", "-f", "-"], &misplaced).await;
    let undeclared = "field not declared in schema";
    assert!(!refused.success() && refused.stderr.contains(undeclared), "{refused:?}");
    let named = format!("{STORE}    serverName: main\n");
    let refused = kubectl.run(&["create", "-f", "-"], &named).await;
    let forbidden = "use the 'serverName' plugin parameter";
    assert!(!refused.success() && refused.stderr.contains(forbidden), "{refused:?}");

    let warned = kubectl.run(&["create", "-f", "-"], SCHEDULE).await;
    let warning = "Warning: Schedule parameter may not have the right number of arguments";
    assert!(warned.success() && warned.stderr.contains(warning), "{warned:?}");
    let missing = kubectl.run(&["get", "cluster", "none", "-n", "databases"], "").await;
    let not_found = "Error from server (NotFound): clusters.postgresql.cnpg.io \"none\" not found";
    assert!(missing.stderr.contains(not_found), "{missing:?}");
}

#[tokio::test]
async fn kubectl_gets_a_token_that_works() {
    let server = server().await;
    let kubectl = Kubectl::new(&server);
    let account = "apiVersion: v1
kind: ServiceAccount
metadata: {name: verifier, namespace: databases}
";
    kubectl.succeeds(&["apply", "--server-side", "-f", "-"], account).await;
    let request = r#"{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}"#;
    let path = "/api/v1/namespaces/databases/serviceaccounts/verifier/token";
    let answer = kubectl.succeeds(&["create", "--raw", path, "-f", "-"], request).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let kubeconfig = server.kubeconfig_with_token(answer["status"]["token"].as_str().unwrap());
    let other = Kubectl { home: Account::own().temporary_directory(), kubeconfig };
    let denied = other.run(&["get", "pods"], "").await;
    assert!(denied.stderr.contains("system:serviceaccount:databases:verifier"), "{denied:?}");
}
