//! The segment behind a backup where timelines part: whose copy PostgreSQL gets.

use std::fs;
use std::time::Duration;

use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::postgres::Shutdown;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::remove;
use crate::real_archives::write;

const CODEC: Codec = Codec::Gzip;

/// So long the server does not see what was put there behind its back.
const REMEMBERED: Duration = Duration::from_secs(2);

/// An archive with a backup, behind which a standby was promoted.
struct Forked {
    archive: Archive,
    backup_id: String,
    /// The first segment of the new timeline.
    fork: String,
    promoted: Postgres,
}

impl Forked {
    async fn new(archive: Archive, mut primary: Postgres) -> Self {
        let standby = primary.standby().await;
        let backup_id = archive.backup(&primary).await;
        let written = primary.sql("SELECT pg_current_wal_flush_lsn()").await;
        let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        wait_until("the standby has caught up", Duration::from_secs(60), async || {
            (standby.sql(&replayed).await == "t").then_some(())
        })
        .await;
        primary.stop(Shutdown::Immediate).await;
        standby.promote().await;
        let fork = write(&standby, 3).await.remove(0);
        Self { archive, backup_id, fork, promoted: standby }
    }

    /// A copy in which the newest timeline parts right behind the backup, where only an empty segment of
    /// another timeline is left.
    async fn spoiled(&self, name: &str, timeline: u32) -> Archive {
        let copy = self.archive.copy(name).await;
        let (_, behind) = behind(&copy, &self.backup_id);
        let newest = u32::from_str_radix(&self.fork[..8], 16).unwrap();
        for other in 1..=newest {
            let segment = copy.segment(&format!("{other:08X}00000000{behind:08X}"), CODEC);
            if other == timeline {
                fs::write(segment, "").unwrap();
            } else if segment.exists() {
                remove(&segment);
            }
        }
        tokio::time::sleep(REMEMBERED).await;
        let file = format!("{newest:08X}.history");
        let told = self.promoted.sql(&format!("SELECT pg_read_file('pg_wal/{file}')")).await;
        let ancestors = told.lines().filter(|line| !line.starts_with(&(newest - 1).to_string()));
        let ancestors: String = ancestors.map(|line| format!("{line}\n")).collect();
        let parent = format!("{}\t0/{behind:X}000200\tno recovery target specified\n", newest - 1);
        let history = self.promoted.new_directory(name).join(file);
        fs::write(&history, ancestors + &parent).unwrap();
        copy.barman.archive_wal(CODEC, &history).await.expect_success();
        copy
    }

    fn recovery<'a>(&'a self, archive: &'a Archive) -> Recovery<'a> {
        Recovery { barman: &archive.barman, backup_id: &self.backup_id, target: &[] }
    }
}

#[tokio::test]
async fn behind_a_backup_the_parents_segment_counts_and_the_grandparents_does_not() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "main");
    let primary = Postgres::start(&Options::archiving(&archive.barman, CODEC)).await;
    let once = Forked::new(archive, primary).await;
    assert!(once.fork.starts_with("00000002"), "{}", once.fork);
    let options = Options::default();

    let copy = once.spoiled("of-the-parent", 1).await;
    let log = Postgres::recover_in_vain(&once.recovery(&copy), &options).await;
    assert!(log.contains("archive file \"00000001") && log.contains("has wrong size"), "{log}");
    assert!(!log.contains("consistent recovery state"), "{log}");
    copy.answers_as("empty_segment_behind_a_backup_and_a_fork", &[]).await;

    // The child's own is taken, and nobody asks for the parent's.
    let copy = once.archive.copy("beside-the-childs").await;
    let parents = copy.segment(&format!("00000001{}", &once.fork[8..]), CODEC);
    fs::write(parents, "").unwrap();
    tokio::time::sleep(REMEMBERED).await;
    let restored = Postgres::recover(&once.recovery(&copy), &options).await;
    assert_eq!(restored.sql("SELECT count(*) FROM ticks").await, "3");

    let Forked { archive, promoted, backup_id: first, .. } = once;
    let twice = Forked::new(archive, promoted).await;
    assert!(twice.fork.starts_with("00000003"), "{}", twice.fork);
    let copy = twice.spoiled("of-the-grandparent", 1).await;
    let restored = Postgres::recover(&twice.recovery(&copy), &options).await;
    assert!(restored.log().contains("consistent recovery state reached"), "{}", restored.log());
    fs::remove_dir_all(copy.folder.join("base").join(&first)).unwrap();
    copy.answers_as("empty_segment_of_the_grandparent_behind_a_backup", &[]).await;
}

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
