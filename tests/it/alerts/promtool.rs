//! `promtool test rules` on every file of `alerts/tests`, and what these must contain.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use futures::future::join_all;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use test_servers::prometheus::promtool;

use crate::alerts::rules::RuleFile;
use crate::alerts::rules::folder;
use crate::alerts::rules::test_files;

/// A test file of promtool.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestFile {
    pub(super) rule_files: Vec<String>,
    evaluation_interval: String,
    pub(super) tests: Vec<Case>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    interval: String,
    input_series: Vec<Value>,
    #[serde(default)]
    pub(super) alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    pub(super) promql_expr_test: Vec<Value>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertTest {
    eval_time: String,
    pub(super) alertname: String,
    exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ExpectedAlert {
    exp_labels: BTreeMap<String, String>,
    exp_annotations: BTreeMap<String, String>,
}

impl TestFile {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

#[tokio::test]
async fn the_alerts_say_what_their_tests_expect() {
    let rules = folder().join("rules.yaml");
    promtool(&["check", "rules", rules.to_str().unwrap()]).await.expect_success();
    let files = test_files();
    assert!(files.len() > 5, "{files:?}");
    // Side by side, because each keeps a processor busy for a second or two.
    join_all(files.iter().map(async |file| {
        promtool(&["test", "rules", file.to_str().unwrap()]).await.expect_success();
    }))
    .await;
}

#[test]
fn every_alert_is_tested_both_ways() {
    let mut fires = BTreeSet::new();
    let mut is_quiet = BTreeSet::new();
    for case in test_files().iter().flat_map(|path| TestFile::read(path).tests) {
        let tested: BTreeSet<&str> =
            case.alert_rule_test.iter().map(|it| it.alertname.as_str()).collect();
        for alert in tested {
            let tests = case.alert_rule_test.iter().filter(|test| test.alertname == alert);
            let is_fired = tests.clone().any(|test| !test.exp_alerts.is_empty());
            // Before its time an alert is quiet in every case; that proves little.
            if is_fired { &mut fires } else { &mut is_quiet }.insert(alert.to_owned());
        }
    }
    let alerts: BTreeSet<String> =
        RuleFile::read().alerts().map(|alert| alert.alert.clone()).collect();
    assert_eq!(fires, alerts, "the alerts that fire in some case");
    assert_eq!(is_quiet, alerts, "the alerts that stay quiet in some case");
}

#[test]
fn an_alert_that_fires_is_tested_with_its_text() {
    let file = RuleFile::read();
    for case in test_files().iter().flat_map(|path| TestFile::read(path).tests) {
        for test in &case.alert_rule_test {
            let rule = file.alerts().find(|rule| rule.alert == test.alertname).unwrap();
            for expected in &test.exp_alerts {
                let annotations = expected.exp_annotations.keys();
                assert!(annotations.eq(rule.annotations.keys()), "{}: {test:?}", case.name);
                assert_eq!(expected.exp_labels["severity"], rule.severity(), "{}", case.name);
            }
        }
    }
}
