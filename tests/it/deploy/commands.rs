//! What people are told to type names the right things, in whatever file they read it.

use std::fs;

use test_servers::process::Account;
use test_servers::process::run;
use test_servers::tools;

use crate::deploy::manifests;

/// Kinds of other operators have these names, too: kubectl takes the first that it finds.
const SHORT: [&str; 10] = [
    "cluster",
    "clusters",
    "backup",
    "backups",
    "scheduledbackup",
    "scheduledbackups",
    "objectstore",
    "objectstores",
    "externalsecret",
    "externalsecrets",
];

#[test]
fn kinds_are_named_with_their_group() {
    let commands = commands();
    assert!(200 < commands.len(), "{} commands", commands.len());
    for (file, command) in &commands {
        assert_eq!(short_name(command), None, "{file}: {command}");
    }
    for wrong in ["get cluster -n A B", "wait --for=a cluster/b", "get pods,backups -A"] {
        assert!(short_name(wrong).is_some(), "{wrong}");
    }
}

/// The daemon lies where nobody but its operator knows, and seldom beside the cluster.
#[test]
fn the_daemon_is_looked_for_in_its_own_namespace() {
    let ours = ["/cnpg-backup-verifier", ":cnpg-backup-verifier", "cnpg-backup-verifier-r2"];
    let is_of_the_daemon = |command: &str| ours.iter().any(|name| command.contains(name));
    let commands = commands();
    let commands = commands
        .iter()
        .filter(|(file, command)| !file.ends_with("NOTES.txt") && is_of_the_daemon(command));
    let mut found = 0;
    for (file, command) in commands {
        let is_right = [" -n VERIFIER_NAMESPACE ", ":VERIFIER_NAMESPACE:"];
        let is_right = is_right.iter().any(|it| command.contains(it));
        assert!(is_right, "{file}: {command}");
        found += 1;
    }
    assert!(10 < found, "{found} commands");
}

/// What a terminal shows is soon in a ticket.
#[test]
fn no_check_prints_a_secret() {
    for (file, command) in commands() {
        let reads = command.contains("secret") && command.starts_with("get ");
        let prints = ["-o yaml", "-o json ", "-ojson", "-oyaml", "SECRET_KEY}"];
        let prints = reads && prints.iter().any(|it| command.contains(it));
        assert!(!prints || command.contains("externalsecrets."), "{file}: {command}");
    }
}

#[tokio::test]
async fn prometheus_takes_the_job_that_is_shown() {
    let text = manifests::read("deploy/README.md");
    let blocks = text.split("\n```yaml\n").skip(1).map(|it| it.split("\n```").next().unwrap());
    let job = blocks.into_iter().find(|it| it.contains("scrape_configs:")).unwrap();
    let folder = Account::own().temporary_directory();
    fs::write(folder.path().join("prometheus.yml"), job).unwrap();
    let rules = manifests::read("alerts/rules.yaml");
    fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let mut command = Account::own().command(&tools::debian("promtool"));
    command.args(["check", "config"]).arg(folder.path().join("prometheus.yml"));
    let said = run(command, manifests::LIMIT).await.expect_success();
    assert!(said.contains("1 rule files found"), "{said}");
}

/// What stands behind `kubectl` and is not its plugin's, with the file that says it.
fn commands() -> Vec<(String, String)> {
    let mut files = vec!["README.md".to_owned(), "alerts/rules.yaml".to_owned()];
    for (folder, end) in [("docs", ".md"), ("dashboards", ".md"), ("deploy", ""), ("src", ".rs")] {
        files.extend(manifests::files(folder, end));
    }
    let mut found = Vec::new();
    for file in files {
        let text = manifests::read(&file).replace("\\\n", " ");
        for line in text.lines() {
            for command in line.split("kubectl ").skip(1) {
                let command = command.split('`').next().unwrap();
                if !command.starts_with("cnpg ") {
                    let words: Vec<&str> = command.split_whitespace().collect();
                    found.push((file.clone(), words.join(" ") + " "));
                }
            }
        }
    }
    found
}

fn short_name(command: &str) -> Option<&str> {
    let is_of_kinds = |word: &&str| {
        let kinds = word.split('/').next().unwrap();
        kinds.split(',').any(|kind| SHORT.contains(&kind))
    };
    command.split_whitespace().find(is_of_kinds)
}
