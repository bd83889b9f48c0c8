//! Rules that are wrong in one place: some test must notice.

use std::fs;
use std::path::Path;

use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::prometheus::promtool;

use crate::alerts::promtool::TestFile;
use crate::alerts::rules::Alert;
use crate::alerts::rules::RuleFile;
use crate::alerts::rules::folder;
use crate::alerts::rules::source;
use crate::alerts::rules::test_files;

const BY_ARCHIVE: &str = "max by (cluster, cnpg_namespace, cnpg_cluster, server_name) ";

#[tokio::test]
async fn without_keep_firing_for_a_restart_resolves_an_alert() {
    let lines = source();
    let lines = lines.lines().filter(|line| !line.contains("keep_firing_for:"));
    let mutated = lines.collect::<Vec<_>>().join("\n");
    assert_noticed(&mutated, "a pod is replaced while its alert fires").await;
}

#[tokio::test]
async fn without_the_aggregation_a_restart_is_another_alert() {
    let mutated = source().replace(BY_ARCHIVE, "");
    assert_noticed(&mutated, "a pod is replaced while its alert fires").await;
}

#[tokio::test]
async fn without_the_worse_of_two_readings_an_old_pod_hides_a_loss() {
    let mutated = source().replace("min by (", "max by (");
    assert_noticed(&mutated, "the older of two pods").await;
}

/// Some test of `restarts.yaml` fails with these rules, and it is the one with this name.
async fn assert_noticed(rules: &str, case: &str) {
    assert_ne!(rules, source(), "nothing was mutated");
    let directory = Account::own().temporary_directory();
    fs::create_dir(directory.path().join("tests")).unwrap();
    fs::write(directory.path().join("rules.yaml"), rules).unwrap();
    let file = folder().join("tests/restarts.yaml");
    let mut tests = TestFile::read(&file);
    tests.tests.retain(|test| test.name.starts_with(case));
    assert_eq!(tests.tests.len(), 1, "{case}");
    let path = directory.path().join("tests/restarts.yaml");
    fs::write(&path, serde_json::to_string(&tests).unwrap()).unwrap();
    let finished = promtool(&["test", "rules", path.to_str().unwrap()]).await;
    assert!(is_failed_test(&finished), "{finished:?}");
}

/// Each condition stands on a line of its own, and so can be left out.
#[tokio::test]
async fn no_condition_can_be_left_out() {
    let mut left_out = 0;
    let mut unnoticed = Vec::new();
    for alert in RuleFile::read().alerts() {
        let tests = tests_of(alert);
        assert!(is_passed(&run_only(alert, &tests).await), "{} as it is", alert.alert);
        for (number, condition) in alert.expr.lines().enumerate() {
            let condition = condition.trim();
            if !["and ", "or ", "unless "].iter().any(|word| condition.starts_with(word))
                || condition.ends_with('(')
            {
                continue;
            }
            let kept = alert.expr.lines().enumerate().filter(|(other, _)| *other != number);
            let expr = kept.map(|(_, line)| line).collect::<Vec<_>>().join("\n");
            let mutated = Alert { expr, ..alert.clone() };
            let finished = run_only(&mutated, &tests).await;
            if !is_failed_test(&finished) {
                unnoticed.push(format!("{}: {condition}: {finished:?}", alert.alert));
            }
            left_out += 1;
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
    assert!(left_out > 20, "{left_out}");
}

/// Every alert is quiet for as long as it says.
#[tokio::test]
async fn no_alert_may_fire_at_once() {
    for alert in RuleFile::read().alerts() {
        let mutated = Alert { wait: "0s".to_owned(), ..alert.clone() };
        let finished = run_only(&mutated, &tests_of(alert)).await;
        assert!(is_failed_test(&finished), "{}: {finished:?}", alert.alert);
    }
}

/// The cases that ask for this alert, and of these only that question, in each test file.
fn tests_of(alert: &Alert) -> Vec<TestFile> {
    let mut files = Vec::new();
    for path in test_files() {
        let mut file = TestFile::read(&path);
        file.rule_files = vec!["rules.json".to_owned()];
        for case in &mut file.tests {
            case.alert_rule_test.retain(|test| test.alertname == alert.alert);
            case.promql_expr_test.clear();
        }
        file.tests.retain(|case| !case.alert_rule_test.is_empty());
        if !file.tests.is_empty() {
            files.push(file);
        }
    }
    files
}

async fn run_only(alert: &Alert, tests: &[TestFile]) -> Finished {
    let directory = Account::own().temporary_directory();
    let write = |name: &str, content: String| -> String {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    write("rules.json", serde_json::to_string(&RuleFile::only(alert)).unwrap());
    let files: Vec<String> = tests
        .iter()
        .enumerate()
        .map(|(number, test)| {
            write(&format!("{number}.json"), serde_json::to_string(test).unwrap())
        })
        .collect();
    let paths = files.iter().map(String::as_str);
    let arguments: Vec<&str> = ["test", "rules"].into_iter().chain(paths).collect();
    assert!(Path::new(arguments[2]).exists());
    promtool(&arguments).await
}

/// A test that fails, rather than a rule that cannot be read.
fn is_failed_test(finished: &Finished) -> bool {
    finished.code == Some(1) && finished.stdout.contains("got:") || finished.stderr.contains("got:")
}

fn is_passed(finished: &Finished) -> bool {
    finished.success()
}
