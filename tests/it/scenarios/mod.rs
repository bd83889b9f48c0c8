//! Runs every file in `tests/scenarios`: an archive and a clock in, the whole answer out.
//!
//! The part below `---` is what the program answers. `UPDATE_SCENARIOS=1` writes it anew, for a
//! person to read before it is committed.

mod answer;
mod archive;
pub(crate) mod file;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use cnpg_backup_verifier::assessment::assess;

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

fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}
