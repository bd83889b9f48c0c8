//! From a lost WAL object to a message: the daemon watches an archive, Prometheus evaluates our
//! rules, Alertmanager routes by our example, and a webhook receives.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use test_servers::alertmanager::Alertmanager;
use test_servers::barman::Barman;
use test_servers::barman::Endpoint;
use test_servers::process::Account;
use test_servers::prometheus::Prometheus;
use test_servers::s3::S3Server;
use test_servers::webhook::Webhook;

use crate::alerts::rules::RuleFile;
use crate::alerts::rules::folder;
use crate::alerts::rules::source;
use crate::alerts::runbooks::queries;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::made_archive::SERVER_NAME;
use crate::program::Daemon;

#[tokio::test]
async fn a_lost_segment_is_told_and_so_is_its_return() {
    let server = S3Server::start().await.unwrap();
    let archive = MadeArchive::healthy(30);
    archive.put_into(&server);
    let endpoint = Endpoint {
        url: server.endpoint_url(),
        access_key_id: server.access_key().to_owned(),
        secret_access_key: server.secret_key().to_owned(),
    };
    let barman = Barman::new(endpoint, &format!("s3://{BUCKET}/"), SERVER_NAME);
    let daemon = Daemon::start(&barman).await;
    let webhook = Webhook::start().await;
    let alertmanager = Alertmanager::start(&routed_to(&webhook)).await;
    let directory = Account::own().temporary_directory();
    let rules = directory.path().join("rules.yaml");
    fs::write(&rules, impatient(&source())).unwrap();
    let prometheus = Prometheus::start_alerting(
        &[&daemon.address],
        &[rules, queries_as_rules(directory.path().join("queries.json"))],
        &[&alertmanager.address()],
    )
    .await;
    is_quiet(&daemon, &prometheus).await;

    let lost = archive.segment_key(1, 25);
    server.delete(BUCKET, &lost);
    daemon.archive_with_verdict("unrecoverable").await;
    let told = webhook.alert_when("a gap is told", LIMIT, |alert| is(alert, "firing")).await;
    says_everything(&told);
    assert_eq!(firing(&prometheus).await, ["BackupWALGap"]);

    let (content, uploaded_at) = &archive.objects[&lost];
    server.put_at(BUCKET, &lost, content.clone(), *uploaded_at);
    daemon.archive_with_verdict("recoverable").await;
    let ended = webhook.alert_when("its end is told", LIMIT, |alert| is(alert, "resolved")).await;
    assert_eq!(ended["labels"], told["labels"]);
    let alerts = webhook.alerts();
    let names = alerts.iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap());
    let names: BTreeSet<&str> = names.filter(|name| *name != OF_PACE).collect();
    assert_eq!(names, BTreeSet::from(["BackupWALGap"]), "and nothing else was");
    assert_eq!(firing(&prometheus).await, Vec::<String>::new());
    runbook_queries_are_answered(&prometheus).await;
}

/// Everything was scraped and evaluated, and no rule has anything to say.
async fn is_quiet(daemon: &Daemon, prometheus: &Prometheus) {
    daemon.archive_with_verdict("recoverable").await;
    let recoverable = "backup_verifier_verdict{verdict=\"recoverable\"} == 1";
    prometheus.query_until(recoverable, LIMIT, |found| found.len() == 1).await;
    prometheus
        .query_until("ALERTS", LIMIT, |alerts| {
            alerts.iter().all(|alert| alert.labels["alertname"] == OF_PACE)
        })
        .await;
    let rules = prometheus.api("rules").await;
    let groups = rules["data"]["groups"].as_array().unwrap();
    assert_eq!(groups.len(), RuleFile::read().groups.len() + 1);
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        assert_eq!(rule["health"], "ok", "{rule:#}");
    }
}

async fn firing(prometheus: &Prometheus) -> Vec<String> {
    let alerts = prometheus.query("ALERTS{alertstate=\"firing\"}").await;
    let names = alerts.iter().map(|alert| alert.labels["alertname"].clone());
    names.filter(|name| name != OF_PACE).collect()
}

