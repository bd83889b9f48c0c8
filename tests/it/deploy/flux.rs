//! What Flux is told: in which order, where to, with which chart, and what it fills in.

use std::collections::BTreeSet;

use serde_json::json;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;

pub(super) const PLUGIN: &str = "deploy/kubernetes/apps/databases/barman-cloud-plugin/app";
const APPS: &str = "deploy/kubernetes/apps/databases";

/// What the cluster has already.
const EXISTING: [&str; 3] = ["cert-manager", "cloudnative-pg", "external-secrets-stores"];

/// Charts of `plugin-barman-cloud`, and the plugin that each carries, by `Chart.yaml` in
/// cloudnative-pg/charts. There is no 0.10.0: that is a version of the plugin.
const CHARTS: [(&str, &str); 8] = [
    ("0.3.1", "0.9.0"),
    ("0.4.0", "0.10.0"),
    ("0.5.0", "0.11.0"),
    ("0.6.0", "0.12.0"),
    ("0.7.0", "0.13.0"),
    ("0.7.1", "0.14.0"),
    ("0.8.0", "0.15.0"),
    ("0.8.1", "0.15.1"),
];

/// The version of the plugin that a release installs.
pub(super) fn published_chart(release: &Object) -> Result<&'static str, String> {
    let chart = release.text("/spec/chart/spec/chart");
    let version = release.text("/spec/chart/spec/version");
    let found = CHARTS.iter().find(|(known, _)| *known == version);
    let plugin = found.filter(|_| chart == "plugin-barman-cloud").map(|(_, plugin)| *plugin);
    plugin.ok_or_else(|| format!("nobody publishes chart {chart} {version}"))
}

#[tokio::test]
async fn the_plugin_is_installed_and_kept_as_asked_for() {
    let release = manifests::one(PLUGIN, "HelmRelease").await;
    assert_eq!(release.text("/apiVersion"), "helm.toolkit.fluxcd.io/v2");
    assert_eq!(
        release.at("/spec/install"),
        &json!({
            "crds": "CreateReplace", "remediation": {"retries": -1},
        })
    );
    assert_eq!(
        release.at("/spec/upgrade"),
        &json!({
            "cleanupOnFail": true, "crds": "CreateReplace",
            "remediation": {"strategy": "rollback", "retries": 3},
        })
    );
    let source = manifests::one(PLUGIN, "HelmRepository").await;
    assert_eq!(release.text("/spec/chart/spec/sourceRef/name"), source.name());
    assert_eq!(source.text("/spec/url"), "https://cloudnative-pg.github.io/charts");
    // The operator looks for plugins in its own namespace.
    let kustomization = kustomization("barman-cloud-plugin").await;
    assert_eq!(kustomization.text("/spec/targetNamespace"), "cnpg-system");
}

#[tokio::test]
async fn the_order_of_installation_follows_from_what_each_needs() {
    let order = [
        ("barman-cloud-plugin", &["cert-manager", "cloudnative-pg"][..]),
        ("cloudnative-pg-objectstore", &["barman-cloud-plugin", "external-secrets-stores"]),
        (
            "cloudnative-pg-cluster",
            &["cloudnative-pg", "barman-cloud-plugin", "cloudnative-pg-objectstore"],
        ),
        (
            "cnpg-backup-verifier",
            &["cloudnative-pg", "barman-cloud-plugin", "external-secrets-stores"],
        ),
        (
            "cnpg-restore-drills",
            &[
                "cloudnative-pg",
                "barman-cloud-plugin",
                "external-secrets-stores",
                "cnpg-backup-verifier",
            ],
        ),
    ];
    let ours: BTreeSet<&str> = order.iter().map(|(name, _)| *name).collect();
    for (name, needs) in order {
        let kustomization = kustomization(name).await;
        let depends_on = kustomization.at("/spec/dependsOn").as_array().unwrap();
        let depends_on: Vec<&str> =
            depends_on.iter().map(|dependency| dependency["name"].as_str().unwrap()).collect();
        assert_eq!(depends_on, needs, "{name}");
        let is_known = |need: &&str| ours.contains(need) || EXISTING.contains(need);
        assert!(needs.iter().all(is_known), "{name}: {needs:?}");
    }
    assert_eq!(manifests::built_from(APPS).await.len(), order.len());
}

#[tokio::test]
async fn every_kustomization_leads_to_a_folder_and_cleans_up_behind_itself() {
    for kustomization in manifests::built_from(APPS).await {
        let name = kustomization.name();
        let path = kustomization.text("/spec/path").strip_prefix("./").unwrap();
        manifests::built_from(&format!("deploy/{path}")).await;
        assert_eq!(kustomization.at("/spec/prune"), true, "{name}");
        assert_eq!(kustomization.at("/spec/wait"), true, "{name}");
        assert_eq!(kustomization.text("/spec/interval"), "1h", "{name}");
        kustomization.text("/spec/retryInterval");
        kustomization.text("/spec/timeout");
    }
}

/// A variable that nobody fills in becomes nothing: `s3:///`. A text with variables of its own, as
/// dashboards have, must not be looked at.
#[tokio::test]
async fn variables_are_filled_in_where_they_are_used_and_nowhere_else() {
    let mut used = BTreeSet::new();
    for kustomization in manifests::built_from(APPS).await {
        let path = kustomization.text("/spec/path").strip_prefix("./").unwrap();
        let folder = format!("deploy/{path}");
        let texts: String =
            manifests::files(&folder, ".yaml").iter().map(|file| manifests::read(file)).collect();
        let names = texts.split("${").skip(1).map(|rest| rest.split('}').next().unwrap());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        let from = kustomization.value.pointer("/spec/postBuild/substituteFrom");
        let expected = json!([{"kind": "ConfigMap", "name": "cluster-settings"}]);
        match names.is_empty() {
            true => assert_eq!(kustomization.value.pointer("/spec/postBuild"), None, "{folder}"),
            false => assert_eq!(from, Some(&expected), "{folder}"),
        }
        used.extend(names);
    }
    let known: BTreeSet<String> =
        manifests::VARIABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(used, known);
}

/// Flux sets this namespace on everything, the objects included that name another one.
#[tokio::test]
async fn a_target_namespace_moves_nothing_out_of_another_namespace() {
    for kustomization in manifests::built_from(APPS).await {
        let path = kustomization.text("/spec/path").strip_prefix("./").unwrap();
        let objects = manifests::built_from(&format!("deploy/{path}")).await;
        let target = kustomization.value.pointer("/spec/targetNamespace");
        for object in &objects {
            let own = object.value.pointer("/metadata/namespace");
            let is_cluster_wide =
                object.kind().starts_with("ClusterRole") || object.kind() == "Namespace";
            let is_clear = is_cluster_wide || target.is_some() != own.is_some();
            assert!(is_clear, "{}: {} {}", object.origin, object.kind(), object.name());
        }
    }
}

/// Pruning a Cluster deletes its volumes.
#[tokio::test]
async fn a_cluster_that_leaves_git_stays_in_kubernetes() {
    let cluster = manifests::one(&format!("{APPS}/cloudnative-pg/cluster"), "Cluster").await;
    let annotation = "/metadata/annotations/kustomize.toolkit.fluxcd.io~1prune";
    assert_eq!(cluster.text(annotation), "disabled");
}

async fn kustomization(name: &str) -> Object {
    let mut objects = manifests::built_from(APPS).await.into_iter();
    objects.find(|object| object.name() == name).unwrap()
}
