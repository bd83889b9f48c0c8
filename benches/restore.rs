//! A restore on this machine, beside barman-cloud's, of the same archive in the same run.
//!
//! `cargo bench --bench restore`; needs `make tools`, takes a quarter of an hour and 10 GB below the temporary
//! directory. Seconds of wall time: the base backup, and the replay of the log by the same server, to
//! which once barman-cloud-wal-restore and once this program brings the segments.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may panic and print"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::postgres::Shutdown;
use test_servers::process::Account;
use test_servers::process::run;
use test_servers::rclone::Rclone;
use tokio::time::Instant;

/// Rows of a hundred bytes: so many make a base backup of more than a gigabyte.
const ROWS: u32 = 11_000_000;

/// Each holds some hundred kilobytes, as those of a server do that archives every few minutes.
const SEGMENTS: u32 = 500;

const ROUNDS: usize = 1;

/// For one whole restore.
const LIMIT: Duration = Duration::from_hours(1);

/// Seconds of the two parts of a restore.
#[derive(Clone, Copy, Debug)]
struct Took {
    base: f64,
    replay: f64,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let s3 = Rclone::start().await;
        s3.create_bucket("bench");
        let barman = Barman::new(s3.endpoint(), "s3://bench", "main");
        let backup = build(&s3, &barman).await;
        println!("{:<10} {:>12} {:>12}", "", "base s", "replay s");
        for _ in 0..ROUNDS {
            let theirs = theirs(&barman, &backup).await;
            let ours = ours(&barman).await;
            for (who, took) in [("barman", theirs), ("ours", ours)] {
                println!("{who:<10} {:>12.1} {:>12.1}", took.base, took.replay);
            }
            let (base, replay) = (ours.base / theirs.base, ours.replay / theirs.replay);
            println!("{:<10} {base:>11.2}x {replay:>11.2}x", "");
        }
    });
}

/// One backup in bzip2, and the segments behind it in gzip, all where barman-cloud puts them.
async fn build(s3: &Rclone, barman: &Barman) -> String {
    let wals = s3.path("bench", "main/wals");
    fs::create_dir_all(&wals).unwrap();
    // The server is another user.
    for folder in [s3.path("bench", "main"), wals.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let archive_command = format!(
        "folder={}/$(echo %f | cut -c1-16); mkdir -p $folder && gzip -c %p > $folder/%f.gz",
        wals.display()
    );
    let options = Options::default()
        .with_setting("archive_mode", "on")
        .with_setting("archive_command", &archive_command)
        .with_setting("max_wal_size", "4GB");
    let mut server = Postgres::start(&options).await;
    server.sql("CREATE TABLE filler (n int, text text)").await;
    for part in 0..10 {
        let (first, last) = (part * ROWS / 10, (part + 1) * ROWS / 10);
        server.sql(&rows(first, last)).await;
    }
    let none = BackupOptions { codec: Codec::None, ..BackupOptions::default() };
    let backup = barman.backup(&server, &none).await;
    for segment in 0..SEGMENTS {
        server.sql(&rows(segment * 1_000, (segment + 1) * 1_000)).await;
        server.switch_wal().await;
    }
    server.archive_segments(1).await;
    server.stop(Shutdown::Fast).await;
    // As barman would, in a fraction of the time.
    let tar = s3.path("bench", &format!("main/base/{backup}/data.tar"));
    assert!(Command::new("bzip2").arg(&tar).status().unwrap().success());
    backup
}

fn rows(first: u32, last: u32) -> String {
    format!(
        "INSERT INTO filler SELECT n, md5(n::text) || md5((-n)::text) \
         FROM generate_series({first}, {last}) n"
    )
}

/// The settings that bear on speed are those of our restore.
async fn theirs(barman: &Barman, backup: &str) -> Took {
    let folder = Account::unprivileged().temporary_directory();
    let began_at = Instant::now();
    let restored = barman.restore(backup, &folder.path().join("data"), &[]).await;
    restored.expect_success();
    let base = began_at.elapsed().as_secs_f64();
    drop(folder);
    let began_at = Instant::now();
    let recovery = Recovery { barman, backup_id: backup, target: &[] };
    let options = Options::default()
        .with_setting("shared_buffers", "128MB")
        .with_setting("max_wal_size", "1GB")
        .with_setting("full_page_writes", "off");
    drop(Postgres::recover(&recovery, &options).await);
    // It begins with the base backup, once more.
    Took { base, replay: began_at.elapsed().as_secs_f64() - base }
}

async fn ours(barman: &Barman) -> Took {
    let root = Account::own().temporary_directory();
    let Barman { endpoint, destination_path, server_name } = barman;
    let mut command = Account::own().command(env!("CARGO_BIN_EXE_cnpg-backup-verifier").as_ref());
    command.env("AWS_ACCESS_KEY_ID", &endpoint.access_key_id);
    command.env("AWS_SECRET_ACCESS_KEY", &endpoint.secret_access_key);
    command.args(["drill", "--kind", "full", "-o", "json", "--endpoint-url", &endpoint.url]);
    command.args(["--archive", &format!("{destination_path}/{server_name}"), "--local"]);
    command.arg(root.path());
    let printed = run(command, LIMIT).await.expect_success();
    let report: Value = serde_json::from_str(&printed).unwrap();
    let phases = report["phases"].as_array().unwrap();
    let seconds = |name: &str| {
        let phase = phases.iter().find(|phase| phase["name"] == name).unwrap();
        phase["seconds"].as_f64().unwrap()
    };
    // Barman's recovery is waited for until it has promoted.
    Took { base: seconds("base"), replay: seconds("replay") + seconds("promote") }
}
