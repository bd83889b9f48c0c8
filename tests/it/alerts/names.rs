//! The names that alerts rely on, held against what the program exports and the documents have.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cnpg_backup_verifier::assessment::BackupKind;
use cnpg_backup_verifier::assessment::GapEffect;
use cnpg_backup_verifier::assessment::finding::FindingCode;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::drill::DrillClass;
use cnpg_backup_verifier::publication::metrics::families;
use cnpg_backup_verifier::publication::metrics::family::ARCHIVE_LABELS;
use promql_parser::label::MatchOp;
use promql_parser::parser::VectorSelector;

use crate::alerts::expressions::Role;
use crate::alerts::expressions::parse;
use crate::alerts::expressions::walk;
use crate::alerts::rules::Alert;
use crate::alerts::rules::RuleFile;
use crate::metrics;

/// Metrics of others, with the labels that we match on.
const FOREIGN: [(&str, &[&str]); 3] = [
    ("cnpg_collector_pg_wal_archive_status", &["value"]),
    ("process_start_time_seconds", &[]),
    ("up", &[]),
];

/// Codes that no alert asks for, and which alert tells the same by another metric.
const TOLD_BY: [(&str, &str); 13] = [
    ("wal_gap", "BackupWALGap"),
    ("no_usable_backup", "BackupBaseMissing"),
    ("archive_empty", "BackupBaseMissing"),
    ("backup_never_ran", "BackupBaseMissing"),
    ("backup_failed", "BackupLastFailed"),
    ("backup_stuck", "BackupBaseOverdue"),
    ("store_unreachable", "BackupPartlyUnread"),
    ("listing_unusable", "BackupVerdictUnknown"),
    ("restore_drill_failed", "BackupDrillFailed"),
    // When its cluster goes; that it lies there later is no news.
    ("archive_orphaned", "BackupArchiveGone"),
    ("restore_drill_inconclusive", "BackupDrillInconclusive"),
    ("recovery_too_slow", "BackupRecoveryTooSlow"),
    // Once a backup should have been read.
    ("content_verification_stuck", "BackupContentUnverified"),
];

/// Good to know and never a reason to act.
const NOT_TOLD: [&str; 8] = [
    "storage_class_infrequent",
    "clock_skew",
    "head_unusable",
    "segment_twice",
    "empty_archive_check_skipped",
    "no_retention_policy",
    "r2_checksum_env_missing",
    "endpoint_unencrypted",
];

#[test]
fn every_metric_in_an_alert_is_exported() {
    let known = known();
    for (name, expression) in RuleFile::read().expressions() {
        assert_eq!(problems(expression, &known), Vec::<String>::new(), "{name}");
    }
    for alert in RuleFile::read().alerts() {
        for query in queries_in_templates(alert) {
            assert_eq!(problems(&query, &known), Vec::<String>::new(), "{}", alert.alert);
            assert!(query.contains("{cluster=\"x\","), "{}: {query}", alert.alert);
        }
    }
}

#[test]
fn a_metric_or_label_value_that_nobody_exports_is_noticed() {
    let known = known();
    for wrong in [
        "backup_verifier_wal_gap > 0",
        "backup_verifier_wal_gaps{kind=\"hole\"} > 0",
        "backup_verifier_wal_gaps{effect=\"holes\"} > 0",
        "backup_verifier_finding{code=~\"wal_gap|wal_gone\"} > 0",
    ] {
        assert_eq!(problems(wrong, &known).len(), 1, "{wrong}");
    }
}

#[test]
fn every_finding_is_told_by_some_alert() {
    let file = RuleFile::read();
    let asked: BTreeSet<String> = file
        .expressions()
        .flat_map(|(_, expression)| selectors(expression))
        .flat_map(|selector| values(&selector, "code"))
        .collect();
    for code in FindingCode::ALL.iter().map(|code| code.as_str()) {
        let is_asked = asked.contains(code);
        let told_by = TOLD_BY.iter().find(|(told, _)| *told == code);
        let ways = [is_asked, told_by.is_some(), NOT_TOLD.contains(&code)];
        assert_eq!(ways.iter().filter(|way| **way).count(), 1, "{code}: asked, told, not told");
        if let Some((_, alert)) = told_by {
            assert!(file.alerts().any(|found| found.alert == *alert), "{alert}");
        }
    }
}

