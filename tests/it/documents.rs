//! Holds the documents to what the program does: names, codes, commands, settings.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use clap::CommandFactory;
use clap::Parser;
use cnpg_backup_verifier::assessment::BackupKind;
use cnpg_backup_verifier::assessment::GapEffect;
use cnpg_backup_verifier::assessment::UnreadableReason;
use cnpg_backup_verifier::assessment::finding::FindingCode;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::cli::Cli;
use cnpg_backup_verifier::cli::Command;
use cnpg_backup_verifier::config::Config;
use cnpg_backup_verifier::publication::metrics::families;
use cnpg_backup_verifier::service::own_metrics::OwnMetrics;
use cnpg_backup_verifier::sources::store::object_store::StoreErrorKind;
use cnpg_backup_verifier::sources::store::requests::Operation;
use prometheus::proto::MetricType;

/// Kind and labels of a metric, by its name.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

#[test]
fn the_table_of_metrics_is_what_is_exported() {
    let table = section("README.md", "## Metrics");
    let documented: Metrics = rows(&table)
        .map(|cells| {
            let labels = words_in_backticks(&cells[2]).collect();
            (cells[0].replace('`', ""), (cells[1].clone(), labels))
        })
        .collect();
    assert_eq!(documented, exported());
}

#[test]
fn the_table_of_metrics_names_every_value_of_a_label() {
    let closed: [(&str, Vec<&str>); 6] = [
        ("verdict", Verdict::ALL.map(Verdict::code).to_vec()),
        ("reason", UnreadableReason::ALL.map(UnreadableReason::code).to_vec()),
        ("status", BackupKind::ALL.map(BackupKind::code).to_vec()),
        ("effect", GapEffect::ALL.map(GapEffect::code).to_vec()),
        ("operation", Operation::ALL.map(Operation::code).to_vec()),
        ("code", StoreErrorKind::ALL.map(StoreErrorKind::code).to_vec()),
    ];
    let table = section("README.md", "## Metrics");
    for (label, values) in closed {
        let tick = |word: &str| format!("`{word}`");
        let lists: Vec<BTreeSet<String>> = rows(&table)
            .filter(|cells| cells[2].contains(&tick(label)))
            .map(|cells| words_in_backticks(&cells[3]).collect())
            .collect();
        let is_listed = |list: &BTreeSet<String>| values.iter().all(|value| list.contains(*value));
        assert!(lists.iter().any(is_listed), "{label} is one of {values:?}, listed as {lists:?}");
    }
}

#[test]
fn the_table_of_findings_is_what_can_be_found() {
    let text = section("README.md", "## Findings");
    let table: BTreeSet<String> = rows(&text).map(|cells| code_of_link(&cells[0])).collect();
    assert_eq!(table, codes());
}

#[test]
fn the_table_of_findings_names_every_severity_of_a_scenario() {
    let text = section("README.md", "## Findings");
    let severities: BTreeMap<String, String> =
        rows(&text).map(|cells| (code_of_link(&cells[0]), cells[1].clone())).collect();
    for path in files("tests/scenarios", "txt") {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.starts_with("finding ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (severity, code) = (words[1], words[2]);
            let documented = severities[code].contains(severity);
            assert!(documented, "{}: {code} can be {severity}", path.display());
        }
    }
}

#[test]
fn every_finding_has_a_runbook_of_the_same_form() {
    let runbooks = files("docs/runbooks", "md");
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    // Those of alerts begin with a capital, those of procedures have dashes.
    let is_code = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || "_2".contains(c));
    let found: BTreeSet<String> = runbooks.iter().map(stem).filter(is_code).collect();
    assert_eq!(found, codes());
    for path in runbooks.iter().filter(|path| is_code(&stem(path))) {
        let text = fs::read_to_string(path).unwrap();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {}", stem(path));
        let expected =
            [&title, "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"].to_vec();
        assert_eq!(headings, expected, "{}", path.display());
    }
}

#[test]
fn the_table_of_exit_codes_is_that_of_the_help() {
    let text = section("README.md", "## Exit codes");
    for (column, command) in ["check", "restore-plan", "run"].into_iter().enumerate() {
        let documented: BTreeMap<String, String> = rows(&text)
            .map(|cells| (cells[0].clone(), cells[column + 1].clone()))
            .filter(|(_, meaning)| !meaning.is_empty())
            .collect();
        assert_eq!(documented, exit_codes_of_the_help(command), "{command}");
    }
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let mut commands = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap().replace("\\\n", " ");
        for line in text.lines().filter(|line| line.starts_with("cnpg-backup-verifier ")) {
            let words = line.split_whitespace().map(|word| word.trim_matches('"'));
            let words = words.map(|word| word.replace("$ARCHIVE", "s3://bucket/server"));
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{}: {line}: {:?}", path.display(), parsed.err());
            commands += 1;
        }
    }
    assert!(commands > 5, "{commands} commands found");
}

