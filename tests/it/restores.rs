//! `restore` and `drill --local` as somebody meets them who has a bad day: what is refused, and what
//! is there in the end.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::process::Server;
use test_servers::process::run;
use test_servers::rclone::Rclone;

use crate::program::of_archive;
use crate::program::program;

/// A base backup of megabytes, a few segments, and a server that starts and stops.
const LIMIT: Duration = Duration::from_secs(180);

/// The program on an archive that has nothing in it.
async fn on_nothing(directory: &Path, command: &str, arguments: &[&str]) -> Finished {
    let archive = directory.join("archive/main");
    fs::create_dir_all(archive.join("wals")).unwrap();
    fs::create_dir_all(archive.join("base")).unwrap();
    let mut called = program();
    called.current_dir(directory).arg(command).args(arguments);
    called.arg("--archive").arg(format!("file://{}", archive.display()));
    run(called, LIMIT).await
}

#[tokio::test]
async fn a_restore_writes_over_nothing_and_starts_no_archiver() {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["used", "new-tablespaces/16384"] {
        fs::create_dir_all(directory.path().join(folder)).unwrap();
    }
    fs::write(directory.path().join("used/PG_VERSION"), "15\n").unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for (arguments, words) in [
        (["--to-dir", "used"].as_slice(), "/used, which is not empty"),
        (&["--to-dir", "new"], "/new-tablespaces, which is not empty"),
        (&["--to-dir", "file"], "/file, which is not a directory"),
        (&["--to-dir", "a/b"], "/a/b, in a directory that does not exist"),
        (&["--to-dir", "x", "--set", "archive_mode=on"], "found \"archive_mode=on\""),
        (&["--to-dir", "x", "--set", "Archive_Command=cp"], "found \"Archive_Command=cp\""),
        (&["--to-dir", "x", "--tablespace", "fast"], "--tablespace: expected a tablespace and its"),
        (&["--to-dir", "x", "--lsn", "here"], "--lsn: expected a position in the log"),
    ] {
        let finished = on_nothing(directory.path(), "restore", arguments).await;
        assert_eq!(finished.code, Some(64), "{finished:#?}");
        assert!(finished.stderr.contains(words), "{words}: {finished:#?}");
        assert_eq!(finished.stdout, "", "{finished:#?}");
    }
    let used = fs::read_to_string(directory.path().join("used/PG_VERSION")).unwrap();
    assert_eq!(used, "15\n");
    assert!(!directory.path().join("new").exists() && !directory.path().join("x").exists());
}

#[tokio::test]
async fn of_an_empty_archive_nothing_can_be_restored() {
    let directory = tempfile::tempdir().unwrap();
    for kind in ["pitr", "full"] {
        let arguments = ["--local", ".", "--kind", kind];
        let drilled = on_nothing(directory.path(), "drill", &arguments).await;
        assert_eq!(drilled.code, Some(2), "{drilled:#?}");
        let expected = "nothing can be restored in a drill: there is no usable backup\n";
        assert_eq!(drilled.stdout, expected, "{drilled:#?}");
    }
    let restored = on_nothing(directory.path(), "restore", &["--to-dir", "new"]).await;
    assert_eq!(restored.code, Some(2), "{restored:#?}");
    assert!(restored.stdout.contains("there is no usable backup"), "{restored:#?}");
    assert!(!directory.path().join("new").exists());
    let nowhere = on_nothing(directory.path(), "drill", &["--local", "nowhere"]).await;
    assert_eq!(nowhere.code, Some(64), "{nowhere:#?}");
    assert!(nowhere.stderr.contains("--local: expected a directory that exists"), "{nowhere:#?}");
}

/// By a relative path: what is printed leads there from anywhere.
#[tokio::test]
async fn what_was_restored_starts_as_it_says() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary =
        Postgres::start(&Options::archiving(&barman, BackupOptions::default().codec)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    barman.backup(&primary, &BackupOptions::default()).await;
    primary.sql("INSERT INTO kept VALUES (1), (2)").await;
    primary.archive_segments(1).await;
    drop(primary);
    let place = Account::own().temporary_directory();
    let restore = |arguments: &[&str]| {
        let mut command = of_archive("restore", &barman, arguments);
        command.current_dir(place.path()).args(["--to-dir", "restored"]);
        run(command, LIMIT)
    };
    for (arguments, words) in [
        (["--run-as", "root"], "--run-as: expected"),
        (["--run-as", "nobody-of-that-name"], "--run-as: expected"),
        (["--postgres", "/nowhere"], "--postgres: expected the directory of PostgreSQL's programs"),
    ] {
        let refused = restore(&arguments).await;
        assert_eq!(refused.code, Some(64), "{refused:#?}");
        assert!(refused.stderr.contains(words), "{refused:#?}");
        assert!(!place.path().join("restored").exists(), "{refused:#?}");
    }
    let wrong = restore(&["--set", "no_such_parameter=1"]).await;
    assert_eq!(wrong.code, Some(3), "{wrong:#?}");
    let named = "unrecognized configuration parameter \"no_such_parameter\"";
    assert!(wrong.stderr.contains(named) && wrong.stderr.contains("is removed"), "{wrong:#?}");
    if Account::unprivileged() != Account::own() {
        a_place_that_postgresql_cannot_enter_is_told_before(&barman, place.path()).await;
    }

    let printed = restore(&["--set", "work_mem=5MB"]).await.expect_success();
    let commands: Vec<Vec<&str>> = printed
        .lines()
        .filter(|line| line.starts_with("  /") || line.starts_with("  psql"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [start, ask] = commands.as_slice() else { panic!("{printed}") };
    let account = Account::unprivileged();
    let of = |words: &[&str], mut command: Command| {
        command.args(words);
        command
    };
    let server = account.server_command(Path::new(start[0]));
    let log = place.path().join("log");
    let mut server = Server::start("the restored server", of(&start[1..], server), &log);
    let query = "SELECT count(*), current_setting('work_mem'), pg_is_in_recovery() FROM kept";
    let asked = async || {
        let command = of(&ask[1..], account.command(Path::new("/usr/bin/psql")));
        let command = of(&["--no-psqlrc", "--tuples-only", "--no-align", "-c", query], command);
        run(command, LIMIT).await
    };
    server.ready(LIMIT, async || asked().await.success()).await;
    assert_eq!(asked().await.expect_success(), "2|5MB|f\n");
}

/// Root can, and so might restore for hours.
async fn a_place_that_postgresql_cannot_enter_is_told_before(barman: &Barman, place: &Path) {
    let closed = place.join("closed");
    fs::DirBuilder::new().mode(0o700).create(&closed).unwrap();
    for (command, flag, to) in
        [("restore", "--to-dir", closed.join("restored")), ("drill", "--local", closed.clone())]
    {
        let mut command = of_archive(command, barman, &[flag]);
        let finished = run(
            {
                command.arg(to);
                command
            },
            LIMIT,
        )
        .await;
        assert_eq!(finished.code, Some(3), "{finished:#?}");
        let told = format!("{}{}", finished.stdout, finished.stderr);
        assert!(told.contains("cannot run /usr/lib/postgresql/15/bin/postgres in "), "{told}");
        assert_eq!(fs::read_dir(&closed).unwrap().count(), 0, "{told}");
    }
    fs::remove_dir(closed).unwrap();
}
