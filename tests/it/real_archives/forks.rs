//! The segment behind a backup where timelines part: whose copy PostgreSQL gets.

use std::fs;
use std::time::Duration;

use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::write;

const CODEC: Codec = Codec::Gzip;

/// So long the server does not see what was put there behind its back.
const REMEMBERED: Duration = Duration::from_secs(2);

/// Without a target, recovery asks for one segment more than there is.
#[tokio::test]
async fn an_empty_segment_of_the_parent_stops_recovery_at_the_end_of_a_timeline_without_wal() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "main");
    let primary = Postgres::start(&Options::archiving(&archive.barman, CODEC)).await;
    let backup_id = archive.backup(&primary).await;
    let names = write(&primary, 3).await;
    let archive = archive.copy("promoted").await;
    fs::write(archive.segment(&names[2], CODEC), "").unwrap();
    let number = u32::from_str_radix(&names[2][16..], 16).unwrap();
    let history = primary.new_directory("history").join("00000002.history");
    fs::write(&history, format!("1\t0/{number:X}000200\tno recovery target specified\n")).unwrap();
    tokio::time::sleep(REMEMBERED).await;
    archive.barman.archive_wal(CODEC, &history).await.expect_success();

    let recovery = Recovery { barman: &archive.barman, backup_id: &backup_id, target: &[] };
    let log = Postgres::recover_in_vain(&recovery, &Options::default()).await;
    assert!(log.contains("has wrong size"), "{log}");
    archive.answers_as("empty_segment_behind_the_end_of_the_parent", &[]).await;
}

/// Read ahead, it bars every way. Without that the backup's own state is reached, and nothing behind it.
#[tokio::test]
async fn an_empty_segment_right_behind_a_backup_leaves_its_own_state_where_nothing_is_read_ahead() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "main");
    let primary = Postgres::start(&Options::archiving(&archive.barman, CODEC)).await;
    let backup_id = archive.backup(&primary).await;
    write(&primary, 3).await;
    let archive = archive.copy("spoiled").await;
    let (timeline, behind) = behind(&archive, &backup_id);
    fs::write(archive.segment(&format!("{timeline}00000000{behind:08X}"), CODEC), "").unwrap();
    tokio::time::sleep(REMEMBERED).await;
    let ways = [
        ("recovery_target", "immediate"),
        ("recovery_target_action", "promote"),
        ("recovery_prefetch", "off"),
    ];
    let recovery = |target| Recovery { barman: &archive.barman, backup_id: &backup_id, target };
    for target in [&[], &ways[..2]] {
        let log = Postgres::recover_in_vain(&recovery(target), &Options::default()).await;
        assert!(log.contains("has wrong size") && !log.contains("consistent recovery"), "{log}");
    }
    let restored = Postgres::recover(&recovery(&ways), &Options::default()).await;
    assert_eq!(restored.sql("SELECT to_regclass('ticks') IS NULL").await, "t");
}

/// The timeline on which a backup ended, and the number of the segment behind its last.
fn behind(archive: &Archive, backup_id: &str) -> (String, u32) {
    let info = fs::read_to_string(archive.backup_file(backup_id, "backup.info")).unwrap();
    let end = info.lines().find_map(|line| line.strip_prefix("end_wal=")).unwrap();
    (end[..8].to_owned(), u32::from_str_radix(&end[16..], 16).unwrap() + 1)
}
