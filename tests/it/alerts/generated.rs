//! `prometheusrule.yaml` is made of `rules.yaml`, and kustomize finds it.

use std::fs;

use serde_json::Value;

use crate::alerts::rules::RuleFile;
use crate::alerts::rules::folder;
use crate::alerts::rules::source;

const HEAD: &str = "\
# yaml-language-server: $schema=https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/monitoring.coreos.com/prometheusrule_v1.json
# Made of rules.yaml by `UPDATE_GENERATED=1 cargo test --test it alerts::generated`. Edit that one.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: cnpg-backup-verifier
  labels:
    app.kubernetes.io/name: cnpg-backup-verifier
  annotations:
    # Flux would take the templates' dollar signs for its own.
    kustomize.toolkit.fluxcd.io/substitute: disabled
spec:
";

/// The groups with all their comments, two spaces deeper.
fn prometheus_rule() -> String {
    let source = source();
    let (_, groups) = source.split_once("\ngroups:\n").unwrap();
    let mut text = HEAD.to_owned() + "  groups:\n";
    for line in groups.lines() {
        let indented = format!("  {line}");
        text += indented.trim_end();
        text.push('\n');
    }
    text
}

#[test]
fn the_prometheus_rule_is_made_of_the_rules() {
    let file = folder().join("prometheusrule.yaml");
    let expected = prometheus_rule();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&file, &expected).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap();
    assert!(
        found == expected,
        "{} is out of date: UPDATE_GENERATED=1 cargo test --test it alerts::generated",
        file.display()
    );
}

#[test]
fn the_component_brings_the_prometheus_rule() {
    let text = fs::read_to_string(folder().join("kustomization.yaml")).unwrap();
    let component: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(component["apiVersion"], "kustomize.config.k8s.io/v1alpha1");
    assert_eq!(component["kind"], "Component");
    assert_eq!(component["resources"], serde_json::json!(["prometheusrule.yaml"]));

    let rule: Value = serde_saphyr::from_str(&prometheus_rule()).unwrap();
    assert_eq!(rule["spec"], serde_json::to_value(RuleFile::read()).unwrap());
}
