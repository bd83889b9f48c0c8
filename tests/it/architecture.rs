//! Keeps the arrows of `ARCHITECTURE.md` true: who may import whom, and who may touch the world.

mod circles;
mod document;
mod writes;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    effects: Effects,
}

#[derive(PartialEq)]
enum Effects {
    None,
    Allowed,
}

const LAYERS: &[Layer] = &[
    Layer { name: "domain", may_use: &[], effects: Effects::None },
    Layer { name: "wal", may_use: &["domain"], effects: Effects::None },
    Layer { name: "content", may_use: &["domain", "wal"], effects: Effects::None },
    Layer { name: "observation", may_use: &["domain", "wal", "content"], effects: Effects::None },
    Layer {
        name: "assessment",
        may_use: &["domain", "wal", "content", "observation"],
        effects: Effects::None,
    },
    Layer { name: "ledger", may_use: &["domain", "wal", "observation"], effects: Effects::Allowed },
    Layer { name: "publication", may_use: &["domain", "assessment"], effects: Effects::None },
    Layer { name: "config", may_use: &["domain"], effects: Effects::Allowed },
    Layer {
        name: "sources",
        may_use: &["domain", "wal", "content", "observation", "config"],
        effects: Effects::Allowed,
    },
    Layer {
        name: "restore",
        may_use: &["domain", "wal", "content", "observation", "assessment", "sources"],
        effects: Effects::Allowed,
    },
    Layer {
        name: "execution",
        may_use: &["domain", "publication", "sources"],
        effects: Effects::Allowed,
    },
    Layer {
        name: "service",
        may_use: &[
            "domain",
            "wal",
            "content",
            "observation",
            "ledger",
            "assessment",
            "publication",
            "config",
            "sources",
            "restore",
            "execution",
        ],
        effects: Effects::Allowed,
    },
    Layer {
        name: "cli",
        may_use: &["domain", "assessment", "config", "service", "publication", "restore"],
        effects: Effects::Allowed,
    },
    // Of `sources` it knows the limit of its own threads.
    Layer {
        name: "main",
        may_use: &["cli", "config", "service", "sources"],
        effects: Effects::Allowed,
    },
    Layer { name: "lib", may_use: &[], effects: Effects::None },
];

/// Crates and modules that do I/O, run tasks, keep time, or log.
const EFFECTS: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "kube",
    "k8s_openapi",
    "aws_sdk_s3",
    "aws_config",
    "rusqlite",
    "tracing",
    "futures",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

#[test]
fn layers_import_only_what_they_may() {
    let mut violations = Vec::new();
    for layer in LAYERS {
        for file in rust_files(&source().join(layer.name)) {
            violations.extend(judge(layer, &file.display().to_string(), &code_of(&file)));
        }
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn everything_in_src_is_a_known_layer() {
    for entry in fs::read_dir(source()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_known = LAYERS.iter().any(|layer| layer.name == name);
        assert!(is_known, "{} has no layer", path.display());
    }
}

#[test]
fn forbidden_imports_are_seen() {
    let judge = |name: &str, code: &str| {
        let layer = LAYERS.iter().find(|layer| layer.name == name).unwrap();
        judge(layer, "a file", code).len()
    };
    assert_eq!(judge("domain", "use crate::observation::Observation;"), 1);
    assert_eq!(judge("domain", "use crate::{observation::Observation};"), 1);
    assert_eq!(judge("domain", "use super::super::sources;"), 1);
    assert_eq!(judge("assessment", "let text = std::fs::read_to_string(path);"), 1);
    assert_eq!(judge("publication", "use crate::observation::Observation;"), 1);
    assert_eq!(judge("wal", "use tokio::sync::watch;"), 1);
    assert_eq!(judge("wal", "use crate::domain::lsn::Lsn;"), 0);
    assert_eq!(judge("sources", "use crate::assessment::verdict::Verdict;"), 1);
    assert_eq!(judge("execution", "use crate::observation::Reading;"), 1);
    assert_eq!(judge("main", "use cnpg_backup_verifier::assessment::Assessment;"), 1);
    assert_eq!(judge("main", "use cnpg_backup_verifier::cli::Cli;"), 0);
    assert_eq!(judge("lib", "use tokio::runtime::Runtime;"), 1);
}

#[test]
fn files_stay_small_enough_to_read() {
    const LINES_MAX: usize = 500;

    let mut long = Vec::new();
    for layer in LAYERS {
        for file in rust_files(&source().join(layer.name)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if LINES_MAX < lines {
                long.push(format!("{}: {lines} lines", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "\n{}\n", long.join("\n"));
}

fn judge(layer: &Layer, file: &str, code: &str) -> Vec<String> {
    let mut violations = Vec::new();
    for evasion in ["crate::{", "super::super"].iter().filter(|it| code.contains(**it)) {
        violations.push(format!("{file}: write `{evasion}` as a full path"));
    }
    for used in crate_paths(code) {
        if used != layer.name && !layer.may_use.contains(&used.as_str()) {
            violations.push(format!("{file}: uses crate::{used}"));
        }
    }
    for effect in EFFECTS.iter().filter(|_| layer.effects == Effects::None) {
        if mentions(code, effect) {
            violations.push(format!("{file}: uses {effect}"));
        }
    }
    violations
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The file without its comments and without its unit tests, which may use anything.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The boxes that are used; `main.rs` knows them under the name of the library.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let paths = ["crate::", "cnpg_backup_verifier::"].into_iter();
    let paths = paths.flat_map(|root| paths_after(code, root));
    paths.map(|path| path.split("::").next().unwrap_or_default().to_owned()).collect()
}

/// Every path that this begins, without it.
fn paths_after<'a>(code: &'a str, begin: &str) -> impl Iterator<Item = String> + use<'a> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let rests: Vec<&str> = code.split(begin).skip(1).collect();
    let paths = rests.into_iter().map(move |rest| {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        rest[..end].trim_end_matches(':').to_owned()
    });
    paths.filter(|path| !path.is_empty())
}

fn mentions(code: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    ["::", ";"].iter().any(|end| {
        code.match_indices(&format!("{path}{end}")).any(|(at, _)| !code[..at].ends_with(is_part))
    })
}

/// The files of a layer: everything under `src/name/`, and `src/name.rs`. Files of tests alone
/// (`tests.rs`, and generators behind `#[cfg(test)]`) may use anything.
fn rust_files(layer: &Path) -> Vec<PathBuf> {
    const TEST_ONLY: [&str; 4] = ["tests", "samples", "generator", "fixtures"];

    let mut files = Vec::new();
    let single = layer.with_extension("rs");
    if single.exists() {
        files.push(single);
    }
    let Ok(entries) = fs::read_dir(layer) else { return files };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if TEST_ONLY.contains(&stem.as_str()) {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files.dedup();
    files
}
