//! A restore to an earlier moment that goes on archiving into the same archive.

use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::postgres::Shutdown;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::remove;
use crate::real_archives::write;

#[tokio::test]
async fn a_restore_into_the_same_archive_abandons_the_later_wal_of_its_parent() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "main");
    let options = Options::archiving(&archive.barman, Codec::Gzip);
    let mut primary = Postgres::start(&options).await;
    let id = archive.backup(&primary).await;
    write(&primary, 2).await;
    let moment = primary.sql("SELECT now()").await;
    let abandoned = write(&primary, 4).await;
    primary.stop(Shutdown::Fast).await;

    let target = [("recovery_target_time", moment.as_str())];
    let recovery = Recovery { barman: &archive.barman, backup_id: &id, target: &target };
    let restored = Postgres::recover(&recovery, &options).await;
    let child = write(&restored, 2).await;
    assert!(child[0].starts_with("00000002"), "{child:?}");
    archive.answers_as("pitr_fork", &[]).await;

    let copy = archive.copy("abandoned-gap").await;
    remove(&copy.segment(&abandoned[2], Codec::Gzip));
    copy.answers_as("gap_on_abandoned_timeline", &[]).await;

    // With the child's first segment gone, recovery would take the parent's.
    let copy = archive.copy("parents-segment").await;
    let fork = format!("00000002{}", &abandoned[0][8..]);
    remove(&copy.segment(&fork, Codec::Gzip));
    copy.answers_as("first_segment_of_timeline_missing_parent_has_it", &[]).await;

    // A backup on the new timeline finds it without the history file.
    archive.backup(&restored).await;
    write(&restored, 1).await;
    let copy = archive.copy("no-history").await;
    remove(&copy.folder.join("wals/00000002.history.gz"));
    copy.answers_as("history_missing_newest_with_backup", &[]).await;
}

#[tokio::test]
async fn a_restore_of_everything_switches_exactly_on_a_boundary() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "main");
    let options = Options::archiving(&archive.barman, Codec::Gzip);
    let mut primary = Postgres::start(&options).await;
    let id = archive.backup(&primary).await;
    write(&primary, 2).await;
    // A server that is shut down archives what it has, so that the archive ends in a switch record.
    primary.stop(Shutdown::Fast).await;

    let recovery = Recovery { barman: &archive.barman, backup_id: &id, target: &[] };
    let restored = Postgres::recover(&recovery, &options).await;
    write(&restored, 2).await;
    let history = restored.sql("SELECT pg_read_file('pg_wal/00000002.history')").await;
    let switch = history.split_whitespace().nth(1).unwrap();
    assert!(switch.ends_with("000000"), "{history}");
    archive.answers_as("promotion_at_a_boundary", &[]).await;
}
