//! The scripts that people run beside the program: what they call, and what they say where they cannot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::process::run;

const LIMIT: Duration = Duration::from_secs(60);

/// A script of this repository, where no demo runs.
fn script(path: &str, target: &Path) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Account::own().command(&root.join(path));
    command.env("CARGO_TARGET_DIR", target);
    command
}

async fn rehearse(directory: &Path, kubeconfig: Option<&str>, arguments: &[&str]) -> Finished {
    let mut command = script("tests/smoke/dr-cnpg-restore.sh", directory);
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", directory.display()));
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    command.args(arguments);
    run(command, LIMIT).await
}

#[tokio::test]
async fn a_rehearsal_is_a_drill_and_ends_as_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let double = directory.path().join("cnpg-backup-verifier");
    fs::write(&double, "#!/bin/sh\necho \"$*\"\nexit 2\n").unwrap();
    fs::set_permissions(&double, fs::Permissions::from_mode(0o755)).unwrap();
    let arguments = ["databases", "postgres", "--kind", "full"];
    let finished = rehearse(directory.path(), Some("/kubeconfig"), &arguments).await;
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    let expected = "drill --namespace databases --cluster postgres --kind full\n";
    assert_eq!(finished.stdout, expected, "{finished:#?}");

    let finished = rehearse(directory.path(), None, &arguments).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:#?}");
    assert!(finished.stderr.starts_with("no kubeconfig: "), "{finished:#?}");
    assert!(finished.stderr.contains("no demo runs"), "{finished:#?}");

    let finished = rehearse(directory.path(), Some("/kubeconfig"), &["databases"]).await;
    assert_eq!(finished.code, Some(64), "{finished:#?}");
    assert!(finished.stderr.starts_with("usage: "), "{finished:#?}");
}

#[tokio::test]
async fn what_needs_a_demo_says_how_to_start_one() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["demo-break", "demo-damage", "demo-drill", "demo-repair"] {
        let finished = run(script(&format!("scripts/{name}"), directory.path()), LIMIT).await;
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:#?}");
        let expected = "demo: no demo runs: start one with `make demo` in another terminal\n";
        assert_eq!(finished.stderr, expected);
        // Each is a command of the Makefile, listed in its help.
        let makefile = include_str!("../../Makefile");
        assert!(makefile.contains(&format!("\n{name}: ## ")), "{name}");
    }
}
