//! `restore`: a way back without Kubernetes and barman.

use std::fs;
use std::path::Path;
use std::time::Duration;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Release;
use test_servers::process::Account;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::run;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;
use test_servers::s3::Fault;
use test_servers::s3::Operation;
use test_servers::s3::S3Server;
use test_servers::s3::Trigger;

use crate::drills::LIMIT;
use crate::drills::entries;
use crate::drills::harm::endpoint;
use crate::drills::killed::servers_in;
use crate::program::of_archive;

#[tokio::test]
async fn a_restored_directory_starts_by_the_command_that_is_printed() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Zstd)).await;
    let space = primary.new_directory("space");
    primary.sql(&format!("CREATE TABLESPACE space LOCATION '{}'", space.display())).await;
    primary.sql("CREATE TABLE kept (n int) TABLESPACE space").await;
    barman.backup(&primary, &BackupOptions::default()).await;
    for n in 0..3 {
        primary.sql(&format!("INSERT INTO kept VALUES ({n})")).await;
        primary.archive_segments(1).await;
    }
    drop(primary);

    let account = Account::unprivileged();
    let folder = account.temporary_directory();
    let data = folder.path().join("restored");
    let restore = || {
        let mut command = of_archive("restore", &barman, &["--to-dir"]);
        command.arg(&data);
        command
    };
    let text = run(restore(), LIMIT).await.expect_success();
    let command = format!("  /usr/lib/postgresql/15/bin/postgres -D {}", data.display());
    assert!(text.lines().any(|line| line == command), "{text}");
    assert!(!data.join(".cnpg-backup-verifier").exists());
    assert!(data.join("postgresql.conf.from-backup").exists());
    assert_eq!(ask(Release::Debian, &data, "SELECT count(*) FROM kept").await, "3");

    let before = fs::read_to_string(data.join("PG_VERSION")).unwrap();
    let refused = run(restore(), LIMIT).await;
    assert_eq!(refused.code, Some(64), "{refused:#?}");
    assert!(refused.stderr.contains("which is not empty"), "{refused:#?}");
    assert_eq!(fs::read_to_string(data.join("PG_VERSION")).unwrap(), before);
}

