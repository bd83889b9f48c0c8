//! Archives that are read to the last byte: whole ones of every compression, and what is wrong with
//! damaged ones.

use std::fs;
use std::path::Path;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::rclone::Rclone;

use crate::program::check_directory;
use crate::program::document;
use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::write;

/// The archive as `check` tells of it.
async fn read(archive: &Archive, depth: &str) -> Value {
    let finished = check_directory(&archive.folder, &["--depth", depth, "-o", "json"]).await;
    document(&finished)["archives"][0].clone()
}

/// Codes and kinds.
fn findings(archive: &Value) -> Vec<(String, String)> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let findings = archive["findings"].as_array().unwrap().iter();
    findings.map(|it| (text(&it["code"]), text(&it["evidence"]["kind"]))).collect()
}

fn expect(archive: &Value, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(code, kind)| ((*code).to_owned(), (*kind).to_owned())).collect();
    assert_eq!(findings(archive), expected, "{archive:#}");
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let times = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
    fs::File::options().append(true).open(file).unwrap().set_modified(times).unwrap();
}

/// Tables, indexes, an unlogged one, and changes to them while a backup is taken.
async fn busy_backup(archive: &Archive, server: &Postgres, codec: Codec) -> String {
    server.sql("CREATE TABLE IF NOT EXISTS kept (n int PRIMARY KEY, filler text)").await;
    server.sql("CREATE UNLOGGED TABLE IF NOT EXISTS scratch (n int, filler text)").await;
    server
        .sql("INSERT INTO kept SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n ON CONFLICT DO NOTHING")
        .await;
    server
        .sql("INSERT INTO scratch SELECT n, repeat('y', 200) FROM generate_series(1, 5000) n")
        .await;
    server.sql("CHECKPOINT").await;
    let options = BackupOptions { codec, ..BackupOptions::default() };
    let work = async {
        for round in 0..20 {
            let statement =
                format!("UPDATE kept SET filler = repeat('{round}', 90) WHERE n % 20 = {round}");
            server.sql(&statement).await;
            server.sql("UPDATE scratch SET filler = 'z'").await;
            server.sql("CHECKPOINT").await;
        }
    };
    let (id, ()) = tokio::join!(archive.barman.backup(server, &options), work);
    id
}

#[tokio::test]
async fn whole_archives_of_every_compression_are_read_without_a_finding() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    for codec in Codec::ALL {
        let archive = Archive::new(&s3, &format!("whole{}", codec.suffix()));
        let server = Postgres::start(&Options::archiving(&archive.barman, codec)).await;
        let of_backup = if Codec::OF_BACKUPS.contains(&codec) { codec } else { Codec::Gzip };
        busy_backup(&archive, &server, of_backup).await;
        write(&server, 3).await;
        let found = read(&archive, "full").await;
        expect(&found, &[]);
        assert_eq!(found["verdict"], "recoverable");
        let proof = &found["proof"];
        assert_eq!(proof["segments"], proof["segments_read"], "{proof}");
        assert_eq!((&proof["backups"], &proof["backups_read"]), (&1.into(), &1.into()));
    }
}

/// A server with one table, backed up while nothing happens, and some WAL after that.
async fn quiet(s3: &Rclone, name: &str, of_backup: Codec, of_wal: Codec) -> (Archive, String) {
    let archive = Archive::new(s3, name);
    let server = Postgres::start(&Options::archiving(&archive.barman, of_wal)).await;
    server.sql("CREATE TABLE kept (n int, filler text)").await;
    server.sql("INSERT INTO kept SELECT n, repeat('x', 200) FROM generate_series(1, 5000) n").await;
    server.sql("CHECKPOINT").await;
    let options = BackupOptions { codec: of_backup, ..BackupOptions::default() };
    let id = archive.barman.backup(&server, &options).await;
    write(&server, 4).await;
    (archive, id)
}

/// Names of all segments, oldest first.
fn segments(archive: &Archive) -> Vec<std::path::PathBuf> {
    let folder = archive.folder.join("wals/0000000100000000");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_str().unwrap().find(".backup").is_none());
    files.sort();
    files
}

fn position(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).position(|window| window == text).unwrap()
}

