//! The runbooks for procedures: their form, and the manifests that they show.

use std::collections::BTreeSet;

use crate::deploy::manifests;
use crate::deploy::schemas;

/// Runbooks that are no finding's, with the manifest that each shows.
const PROCEDURES: [(&str, Option<&str>); 6] = [
    ("close-a-gap", Some("on-demand-backup")),
    ("disaster-recovery-cadence", None),
    ("expected-empty-archive", None),
    ("restore-a-cluster", Some("restore-a-cluster")),
    ("restore-to-a-moment", Some("restore-to-a-moment")),
    ("rotate-credentials", None),
];

#[test]
fn every_procedure_has_a_runbook_and_is_listed() {
    let index = manifests::read("docs/runbooks/README.md");
    let files = manifests::files("docs/runbooks", ".md").into_iter();
    let names = files.map(|file| file["docs/runbooks/".len()..file.len() - 3].to_owned());
    let found: BTreeSet<String> = names.filter(|name| name.contains('-')).collect();
    assert_eq!(found, PROCEDURES.map(|(name, _)| name.to_owned()).into());
    for name in found {
        assert!(index.contains(&format!("]({name}.md)")), "{name} is not in the list");
    }
}

#[test]
fn every_procedure_has_headings_of_the_common_form() {
    let known = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
    for (name, _) in PROCEDURES {
        let text = manifests::read(&format!("docs/runbooks/{name}.md"));
        assert_eq!(text.lines().next(), Some(format!("# {name}").as_str()));
        let headings = text.lines().filter(|line| line.starts_with("## "));
        let order: Vec<usize> =
            headings.map(|heading| known.iter().position(|it| *it == heading).unwrap()).collect();
        assert!(order.is_sorted() && order.contains(&0) && order.contains(&3), "{name}: {order:?}");
    }
}

/// What a runbook shows is a file, so that it can be applied and is tested.
#[test]
fn every_manifest_of_a_runbook_is_an_example_word_for_word() {
    let mut shown = BTreeSet::new();
    for (name, example) in PROCEDURES {
        let text = manifests::read(&format!("docs/runbooks/{name}.md"));
        let blocks = schemas::blocks(&text);
        let expected = example.map(|example| format!("deploy/examples/{example}.yaml"));
        let expected: Vec<String> = expected.into_iter().collect();
        let files: Vec<String> = expected.iter().map(|file| without_marks(file)).collect();
        assert_eq!(blocks, files, "{name}");
        for file in &expected {
            assert!(text.contains(file.as_str()), "{name} does not name {file}");
        }
        shown.extend(expected);
    }
    let (page, file) = ("docs/drills.md", "deploy/examples/restore-drill-local.yaml");
    let text = manifests::read(page);
    assert!(schemas::blocks(&text).contains(&without_marks(file)), "{page} does not show {file}");
    assert!(text.contains(&format!("](../{file})")), "{page} does not name {file}");
    shown.insert(file.to_owned());
    let examples: BTreeSet<String> =
        manifests::files("deploy/examples", ".yaml").into_iter().collect();
    assert_eq!(shown, examples);
}

/// A file without what only an editor reads: the first mark of a document, and schemas.
fn without_marks(file: &str) -> String {
    let text = manifests::read(file);
    let lines = text.strip_prefix("---\n").unwrap().lines();
    let lines = lines.filter(|line| !line.starts_with("# yaml-language-server:"));
    lines.map(|line| format!("{line}\n")).collect()
}
