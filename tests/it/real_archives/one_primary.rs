//! One primary, and what happens to its archives.

use std::fs;
use std::time::Duration;

use chrono::TimeDelta;
use cnpg_backup_verifier::service::clock;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::answer::Answer;
use crate::real_archives::remove;
use crate::real_archives::write;

#[tokio::test]
async fn what_befalls_the_archive_of_one_primary_is_told_as_in_the_scenarios() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let mixed = Archive::new(&s3, "mixed");
    let primary = Postgres::start(&Options::archiving(&mixed.barman, Codec::Bzip2)).await;
    compression_changes(&mixed, &primary).await;
    objects_get_lost(&Archive::new(&s3, "lost"), &primary).await;
    retention_deletes(&Archive::new(&s3, "kept"), &primary).await;
    a_backup_is_killed(&Archive::new(&s3, "killed"), &primary).await;
}

async fn compression_changes(archive: &Archive, primary: &Postgres) {
    archive.backup(primary).await;
    for codec in Codec::ALL {
        let name = archive.receive(primary, codec).await;
        assert!(archive.segment(&name, codec).exists());
    }
    archive.answers_as("mixed_codecs", &[]).await;
    Answer::of_store(&archive.barman).await.expect("mixed_codecs");
}

/// Everything else in a bucket with two backups and WAL between and after them.
async fn objects_get_lost(archive: &Archive, primary: &Postgres) {
    archive.receive(primary, Codec::Bzip2).await;
    let place = primary.new_directory("space");
    primary.sql(&format!("CREATE TABLESPACE space LOCATION '{}'", place.display())).await;
    let oid = primary.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'").await;
    archive.backup(primary).await;
    let between = write(primary, 3).await;
    let newer = archive.backup(primary).await;
    let after = write(primary, 3).await;
    archive.answers_as("healthy", &[]).await;

    let copy = archive.copy("no-tablespace").await;
    remove(&copy.backup_file(&newer, &format!("{oid}.tar.bz2")));
    copy.answers_as("tablespace_tar_missing", &[]).await;

    let copy = archive.copy("no-tars").await;
    remove(&copy.backup_file(&newer, &format!("{oid}.tar.bz2")));
    remove(&copy.backup_file(&newer, "data.tar.bz2"));
    copy.answers_as("backup_without_tars", &[]).await;

    let copy = archive.copy("gap-between").await;
    remove(&copy.segment(&between[1], Codec::Bzip2));
    copy.answers_as("gap_between_backups", &[]).await;

    let copy = archive.copy("gap-after").await;
    remove(&copy.segment(&after[1], Codec::Bzip2));
    copy.answers_as("gap_after_newest_backup", &[]).await;

    let answer = Answer::of_directory(&archive.folder, &[]).await;
    let begin = answer.archive()["backups"][1]["begin_wal"].as_str().unwrap().to_owned();
    let copy = archive.copy("gap-at-begin").await;
    remove(&copy.segment(&begin, Codec::Bzip2));
    copy.answers_as("gap_at_begin_of_newest_backup", &[]).await;

    // Half an object, and a whole one with nothing in it.
    let copy = archive.copy("damaged").await;
    let newest = copy.segment(&after[2], Codec::Bzip2);
    let content = fs::read(&newest).unwrap();
    fs::write(&newest, &content[..content.len() / 2]).unwrap();
    let answer = Answer::of_directory(&copy.folder, &[]).await;
    assert_eq!(answer.archive()["findings"][0]["code"], "wal_damaged", "{:#}", answer.archive());
}

/// What barman's own retention leaves behind is no gap.
async fn retention_deletes(archive: &Archive, primary: &Postgres) {
    archive.receive(primary, Codec::Bzip2).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(archive.backup(primary).await);
        write(primary, 2).await;
    }
    for (id, days) in [(&ids[0], 9), (&ids[1], 8)] {
        make_older(archive, id, TimeDelta::days(days));
    }
    archive.barman.delete_obsolete("RECOVERY WINDOW OF 7 DAYS").await.expect_success();
    assert!(!archive.backup_file(&ids[0], "backup.info").exists());
    archive.answers_as("retention_normal", &["--retention", "7d"]).await;

    archive.barman.delete(&ids[1]).await.expect_success();
    let answer = Answer::of_directory(&archive.folder, &[]).await;
    assert_eq!(answer.archive()["verdict"], "recoverable", "{:#}", answer.archive());
    assert_eq!(answer.archive()["gaps"], serde_json::json!([]));
}

/// The sidecar is killed while it uploads.
async fn a_backup_is_killed(archive: &Archive, primary: &Postgres) {
    archive.receive(primary, Codec::Bzip2).await;
    archive.backup(primary).await;
    write(primary, 1).await;
    let base = archive.folder.join("base");
    let has_started = || {
        let folders = fs::read_dir(&base).unwrap().map(|folder| folder.unwrap().path());
        let mut infos = folders.filter_map(|it| fs::read_to_string(it.join("backup.info")).ok());
        infos.any(|info| info.contains("status=STARTED"))
    };
    let mut command = archive.barman.command("barman-cloud-backup");
    command.arg("--bzip2").arg("--immediate-checkpoint").args(primary.connection_options());
    command.args([&archive.barman.destination_path, &archive.barman.server_name]);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut backup = Server::start("barman-cloud-backup", command, &log);
    wait_until("a running backup", Duration::from_secs(60), async || has_started().then_some(()))
        .await;
    assert_eq!(backup.stop(Signal::KILL, Duration::from_secs(10)).await.code(), None);
    drop(backup);
    archive.answers_as("backup_running", &[]).await;

    let dead = fs::read_dir(&base).unwrap().map(|it| it.unwrap().path()).max().unwrap();
    let before = clock::now() - TimeDelta::hours(4);
    let id = before.format("%Y%m%dT%H%M%S").to_string();
    fs::rename(dead, base.join(&id)).unwrap();
    make_older(archive, &id, TimeDelta::hours(4));
    archive.answers_as("backup_stuck_then_success", &[]).await;
}

/// Writes other times into a `backup.info`, as if all had happened earlier.
fn make_older(archive: &Archive, id: &str, by: TimeDelta) {
    let file = archive.backup_file(id, "backup.info");
    let text = fs::read_to_string(&file).unwrap();
    let older = (clock::now() - by).format("%Y-%m-%d %H:%M:%S.%6f+00:00");
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some((field @ ("begin_time" | "end_time"), time)) if time != "None" => {
            format!("{field}={older}\n")
        }
        _ => format!("{line}\n"),
    });
    fs::write(&file, lines.collect::<String>()).unwrap();
}