#[test]
fn every_link_in_the_documents_leads_to_a_file() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                let linked = path.parent().unwrap().join(file);
                assert!(linked.exists(), "{}: {target}", path.display());
            }
        }
    }
}

#[test]
fn the_configuration_of_the_quick_start_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["ACCESS_KEY_ID", "ACCESS_SECRET_KEY"] {
        fs::write(directory.path().join(name), "key").unwrap();
    }
    let text = section("README.md", "## Quick start");
    let (_, yaml) = text.split_once("```yaml\n").unwrap();
    let (yaml, _) = yaml.split_once("```").unwrap();
    let yaml = yaml.replace("/etc/cnpg-backup-verifier", directory.path().to_str().unwrap());
    let config = read_config(&directory.path().join("config.yaml"), &yaml).unwrap();
    assert_eq!(config.archives.len(), 1);
}

#[test]
fn every_key_of_the_table_of_settings_is_known() {
    let text = section("README.md", "## Configuration");
    let keys: Vec<String> = rows(&text).map(|cells| cells[0].replace('`', "")).collect();
    assert!(keys.len() > 20, "{keys:?}");
    let directory = tempfile::tempdir().unwrap();
    for key in keys {
        // A line break and deeper indentation for each dot; a list begins with a dash.
        let mut yaml = String::new();
        let mut indent = String::new();
        for part in key.split('.') {
            let item = part.strip_suffix("[]");
            yaml += &format!("\n{indent}{}:", item.unwrap_or(part));
            indent += "  ";
            if item.is_some() {
                yaml += &format!("\n{indent}- also: unknown");
                indent += "  ";
            }
        }
        let problems = match read_config(&directory.path().join("config.yaml"), &yaml) {
            Ok(_) => String::new(),
            Err(problems) => problems,
        };
        let unknown = problems.lines().filter(|line| line.ends_with("found an unknown key"));
        let ours = unknown.filter(|line| !line.contains("also")).collect::<Vec<_>>();
        assert!(ours.is_empty(), "{key}: {ours:?}");
    }
}

fn exported() -> Metrics {
    let of_snapshots = families().iter().map(|family| {
        let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
        (family.name.to_owned(), (family.kind.as_str().to_owned(), labels))
    });
    let own = OwnMetrics::register().unwrap().registry.gather();
    let own = own.iter().filter(|family| family.name().starts_with("backup_verifier_"));
    let own = own.map(|family| {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            other => panic!("{} is a {other:?}", family.name()),
        };
        let labels = family.get_metric()[0].get_label().iter();
        let labels = labels.map(|label| label.name().to_owned()).collect();
        (family.name().to_owned(), (kind.to_owned(), labels))
    });
    of_snapshots.chain(own).collect()
}

fn codes() -> BTreeSet<String> {
    FindingCode::ALL.iter().map(|code| code.as_str().to_owned()).collect()
}

fn exit_codes_of_the_help(command: &str) -> BTreeMap<String, String> {
    let cli = Cli::command();
    let help = cli.find_subcommand(command).unwrap().get_after_help().unwrap().to_string();
    let (_, codes) = help.split_once("Exit codes").unwrap();
    let codes = codes.lines().skip(1).take_while(|line| !line.is_empty());
    codes
        .map(|line| {
            let (code, meaning) = line.trim().split_once(' ').unwrap();
            (code.to_owned(), meaning.trim().to_owned())
        })
        .collect()
}

fn read_config(path: &Path, yaml: &str) -> Result<Config, String> {
    fs::write(path, yaml).unwrap();
    let words = ["cnpg-backup-verifier", "run", "--config", path.to_str().unwrap()];
    match Cli::try_parse_from(words).unwrap().command {
        Command::Run(arguments) => Config::read(&arguments).map_err(|error| error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// The text from a heading to the next one of the same level.
fn section(document: &str, heading: &str) -> String {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The cells of each row of a table, without its head.
fn rows(text: &str) -> impl Iterator<Item = Vec<String>> + '_ {
    let lines = text.lines().filter(|line| line.starts_with("| "));
    lines.map(cells).filter(|cells| cells[0] != "---").skip(1)
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim_start_matches('|').trim_end().trim_end_matches('|');
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn words_in_backticks(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// `[`code`](docs/runbooks/code.md)`
fn code_of_link(cell: &str) -> String {
    let code = words_in_backticks(cell).next().unwrap();
    assert_eq!(cell, format!("[`{code}`](docs/runbooks/{code}.md)"));
    code
}

fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "docs/runbooks", "tests/scenarios"];
    folders.into_iter().flat_map(|folder| files(folder, "md")).collect()
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
