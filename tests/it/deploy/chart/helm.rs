//! Renders and lints the chart by Helm's own library, many values at once.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use test_servers::process::Account;
use test_servers::process::run_with_input;
use test_servers::tools;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;

pub(super) const CHART: &str = "deploy/chart";

/// Release and namespace, so that every name is the one that the base has.
const RELEASE: &str = "cnpg-backup-verifier";
const NAMESPACE: &str = "backups";

/// What Helm makes of one set of values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    #[serde(default)]
    manifests: BTreeMap<String, String>,
    error: Option<String>,
    #[serde(default)]
    lint: Vec<(u8, String)>,
}

impl Answer {
    /// The text of each template, but for the notes.
    pub(super) fn texts(&self) -> BTreeMap<&str, &str> {
        assert_eq!(self.error, None);
        let texts = self.manifests.iter().filter(|(name, _)| !name.ends_with("/NOTES.txt"));
        let texts = texts.map(|(name, text)| (name.as_str(), text.trim()));
        texts.filter(|(_, text)| !text.is_empty()).collect()
    }

    pub(super) fn objects(&self) -> Vec<Object> {
        let texts = self.texts().into_iter();
        let objects: Vec<Object> =
            texts.flat_map(|(name, text)| manifests::objects(name, text)).collect();
        assert!(!objects.is_empty());
        objects
    }

    pub(super) fn notes(&self) -> &str {
        assert_eq!(self.error, None);
        &self.manifests["cnpg-backup-verifier/templates/NOTES.txt"]
    }

    /// Why the values were refused.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// What `helm lint --strict` complains about; 2 is a warning, 3 an error.
    pub(super) fn complaints(&self) -> Vec<&str> {
        let complaints = self.lint.iter().filter(|(severity, _)| 1 < *severity);
        complaints.map(|(_, text)| text.as_str()).collect()
    }
}

/// What `helm template` makes of each set of values.
pub(super) async fn render(cases: &[Value]) -> Vec<Answer> {
    ask(cases, false).await
}

/// The same, and what `helm lint --strict` says.
pub(super) async fn lint(cases: &[Value]) -> Vec<Answer> {
    ask(cases, true).await
}

/// The objects that one set of values becomes.
pub(super) async fn objects(values: Value) -> Vec<Object> {
    render(&[values]).await[0].objects()
}

async fn ask(cases: &[Value], lint: impl Into<Value>) -> Vec<Answer> {
    let mut command = Account::own().command(&tools::python("python"));
    command.arg(manifests::root().join("tests/it/deploy/chart/helm.py"));
    let asked = json!({
        "chart": manifests::root().join(CHART),
        "name": RELEASE,
        "namespace": NAMESPACE,
        "lint": lint.into(),
        "cases": cases,
    });
    let output = run_with_input(command, &asked.to_string(), manifests::LIMIT).await;
    let answers: Vec<Answer> = serde_json::from_str(&output.expect_success()).unwrap();
    assert_eq!(answers.len(), cases.len());
    answers
}

/// These values, with others on top.
pub(super) fn merged(mut values: Value, others: &Value) -> Value {
    match (&mut values, others) {
        (Value::Object(map), Value::Object(others)) => {
            for (key, other) in others {
                let value = map.remove(key).unwrap_or(Value::Null);
                map.insert(key.clone(), merged(value, other));
            }
            values
        }
        _ => others.clone(),
    }
}
