//! The built program, as a shell sees it: exit codes, and what goes to which stream.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::process::Command;

use test_servers::s3::S3Server;

/// Exit code, stdout and stderr of the program, which sees no other variables than these.
fn execute(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cnpg-backup-verifier"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn wrong_usage_is_64_and_explained_on_stderr() {
    for (arguments, word) in [
        (&[] as &[&str], "Usage"),
        (&["inspect"], "inspect"),
        (&["install"], "<DIR>"),
        (&["install", "/nowhere/at/all"], "expected a directory that exists, found nothing"),
        (&["install", "/dev/null"], "expected a directory that exists, found something else"),
        (&["run", "--output", "json"], "--output"),
        (&["check", "--output", "xml"], "nagios"),
        (&["check", "--cluster", "postgres"], "--namespace"),
        (&["check", "--log-level", "loud"], "loud"),
        (&["check", "--archive", "cnpg"], "--archive: expected"),
        (&["check", "--archive", "/mnt/copy/pg"], "; you probably meant file:///mnt/copy/pg"),
        (&["check", "--archive", "."], "; you probably meant file:///"),
        (
            &["restore-plan", "--archive", "file:///a/b", "--to", "2026-11-28 14:00"],
            "Only the time zone is missing. In UTC it is 2026-11-28T14:00:00Z",
        ),
        (&["check"], "archives: expected"),
        (&["run"], "archives: expected"),
        (&["run", "--config", "/nowhere/config.yaml"], "/nowhere/config.yaml: expected"),
    ] {
        let never = [("CNPG_BACKUP_VERIFIER_KUBERNETES_ENABLED", "false")];
        let (code, stdout, stderr) = execute(arguments, &never);
        assert_eq!(code, Some(64), "{arguments:?}: {stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let (_, help, _) = execute(&["--help"], &[]);
    let commands = ["run", "check", "verify", "restore-plan", "archives", "version"];
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("man1");
    let (code, ..) = execute(&["man", folder.to_str().unwrap()], &[]);
    assert_eq!(code, Some(0));
    for command in commands {
        assert!(help.contains(command), "{command}: {help}");
        let page = folder.join(format!("cnpg-backup-verifier-{command}.1"));
        let page = fs::read_to_string(page).unwrap();
        assert!(page.contains(".TH"), "{page}");
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let (code, script, _) = execute(&["completions", shell], &[]);
            assert_eq!(code, Some(0), "{shell}");
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, _, stderr) = execute(&["man", file.to_str().unwrap()], &[]);
    assert_eq!(code, Some(3));
    assert!(stderr.contains("write manual pages to"), "{stderr}");
}

#[test]
fn what_was_installed_runs() {
    let directory = tempfile::tempdir().unwrap();
    let into = directory.path().to_str().unwrap();
    let (code, stdout, stderr) = execute(&["install", into], &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let installed = format!("{into}/cnpg-backup-verifier");
    assert!(stdout.ends_with(&format!(" as {installed}\n")), "{stdout}");
    // Also by the copy, in place of itself.
    for _ in 0..2 {
        let output = Command::new(&installed).args(["install", into]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let told = Command::new(&installed).arg("version").output().unwrap();
    let (_, version, _) = execute(&["version"], &[]);
    assert_eq!(String::from_utf8(told.stdout).unwrap(), version);
}

#[tokio::test]
async fn no_level_of_the_log_shows_a_key_of_a_profile_file() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("cnpg");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    let (id, secret) = (server.access_key().to_owned(), server.secret_key().to_owned());
    let profile =
        format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    fs::write(&path, profile).unwrap();
    let (path, url) = (path.to_str().unwrap().to_owned(), server.endpoint_url());
    let checked = tokio::task::spawn_blocking(move || {
        let archive = ["check", "--archive", "s3://cnpg/pg", "--endpoint-url", url.as_str()];
        let variables = [
            ("CNPG_BACKUP_VERIFIER_KUBERNETES_ENABLED", "false"),
            ("AWS_SHARED_CREDENTIALS_FILE", path.as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        ["info", "trace", "aws_config=trace,aws_runtime=trace,aws_sdk_s3=info"]
            .map(|level| execute(&[&archive[..], &["--log-level", level]].concat(), &variables))
    });
    let levels = checked.await.unwrap();
    // Signed with the keys of the file.
    assert!(levels.len() as u64 <= server.requests().total());
    for (code, stdout, stderr) in levels {
        assert!(stdout.contains("archive_empty"), "{code:?}: {stdout}{stderr}");
        for text in [stdout, stderr] {
            assert!(!text.contains(&id) && !text.contains(&secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_store_that_may_not_be_asked_is_unknown_and_hears_nothing() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("cnpg");
    let (url, keys) = (server.endpoint_url(), (server.access_key(), server.secret_key()));
    let check = async |url: &str, allowed: &'static str| {
        let url = url.to_owned();
        let checked = tokio::task::spawn_blocking(move || {
            let variables = [
                ("CNPG_BACKUP_VERIFIER_KUBERNETES_ENABLED", "false"),
                ("CNPG_BACKUP_VERIFIER_OBJECT_STORES_ALLOWED", allowed),
                ("AWS_ACCESS_KEY_ID", keys.0),
                ("AWS_SECRET_ACCESS_KEY", keys.1),
            ];
            execute(&["check", "--archive", "s3://cnpg/pg", "--endpoint-url", &url], &variables)
        });
        checked.await.unwrap()
    };
    for (endpoint, allowed, why) in [
        (url.as_str(), "https://s3.example.com", "is not in object_stores.allowed"),
        ("http://0xA9FEA9FE", "", "http://169.254.169.254 is link-local"),
    ] {
        let (code, stdout, stderr) = check(endpoint, allowed).await;
        assert_eq!(code, Some(3), "{stdout}{stderr}");
        assert!(stdout.contains("endpoint_not_allowed") && stdout.contains(why), "{stdout}");
    }
    assert_eq!(server.requests().total(), 0);
    let (code, stdout, stderr) = check(&url, "").await;
    assert!(0 < server.requests().total(), "{code:?}: {stdout}{stderr}");
}

#[test]
fn the_setting_chooses_who_decodes_bzip2() {
    let directory = tempfile::tempdir().unwrap();
    let wals = directory.path().join("pg/wals");
    fs::create_dir_all(wals.join("0000000200000000")).unwrap();
    fs::write(wals.join("0000000200000000/000000020000000000000001"), "").unwrap();
    // The fast decoder sees an empty file in streams of nothing; the other one gives up on so many.
    let streams = b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0".repeat(1_001);
    fs::write(wals.join("00000002.history.bz2"), streams).unwrap();
    let archive = format!("file://{}/pg", directory.path().display());
    for (decoder, expected) in
        [("", "is empty"), ("fast", "is empty"), ("reference", "bzip2 streams")]
    {
        let variables = [
            ("CNPG_BACKUP_VERIFIER_KUBERNETES_ENABLED", "false"),
            ("CNPG_BACKUP_VERIFIER_BZIP2_DECODER", decoder),
        ];
        let (code, stdout, stderr) = execute(&["check", "--archive", &archive], &variables);
        assert!(stdout.contains(expected), "{decoder} {code:?}: {stdout}{stderr}");
    }
}

#[test]
fn all_problems_of_the_configuration_are_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, "poll_interval: 60\nlisten: here\narchive: []\n").unwrap();
    let path = path.to_str().unwrap();
    let variables = [
        ("CNPG_BACKUP_VERIFIER_EXPECTATIONS_WAL_MAX_AGE", "soon"),
        ("CNPG_BACKUP_VERIFIER_KUBERNETES_ENABLED", "false"),
        ("CNPG_BACKUP_VERIFIER_SERVICE_HOST", "10.0.0.1"),
    ];

    for arguments in [&["run", "--config", path], &["check", "--config", path]] {
        let (code, stdout, stderr) = execute(arguments, &variables);
        assert_eq!((code, stdout.as_str()), (Some(64), ""));
        let keys: Vec<&str> = stderr.lines().filter_map(|line| line.split(':').next()).collect();
        let expected = [
            "listen",
            "poll_interval",
            "CNPG_BACKUP_VERIFIER_EXPECTATIONS_WAL_MAX_AGE",
            "archives",
            "archive",
        ];
        assert_eq!(keys, expected, "{stderr}");
    }
}

#[test]
fn the_file_can_be_named_by_a_variable() {
    let variables = [("CNPG_BACKUP_VERIFIER_CONFIG", "/nowhere/config.yaml")];
    let (code, _, stderr) = execute(&["run"], &variables);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("/nowhere/config.yaml"), "{stderr}");
}

#[test]
fn help_is_no_mistake_and_every_command_has_an_example() {
    for arguments in [
        &["--help"] as &[&str],
        &["run", "--help"],
        &["check", "--help"],
        &["check", "-h"],
        &["version", "--help"],
        &["help", "check"],
    ] {
        let (code, stdout, stderr) = execute(arguments, &[]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(stdout.contains("Example"), "{arguments:?}: {stdout}");
    }
}

#[test]
fn the_version_names_revision_and_compiler() {
    let (code, stdout, stderr) = execute(&["version"], &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = stdout.lines().collect();
    let [version, revision, rustc] = lines.as_slice() else { panic!("{stdout}") };
    assert_eq!(*version, concat!("cnpg-backup-verifier ", env!("CARGO_PKG_VERSION")));
    assert!(revision.starts_with("git revision "), "{revision}");
    assert!(rustc.starts_with("rustc 1."), "{rustc}");
}
