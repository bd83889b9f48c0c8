//! `alerts/rules.yaml`, as the tests look at it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

/// A rule file of Prometheus.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub(super) groups: Vec<Group>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Rule {
    Alert(Alert),
    Record { record: String, expr: String },
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alert {
    pub(super) alert: String,
    pub(super) expr: String,
    #[serde(rename = "for")]
    pub(super) wait: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keep_firing_for: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

impl RuleFile {
    pub(super) fn read() -> Self {
        Self::parse(&source())
    }

    pub(super) fn parse(text: &str) -> Self {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.rules().filter_map(|rule| match rule {
            Rule::Alert(alert) => Some(alert),
            Rule::Record { .. } => None,
        })
    }

    /// Each expression, with the name of its alert or of what it records.
    pub(super) fn expressions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules().map(|rule| match rule {
            Rule::Alert(alert) => (alert.alert.as_str(), alert.expr.as_str()),
            Rule::Record { record, expr } => (record.as_str(), expr.as_str()),
        })
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// Only this alert. It is written as JSON, which is YAML as well.
    pub(super) fn only(alert: &Alert) -> Self {
        let rules = vec![Rule::Alert(alert.clone())];
        Self { groups: vec![Group { name: "only".to_owned(), rules }] }
    }
}

impl Alert {
    pub(super) fn severity(&self) -> &str {
        &self.labels["severity"]
    }

    /// Every text that is a template.
    pub(super) fn templates(&self) -> impl Iterator<Item = &String> {
        self.labels.values().chain(self.annotations.values())
    }
}

pub(super) fn source() -> String {
    fs::read_to_string(folder().join("rules.yaml")).unwrap()
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts")
}

/// The files of `alerts/tests`, by name.
pub(super) fn test_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("tests")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.iter().all(|file| file.extension().is_some_and(|it| it == "yaml")), "{files:?}");
    files
}