#[test]
fn every_alert_is_of_the_same_form() {
    let file = RuleFile::read();
    let mut names = BTreeSet::new();
    for alert in file.alerts() {
        let name = &alert.alert;
        assert!(names.insert(name), "{name} has two severities or stands twice");
        assert!(name.starts_with("Backup"), "{name}");
        assert!(["critical", "warning", "info"].contains(&alert.severity()), "{name}");
        // An absence ends with the first sample; a series may be away for a restart.
        assert_eq!(alert.keep_firing_for.is_none(), name == "BackupVerifierAbsent", "{name}");
        let is_of_archive = alert.expr.contains("cnpg_cluster");
        let namespace = is_of_archive.then_some("{{ $labels.cnpg_namespace }}");
        assert_eq!(alert.labels.get("namespace").map(String::as_str), namespace, "{name}");
        assert_eq!(alert.labels["product"], "cnpg-backup-verifier", "{name}");
        assert_eq!(alert.labels.len(), 2 + usize::from(is_of_archive), "{name}");

        let annotations: Vec<&str> = alert.annotations.keys().map(String::as_str).collect();
        assert_eq!(annotations, ["description", "runbook_url", "summary"], "{name}");
        assert!(!alert.annotations["summary"].contains("{{"), "{name}: a summary is shared");
        assert_eq!(alert.annotations["runbook_url"], format!("{RUNBOOKS}/{name}.md"));
        let description = &alert.annotations["description"];
        assert!(description.contains("{{ with $labels.cluster }}"), "{name}: of which Kubernetes?");
        for label in ARCHIVE_LABELS {
            let is_named = description.contains(&format!("$labels.{label}"));
            assert_eq!(is_named, is_of_archive, "{name}: the description stands alone");
        }
    }
}

/// The same as in the links of findings.
const RUNBOOKS: &str = "https://github.com/monosense/cnpg-backup-verifier/blob/main/docs/runbooks";

/// What is wrong with the names in an expression.
pub(super) fn problems(
    expression: &str,
    known: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for selector in selectors(expression) {
        let metric = selector.name.clone().unwrap();
        let Some(labels) = known.get(&metric) else {
            problems.push(format!("nobody exports {metric}"));
            continue;
        };
        for matcher in &selector.matchers.matchers {
            let label = &matcher.name;
            // A scrape or a ruler adds it to whatever there is.
            if label == "cluster" {
                continue;
            }
            if !labels.contains(label) {
                problems.push(format!("{metric} has no {label}"));
                continue;
            }
            let Some(closed) = closed_values(label) else { continue };
            let unknown = values(&selector, label);
            let unknown = unknown.iter().filter(|value| !closed.contains(&value.as_str()));
            // A pattern is for people, in runbooks; alerts list what they mean.
            let unknown = unknown.filter(|value| !value.contains(['*', '.']));
            problems.extend(unknown.map(|value| format!("{label} is never {value}")));
        }
    }
    problems
}

fn closed_values(label: &str) -> Option<Vec<&'static str>> {
    let codes = FindingCode::ALL.iter().map(|code| code.as_str());
    match label {
        "code" => Some(codes.collect()),
        "verdict" => Some(Verdict::ALL.map(Verdict::code).to_vec()),
        "effect" => Some(GapEffect::ALL.map(GapEffect::code).to_vec()),
        "status" => Some(BackupKind::ALL.map(BackupKind::code).to_vec()),
        "class" => Some(DrillClass::ALL.iter().map(|class| class.code()).collect()),
        "bound" => Some(vec!["lower", "upper"]),
        "outcome" => Some(vec!["expected", "completed", "failed", "missed"]),
        _ => None,
    }
}

fn values(selector: &VectorSelector, label: &str) -> Vec<String> {
    let matchers = selector.matchers.matchers.iter().filter(|matcher| matcher.name == label);
    matchers
        .flat_map(|matcher| match &matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => vec![matcher.value.clone()],
            MatchOp::Re(_) | MatchOp::NotRe(_) => {
                matcher.value.split('|').map(str::to_owned).collect()
            }
        })
        .collect()
}

fn selectors(expression: &str) -> Vec<VectorSelector> {
    let mut found = Vec::new();
    walk(&parse(expression), Role::Deciding, &mut |selector, _| found.push(selector.clone()));
    found
}

/// The queries that a description asks, with some value for each argument of `printf`.
fn queries_in_templates(alert: &Alert) -> Vec<String> {
    let texts = alert.templates().flat_map(|text| text.split("printf \"").skip(1));
    texts.map(|rest| rest.split("\" $").next().unwrap().replace("%q", "\"x\"")).collect()
}

/// Labels by metric: what is exported, what others export, what we record.
pub(super) fn known() -> BTreeMap<String, BTreeSet<String>> {
    let mut known = exported();
    for (metric, labels) in FOREIGN {
        known.insert(metric.to_owned(), labels.iter().map(|label| (*label).to_owned()).collect());
    }
    for (name, _) in RuleFile::read().expressions().filter(|(name, _)| name.contains(':')) {
        known.insert(name.to_owned(), ARCHIVE_LABELS.map(str::to_owned).into());
    }
    known
}

fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let of_snapshots = families().iter().map(|family| {
        let of_archive = if family.is_per_archive() { ARCHIVE_LABELS.as_slice() } else { &[] };
        let labels = family.labels.iter().chain(of_archive).map(|label| (*label).to_owned());
        (family.name.to_owned(), labels.collect())
    });
    let own = metrics::registered().registry.gather();
    let own = own.iter().map(|family| {
        let labels = family.get_metric()[0].get_label().iter();
        (family.name().to_owned(), labels.map(|label| label.name().to_owned()).collect())
    });
    of_snapshots.chain(own).collect()
}