/// Where a tablespace goes is checked before anything is written, and said afterwards.
#[tokio::test]
async fn a_tablespace_goes_where_it_is_told() {
    let s3 = S3Server::start().await.unwrap();
    s3.create_bucket("backups");
    let barman = Barman::new(endpoint(&s3), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    for name in ["fast", "slow"] {
        let place = primary.new_directory(name);
        primary.sql(&format!("CREATE TABLESPACE {name} LOCATION '{}'", place.display())).await;
        primary.sql(&format!("CREATE TABLE of_{name} (n int) TABLESPACE {name}")).await;
        primary.sql(&format!("INSERT INTO of_{name} VALUES (1)")).await;
    }
    barman.backup(&primary, &BackupOptions::default()).await;
    primary.archive_segments(1).await;
    let oid = primary.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'slow'").await;
    drop(primary);
    s3.reset_requests();

    let folder = Account::unprivileged().temporary_directory();
    let file = |name: &str| folder.path().join(name);
    let restore = |tablespaces: &[String]| {
        let mut command = of_archive("restore", &barman, &[]);
        for tablespace in tablespaces {
            command.args(["--tablespace", tablespace]);
        }
        command.arg("--to-dir").arg(file("restored"));
        run(command, LIMIT)
    };
    let within = format!("fast={}", file("restored/fast").display());
    let same = ["fast", "slow"].map(|name| format!("{name}={}", file("both").display()));
    let unknown = "none=/nowhere".to_owned();
    for (tablespaces, words) in [
        (vec![within], "in a directory that is not there"),
        (same.to_vec(), "directories of which none lies in another"),
        (vec![unknown], "a tablespace of the backup: "),
    ] {
        let refused = restore(&tablespaces).await;
        assert_eq!(refused.code, Some(64), "{refused:#?}");
        assert!(refused.stderr.contains(words), "{words}: {refused:#?}");
        assert_eq!(entries(folder.path()), 0, "{refused:#?}");
    }

    let named = [format!("{oid}={}", file("elsewhere").display())];
    let text = restore(&named).await.expect_success();
    for (name, place) in [("slow", "elsewhere"), ("fast", "restored-tablespaces/")] {
        let line = format!("  tablespace         {name} in {}", file(place).display());
        assert!(text.lines().any(|it| it.starts_with(&line)), "{line}: {text}");
    }
    assert_eq!(entries(&file("elsewhere")), 1, "the folder of one version of PostgreSQL");
    let data = file("restored");
    let rows = "SELECT (SELECT n FROM of_fast) + (SELECT n FROM of_slow)";
    assert_eq!(ask(Release::Debian, &data, rows).await, "2");
    assert_eq!(s3.requests().writes(), 0, "{:#?}", s3.request_log());
}

/// The next attempt is made under the same name, by somebody in a hurry.
#[tokio::test]
async fn a_restore_that_comes_to_nothing_stands_in_nobodys_way() {
    let s3 = S3Server::start().await.unwrap();
    s3.create_bucket("backups");
    let barman = Barman::new(endpoint(&s3), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    barman.backup(&primary, &BackupOptions::default()).await;
    let segments = primary.archive_segments(4).await;
    drop(primary);
    let folder = Account::unprivileged().temporary_directory();
    let data = folder.path().join("restored");
    let restore = |arguments: &[&str]| {
        let mut command = of_archive("restore", &barman, arguments);
        command.arg("--to-dir").arg(&data);
        command
    };
    // A server that gives up.
    let vain = ["--set", "no_such_parameter=1"];
    let finished = run(restore(&vain), LIMIT).await;
    assert_eq!(finished.code, Some(3), "{finished:#?}");
    let removed = format!("what was written to {} is removed", data.display());
    assert!(finished.stderr.contains(&removed), "{finished:#?}");
    assert_eq!(entries(folder.path()), 0);

    // Somebody who gives up, while the server waits for a segment.
    let hung = Trigger::always(Operation::Get).on_key(&segments[1]);
    s3.inject(hung, Fault::Hang);
    let begin = async || {
        let command = restore(&[]);
        let restore = Server::start("the restore", command, &folder.path().join("log"));
        wait_until("the server runs", LIMIT, async || {
            data.join("postmaster.pid").exists().then_some(())
        })
        .await;
        restore
    };
    let mut stopped = begin().await;
    stopped.stop(Signal::INT, LIMIT).await;
    assert!(stopped.log_tail().contains(&removed), "{}", stopped.log_tail());
    fs::remove_file(folder.path().join("log")).unwrap();
    assert_eq!(entries(folder.path()), 0);

    // One that had no chance to clear up: whoever comes next is told how.
    let mut killed = begin().await;
    killed.stop(Signal::KILL, LIMIT).await;
    // Its server finds nobody who brings it the log.
    wait_until("its server has ended", LIMIT, async || servers_in(&data).is_empty().then_some(()))
        .await;
    let refused = run(restore(&[]), LIMIT).await;
    assert_eq!(refused.code, Some(64), "{refused:#?}");
    let clear = format!("clear it: rm -r {}\n", data.display());
    assert!(refused.stderr.contains(&clear), "{refused:#?}");
    fs::remove_dir_all(&data).unwrap();

    let finished = run(restore(&[&vain[..], &["--no-clean"]].concat()), LIMIT).await;
    let left = format!("what is in {} cannot be used", data.display());
    assert!(finished.stderr.contains(&left), "{finished:#?}");
    assert!(data.join("PG_VERSION").exists());
}

/// What a restored server answers, of which nobody else knows.
pub(super) async fn ask(release: Release, data: &Path, query: &str) -> String {
    let account = Account::unprivileged();
    let sockets = account.temporary_directory();
    let mut command = account.server_command(&release.program("postgres"));
    command.arg("-D").arg(data).arg("-k").arg(sockets.path()).args(["-c", "listen_addresses="]);
    let mut server = Server::start("the restored server", command, &sockets.path().join("log"));
    let asked = || {
        let mut psql = account.command(&release.program("psql"));
        psql.arg("-h")
            .arg(sockets.path())
            .args(["-U", "postgres", "-d", "postgres", "-Atc", query]);
        psql
    };
    let answer = wait_until("the restored server answers", Duration::from_secs(60), async || {
        let finished = run(asked(), LIMIT).await;
        finished.success().then(|| finished.stdout.trim().to_owned())
    })
    .await;
    server.stop(Signal::INT, Duration::from_secs(60)).await;
    answer
}
