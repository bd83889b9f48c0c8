//! A drill that is killed leaves nothing that the next one does not remove.

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
use test_servers::process::Signal;
use test_servers::process::wait_until;
use test_servers::s3::S3Server;
use tokio::time::sleep;

use crate::drills::entries;
use crate::drills::harm::endpoint;
use crate::drills::succeed;
use crate::program::of_archive;

const KILLS: u32 = 20;

/// One takes about two seconds: so far apart, the kills meet each of its phases.
const APART: Duration = Duration::from_millis(120);

#[tokio::test]
async fn whatever_a_killed_drill_left_is_swept_by_the_next() {
    let s3 = S3Server::start().await.unwrap();
    s3.create_bucket("backups");
    let barman = Barman::new(endpoint(&s3), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    barman.backup(&primary, &BackupOptions::default()).await;
    primary.archive_segments(3).await;
    drop(primary);
    s3.reset_requests();
    let root = Account::own().temporary_directory();
    // Where the sockets are is told by this variable, and nobody else's are in there.
    let sockets = Account::unprivileged().temporary_directory();
    let start = || {
        let mut command = of_archive("drill", &barman, &["--kind", "full"]);
        command.arg("--local").arg(root.path()).env("TMPDIR", sockets.path());
        Server::start("the drill", command, &root.path().join("log"))
    };
    let mut left = 0;
    for kill in 1..=KILLS {
        let mut drill = start();
        sleep(APART * kill).await;
        drill.stop(Signal::KILL, Duration::from_secs(10)).await;
        left += drills_in(root.path());
        assert!(drills_in(root.path()) <= 1, "what was left before is still there");
    }
    assert!(left > 0, "no kill met a drill at work");
    fs::remove_file(root.path().join("log")).unwrap();
    succeed(&barman, root.path(), &["--kind", "full"]).await;
    assert_eq!(entries(root.path()), 0);
    assert_eq!(entries(sockets.path()), 0);
    assert_eq!(s3.requests().writes(), 0, "{:#?}", s3.request_log());
    let servers = || servers_in(root.path());
    wait_until("the servers have ended", Duration::from_secs(30), async || {
        servers().is_empty().then_some(())
    })
    .await;
}

fn drills_in(root: &Path) -> usize {
    let names = fs::read_dir(root).unwrap().map(|it| it.unwrap().file_name());
    names.filter(|it| it.to_str().unwrap().starts_with("cnpg-drill-")).count()
}

/// Processes that work below a directory.
pub(super) fn servers_in(root: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let works_there = |process: &fs::DirEntry| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(root))
    };
    processes.filter(works_there).map(|it| it.path().display().to_string()).collect()
}
