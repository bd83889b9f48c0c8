//! Whom an alert reaches by the examples, and what another alert may not hide from him.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;
use serde_json::Value;
use test_servers::alertmanager::Alertmanager;
use test_servers::alertmanager::amtool;
use test_servers::alertmanager::receivers;

use crate::alerts::rules::RuleFile;
use crate::alerts::rules::folder;

/// One alert, as labels.
type Labels = [(&'static str, &'static str); 7];

/// What tells our alerts from those of others.
const OURS: (&str, &str) = ("product", "cnpg-backup-verifier");

#[tokio::test]
async fn each_severity_has_its_receiver() {
    let file = folder().join("examples/alertmanager.yaml");
    amtool(&["check-config", file.to_str().unwrap()]).await.expect_success();
    for (severity, receiver) in [("critical", "oncall"), ("warning", "daytime"), ("info", "nobody")]
    {
        let rules = RuleFile::read();
        let alert = rules.alerts().find(|alert| alert.severity() == severity).unwrap();
        let labels = [
            ("alertname", alert.alert.as_str()),
            ("product", alert.labels["product"].as_str()),
            ("severity", severity),
        ];
        assert_eq!(receivers(&file, &labels).await, [receiver], "{severity}");
    }
    // Others have alerts whose names begin like ours.
    for name in ["KubePodCrashLooping", "BackupJobFailed"] {
        let other = [("alertname", name), ("severity", "critical")];
        assert_eq!(receivers(&file, &other).await, ["daytime"], "{name} stays as it was");
    }
}

#[tokio::test]
async fn a_critical_alert_hides_only_what_is_of_the_same_archive() {
    let alertmanager = Alertmanager::start(&example()).await;
    let critical = of_archive("BackupWALGap", "critical", "a");
    alertmanager.add(&critical).await;
    let hidden = of_archive("BackupBaseOverdue", "warning", "a");
    // In the same namespace, in another one under the same names, and of no archive at all.
    let mut shown = vec![
        critical.to_vec(),
        of_archive("BackupBaseOverdue", "warning", "b").to_vec(),
        of_archive("BackupWALGap", "critical", "c").to_vec(),
        vec![("alertname", "BackupVerifierNoArchives"), OURS, ("severity", "warning")],
        vec![("alertname", "KubePodNotReady"), ("severity", "warning")],
    ];
    for (label, other) in [("cnpg_namespace", "staging"), ("cluster", "west")] {
        let mut elsewhere = of_archive("BackupBaseOverdue", "warning", "a");
        elsewhere.iter_mut().find(|(name, _)| *name == label).unwrap().1 = other;
        shown.push(elsewhere.to_vec());
    }
    // Of the same archive, but not of the same program.
    let foreign = of_archive("BackupBaseOverdue", "warning", "a");
    shown.push(foreign.into_iter().filter(|label| *label != OURS).collect());
    for labels in shown.iter().skip(1).chain([&hidden.to_vec()]) {
        alertmanager.add(labels).await;
    }
    assert_inhibited(&alertmanager, shown.len(), &[hidden.to_vec()]).await;
}

#[tokio::test]
async fn a_store_that_is_down_for_hours_hides_its_own_reminder_only() {
    let alertmanager = Alertmanager::start(&example()).await;
    let of_store = |name, severity, store| {
        let cluster = ("cluster", "east");
        vec![("alertname", name), OURS, cluster, ("severity", severity), ("object_store", store)]
    };
    let hidden = of_store("BackupStoreUnreachable", "warning", "r2/cnpg");
    let mut elsewhere = hidden.clone();
    elsewhere[2].1 = "west";
    let shown = [
        of_store("BackupStoreUnreachableLong", "critical", "r2/cnpg"),
        of_store("BackupStoreUnreachable", "warning", "minio/other"),
        of_archive("BackupBaseOverdue", "warning", "a").to_vec(),
        vec![("alertname", "BackupVerifierNoArchives"), OURS, ("severity", "warning")],
        elsewhere,
    ];
    for labels in shown.iter().chain([&hidden]) {
        alertmanager.add(labels).await;
    }
    assert_inhibited(&alertmanager, shown.len(), &[hidden]).await;
}

