//! Where the daemon may see some namespaces only, it may do the same in each of them and nothing elsewhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::deploy::chart::helm;
use crate::deploy::manifests::Object;

const NAMESPACES: [&str; 2] = ["databases", "shop"];

#[tokio::test]
async fn a_role_in_each_namespace_grants_what_the_cluster_role_does() {
    let config = json!({"kubernetes": {"namespaces": NAMESPACES}});
    for instance_metrics in [true, false] {
        let everywhere =
            json!({"config": config, "instanceMetrics": {"enabled": instance_metrics}});
        let named = helm::merged(everywhere.clone(), &json!({"rbac": {"clusterWide": false}}));
        let everywhere = helm::objects(everywhere).await;
        let named = helm::objects(named).await;
        let kinds: BTreeSet<&str> = named.iter().map(Object::kind).collect();
        assert!(kinds.iter().all(|kind| !kind.starts_with("ClusterRole")), "{kinds:?}");
        let all: Vec<&Value> = of_kind(&everywhere, "ClusterRole").flat_map(rules).collect();
        assert!(!all.is_empty());
        for namespace in NAMESPACES {
            let roles = of_kind(&named, "Role").filter(|it| namespace_of(it) == namespace);
            assert_eq!(roles.flat_map(rules).collect::<Vec<_>>(), all, "{namespace}");
        }
    }
}

#[tokio::test]
async fn every_role_is_bound_to_the_account_where_it_is() {
    let values = json!({
        "config": {"kubernetes": {"namespaces": NAMESPACES}},
        "rbac": {"clusterWide": false},
        "contentJobs": {"enabled": true},
    });
    let objects = helm::objects(values).await;
    let name = |it: &Object| (namespace_of(it).to_owned(), it.text("/metadata/name").to_owned());
    let roles: BTreeSet<_> = of_kind(&objects, "Role").map(name).collect();
    let bindings: BTreeMap<_, _> =
        of_kind(&objects, "RoleBinding").map(|it| (name(it), it)).collect();
    assert_eq!(roles, bindings.keys().cloned().collect());
    for ((_, name), binding) in bindings {
        assert_eq!(binding.at("/roleRef/name"), &json!(name));
        assert_eq!(binding.at("/roleRef/kind"), &json!("Role"));
        assert_eq!(binding.at("/subjects/0/name"), &json!("cnpg-backup-verifier"));
    }
}

/// The operator's namespace has a role of its own, and may be watched as well.
#[tokio::test]
async fn the_operator_s_namespace_can_be_one_of_them() {
    let values = json!({
        "config": {"kubernetes": {"namespaces": ["cnpg-system"]}},
        "rbac": {"clusterWide": false},
    });
    let objects = helm::objects(values).await;
    let names: Vec<&str> = of_kind(&objects, "Role").map(|it| it.text("/metadata/name")).collect();
    let different: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
}

fn of_kind<'a>(objects: &'a [Object], kind: &'static str) -> impl Iterator<Item = &'a Object> {
    objects.iter().filter(move |it| it.kind() == kind)
}

fn namespace_of(object: &Object) -> &str {
    object.text("/metadata/namespace")
}

fn rules(object: &Object) -> &Vec<Value> {
    object.at("/rules").as_array().unwrap()
}