#[tokio::test]
async fn damaged_base_backups_are_told_by_what_is_wrong_with_them() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let (archive, id) = quiet(&s3, "base", Codec::None, Codec::Gzip).await;
    expect(&read(&archive, "full").await, &[]);
    let tar = |archive: &Archive| archive.backup_file(&id, "data.tar");

    // One bit in a row of the table: it is restored, and nobody can read that page.
    let copy = archive.copy("page").await;
    change(&tar(&copy), |bytes| {
        let at = position(bytes, &[b'x'; 200]);
        bytes[at + 100] ^= 1;
    });
    let found = read(&copy, "full").await;
    expect(&found, &[("backup_damaged", "page_checksum")]);
    assert_eq!(found["verdict"], "at_risk");
    let places = found["findings"][0]["evidence"]["places"].as_str().unwrap();
    assert!(places.starts_with("base/5/") && places.contains(" block "), "{places}");
    // A list shows none of it.
    expect(&read(&copy, "wal").await, &[]);

    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change, &str); 4] = [
        ("cut", |bytes| bytes.truncate(bytes.len() / 2), "truncated"),
        ("tail", |bytes| bytes.truncate(bytes.len() - 10_240), "truncated"),
        (
            "header",
            |bytes| {
                let at = position(bytes, b"global/pg_control");
                bytes[at] = b'h';
            },
            "bad_tar",
        ),
        (
            "control",
            |bytes| {
                let at = position(bytes, b"global/pg_control");
                let at = at - at % 512 + 512;
                bytes[at + 4] ^= 1;
            },
            "bad_member",
        ),
    ];
    for (name, damage, kind) in changes {
        let copy = archive.copy(name).await;
        change(&tar(&copy), damage);
        let found = read(&copy, "full").await;
        let expected = [("no_usable_backup", ""), ("backup_damaged", kind)];
        expect(&found, &expected);
        assert_eq!(found["verdict"], "unrecoverable", "{name}");
        assert_eq!(found["recovery_windows"].as_array().unwrap().len(), 0, "{name}");
    }
    // No restore reads on behind the end.
    let copy = archive.copy("behind").await;
    change(&tar(&copy), |bytes| *bytes.last_mut().unwrap() = 1);
    expect(&read(&copy, "full").await, &[]);
}

#[tokio::test]
async fn damaged_segments_are_told_by_what_is_wrong_with_them() {
    type Change = fn(&mut Vec<u8>);
    // Far enough from the end, where all is zeros and a changed length may mean the same.
    let flip: Change = |bytes| bytes[80] ^= 1;
    let cut: Change = |bytes| bytes.truncate(bytes.len() - 1);
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    for (codec, flipped, of_cut) in [
        (Codec::None, "bad_crc", "wrong_size"),
        (Codec::Gzip, "undecodable", "truncated"),
        (Codec::Bzip2, "undecodable", "truncated"),
        // Its last byte holds nothing, and barman hands out what came before.
        (Codec::Zstd, "undecodable or bad_crc", ""),
        (Codec::Snappy, "undecodable", "truncated"),
        (Codec::Xz, "undecodable", "truncated"),
        (Codec::Lz4, "undecodable or bad_crc", "truncated"),
    ] {
        let (archive, _) = quiet(&s3, &format!("wal{}", codec.suffix()), Codec::Gzip, codec).await;
        let names = segments(&archive);
        let at = names.len() - 2;
        for (name, damage, kind) in [("flip", flip, flipped), ("cut", cut, of_cut)] {
            let copy = archive.copy(&format!("{name}{}", codec.suffix())).await;
            change(&copy.folder.join(names[at].strip_prefix(&archive.folder).unwrap()), damage);
            let found = read(&copy, "wal").await;
            let told = findings(&found);
            if kind.is_empty() {
                assert!(told.is_empty(), "{name}{}: {found:#}", codec.suffix());
                continue;
            }
            let is_told = told.len() == 1 && told[0].0 == "wal_damaged";
            assert!(is_told, "{name}{}: {found:#}", codec.suffix());
            // Neither zstd nor lz4 has a checksum as barman writes them: the log has.
            assert!(kind.contains(&told[0].1), "{name}: {told:?}");
            assert_eq!(found["verdict"], "unrecoverable", "{name}");
            let last = found["recovery_windows"][0]["last"]["segment"].as_str().unwrap();
            let is_last = |at: usize| names[at].file_stem().unwrap().to_str() == Some(last);
            // What recovery is given it replays up to the first bad record.
            let is_given = told[0].1 == "bad_crc";
            assert!(is_last(at - 1) || is_given && is_last(at), "{name}: {last}");
        }
    }
}

#[tokio::test]
async fn an_object_that_is_encrypted_or_wrongly_named_is_called_so() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let (archive, _) = quiet(&s3, "named", Codec::Gzip, Codec::Bzip2).await;
    let names = segments(&archive);
    let newest = |copy: &Archive| {
        copy.folder.join(names[names.len() - 1].strip_prefix(&archive.folder).unwrap())
    };
    let copy = archive.copy("encrypted").await;
    change(&newest(&copy), |bytes| *bytes = [b"Salted__", &bytes[8..]].concat());
    let found = read(&copy, "wal").await;
    assert_eq!(found["verdict"], "at_risk", "{found:#}");
    let says = found["findings"][0]["message"].as_str().unwrap();
    assert!(says.contains("encrypted with OpenSSL"), "{says}");
    // What cannot be read is no damage.
    expect(&found, &[("store_unreachable", "")]);

    let copy = archive.copy("gzip").await;
    change(&newest(&copy), |bytes| *bytes = [b"\x1f\x8b\x08\0", &bytes[4..]].concat());
    let found = read(&copy, "wal").await;
    expect(&found, &[("wal_damaged", "undecodable")]);
    let says = found["findings"][0]["message"].as_str().unwrap();
    assert!(says.contains("named as bzip2, but its content begins as gzip does"), "{says}");
}
