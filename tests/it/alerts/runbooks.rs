//! Every alert has a runbook, and what runbooks tell people to type is right as far as can be seen
//! here: queries for Prometheus are parsed (and asked in the end-to-end test), those for PostgreSQL
//! and our own commands are run, and those of kubectl and aws are checked in form: known verbs,
//! resources and flags. No cluster answers them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use test_servers::barman::Barman;
use test_servers::barman::Endpoint;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::s3::S3Server;

use crate::alerts::names::known;
use crate::alerts::names::problems;
use crate::alerts::rules::RuleFile;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::made_archive::SERVER_NAME;
use crate::program::check;
use crate::program::restore_plan;

#[test]
fn every_alert_has_a_runbook_of_the_same_form() {
    let alerts: BTreeSet<String> =
        RuleFile::read().alerts().map(|alert| alert.alert.clone()).collect();
    let found: BTreeSet<String> = runbooks().iter().map(|path| stem(path)).collect();
    let found: BTreeSet<String> =
        found.into_iter().filter(|name| name.starts_with("Backup")).collect();
    assert_eq!(found, alerts);
    for alert in alerts {
        let text = fs::read_to_string(folder().join(format!("{alert}.md"))).unwrap();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {alert}");
        let expected = [title.as_str(), "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
        assert_eq!(headings, expected);
    }
}

#[test]
fn the_table_of_alerts_is_that_of_the_rules() {
    let table = fs::read_to_string(folder().with_file_name("alerts.md")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| [`")).collect();
    let file = RuleFile::read();
    let expected: Vec<String> = file
        .alerts()
        .map(|alert| {
            let (name, summary) = (&alert.alert, &alert.annotations["summary"]);
            format!("| [`{name}`](runbooks/{name}.md) | {} | {summary} |", alert.severity())
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn every_query_asks_for_metrics_that_exist() {
    let known = known();
    let queries = queries();
    assert!(queries.len() > 15, "{queries:?}");
    for (path, query) in queries {
        assert_eq!(problems(&query, &known), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn every_command_is_of_a_known_form() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (path, command) in commands() {
        for words in words(&command).split(|word| word == "|") {
            let problem = match words[0].as_str() {
                "kubectl" => kubectl(&words[1..]),
                "aws" => aws(&words[1..]),
                // Run by another test.
                "cnpg-backup-verifier" => None,
                "export" | "bzip2" | "grep" | "head" | "tail" | "wc" => None,
                other if other.starts_with("ARCHIVE=") => None,
                other => Some(format!("what is {other}?")),
            };
            wrong.extend(problem.map(|it| format!("{}: {command}: {it}", path.display())));
            seen.insert(words[0].clone());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for program in ["kubectl", "aws", "cnpg-backup-verifier"] {
        assert!(seen.contains(program), "{program} in {seen:?}");
    }
}

#[test]
fn a_command_of_the_wrong_form_is_noticed() {
    for wrong in [
        "kubectl lists pods -n NAMESPACE",
        "kubectl get cluster -n NAMESPACE",
        "kubectl get pods --namespaced NAMESPACE",
        "kubectl cnpg psql -n NAMESPACE CLUSTER",
        "kubectl logs -n NAMESPACE POD --container",
        "kubectl get backups.postgresql.cnpg.io",
    ] {
        assert_ne!(kubectl(&words(wrong)[1..]), None, "{wrong}");
    }
    assert_ne!(aws(&words("aws s3 rm \"$ARCHIVE\"/base/")[1..]), None);
}

#[tokio::test]
async fn our_own_commands_answer_as_the_runbooks_promise() {
    let server = S3Server::start().await.unwrap();
    MadeArchive::healthy(30).put_into(&server);
    let endpoint = Endpoint {
        url: server.endpoint_url(),
        access_key_id: server.access_key().to_owned(),
        secret_access_key: server.secret_key().to_owned(),
    };
    let archive = Barman::new(endpoint, &format!("s3://{BUCKET}/"), SERVER_NAME);
    let mut ran = BTreeSet::new();
    for (path, command) in commands() {
        let words = words(&command);
        // What it prints is looked at here, not stored.
        let words = words.split(|word| word == ">").next().unwrap();
        let address =
            ["--archive", "$ARCHIVE", "--endpoint-url", "$AWS_ENDPOINT_URL"].map(str::to_owned);
        if words[0] != "cnpg-backup-verifier" || !ran.insert(command.clone()) {
            continue;
        }
        assert_eq!(&words[2..6], address, "{}: {command}", path.display());
        let others: Vec<&str> = words[6..].iter().map(String::as_str).collect();
        let finished = match words[1].as_str() {
            "check" => check(&archive, &others).await,
            "restore-plan" => restore_plan(&archive, &others).await,
            other => panic!("{}: {other}", path.display()),
        };
        assert_eq!(finished.code, Some(0), "{}: {finished:?}", path.display());
        assert!(!finished.stdout.is_empty(), "{command}");
    }
    assert!(ran.len() > 2, "{ran:?}");
}

/// A superuser's `kubectl cnpg psql` does the same in a pod.
#[tokio::test]
async fn postgres_understands_the_queries_for_it() {
    let postgres = Postgres::start(&Options::default()).await;
    let mut asked = BTreeSet::new();
    for (_, command) in commands() {
        let words = words(&command);
        if words.iter().any(|word| word == "psql") && asked.insert(command) {
            postgres.sql(words.last().unwrap()).await;
        }
    }
    assert!(asked.len() > 5, "{asked:?}");
}

/// What is wrong with a kubectl command, by its verb.
fn kubectl(words: &[String]) -> Option<String> {
    const ALONE: [&str; 8] = [
        "-A",
        "--all-namespaces",
        "--all-containers",
        "--list",
        "--overwrite",
        "--previous",
        "--show-managed-fields",
        "--watch",
    ];
    const NAMESPACED: [&str; 3] = ["-n", "-A", "--all-namespaces"];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (verb, flags, operands): (&str, &[&str], usize) = match words.as_slice() {
        ["get", ..] => {
            ("get", &["-l", "-o", "--field-selector", "--show-managed-fields", "--watch"], 1)
        }
        ["auth", "can-i", ..] => ("auth", &["--as", "--list"], 1),
        ["patch", ..] => ("patch", &["--type", "--patch"], 2),
        ["describe", ..] => ("describe", &["-l"], 1),
        ["logs", ..] if words.contains(&"-l") => ("logs", &["-l", "--tail"], 0),
        ["logs", ..] => ("logs", &["-c", "--tail", "--previous", "--all-containers"], 1),
        ["exec", ..] => ("exec", &["-c"], 1),
        ["annotate", ..] => ("annotate", &["--overwrite"], 3),
        ["apply", ..] => ("apply", &["-f"], 0),
        ["wait", ..] => ("wait", &["--for", "--timeout"], 1),
        ["delete", ..] => ("delete", &[], 2),
        ["create", "job", ..] => ("create", &["--from"], 2),
        ["rollout", "restart", ..] => ("rollout", &["-l"], 2),
        ["cnpg", "status" | "restart", ..] => ("cnpg", &[], 2),
        ["cnpg", "psql", ..] => ("cnpg psql", &[], 2),
        ["cnpg", "backup", ..] => ("cnpg", &["--method", "--plugin-name"], 2),
        _ => return Some("an unknown verb".to_owned()),
    };
    let mut rest = words[1..].iter();
    let mut found = Vec::new();
    let mut is_namespaced = false;
    let mut behind = Vec::new();
    while let Some(word) = rest.next() {
        if *word == "--" {
            behind = rest.copied().collect();
            break;
        } else if word.starts_with('-') {
            let (flag, value) = word.split_once('=').map_or((*word, None), |(f, v)| (f, Some(v)));
            is_namespaced |= NAMESPACED.contains(&flag);
            if !flags.contains(&flag) && !NAMESPACED.contains(&flag) {
                return Some(format!("{verb} has no {flag}"));
            }
            if !ALONE.contains(&flag) && value.is_none() && rest.next().is_none() {
                return Some(format!("{flag} without a value"));
            }
        } else {
            found.push(*word);
        }
    }
    let needs_behind = ["exec", "cnpg psql"].contains(&verb);
    // Who may do what is asked for all namespaces, too.
    let has_place = is_namespaced || verb == "auth";
    if found.len() < operands || needs_behind == behind.is_empty() || !has_place {
        return Some("the form is VERB [WHAT] -n NAMESPACE [NAME] [-- COMMAND]".to_owned());
    }
    let is_of_resource = ["get", "describe", "annotate", "patch", "wait", "delete"].contains(&verb);
    is_of_resource.then(|| resource(found[0])).flatten()
}

/// Those with a group are written with it, as other operators have resources of the same name.
fn resource(word: &str) -> Option<String> {
    const KNOWN: [&str; 17] = [
        "pods",
        "events",
        "jobs",
        "cronjobs",
        "configmaps",
        "persistentvolumeclaims",
        "resourcequotas",
        "secrets",
        "services",
        "deployments",
        "certificates.cert-manager.io",
        "clusters.postgresql.cnpg.io",
        "backups.postgresql.cnpg.io",
        "scheduledbackups.postgresql.cnpg.io",
        "objectstores.barmancloud.cnpg.io",
        "servicemonitors.monitoring.coreos.com",
        "externalsecrets.external-secrets.io",
    ];
    let kinds = word.split('/').next().unwrap();
    let unknown = kinds.split(',').find(|kind| !KNOWN.contains(kind));
    unknown.map(|kind| format!("an unknown resource {kind}"))
}

fn aws(words: &[String]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["s3", "ls", path] | ["s3", "ls", "--recursive", path] => address(path),
        ["s3", "cp", path, "-"] => address(path),
        ["s3", "rm", path] if !path.ends_with('/') => address(path),
        ["s3", "rm", "--recursive", path] if path.ends_with('/') => address(path),
        ["s3api", "get-bucket-lifecycle-configuration", "--bucket", "BUCKET"]
        | ["s3api", "list-object-versions", "--bucket", "BUCKET", "--prefix", _] => None,
        other => Some(format!("{other:?}")),
    }
}

fn address(path: &str) -> Option<String> {
    let is_ours = ["$ARCHIVE/", "${ARCHIVE%"].iter().any(|start| path.starts_with(start));
    (!is_ours).then(|| format!("{path} is not below $ARCHIVE"))
}

/// Every line of every `sh` block of a runbook, continued lines joined.
fn commands() -> Vec<(PathBuf, String)> {
    let mut commands = Vec::new();
    for (path, block) in blocks("sh") {
        let block = block.replace("\\\n", " ");
        let lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
        commands.extend(lines.map(|line| (path.clone(), line.to_owned())));
    }
    assert!(commands.len() > 50, "{commands:?}");
    commands
}

/// Every query of every runbook.
pub(super) fn queries() -> Vec<(PathBuf, String)> {
    blocks("promql")
}

fn blocks(language: &str) -> Vec<(PathBuf, String)> {
    let mut blocks = Vec::new();
    for path in runbooks() {
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split(&format!("```{language}\n")).skip(1) {
            let (block, _) = block.split_once("```").unwrap();
            blocks.push((path.clone(), block.to_owned()));
        }
    }
    blocks
}

/// The words of a command as a shell would split them, without expanding variables.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_with(String::new);
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_with(String::new).push(c),
        }
    }
    assert_eq!(quote, None, "an open quote: {command}");
    words.extend(word);
    words
}

fn runbooks() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    // Procedures, with dashes in their names, are held to the manifests that they use.
    let mut paths: Vec<PathBuf> = paths.filter(|path| !stem(path).contains('-')).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks")
}
