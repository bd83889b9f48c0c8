//! Runs every file in `tests/scenarios`: an archive and a clock in, the whole answer out.
//!
//! The part below `---` is what the program answers. `UPDATE_SCENARIOS=1` writes it anew, for a
//! person to read before it is committed.

mod answer;
mod archive;
mod cluster;
pub(crate) mod file;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::expectations::Expectations;
use cnpg_backup_verifier::assessment::finding::FindingCode;
use cnpg_backup_verifier::domain::orphan::Orphan;

use crate::scenarios::answer::render;
use crate::scenarios::file::Scenario;

#[test]
fn every_scenario_is_answered_as_written() {
    let is_update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let mut failures = Vec::new();
    let files = scenario_files();
    assert!(!files.is_empty(), "no scenario found");
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        let (given, expected) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let scenario = Scenario::parse(given, path);
        let assessment =
            assess(&scenario.subject, &scenario.observe(), &scenario.expectations, scenario.now);
        let answer = render(&assessment);
        if is_update {
            fs::write(path, format!("{given}\n---\n{answer}")).unwrap();
        } else if answer != expected {
            let name = path.display();
            failures.push(format!("{name}\nexpected:\n{expected}\nanswered:\n{answer}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// No server is left that could upload a segment again, and none whose log could be read.
#[test]
fn the_owner_of_an_orphan_is_asked_for_nothing_that_its_cluster_did() {
    let mut hints = 0;
    for path in scenario_files() {
        let text = fs::read_to_string(&path).unwrap();
        let (given, _) = text.split_once("\n---\n").unwrap();
        let mut scenario = Scenario::parse(given, &path);
        scenario.subject.archive.cluster.clear();
        scenario.cluster = None;
        scenario.orphan = Some(Orphan::default());
        let expectations = Expectations::default();
        let seen = scenario.observe();
        let assessment = assess(&scenario.subject, &seen, &expectations, scenario.now);
        for finding in assessment.findings.iter() {
            let hint = assessment.hint(finding);
            hints += 1;
            for gone in
                ["take a base backup", "pg_", "primary", "sidecar", "ScheduledBackup", "barman"]
            {
                assert!(!hint.contains(gone), "{}: {finding}: {hint}", path.display());
            }
        }
    }
    assert_ne!(hints, 0);
}

/// What follows it would be pasted into a shell with it.
#[test]
fn a_command_is_the_end_of_its_hint() {
    let mut commands = 0;
    for path in scenario_files() {
        let text = fs::read_to_string(&path).unwrap();
        let (given, _) = text.split_once("\n---\n").unwrap();
        let scenario = Scenario::parse(given, &path);
        let assessment =
            assess(&scenario.subject, &scenario.observe(), &scenario.expectations, scenario.now);
        for finding in assessment.findings.iter() {
            let hint = finding.problem.hint(&assessment.archive);
            let Some((_, command)) = hint.split_once(": kubectl ") else { continue };
            commands += 1;
            let is_prose = |mark: &&&str| command.contains(**mark);
            assert_eq!([", ", "; ", " (", ". "].iter().find(is_prose), None, "{hint}");
        }
    }
    assert_ne!(commands, 0);
}

/// Losing any one segment never improves a verdict, whatever the archive looks like.
#[test]
fn losing_a_segment_never_improves_a_verdict() {
    for path in scenario_files() {
        let text = fs::read_to_string(&path).unwrap();
        let (given, _) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let whole = Scenario::parse(given, &path);
        let assess = |scenario: &Scenario| {
            let seen = scenario.observe();
            let mut expectations = scenario.expectations.clone();
            // Within the grace a lost segment hides what comes after it.
            expectations.uploading_grace = chrono::TimeDelta::zero();
            assess(&scenario.subject, &seen, &expectations, scenario.now)
        };
        let before = assess(&whole);
        for index in 0..whole.objects.len() {
            let mut less = Scenario::parse(given, &path);
            let lost = less.objects.remove(index);
            if !lost.is_whole_segment() || whole.has_twin(index) || whole.is_newest(&lost) {
                continue;
            }
            let after = assess(&less);
            assert!(
                before.verdict <= after.verdict || whole.is_better_without(index),
                "{}: losing {} turned {:?} into {:?}",
                path.display(),
                lost.key,
                before.verdict,
                after.verdict
            );
        }
    }
}

/// A code that nothing looks for would be published as 0, as if somebody had looked. What only
/// Kubernetes or content shows has no scenario: a test of its judge, of the daemon, or of real archives
/// expects it.
#[test]
fn every_finding_is_the_answer_of_some_test() {
    let scenarios = scenario_files().into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        text.split_once("\n---\n").unwrap().1.to_owned()
    });
    let of_judges = files_below("src/assessment", "rs").into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let is_test = path.ends_with("tests.rs") || path.parent().unwrap().ends_with("tests");
        if is_test { text } else { text.split("#[cfg(test)]").skip(1).collect() }
    });
    let of_the_daemon = files_below("tests/it/kubernetes", "rs").into_iter();
    let of_the_daemon = of_the_daemon.chain(files_below("tests/it/real_archives", "rs"));
    let of_addresses = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/wrong_addresses.rs");
    let of_the_daemon = of_the_daemon.chain([of_addresses]);
    let of_the_daemon = of_the_daemon.map(|path| fs::read_to_string(path).unwrap());
    let scenarios: String = scenarios.collect();
    let tests: String = of_judges.chain(of_the_daemon).collect();
    for code in FindingCode::ALL {
        let name = code.as_str();
        let is_answer = scenarios.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some("finding") && words.nth(1) == Some(name)
        });
        let is_expected = tests.contains(&format!("FindingCode::{code:?}"))
            || tests.contains(&format!("{name:?}"));
        assert!(is_answer || is_expected, "no test finds {name}");
    }
}

pub(crate) fn scenario_files() -> Vec<PathBuf> {
    files_below("tests/scenarios", "txt")
}

fn files_below(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
