//! Every link in every document of this repository leads somewhere, down to the heading.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Where documents that are read elsewhere, such as a dashboard, find the files of this repository.
const PUBLISHED: &str = "https://github.com/monosense/cnpg-backup-verifier/blob/main/";

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_in_it() {
    let mut followed = 0;
    for path in documents() {
        for target in links(&fs::read_to_string(&path).unwrap()) {
            let place = format!("{}: {target}", path.display());
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let linked = match file.strip_prefix(PUBLISHED) {
                Some(file) => root().join(file),
                None if file.contains("://") => continue,
                None if file.is_empty() => path.clone(),
                None => path.parent().unwrap().join(file),
            };
            assert!(linked.exists(), "{place}");
            if !heading.is_empty() {
                let headings = headings(&fs::read_to_string(linked).unwrap());
                assert!(headings.contains(heading), "{place}, which has {headings:?}");
            }
            followed += 1;
        }
    }
    assert!(followed > 200, "{followed} links");
}

#[test]
fn the_front_page_is_short_and_leads_to_every_document() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(page.len() <= 10_000, "{} bytes: a manual, not a front page", page.len());
    let linked = links(&page);
    for path in documents() {
        let document = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let is_for_readers = !document.contains("runbooks/") && document != "README.md";
        if is_for_readers && (document.starts_with("docs/") || !document.contains('/')) {
            assert!(linked.iter().any(|link| link == document), "{document} is not in the list");
        }
    }
}

#[test]
fn headings_are_named_as_github_names_them() {
    let text = "# `make` & test\n```sh\n# a comment\n```\n## What's 1_2?\n## Again\n### Again\n";
    let expected = ["make--test", "whats-1_2", "again", "again-1"];
    assert_eq!(headings(text), expected.map(str::to_owned).into());
}

/// The targets of all links and pictures.
fn links(text: &str) -> Vec<String> {
    let text = without_blocks(text);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

/// The names of all headings.
fn headings(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let text = without_blocks(text);
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        let name: String =
            title.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        let twins = (1..).map(|number| format!("{name}-{number}"));
        let mut free = std::iter::once(name.clone()).chain(twins);
        names.insert(free.find(|name| !names.contains(name)).unwrap());
    }
    names
}

/// A text without its blocks of code.
pub(crate) fn without_blocks(text: &str) -> String {
    let mut is_code = false;
    let mut kept = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