fn is(alert: &Value, status: &str) -> bool {
    alert["status"] == status && alert["labels"]["alertname"] == "BackupWALGap"
}

/// The message stands alone, also the part that the template asked Prometheus for.
fn says_everything(alert: &Value) {
    for (label, value) in [
        ("cnpg_namespace", "databases"),
        ("namespace", "databases"),
        ("cnpg_cluster", "main"),
        ("server_name", SERVER_NAME),
        ("severity", "critical"),
        ("product", "cnpg-backup-verifier"),
    ] {
        assert_eq!(alert["labels"][label], value, "{alert:#}");
    }
    for pod in ["instance", "job"] {
        assert_eq!(alert["labels"][pod], Value::Null, "{alert:#}");
    }
    let description = alert["annotations"]["description"].as_str().unwrap();
    for part in [
        "WAL is missing in the archive of databases/main (server name pg)",
        "The newest moment that can be restored is 20",
        "kubectl cnpg backup -n databases main --method=plugin",
    ] {
        assert!(description.contains(part), "{part}: {description}");
    }
    let runbook = alert["annotations"]["runbook_url"].as_str().unwrap();
    assert!(runbook.ends_with("/docs/runbooks/BackupWALGap.md"), "{runbook}");
}

/// Prometheus accepted them as rules; here it answers each of them.
async fn runbook_queries_are_answered(prometheus: &Prometheus) {
    for (_, query) in queries() {
        prometheus.query(query.trim()).await;
    }
    let age = "time() - max by (cnpg_namespace, cnpg_cluster, server_name) \
               (backup_verifier_last_check_timestamp_seconds)";
    assert_eq!(prometheus.query(age).await.len(), 1);
}

/// The runbooks' queries as recording rules, so that Prometheus evaluates them every second.
fn queries_as_rules(file: PathBuf) -> PathBuf {
    let rules: Vec<Value> = queries()
        .iter()
        .enumerate()
        .map(|(number, (_, query))| {
            serde_json::json!({"record": format!("runbook:query:{number}"), "expr": query.trim()})
        })
        .collect();
    let groups = serde_json::json!({"groups": [{"name": "runbooks", "rules": rules}]});
    fs::write(&file, groups.to_string()).unwrap();
    file
}

/// The same rules that wait for a second instead of minutes, and go on for two. Only an absence is
/// waited for as ever: the daemon is absent until the first scrape.
fn impatient(rules: &str) -> String {
    let mut text = String::new();
    let mut is_absence = false;
    for line in rules.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let line = match line.trim().split(' ').next() {
            Some("-") => {
                is_absence = line.trim() == "- alert: BackupVerifierAbsent";
                line.to_owned()
            }
            Some("for:") if !is_absence => format!("{indent}for: 1s"),
            Some("keep_firing_for:") => format!("{indent}keep_firing_for: 2s"),
            _ => line.to_owned(),
        };
        text += &(line + "\n");
    }
    assert_ne!(text, rules);
    assert_eq!(text.matches(" for: 15m\n").count(), 1, "the absence");
    text
}

/// The example with one receiver behind all names, and groups that do not wait.
fn routed_to(webhook: &Webhook) -> String {
    let text = fs::read_to_string(folder().join("examples/alertmanager.yaml")).unwrap();
    let mut routed = text
        .replace("group_wait: 30s", "group_wait: 0s")
        .replace("group_interval: 5m", "group_interval: 1s");
    for receiver in ["daytime", "oncall"] {
        routed = routed.replace(&format!("http://notify.example/{receiver}"), &webhook.url());
    }
    assert!(!routed.contains("notify.example"), "{routed}");
    routed
}

/// With a poll every second this expects a whole reading every three, which a busy machine may miss.
const OF_PACE: &str = "BackupPartlyUnread";

/// A change is seen within a full listing, a scrape and an evaluation; the rest is for a busy
/// machine.
const LIMIT: Duration = Duration::from_secs(60);
