//! A leftover `.partial` that is restored in place of the complete segment.

use std::fs;

use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
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
