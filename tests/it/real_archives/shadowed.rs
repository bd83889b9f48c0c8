//! A leftover `.partial` that is restored in place of the complete segment.

use std::fs;

use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::write;

const SEGMENT_BYTES: usize = 16 << 20;

#[tokio::test]
async fn a_partial_under_zstd_shadows_the_segment_and_one_under_bzip2_does_not() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    for (codec, option, scenario) in [
        (Codec::Zstd, "--zstd", "partial_shadows_segment"),
        (Codec::Bzip2, "--bzip2", "partial_beside_segment"),
    ] {
        let archive = Archive::new(&s3, &format!("main{}", codec.suffix()));
        let primary = Postgres::start(&Options::archiving(&archive.barman, codec)).await;
        archive.backup(&primary).await;
        let names = write(&primary, 3).await;

        // What a promoted standby archives of its parent's last segment has this name and size.
        let partial = primary.new_directory("leftover").join(format!("{}.partial", names[1]));
        fs::write(&partial, vec![0; SEGMENT_BYTES]).unwrap();
        let mut command = archive.barman.command("barman-cloud-wal-archive");
        command.arg(option);
        archive.barman.run(command, &[partial.to_str().unwrap()]).await.expect_success();
        archive.answers_as(scenario, &[]).await;
    }
}

/// PostgreSQL reads the last segment twice. The second time, the `.partial` comes out of the spool
/// that `barman-cloud-wal-restore` made the first time.
#[tokio::test]
async fn a_partial_beside_the_last_segment_fails_recovery_at_its_end() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    for (codec, option) in [(Codec::Gzip, "--gzip"), (Codec::Bzip2, "--bzip2")] {
        let archive = Archive::new(&s3, &format!("main{}", codec.suffix()));
        let primary = Postgres::start(&Options::archiving(&archive.barman, codec)).await;
        let id = archive.backup(&primary).await;
        let names = write(&primary, 3).await;
        let partial = primary.new_directory("leftover").join(format!("{}.partial", names[2]));
        fs::write(&partial, vec![0; SEGMENT_BYTES]).unwrap();
        let mut command = archive.barman.command("barman-cloud-wal-archive");
        command.arg(option);
        archive.barman.run(command, &[partial.to_str().unwrap()]).await.expect_success();
        let recovery = Recovery { barman: &archive.barman, backup_id: &id, target: &[] };
        let log = Postgres::recover_in_vain(&recovery, &Options::default()).await;
        assert!(log.contains("PANIC"), "{log}");
        archive.answers_as("partial_beside_the_last_segment", &[]).await;
    }
}
