//! The namespace of drills: what its account may do, what reaches it, and when drills run.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;
use test_servers::process::Account;
use test_servers::process::run;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;
use crate::deploy::rights::Right;
use crate::deploy::rights::right;
use crate::deploy::rights::rights;
use crate::program::program;

const FOLDER: &str = "deploy/kustomize/drills";
const FLUX: &str = "deploy/kubernetes/apps/databases/cnpg-restore-drills/app";
const NAMESPACE: &str = "restore-drills";

async fn one(kind: &str) -> Object {
    manifests::one(FOLDER, kind).await
}

#[tokio::test]
async fn the_rights_of_a_drill_are_these_and_no_more() {
    let here = [
        ("postgresql.cnpg.io", "clusters", &["create", "get", "list", "delete"][..]),
        ("barmancloud.cnpg.io", "objectstores", &["list"]),
        ("batch", "jobs", &["list"]),
        ("", "pods", &["list"]),
        ("", "persistentvolumeclaims", &["list"]),
        ("events.k8s.io", "events", &["list"]),
        ("", "pods/log", &["get"]),
        ("", "secrets", &["get"]),
        ("", "configmaps", &["create", "list", "delete"]),
        ("coordination.k8s.io", "leases", &["create", "get", "update"]),
    ];
    let mut expected: BTreeSet<Right> = BTreeSet::new();
    for (group, resource, verbs) in here {
        expected.extend(verbs.iter().map(|verb| right(NAMESPACE, group, resource, "*", verb)));
    }
    // Of the sources it may read one by its name, and nothing else.
    expected.insert(right("databases", "postgresql.cnpg.io", "clusters", "*", "get"));
    // The daemon's.
    expected.insert(right(NAMESPACE, "", "configmaps", "*", "watch"));
    let objects = manifests::built_from(FOLDER).await;
    assert_eq!(rights(&objects), expected);
    let bindings = objects.iter().filter(|object| object.kind() == "RoleBinding");
    let account = json!([{
        "kind": "ServiceAccount", "name": "cnpg-restore-drills", "namespace": NAMESPACE,
    }]);
    let daemon = json!([{
        "kind": "ServiceAccount", "name": "cnpg-backup-verifier", "namespace": "databases",
    }]);
    let bound: Vec<_> = bindings.map(|it| (it.text("/roleRef/name"), it.at("/subjects"))).collect();
    let expected = [
        ("cnpg-restore-drills", &account),
        ("cnpg-backup-verifier-drill-results", &daemon),
        ("cnpg-restore-drills", &account),
    ];
    assert_eq!(bound, expected);
}

/// What is restored is what the source has: it gets nowhere but to its store.
#[tokio::test]
async fn nothing_gets_out_of_the_namespace_but_to_the_store_and_to_kubernetes() {
    let policy = one("NetworkPolicy").await;
    assert_eq!(policy.at("/spec/podSelector"), &json!({}));
    assert_eq!(policy.at("/spec/policyTypes"), &json!(["Ingress", "Egress"]));
    let anywhere = policy.at("/spec/egress").as_array().unwrap().iter();
    let anywhere: Vec<_> = anywhere.filter(|rule| rule.get("to").is_none()).collect();
    let ports = json!([{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]);
    assert_eq!(anywhere, [&json!({"ports": ports})]);
    let ingress = policy.at("/spec/ingress").as_array().unwrap();
    assert!(ingress.iter().all(|rule| rule.get("from").is_some()), "{ingress:#?}");
    let selected = policy.at("/spec/ingress/1/from/0/podSelector/matchLabels");
    let runner = one("CronJob").await;
    let labels = runner.at("/spec/jobTemplate/spec/template/metadata/labels");
    assert_eq!(labels, selected);
}

#[tokio::test]
async fn the_store_is_read_with_a_gibibyte_and_keeps_nothing() {
    let store = manifests::one(FLUX, "ObjectStore").await;
    assert_eq!(store.text("/metadata/namespace"), NAMESPACE);
    let memory = store.at("/spec/instanceSidecarConfiguration/resources/limits/memory");
    assert_eq!(memory, "1Gi");
    assert_eq!(store.value["spec"].get("retentionPolicy"), None);
    let quota = one("ResourceQuota").await;
    assert_eq!(quota.at("/spec/hard/count~1clusters.postgresql.cnpg.io"), "1");
}

#[tokio::test]
async fn one_drill_runs_at_a_time_and_has_time_to_clean_up() {
    let cron_job = one("CronJob").await;
    assert_eq!(cron_job.text("/spec/concurrencyPolicy"), "Forbid");
    let job = cron_job.at("/spec/jobTemplate/spec");
    assert_eq!(job["backoffLimit"], 0);
    let pod = &job["template"]["spec"];
    let container = &pod["containers"][0];
    let arguments = container["args"].as_array().unwrap();
    let at = arguments.iter().position(|it| it == "--timeout").unwrap();
    let deadline = humantime::parse_duration(arguments[at + 1].as_str().unwrap()).unwrap();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    let active = job["activeDeadlineSeconds"].as_u64().unwrap();
    // The removal of what was made may take five minutes.
    assert!(deadline.as_secs() + 300 < active && 300 < grace, "{active} {grace}");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let locked = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(container["securityContext"], locked);
}

/// It ends where it looks for Kubernetes.
#[tokio::test]
async fn the_program_understands_what_the_runner_is_told() {
    let folder = Account::own().temporary_directory();
    let place = |name: &str| folder.path().join(name);
    let config = manifests::read(&format!("{FOLDER}/config.yaml"));
    fs::write(place("config.yaml"), manifests::substituted(&config)).unwrap();
    for name in ["ACCESS_KEY_ID", "ACCESS_SECRET_KEY"] {
        fs::write(place(name), "key").unwrap();
    }
    let cron_job = one("CronJob").await;
    let container = cron_job.at("/spec/jobTemplate/spec/template/spec/containers/0");
    let mut command = program();
    for argument in container["args"].as_array().unwrap() {
        command.arg(argument.as_str().unwrap());
    }
    for variable in container["env"].as_array().unwrap() {
        let file = variable["value"].as_str().unwrap().rsplit('/').next().unwrap();
        command.env(variable["name"].as_str().unwrap(), place(file));
    }
    let finished = run(command, manifests::LIMIT).await;
    assert_eq!(finished.code, Some(3), "{finished:#?}");
    assert!(finished.stderr.contains("no way to Kubernetes"), "{finished:#?}");
}
