//! Dashboards and alerts ask for nothing that is not exported, and nothing is exported in vain.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cnpg_backup_verifier::publication::metrics::families;
use prometheus::proto::MetricType;
use serde_json::Value;

use crate::dashboards::expression;
use crate::dashboards::model::ALL;
use crate::dashboards::model::Dashboard;
use crate::metrics;

const PREFIX: &str = "backup_verifier_";

/// Metrics that neither a dashboard nor an alert asks for, and why they are exported.
const UNASKED: &[(&str, &str)] = &[
    (
        "backup_verifier_last_full_listing_timestamp_seconds",
        "BackupVerdictUnknown tells it in its description",
    ),
    (
        "backup_verifier_wal_hole_start_timestamp_seconds",
        "BackupWALHole tells it in its description",
    ),
    ("backup_verifier_wal_hole_end_timestamp_seconds", "BackupWALHole tells it in its description"),
];

#[test]
fn every_metric_of_a_dashboard_is_exported() {
    let exported = exported();
    for dashboard in Dashboard::all() {
        for target in dashboard.targets() {
            let asked = expression::read(&target.expanded(&ALL)).unwrap();
            for metric in asked.metrics.iter().filter(|metric| metric.starts_with(PREFIX)) {
                let is_known = exported.contains(metric);
                assert!(is_known, "{} asks for {metric}", target.place());
            }
        }
    }
}

#[test]
fn every_exported_metric_is_asked_for_or_excused() {
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let queries = Dashboard::all().into_iter().flat_map(|dashboard| {
        dashboard.targets().map(|target| target.expanded(&ALL)).collect::<Vec<_>>()
    });
    for query in queries.chain(alert_queries()) {
        let metrics = expression::read(&query).unwrap_or_else(|it| panic!("{query}: {it}")).metrics;
        asked.extend(metrics.iter().map(|metric| without_part(metric).to_owned()));
    }
    let exported: BTreeSet<String> =
        exported().iter().map(|metric| without_part(metric).to_owned()).collect();
    for metric in &exported {
        let reason = UNASKED.iter().find(|(name, _)| name == metric);
        assert_ne!(asked.contains(metric), reason.is_some(), "{metric}: {reason:?}");
    }
    for (metric, _) in UNASKED {
        assert!(exported.contains(*metric), "{metric} is excused and not exported");
    }
}

/// Every name that a sample can have.
fn exported() -> BTreeSet<String> {
    let own = metrics::registered().registry.gather();
    let own = own.iter().flat_map(|family| {
        let parts: &[&str] = match family.get_field_type() {
            MetricType::HISTOGRAM => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        parts.iter().map(|part| format!("{}{part}", family.name()))
    });
    let own = own.filter(|name| name.starts_with(PREFIX));
    families().iter().map(|family| family.name.to_owned()).chain(own).collect()
}

/// The name of the family, for a part of a histogram.
fn without_part(metric: &str) -> &str {
    let parts = ["_bucket", "_sum", "_count"];
    parts.iter().find_map(|part| metric.strip_suffix(part)).unwrap_or(metric)
}

/// The queries of `alerts/rules.yaml`, where that file exists.
fn alert_queries() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/rules.yaml");
    if !path.exists() {
        return Vec::new();
    }
    let rules: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut queries = Vec::new();
    collect_queries(&rules, &mut queries);
    assert!(!queries.is_empty(), "no rule in {}", path.display());
    queries
}

/// Wherever the groups are: at the top for promtool, below `spec` in a `PrometheusRule`.
fn collect_queries(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(query)) = fields.get("expr") {
                queries.push(query.clone());
            }
            fields.values().for_each(|field| collect_queries(field, queries));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_queries(item, queries)),
        _ => {}
    }
}
