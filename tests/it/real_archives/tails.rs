//! What lies behind the content of an object, or is missing at its very end, held against what barman makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::barman::Endpoint;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::rclone::Rclone;
use test_servers::s3::S3Server;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::damage::change;
use crate::real_archives::damage::is_usable;
use crate::real_archives::damage::read;
use crate::real_archives::damage::told;
use crate::real_archives::write;
use crate::storm::dice::Dice;

/// What is made of a stored object, given a second whole one.
type Change = fn(&mut Vec<u8>, &[u8]);

const CHANGES: [(&str, Change); 6] = [
    ("a letter", |stored, _| stored.push(b'x')),
    ("a zero", |stored, _| stored.push(0)),
    ("noise", |stored, _| {
        let mut dice = Dice::new(1);
        stored.extend((0..4096).map(|_| u8::try_from(dice.below(256)).unwrap()));
    }),
    ("zeros", |stored, _| stored.extend([0; 4096])),
    ("another one", |stored, other| stored.extend_from_slice(other)),
    ("cut", |stored, _| stored.truncate(stored.len() - 1)),
];

#[tokio::test]
async fn what_follows_a_segment_is_taken_as_barman_takes_it() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "plain");
    let primary = Postgres::start(&Options::archiving(&archive.barman, Codec::None)).await;
    archive.barman.backup(&primary, &BackupOptions::default()).await;
    let name = write(&primary, 3).await.remove(1);
    let plain = archive.segment(&name, Codec::None);
    let segment = fs::read(&plain).unwrap();
    let relative = |codec| {
        let file = archive.segment(&name, codec);
        file.strip_prefix(&archive.folder).unwrap().to_owned()
    };
    // Objects are put there behind barman's back, and seen at once.
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    let endpoint = Endpoint {
        url: server.endpoint_url(),
        access_key_id: server.access_key().to_owned(),
        secret_access_key: server.secret_key().to_owned(),
    };
    let barman = Barman::new(endpoint, &format!("s3://{BUCKET}"), "tails");
    for codec in Codec::ALL.into_iter().filter(|it| *it != Codec::None) {
        barman.archive_wal(codec, &plain).await.expect_success();
        let key = format!("tails/{}", relative(codec).display());
        let whole = server.get(BUCKET, &key).unwrap();
        for (case, damage) in CHANGES {
            let mut stored = whole.to_vec();
            damage(&mut stored, &whole);
            server.put(BUCKET, &key, stored.clone());
            let file = primary.new_directory(&format!("{case}{}", codec.suffix())).join(&name);
            let is_handed_out = barman.restore_wal(&name, &file).await.success()
                && fs::read(&file).unwrap() == segment;
            let copy = archive.copy("copy").await;
            fs::remove_file(copy.folder.join(relative(Codec::None))).unwrap();
            fs::write(copy.folder.join(relative(codec)), stored).unwrap();
            let found = read(&copy).await;
            let is_recoverable = found["verdict"] == "recoverable";
            assert_eq!(is_recoverable, is_handed_out, "{codec:?}, {case}: {found:#}");
            assert_eq!(told(&found).is_empty(), is_handed_out, "{codec:?}, {case}: {found:#}");
            fs::remove_dir_all(&copy.folder).unwrap();
        }
        server.delete(BUCKET, &key);
    }
}

/// Every file below a directory, with what it holds.
fn tree(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut left) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[tokio::test]
async fn what_follows_a_tar_file_is_no_loss_where_barman_restores_all_before_it() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    for codec in Codec::OF_BACKUPS {
        let name = format!("base{}", codec.suffix());
        let archive = Archive::new(&s3, &name);
        let primary = Postgres::start(&Options::archiving(&archive.barman, Codec::Gzip)).await;
        let options = BackupOptions { codec, ..BackupOptions::default() };
        let id = archive.barman.backup(&primary, &options).await;
        write(&primary, 1).await;
        let tar = format!("data.tar{}", codec.suffix());
        let data = primary.new_directory("whole").join("data");
        archive.barman.restore(&id, &data, &[]).await.expect_success();
        let whole = tree(&data);
        let cases = ["noise", "another one", "cut"];
        for (case, damage) in CHANGES.into_iter().filter(|it| cases.contains(&it.0)) {
            let copy = archive.copy(&format!("{name}-{}", case.replace(' ', "-"))).await;
            change(&copy.backup_file(&id, &tar), |stored| {
                let other = stored.clone();
                damage(stored, &other);
            });
            let data = primary.new_directory(&format!("{case}{}", codec.suffix())).join("data");
            copy.wait_for_backup(&id).await;
            let is_success = copy.barman.restore(&id, &data, &[]).await.success();
            let is_restored = is_success && tree(&data) == whole;
            let found = read(&copy).await;
            assert_eq!(is_usable(&found, &id), is_restored, "{codec:?}, {case}: {found:#}");
            assert_eq!(told(&found).is_empty(), is_usable(&found, &id), "{codec:?}, {case}");
            fs::remove_dir_all(&copy.folder).unwrap();
            fs::remove_dir_all(&data).unwrap();
        }
    }
}
