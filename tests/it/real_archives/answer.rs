//! An answer in kind: without names, numbers and times, which differ between a scenario file and
//! what a server really wrote.

use std::fs;
use std::path::Path;

use serde_json::Value;
use test_servers::barman::Barman;

use crate::program::check;
use crate::program::check_directory;
use crate::program::document;

pub(super) struct Answer {
    kind: Kind,
    code: Option<i32>,
    document: Value,
}

#[derive(Clone, Debug, PartialEq)]
struct Kind {
    verdict: String,
    latest: String,
    /// Of each backup, what it is good for.
    backups: Vec<String>,
    /// Of each window, the position of its backup and the timeline it ends on.
    windows: Vec<(usize, u32)>,
    gaps: Vec<String>,
    /// Severities and codes, in alphabetical order.
    findings: Vec<String>,
}

impl Answer {
    pub(super) async fn of_directory(folder: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["-o", "json"], arguments].concat();
        Self::of(check_directory(folder, &arguments).await)
    }

    pub(super) async fn of_store(archive: &Barman) -> Self {
        Self::of(check(archive, &["-o", "json"]).await)
    }

    fn of(finished: test_servers::process::Finished) -> Self {
        let document = document(&finished);
        Self { kind: Kind::of(&document["archives"][0]), code: finished.code, document }
    }

    /// Panics unless the answer is that of `tests/scenarios/NAME.txt`.
    pub(super) fn expect(&self, scenario: &str) {
        let expected = Kind::of_scenario(scenario);
        assert_eq!(self.kind, expected, "{scenario}: {:#}", self.document);
        let code = match expected.verdict.as_str() {
            "recoverable" => 0,
            "at_risk" => 1,
            "unrecoverable" => 2,
            _ => 3,
        };
        assert_eq!(self.code, Some(code), "{scenario}");
    }

    pub(super) fn archive(&self) -> &Value {
        &self.document["archives"][0]
    }
}

impl Kind {
    fn of(archive: &Value) -> Self {
        let list = |name: &str| archive[name].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let backups = list("backups");
        let position = |id: &Value| backups.iter().position(|it| it["backup_id"] == *id).unwrap();
        let windows = list("recovery_windows").into_iter().map(|window| {
            let timeline = window["last"]["timeline"].as_u64().unwrap();
            (position(&window["backup_id"]), u32::try_from(timeline).unwrap())
        });
        let findings = list("findings");
        let findings = findings
            .iter()
            .map(|finding| format!("{} {}", text(&finding["severity"]), text(&finding["code"])));
        Self {
            verdict: text(&archive["verdict"]),
            latest: match archive["latest_recoverable"].as_bool() {
                Some(true) => "reachable",
                Some(false) => "not reachable",
                None => "unknown",
            }
            .to_owned(),
            windows: windows.collect(),
            gaps: list("gaps").iter().map(|gap| text(&gap["effect"])).collect(),
            findings: sorted(findings.collect()),
            backups: backups.iter().map(kind_of_backup).collect(),
        }
    }

    /// What stands below the line of a scenario file.
    fn of_scenario(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
        let text = fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
        let (_, answer) = text.split_once("\n---\n").unwrap();
        let lines = |first: &str| -> Vec<Vec<&str>> {
            let lines = answer.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            lines.filter(|words| words[0] == first).map(|words| words[1..].to_vec()).collect()
        };
        let backups = lines("backup");
        let windows = lines("window").into_iter().map(|words| {
            let backup = backups.iter().position(|backup| backup[0] == words[0]).unwrap();
            // ID FIRST .. LAST (SOURCE) SEGMENT
            (backup, u32::from_str_radix(&words[5][..8], 16).unwrap())
        });
        let findings = lines("finding");
        let findings = findings.iter().map(|words| format!("{} {}", words[0], words[1]));
        Self {
            verdict: lines("verdict")[0].join(" "),
            latest: lines("latest")[0].join(" "),
            windows: windows.collect(),
            gaps: lines("gap").iter().map(|words| words[2].to_owned()).collect(),
            findings: sorted(findings.collect()),
            backups: backups.iter().map(|words| words[1].to_owned()).collect(),
        }
    }
}

fn kind_of_backup(backup: &Value) -> String {
    let status = backup["status"].as_str().unwrap_or_default();
    let is_running = backup["reasons"][0] == "it is still running";
    let kind = match (backup["usable"].as_bool().unwrap(), status) {
        (true, _) => "usable",
        (false, "FAILED") => "failed",
        (false, "STARTED") if is_running => "running",
        (false, "STARTED") => "failed",
        (false, _) => "unusable",
    };
    kind.to_owned()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}
