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
use cnpg_backup_verifier::assessment::finding::FindingCode;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::cli::Cli;
use cnpg_backup_verifier::cli::Command;
use cnpg_backup_verifier::config::Config;
use cnpg_backup_verifier::domain::unreadable::UnreadableReason;
use cnpg_backup_verifier::publication::metrics::families;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::requests::Operation;
use prometheus::proto::MetricType;

use crate::metrics;

/// Kind and labels of a metric, by its name.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

#[test]
fn the_table_of_metrics_is_what_is_exported() {
    let table = document("docs/metrics.md");
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
        ("code", StoreErrorKind::OF_REQUESTS.map(StoreErrorKind::code).to_vec()),
    ];
    let table = document("docs/metrics.md");
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
    let text = section("docs/findings.md", "## Findings");
    let table: BTreeSet<String> = rows(&text).map(|cells| code_of_link(&cells[0])).collect();
    assert_eq!(table, codes());
}

#[test]
fn the_table_of_findings_names_every_severity_of_a_scenario() {
    let text = section("docs/findings.md", "## Findings");
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
    let text = section("docs/command-line.md", "## Exit codes");
    let commands = ["check", "restore-plan", "restore", "drill", "run"];
    for (column, command) in commands.into_iter().enumerate() {
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
fn the_configuration_shown_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["ACCESS_KEY_ID", "ACCESS_SECRET_KEY"] {
        fs::write(directory.path().join(name), "key").unwrap();
    }
    let shown = |document: &str, heading: &str| {
        let text = section(document, heading);
        let (_, yaml) = text.split_once("```yaml\n").unwrap();
        let (yaml, _) = yaml.split_once("```").unwrap();
        let yaml = yaml.replace("/etc/cnpg-backup-verifier", directory.path().to_str().unwrap());
        read_config(&directory.path().join("config.yaml"), &yaml)
    };
    assert_eq!(shown("docs/command-line.md", "## run").unwrap().archives.len(), 1);
    let config = shown("docs/drills.md", "## Checks").unwrap();
    let checks = config.drills.checks_of("databases", "postgres");
    assert_eq!(checks.count(), 2);
}

#[test]
fn the_table_of_settings_is_what_can_be_set() {
    let text = document("docs/configuration.md");
    // The keys of each section; that of the whole document has no name.
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for cells in rows(&text) {
        let key = cells[0].replace('`', "");
        let parts: Vec<&str> = key.split('.').collect();
        for (depth, part) in parts.iter().enumerate() {
            let section = sections.entry(parts[..depth].join(".")).or_default();
            section.insert(part.trim_end_matches("[]").to_owned());
        }
    }
    assert!(sections.len() > 5, "{sections:?}");
    for (section, documented) in sections {
        assert_eq!(documented, keys_of(&section), "in section {section:?}");
    }
}

/// The keys that the program knows in a section such as `archives[].expectations`.
fn keys_of(section: &str) -> BTreeSet<String> {
    let mut yaml = "{also: unknown}".to_owned();
    for part in section.rsplit('.').filter(|part| !part.is_empty()) {
        yaml = match part.strip_suffix("[]") {
            Some(list) => format!("{{{list}: [{yaml}]}}"),
            None => format!("{{{part}: {yaml}}}"),
        };
    }
    let directory = tempfile::tempdir().unwrap();
    let problems = read_config(&directory.path().join("config.yaml"), &yaml).unwrap_err();
    let told = problems.lines().find_map(|line| line.split_once("also: expected one of "));
    let (keys, found) = told.unwrap().1.split_once(", found ").unwrap();
    assert_eq!(found, "an unknown key");
    keys.split(", ").map(str::to_owned).collect()
}

fn exported() -> Metrics {
    let of_snapshots = families().iter().map(|family| {
        let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
        (family.name.to_owned(), (family.kind.as_str().to_owned(), labels))
    });
    let own = metrics::registered().registry.gather();
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

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The text from a heading to the next one of the same level.
fn section(document: &str, heading: &str) -> String {
    let text = self::document(document);
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

/// `[`code`](runbooks/code.md)`
fn code_of_link(cell: &str) -> String {
    let code = words_in_backticks(cell).next().unwrap();
    assert_eq!(cell, format!("[`{code}`](runbooks/{code}.md)"));
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
