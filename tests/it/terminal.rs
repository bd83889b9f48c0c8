//! The built program on a terminal: as wide as that is, and without colour where nobody wants any.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::program;

/// Two archives without a base backup, under names that fill a line.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for name in ["orders-of-the-northern-hemisphere", "orders-of-the-southern-hemisphere"] {
        let wals = place.path().join(name).join("wals/0000000100000000");
        fs::create_dir_all(&wals).unwrap();
        fs::write(wals.join("000000010000000000000001"), "short").unwrap();
    }
    place
}

fn arguments(place: &Path) -> [Vec<String>; 5] {
    let place = format!("file://{}", place.display());
    let archive = format!("{place}/orders-of-the-northern-hemisphere");
    let words = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect();
    [
        words(&["archives", "--at", &place, "--check"]),
        words(&["check", "--archive", &archive]),
        words(&["restore-plan", "--archive", &place]),
        words(&["drill", "--local", "/tmp", "--archive", &place]),
        words(&["drill", "--help"]),
    ]
}

/// What a terminal of so many columns is sent. `script` makes one, and is on every Debian.
fn on_terminal(columns: u32, variables: &[(&str, &str)], arguments: &[String]) -> String {
    let inner = program();
    let words = [inner.get_program().to_str().unwrap()].into_iter();
    let words = words.chain(arguments.iter().map(String::as_str));
    let words: Vec<String> = words.map(|it| format!("'{it}'")).collect();
    let typed = format!("stty rows 40 cols {columns}; exec {}", words.join(" "));
    let mut command = Command::new("/usr/bin/script");
    command.args(["--quiet", "--command", &typed, "/dev/null"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    command.envs(variables.iter().copied()).stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Without what colours it, and what an indicator of progress draws and takes back.
fn lines(sent: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = sent;
    while let Some((before, escape)) = rest.split_once("\u{1b}[") {
        plain += before;
        let end = escape.find(|it: char| it.is_ascii_alphabetic()).unwrap();
        rest = &escape[end + 1..];
    }
    plain += rest;
    let lines = plain.split('\n').map(|it| it.trim_end_matches('\r'));
    lines.map(|it| it.rsplit('\r').next().unwrap().to_owned()).collect()
}

#[test]
fn no_line_is_wider_than_the_terminal_but_an_address() {
    let place = place();
    for columns in [60, 80] {
        for arguments in arguments(place.path()) {
            let sent = on_terminal(columns, &[], &arguments);
            let lines = lines(&sent);
            assert!(2 < lines.len(), "{arguments:?}: {sent}");
            let wide =
                lines.iter().filter(|it| columns < u32::try_from(it.chars().count()).unwrap());
            let wide: Vec<&String> = wide.filter(|it| !it.contains("://")).collect();
            assert!(wide.is_empty(), "{columns}, {arguments:?}: {wide:#?}");
        }
    }
}

#[test]
fn colour_is_for_terminals_whose_user_has_not_refused_it() {
    let place = place();
    let [_, check, ..] = arguments(place.path());
    let is_coloured = |sent: &str| sent.contains("\u{1b}[1;31mUNRECOVERABLE\u{1b}[0m");
    let sent = on_terminal(80, &[], &check);
    assert!(is_coloured(&sent), "{sent}");
    for refusal in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0")] {
        let sent = on_terminal(80, &[refusal], &check);
        assert!(!sent.contains('\u{1b}') && sent.contains("UNRECOVERABLE"), "{refusal:?}: {sent}");
    }
    let piped = |variables: &[(&str, &str)]| {
        let output = program().args(&check).envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!piped(&[]).contains('\u{1b}'));
    assert!(is_coloured(&piped(&[("CLICOLOR_FORCE", "1")])));
}
