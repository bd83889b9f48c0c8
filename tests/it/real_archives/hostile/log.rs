//! The same of the log.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use bzip2::Compression;
use bzip2::write::BzEncoder;
use test_servers::barman::BackupOptions;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::program::check_directory;
use crate::program::document;
use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::damage::LIMIT;
use crate::real_archives::damage::Restored;
use crate::real_archives::damage::change;
use crate::real_archives::damage::info;
use crate::real_archives::damage::is_usable;
use crate::real_archives::damage::read;
use crate::real_archives::damage::restored;
use crate::real_archives::damage::told;
use crate::real_archives::hostile::Scene;
use crate::real_archives::write;

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::new(5));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn log_that_a_hostile_hand_changed_is_never_called_whole() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let mut faults = Vec::new();
    let scene = Scene::new(&s3, "log").await;
    let other = Scene::new(&s3, "log-other").await;
    let (first, second) = (scene.segment(0), scene.segment(1));
    let file = |copy: &Archive, codec| copy.segment(&scene.later[0], codec);
    let mut flipped = first.clone();
    flipped[8192 * 3 + 100] ^= 1;
    let zeroed = [&[0; 8192], &first[8192..]].concat();
    let doubled = first.repeat(2);
    let gzip = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &bzip2(&first)[..]].concat();
    let cases: Vec<(&str, Codec, Vec<u8>)> = vec![
        ("of-other", Codec::None, other.segment(0)),
        ("of-next", Codec::None, second.clone()),
        ("zeroed-page", Codec::None, zeroed),
        ("zeros", Codec::None, vec![0; first.len()]),
        ("doubled", Codec::None, doubled.clone()),
        ("doubled-inside", Codec::Bzip2, bzip2(&doubled)),
        ("flipped-inside", Codec::Bzip2, bzip2(&flipped)),
        ("other-codec", Codec::Bzip2, gzip),
        ("plain", Codec::Bzip2, first.clone()),
        ("whole", Codec::Bzip2, bzip2(&first)),
        ("whole-plain", Codec::None, first.clone()),
    ];
    for (case, codec, bytes) in cases {
        let judged = scene.judge(case, |copy| {
            let plain = file(copy, Codec::None);
            let modified = fs::metadata(&plain).unwrap().modified().unwrap();
            fs::remove_file(plain).unwrap();
            fs::write(file(copy, codec), bytes).unwrap();
            let file = fs::File::options().append(true).open(file(copy, codec)).unwrap();
            file.set_modified(modified).unwrap();
        });
        faults.extend(judged.await.fault());
    }
    let swapped = scene.judge("swapped", |copy| {
        let [one, two] = [0, 1].map(|at| copy.segment(&scene.later[at], Codec::None));
        change(&one, |bytes| bytes.clone_from(&second));
        change(&two, |bytes| bytes.clone_from(&first));
    });
    faults.extend(swapped.await.fault());
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A standby's backup begins where its last restart point lies, in the middle of a segment.
#[tokio::test]
async fn damage_before_the_record_that_recovery_begins_with_is_no_harm() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "standby");
    let options = Options::archiving(&archive.barman, Codec::None);
    let primary = Postgres::start(&options.with_setting("autovacuum", "off")).await;
    primary.sql("CREATE TABLE kept (n int, filler text)").await;
    let older = archive.barman.backup(&primary, &BackupOptions::default()).await;
    let standby = primary.standby().await;
    let add = async |rows: u32| {
        let rows = format!("generate_series(1, {rows})");
        primary.sql(&format!("INSERT INTO kept SELECT n, repeat('x', 200) FROM {rows} n")).await;
    };
    add(5000).await;
    primary.sql("CHECKPOINT").await;
    let written = primary.sql("SELECT pg_current_wal_flush_lsn()").await;
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    wait_until("the standby has caught up", LIMIT, async || {
        (standby.sql(&replayed).await == "t").then_some(())
    })
    .await;
    standby.sql("CHECKPOINT").await;
    let newer = archive.barman.backup(&standby, &BackupOptions::default()).await;
    add(3000).await;
    primary.archive_segments(1).await;
    write(&primary, 2).await;
    drop(primary);
    let begin: usize = info(&archive, &newer, "begin_offset").parse().unwrap();
    assert!(8192 * 6 < begin, "{begin}");
    let segment = archive.segment(&info(&archive, &newer, "begin_wal"), Codec::None);
    let segment: PathBuf = segment.strip_prefix(&archive.folder).unwrap().to_owned();
    let page = begin - begin % 8192;
    // In the header of a page, in the record right before the begin, in a header that PostgreSQL looks at, behind.
    let places = [8192 * 3 + 9, begin - 12, page + 9, begin + 30];
    let mut faults = Vec::new();
    for at in places {
        let copy = archive.copy(&format!("standby-{at}")).await;
        change(&copy.folder.join(&segment), |log| log[at] ^= 1);
        let of_newer = restored(&copy, &newer).await;
        let of_older = restored(&copy, &older).await;
        let found = read(&copy).await;
        let windows = found["recovery_windows"].as_array().unwrap();
        let is_sound = of_newer == Restored::All;
        let is_right = is_usable(&found, &newer) == is_sound
            && (found["verdict"] == "unrecoverable") != is_sound
            && of_older == Restored::Less
            && windows.iter().any(|it| it["backup_id"] == *older)
            && matches!(told(&found).as_slice(), [one] if one.starts_with("wal_damaged "));
        if !is_right {
            faults.push(format!("{at}: {of_newer:?}, {of_older:?}, {found:#}"));
        }
        fs::remove_dir_all(&copy.folder).unwrap();
    }
    assert!(faults.is_empty(), "begin {begin}: {faults:#?}");
}

#[tokio::test]
async fn what_is_encrypted_is_called_so_whatever_its_size() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "encrypted");
    let server = Postgres::start(&Options::archiving(&archive.barman, Codec::None)).await;
    archive.barman.backup(&server, &BackupOptions::default()).await;
    let names = write(&server, 3).await;
    let segment = archive.segment(&names[1], Codec::None);
    for added in [0, 32] {
        let copy = archive.copy(&format!("encrypted-{added}")).await;
        change(&copy.folder.join(segment.strip_prefix(&archive.folder).unwrap()), |bytes| {
            bytes[..8].copy_from_slice(b"Salted__");
            bytes[8..].iter_mut().for_each(|byte| *byte ^= 0x5A);
            bytes.resize(bytes.len() + added, 7);
        });
        for depth in ["list", "wal", "full"] {
            let arguments = ["-o", "json", "--depth", depth];
            let given = if depth == "list" { 2 } else { 4 };
            let finished = check_directory(&copy.folder, &arguments[..given]).await;
            let found = document(&finished)["archives"][0].clone();
            // Where nothing but the size shows it, the list alone tells nothing of it.
            if depth == "list" && added == 0 {
                continue;
            }
            assert_eq!(told(&found), [""; 0], "{added}, {depth}: {found:#}");
            let says = found["findings"].to_string();
            assert!(says.contains("encrypted with OpenSSL"), "{added}, {depth}: {found:#}");
            assert_ne!(found["verdict"], "recoverable", "{added}, {depth}: {found:#}");
            assert_ne!(found["verdict"], "unrecoverable", "{added}, {depth}: {found:#}");
        }
    }
}
