//! How the dashboards reach a Grafana: through kustomize, and in a form that Grafana knows.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use test_servers::process::Account;
use test_servers::process::run;
use test_servers::tools;

use crate::dashboards::model::Dashboard;
use crate::dashboards::model::NAMES;
use crate::dashboards::model::folder;

#[tokio::test]
async fn kustomize_makes_a_config_map_and_the_resources_of_the_operator() {
    let built = build(&["dashboards", "dashboards/grafana-operator"]).await;
    let [config_map, operated @ ..] = built.as_slice() else { panic!("{built:?}") };
    assert_eq!(config_map["kind"], "ConfigMap");
    let metadata = &config_map["metadata"];
    assert_eq!(metadata["name"], "cnpg-backup-verifier-dashboards");
    let labels =
        json!({"app.kubernetes.io/name": "cnpg-backup-verifier", "grafana_dashboard": "1"});
    assert_eq!(metadata["labels"], labels);
    let no_substitution = json!({"kustomize.toolkit.fluxcd.io/substitute": "disabled"});
    assert_eq!(metadata["annotations"], no_substitution);
    let files = config_map["data"].as_object().unwrap();
    assert_eq!(files.len(), NAMES.len());
    for name in NAMES {
        let text = files[&format!("cnpg-backup-verifier-{name}.json")].as_str().unwrap();
        let json: Value = serde_json::from_str(text).unwrap();
        assert_eq!(json, Dashboard::read(name).json, "{name}");
    }
    assert_eq!(operated.len(), NAMES.len());
    for resource in operated {
        assert_eq!(resource["apiVersion"], "grafana.integreatly.org/v1beta1");
        assert_eq!(resource["kind"], "GrafanaDashboard");
        let reference = &resource["spec"]["configMapRef"];
        assert_eq!(reference["name"], metadata["name"]);
        let key = reference["key"].as_str().unwrap();
        assert!(files.contains_key(key), "{key}");
        assert_eq!(key, format!("{}.json", resource["metadata"]["name"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn without_the_operator_there_is_one_config_map() {
    let built = build(&["dashboards"]).await;
    assert_eq!(built.len(), 1, "{built:?}");
}

#[tokio::test]
async fn grafanas_own_schema_knows_every_key() {
    let mut command = Account::own().command(&tools::python("python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dashboards/reemit.py"));
    command.args(NAMES.map(|name| folder().join(format!("{name}.json"))));
    let finished = run(command, LIMIT).await;
    assert!(finished.success(), "{finished:#?}");
    let counts: Vec<usize> = finished
        .stdout
        .lines()
        .map(|line| line.strip_suffix(" values").unwrap_or_else(|| panic!("{line}")))
        .map(|count| count.parse().unwrap())
        .collect();
    assert!(counts.len() == 2 && counts.iter().all(|count| *count > 500), "{counts:?}");
}

/// What kustomize makes of these components, the `ConfigMap` first.
async fn build(components: &[&str]) -> Vec<Value> {
    let directory = Account::own().temporary_directory();
    let copy = directory.path().join("dashboards");
    fs::create_dir_all(copy.join("grafana-operator")).unwrap();
    for file in ["fleet.json", "cluster.json", "kustomization.yaml"]
        .into_iter()
        .chain(["grafana-operator/kustomization.yaml", "grafana-operator/grafanadashboard.yaml"])
    {
        fs::copy(folder().join(file), copy.join(file)).unwrap();
    }
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "components": components,
    });
    fs::write(directory.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let mut command = Account::own().command(&kubectl());
    command.arg("kustomize").arg(directory.path());
    let finished = run(command, LIMIT).await;
    assert!(finished.success(), "{finished:#?}");
    let documents = finished.stdout.split("\n---\n");
    documents.map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// The one that `scripts/install-tools` brought, else that of the machine.
fn kubectl() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install-tools");
    let answer = Command::new(script).arg("--where").output().unwrap();
    let tools = String::from_utf8(answer.stdout).unwrap();
    let installed = Path::new(tools.trim()).join("manifests/kubectl");
    if installed.exists() { installed } else { tools::debian("kubectl") }
}

/// It takes a second; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
