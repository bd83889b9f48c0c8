//! Backups from a standby, and promotions.

use std::time::Duration;

use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Shutdown;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::answer::Answer;
use crate::real_archives::remove;
use crate::real_archives::write;

#[tokio::test]
async fn backups_of_a_standby_and_promotions_are_told_as_in_the_scenarios() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "main");
    let mut primary = Postgres::start(&Options::archiving(&archive.barman, Codec::Bzip2)).await;
    let from_primary = archive.backup(&primary).await;
    write(&primary, 2).await;
    let standby = primary.standby().await;

    let from_standby = back_up_idle(&archive, &primary, &standby).await;
    archive.answers_as("standby_backup_end_wal_never_came", &[]).await;
    let grace = ["--uploading-grace", "10m"];
    archive.answers_as("standby_backup_end_wal_awaited", &grace).await;
    let copy = archive.copy("only-from-standby").await;
    std::fs::remove_dir_all(copy.folder.join("base").join(&from_primary)).unwrap();
    copy.answers_as("standby_backup_only_end_wal_never_came", &[]).await;

    primary.stop(Shutdown::Immediate).await;
    standby.promote().await;
    let child = write(&standby, 3).await;
    let second = standby.standby().await;

    let promoted = archive.copy("promoted").await;
    std::fs::remove_dir_all(promoted.folder.join("base").join(&from_standby)).unwrap();
    let switch = lost_segment(&promoted, &child);
    promoted.answers_as("promotion", &[]).await;
    after_the_promotion(&promoted, &switch).await;
    // The segment that the standby's backup waited for came whole on the new timeline.
    let copy = archive.copy("across").await;
    std::fs::remove_dir_all(copy.folder.join("base").join(&from_primary)).unwrap();
    let answer = Answer::of_directory(&copy.folder, &[]).await;
    answer.expect("promotion");

    drop(standby);
    second.promote().await;
    write(&second, 2).await;
    let copy = archive.copy("twice").await;
    std::fs::remove_dir_all(copy.folder.join("base").join(&from_standby)).unwrap();
    copy.answers_as("two_forks", &[]).await;
}

/// What may be missing around a switch.
async fn after_the_promotion(promoted: &Archive, switch: &str) {
    let history = |archive: &Archive| archive.folder.join("wals/00000002.history.bz2");
    let copy = promoted.copy("no-first-segment").await;
    remove(&copy.segment(switch, Codec::Bzip2));
    copy.answers_as("first_segment_of_timeline_missing", &[]).await;

    let copy = promoted.copy("no-history").await;
    remove(&history(&copy));
    copy.answers_as("history_missing_newest", &[]).await;

    let copy = promoted.copy("bad-history").await;
    let garbage = std::fs::read(copy.folder.join("wals/00000002.history.bz2")).unwrap();
    std::fs::write(history(&copy), &garbage[..garbage.len() / 2]).unwrap();
    copy.answers_as("history_undecodable_newest", &[]).await;

    // A .partial of the parent is no help and no harm.
    let copy = promoted.copy("no-partial").await;
    let parent = format!("00000001{}", &switch[8..]);
    remove(&copy.segment(&format!("{parent}.partial"), Codec::Bzip2));
    copy.answers_as("promotion", &[]).await;
}

/// Takes a backup that ends in a segment which the primary has not finished.
async fn back_up_idle(archive: &Archive, primary: &Postgres, standby: &Postgres) -> String {
    primary.sql("INSERT INTO ticks DEFAULT VALUES").await;
    primary.sql("CHECKPOINT").await;
    let written = primary.sql("SELECT pg_current_wal_flush_lsn()").await;
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    wait_until("the standby has caught up", Duration::from_secs(60), async || {
        (standby.sql(&replayed).await == "t").then_some(())
    })
    .await;
    // Moves the standby's minimum recovery point into that segment.
    standby.sql("CHECKPOINT").await;
    archive.backup(standby).await
}

/// The segment in which the new timeline begins.
fn lost_segment(archive: &Archive, child: &[String]) -> String {
    let folder = archive.folder.join("wals").join(&child[0][..16]);
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.min().unwrap()[..24].to_owned()
}