/// Waits until Alertmanager shows so many alerts, and hides these and no others.
async fn assert_inhibited(
    alertmanager: &Alertmanager,
    shown: usize,
    hidden: &[Vec<(&'static str, &'static str)>],
) {
    let is_hidden = |alert: &Value| alert["status"]["state"] == "suppressed";
    let alerts = alertmanager
        .alerts_until("all alerts are routed", |alerts| {
            let is_routed = |alert: &Value| alert["status"]["state"] != "unprocessed";
            alerts.len() == shown + hidden.len() && alerts.iter().all(is_routed)
        })
        .await;
    let found: BTreeSet<BTreeMap<String, String>> = alerts
        .iter()
        .filter(|alert| is_hidden(alert))
        .map(|alert| serde_json::from_value(alert["labels"].clone()).unwrap())
        .collect();
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let expected: BTreeSet<BTreeMap<String, String>> =
        hidden.iter().map(|labels| labels.iter().map(text).collect()).collect();
    assert_eq!(found, expected, "{alerts:#?}");
}

fn of_archive(name: &'static str, severity: &'static str, cluster: &'static str) -> Labels {
    [
        ("alertname", name),
        OURS,
        ("cluster", "east"),
        ("severity", severity),
        ("cnpg_namespace", "databases"),
        ("cnpg_cluster", cluster),
        ("server_name", cluster),
    ]
}

/// The example as it is, only that groups do not wait.
fn example() -> String {
    let text = fs::read_to_string(folder().join("examples/alertmanager.yaml")).unwrap();
    text.replace("group_wait: 30s", "group_wait: 0s")
}

/// The parts of both examples that must say the same.
#[derive(Debug, PartialEq)]
struct Routing {
    group_by: Value,
    routes: Vec<(BTreeSet<String>, Value)>,
    inhibitions: Vec<(BTreeSet<String>, BTreeSet<String>, Value)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Matcher {
    name: String,
    match_type: String,
    value: String,
}

#[test]
fn both_examples_say_the_same() {
    let file = |name| fs::read_to_string(folder().join("examples").join(name)).unwrap();
    let plain: Value = serde_saphyr::from_str(&file("alertmanager.yaml")).unwrap();
    let text = |matchers: &Value| -> BTreeSet<String> {
        let matchers = matchers.as_array().unwrap().iter();
        matchers.map(|matcher| matcher.as_str().unwrap().replace(['"', ' '], "")).collect()
    };
    let plain = Routing {
        group_by: plain["route"]["group_by"].clone(),
        routes: each(&plain["route"]["routes"], |it| {
            (text(&it["matchers"]), it["receiver"].clone())
        }),
        inhibitions: each(&plain["inhibit_rules"], |it| {
            (text(&it["source_matchers"]), text(&it["target_matchers"]), it["equal"].clone())
        }),
    };

    let resource: Value = serde_saphyr::from_str(&file("alertmanagerconfig.yaml")).unwrap();
    assert_eq!(resource["apiVersion"], "monitoring.coreos.com/v1alpha1");
    assert_eq!(resource["kind"], "AlertmanagerConfig");
    let spec = &resource["spec"];
    let text = |matchers: &Value| -> BTreeSet<String> {
        let matchers: Vec<Matcher> = serde_json::from_value(matchers.clone()).unwrap();
        matchers.iter().map(|it| format!("{}{}{}", it.name, it.match_type, it.value)).collect()
    };
    let resource = Routing {
        group_by: spec["route"]["groupBy"].clone(),
        routes: each(&spec["route"]["routes"], |it| {
            (text(&it["matchers"]), it["receiver"].clone())
        }),
        inhibitions: each(&spec["inhibitRules"], |it| {
            (text(&it["sourceMatch"]), text(&it["targetMatch"]), it["equal"].clone())
        }),
    };
    assert_eq!(resource, plain);
}

#[test]
fn the_document_shows_the_routes_of_the_example() {
    let read = |file: &str| fs::read_to_string(folder().join(file)).unwrap();
    let document = read("../docs/alerts.md");
    let shown = document.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let shown: Value = serde_saphyr::from_str(shown).unwrap();
    let example: Value = serde_saphyr::from_str(&read("examples/alertmanager.yaml")).unwrap();
    assert_eq!(shown["route"]["routes"], example["route"]["routes"]);
}

fn each<T>(list: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    list.as_array().unwrap().iter().map(read).collect()
}
