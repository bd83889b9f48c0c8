//! `restore`: a way back without Kubernetes and barman.

use std::fs;
use std::path::Path;
use std::time::Duration;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::process::Server;
use test_servers::process::run;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;
use test_servers::tools;

use crate::drills::LIMIT;
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
    assert_eq!(rows(&account, &data, folder.path()).await, "3");

    let before = fs::read_to_string(data.join("PG_VERSION")).unwrap();
    let refused = run(restore(), LIMIT).await;
    assert_eq!(refused.code, Some(64), "{refused:#?}");
    assert!(refused.stderr.contains("which is not empty"), "{refused:#?}");
    assert_eq!(fs::read_to_string(data.join("PG_VERSION")).unwrap(), before);
}

async fn rows(account: &Account, data: &Path, sockets: &Path) -> String {
    let mut command = account.server_command(&tools::postgres("postgres"));
    command.arg("-D").arg(data).arg("-k").arg(sockets);
    let mut server = Server::start("the restored server", command, &sockets.join("log"));
    let ask = || {
        let mut psql = account.command(&tools::postgres("psql"));
        psql.arg("-h").arg(sockets).args(["-U", "postgres", "-d", "postgres", "-Atc"]);
        psql.arg("SELECT count(*) FROM kept");
        psql
    };
    let answer = wait_until("the restored server answers", Duration::from_secs(60), async || {
        let finished = run(ask(), LIMIT).await;
        finished.success().then(|| finished.stdout.trim().to_owned())
    })
    .await;
    server.stop(test_servers::process::Signal::INT, Duration::from_secs(60)).await;
    answer
}
