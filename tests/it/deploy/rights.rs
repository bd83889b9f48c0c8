//! What the daemon may do, in the container and in Kubernetes, and that no file holds a secret.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;

const COMPONENTS: &str = "deploy/kustomize/components";
const READ: [&str; 2] = ["list", "watch"];

/// What a role lets the daemon do: (where, group, resource, name or `*`, verb).
pub(super) type Right = (String, String, String, String, String);

#[tokio::test]
async fn the_rights_are_these_and_no_more() {
    let mut expected = BTreeSet::new();
    for resource in ["clusters", "backups", "scheduledbackups"] {
        expected.extend(READ.map(|verb| right("*", "postgresql.cnpg.io", resource, "*", verb)));
    }
    expected.extend(READ.map(|verb| right("*", "barmancloud.cnpg.io", "objectstores", "*", verb)));
    expected.insert(right("*", "events.k8s.io", "events", "*", "create"));
    expected.extend(READ.map(|verb| right("cnpg-system", "apps", "deployments", "*", verb)));
    assert_eq!(rights(&manifests::build_with(&[]).await), expected);
    let ours = manifests::built_from("deploy/kubernetes/apps/databases/cnpg-backup-verifier/app");
    assert_eq!(rights(&ours.await), expected);
    let none =
        ["restore-drills", "service-monitor", "network-policy", "cilium-egress", "ledger-volume"];

    let pods = READ.map(|verb| right("*", "", "pods", "*", verb));
    assert_eq!(added("instance-metrics", &expected).await, BTreeSet::from(pods));
    let secret = right("databases", "", "secrets", "cnpg-r2-secret", "get");
    assert_eq!(added("secret-reading", &expected).await, BTreeSet::from([secret]));
    let mut jobs = BTreeSet::from(READ.map(|verb| right("backups", "", "pods", "*", verb)));
    let verbs = ["create", "list", "watch", "delete"];
    jobs.extend(verbs.map(|verb| right("backups", "batch", "jobs", "*", verb)));
    assert_eq!(added("content-jobs", &expected).await, jobs);
    for component in none {
        assert_eq!(added(component, &expected).await, BTreeSet::new());
    }
    assert_eq!(manifests::folders("Component").len(), 8);
}

/// Somebody who applies the base with a component gives the rights to the daemon's account.
#[tokio::test]
async fn every_role_is_bound_to_the_account_of_the_pod() {
    for component in manifests::folders("Component") {
        let objects = manifests::build_with(&[&component]).await;
        let roles = |object: &&Object| ["Role", "ClusterRole"].contains(&object.kind());
        for role in objects.iter().filter(roles) {
            let binds = |object: &&Object| {
                object.kind() == format!("{}Binding", role.kind())
                    && object.value["metadata"]["namespace"] == role.value["metadata"]["namespace"]
                    && object.text("/roleRef/name") == role.name()
            };
            let binding = objects.iter().find(binds).unwrap();
            let account = json!([{
                "kind": "ServiceAccount", "name": "cnpg-backup-verifier", "namespace": "backups",
            }]);
            assert_eq!(binding.at("/subjects"), &account, "{component}");
        }
        let deployment = of_kind(&objects, "Deployment");
        assert_eq!(deployment.text("/spec/template/spec/serviceAccountName"), ACCOUNT);
        assert_eq!(of_kind(&objects, "ServiceAccount").name(), ACCOUNT);
    }
}

const ACCOUNT: &str = "cnpg-backup-verifier";

#[tokio::test]
async fn every_container_is_locked_in() {
    let mut containers = 0;
    for object in manifests::built().await {
        let Some(pod) = object.value.pointer("/spec/template/spec") else { continue };
        let pod_wide = &pod["securityContext"];
        assert_eq!(pod_wide["runAsNonRoot"], true);
        assert_eq!(
            (&pod_wide["runAsUser"], &pod_wide["runAsGroup"]),
            (&json!(65532), &json!(65532))
        );
        assert_eq!(pod_wide["seccompProfile"], json!({"type": "RuntimeDefault"}));
        for field in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert_eq!(pod.get(field), None, "{field}");
        }
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.iter().all(|volume| volume.get("hostPath").is_none()));
        for container in pod["containers"].as_array().unwrap() {
            let expected = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], expected);
            let resources = json!({
                "requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"},
            });
            assert_eq!(container["resources"], resources);
            containers += 1;
        }
    }
    assert!(6 < containers, "{containers} containers");
}

#[test]
fn no_file_holds_a_credential() {
    let mut files = manifests::files("deploy", "");
    files.extend(manifests::files("docs", ""));
    for file in files.into_iter().filter(|file| !file.ends_with(".png")) {
        let text = manifests::read(&file);
        for sign in ["kind: Secret\n", "stringData:", "AKIA", "PRIVATE KEY", "op://"] {
            assert!(!text.contains(sign), "{file}: {sign}");
        }
        // An access key of R2 has 32 hexadecimal digits, its secret 64, and so has the digest of an
        // image behind its algorithm.
        let text = text.replace("sha256:", "sha256");
        let is_token =
            |word: &&str| word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit());
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert_eq!(words.clone().find(is_token), None, "{file}");
    }
}

/// What a component adds to the rights of the base.
async fn added(component: &str, base: &BTreeSet<Right>) -> BTreeSet<Right> {
    let objects = manifests::build_with(&[&format!("{COMPONENTS}/{component}")]).await;
    let rights = rights(&objects);
    assert!(rights.is_superset(base), "{component}");
    rights.difference(base).cloned().collect()
}

pub(super) fn rights(objects: &[Object]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for role in objects.iter().filter(|it| ["Role", "ClusterRole"].contains(&it.kind())) {
        let place = match role.kind() {
            "Role" => role.text("/metadata/namespace"),
            _ => "*",
        };
        for rule in role.at("/rules").as_array().unwrap() {
            assert_eq!(rule.get("nonResourceURLs"), None);
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        let names = rule.get("resourceNames").map_or(vec!["*"], texts);
                        let of = |name: &&str| right(place, group, resource, name, verb);
                        rights.extend(names.iter().map(of));
                    }
                }
            }
        }
    }
    rights
}

pub(super) fn right(place: &str, group: &str, resource: &str, name: &str, verb: &str) -> Right {
    let [place, group, resource, name, verb] =
        [place, group, resource, name, verb].map(str::to_owned);
    (place, group, resource, name, verb)
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn of_kind<'a>(objects: &'a [Object], kind: &str) -> &'a Object {
    objects.iter().find(|object| object.kind() == kind).unwrap()
}
