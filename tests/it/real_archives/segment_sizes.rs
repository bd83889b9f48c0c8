//! Segments of other sizes than 16 MiB.

use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::answer::Answer;
use crate::real_archives::remove;
use crate::real_archives::write;

#[tokio::test]
async fn segments_of_1_and_64_mib_are_counted_as_their_backup_says() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    for (megabytes, codec) in [(1, Codec::Bzip2), (64, Codec::Lz4)] {
        let archive = Archive::new(&s3, &format!("of-{megabytes}"));
        let mut options = Options::archiving(&archive.barman, codec);
        options.wal_segment_size = Some(megabytes);
        let primary = Postgres::start(&options).await;
        archive.backup(&primary).await;
        // More than one folder's worth of 64 MiB segments would be 4 GiB.
        let names = write(&primary, 3).await;
        let scenario = format!("segments_of_{megabytes}_mib");
        let answer = Answer::of_directory(&archive.folder, &[]).await;
        answer.expect(&scenario);
        let last = &answer.archive()["recovery_windows"][0]["last"];
        assert_eq!(
            (&last["segment"], &last["time_source"]),
            (&names[2][..].into(), &"commit".into())
        );

        let copy = archive.copy(&format!("of-{megabytes}-gap")).await;
        remove(&copy.segment(&names[1], codec));
        let answer = Answer::of_directory(&copy.folder, &[]).await;
        let gaps = &answer.archive()["gaps"];
        assert_eq!((&gaps[0]["first"], &gaps[0]["count"]), (&names[1][..].into(), &1.into()));
        assert_eq!(gaps.as_array().unwrap().len(), 1, "{gaps:#}");
    }
}
