//! Too little room on this machine says nothing of the archive.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::process::run;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::drills::LIMIT;
use crate::drills::drill;
use crate::drills::entries;
use crate::drills::killed::servers_in;
use crate::drills::small_disk::SmallDisk;
use crate::program::document;
use crate::program::of_archive;

/// A new cluster without its log takes some 25 MiB.
const TOO_SMALL_FOR_BASE: u32 = 12;

/// With what is replayed it takes 60 MiB more.
const TOO_SMALL_FOR_REPLAY: u32 = 60;

/// What fails, or is cut short where half a page of the server had room.
const OF_A_FULL_DISK: [&str; 2] = ["No space left on device", ": wrote only "];

const MUCH: &str =
    "INSERT INTO kept SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 80000) n";

/// Class and exit code of a drill on a disk of so many mebibytes, which leaves nothing on it.
async fn drill_on(barman: &Barman, megabytes: u32) -> Option<(Value, Option<i32>)> {
    let disk = SmallDisk::mount(megabytes)?;
    let finished = drill(barman, disk.path(), &["--kind", "full", "-o", "json"]).await;
    let report = document(&finished);
    assert_eq!(entries(disk.path()), 0, "{report:#}");
    Some((report, finished.code))
}

/// As root alone; nobody else may make a disk.
#[tokio::test]
async fn a_full_disk_is_not_blamed_on_the_archive() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let mut options = Options::archiving(&barman, Codec::Gzip);
    options.wal_segment_size = Some(1);
    let primary = Postgres::start(&options).await;
    primary.sql("CREATE TABLE kept (n int, filler text)").await;
    barman.backup(&primary, &BackupOptions::default()).await;
    primary.sql(MUCH).await;
    primary.archive_segments(1).await;
    drop(primary);

    for (megabytes, phases) in [(TOO_SMALL_FOR_BASE, 0), (TOO_SMALL_FOR_REPLAY, 1)] {
        let Some((report, code)) = drill_on(&barman, megabytes).await else { return };
        assert_eq!((code, &report["class"]), (Some(3), &"storage".into()), "{report:#}");
        let detail = report["detail"].as_str().unwrap();
        assert!(OF_A_FULL_DISK.iter().any(|words| detail.contains(words)), "{detail}");
        assert_eq!(report["phases"].as_array().unwrap().len(), phases, "{report:#}");
    }
    let (report, code) = drill_on(&barman, 400).await.unwrap();
    assert_eq!((code, &report["class"]), (Some(0), &"succeeded".into()), "{report:#}");
}

/// The server itself runs out of it: what brings the log has another disk.
#[tokio::test]
async fn a_full_tablespace_ends_a_restore_and_what_it_wrote_is_removed() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    let space = primary.new_directory("space");
    primary.sql(&format!("CREATE TABLESPACE space LOCATION '{}'", space.display())).await;
    primary.sql("CREATE TABLE kept (n int, filler text) TABLESPACE space").await;
    barman.backup(&primary, &BackupOptions::default()).await;
    primary.sql(MUCH).await;
    primary.archive_segments(1).await;
    drop(primary);

    let Some(disk) = SmallDisk::mount(20) else { return };
    let folder = Account::unprivileged().temporary_directory();
    let restore = |to: &Path, tablespace: &str| {
        let mut command = of_archive("restore", &barman, &["--tablespace", tablespace]);
        command.arg("--to-dir").arg(to);
        run(command, LIMIT)
    };
    let data = folder.path().join("restored");
    let finished = restore(&data, &format!("space={}", disk.path().display())).await;
    assert_eq!(finished.code, Some(3), "{finished:#?}");
    for words in ["could not extend file", " (storage); ", "is removed"] {
        assert!(finished.stderr.contains(words), "{words}: {finished:#?}");
    }
    assert!(!data.exists(), "{finished:#?}");
    assert_eq!(entries(disk.path()), 0, "the disk stays, and is empty");
    assert_eq!(entries(folder.path()), 0);
}

/// As the kernel kills where memory runs out: nobody is told.
#[tokio::test]
async fn a_server_that_is_killed_is_not_blamed_on_the_archive() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    barman.backup(&primary, &BackupOptions::default()).await;
    primary.archive_segments(1).await;
    drop(primary);
    let folder = Account::own().temporary_directory();
    let config = folder.path().join("config.yaml");
    let check = "kubernetes: {enabled: false}\n\
                 drills:\n  checks:\n  - {name: slow, database: postgres, \
                 query: SELECT 1 FROM pg_sleep(50), expected: '1'}\n";
    fs::write(&config, check).unwrap();
    let root = Account::own().temporary_directory();
    let arguments = ["--kind", "full", "-o", "json", "--config", config.to_str().unwrap()];
    let kill = async {
        let sleeping = wait_until("it is asked", LIMIT, async || asleep_in(root.path())).await;
        let mut kill = Command::new("kill");
        assert!(kill.args(["-KILL", &sleeping]).status().unwrap().success());
    };
    let (finished, ()) = tokio::join!(drill(&barman, root.path(), &arguments), kill);
    let report = document(&finished);
    assert_eq!((finished.code, &report["class"]), (Some(3), &"oom".into()), "{report:#}");
    assert_eq!(entries(root.path()), 0);
}

/// The process that sleeps in a query of the server that works below this directory.
fn asleep_in(root: &Path) -> Option<String> {
    servers_in(root).into_iter().find_map(|process| {
        let title = fs::read(Path::new(&process).join("cmdline")).ok()?;
        let title = String::from_utf8_lossy(&title);
        let id = process.rsplit('/').next()?;
        (title.starts_with("postgres: ") && title.contains(" FETCH")).then(|| id.to_owned())
    })
}
