//! Damage of every kind, held against what PostgreSQL and its tools make of the same bytes: what a restore
//! would notice is told, and of what changes nothing is said nothing.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::postgres::Release;
use test_servers::process::Account;
use test_servers::process::run;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::program::check_directory;
use crate::program::document;
use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::write;
use crate::storm::dice::Dice;

pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// A member of a tar file: where it begins, its records included, and where its content lies.
pub(super) struct Member {
    path: String,
    pub(super) at: usize,
    pub(super) content: Range<usize>,
}

impl Member {
    pub(super) fn end(&self) -> usize {
        self.content.end.next_multiple_of(512)
    }
}

/// Of a whole tar file.
fn members(tar: &[u8]) -> Vec<Member> {
    let (mut found, mut at, mut begin) = (Vec::new(), 0, None);
    while tar[at] != 0 {
        let text = |from: usize, length: usize| {
            let field = &tar[at + from..at + from + length];
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
            String::from_utf8_lossy(&field[..end]).into_owned()
        };
        let size = usize::from_str_radix(text(124, 12).trim(), 8).unwrap();
        let content = at + 512..at + 512 + size;
        let (kind, path) = (tar[at + 156], text(0, 100));
        let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
        let first = begin.take().unwrap_or(at);
        at = content.end.next_multiple_of(512);
        if kind == b'x' {
            begin = Some(first);
        } else {
            found.push(Member { path, at: first, content });
        }
    }
    found
}

pub(super) fn member(tar: &[u8], path: &str) -> Member {
    members(tar).into_iter().find(|it| it.path == path).unwrap_or_else(|| panic!("no {path}"))
}

pub(super) fn without(tar: &mut Vec<u8>, path: &str) {
    let member = member(tar, path);
    tar.drain(member.at..member.end());
}

/// Writes what this makes of the file, with the time that it had.
pub(super) fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let modified = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
    fs::File::options().append(true).open(file).unwrap().set_modified(modified).unwrap();
}

pub(super) async fn read(archive: &Archive) -> Value {
    let finished = check_directory(&archive.folder, &["--depth", "full", "-o", "json"]).await;
    document(&finished)["archives"][0].clone()
}

/// A field of backup.info.
pub(super) fn info(archive: &Archive, id: &str, field: &str) -> String {
    let info = fs::read_to_string(archive.backup_file(id, "backup.info")).unwrap();
    let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix('='));
    value.unwrap().to_owned()
}

/// What is said of content, by code and kind.
pub(super) fn told(archive: &Value) -> Vec<String> {
    let findings = archive["findings"].as_array().unwrap().iter();
    let is_damage = |code: &str| code.ends_with("_damaged") || code == "foreign_system";
    let damages = findings.filter(|it| is_damage(it["code"].as_str().unwrap()));
    let name = |it: &Value| {
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        format!("{} {}", text(&it["code"]), text(&it["evidence"]["kind"]))
    };
    damages.map(name).collect()
}

pub(super) fn is_usable(archive: &Value, id: &str) -> bool {
    let backups = archive["backups"].as_array().unwrap();
    backups.iter().any(|it| it["backup_id"] == id && it["usable"] == true)
}

/// A server with tables of every kind, two tablespaces, a finished backup, and log after that; nothing of it is
/// compressed.
async fn stored(s3: &Rclone, name: &str, release: Release) -> (Archive, String, Postgres) {
    let archive = Archive::new(s3, name);
    let options = Options { release, ..Options::archiving(&archive.barman, Codec::None) }
        .with_setting("autovacuum", "off");
    let server = Postgres::start(&options).await;
    for (tablespace, table) in [("one", "first"), ("two", "second")] {
        let place = server.new_directory(tablespace);
        let place = place.display();
        server.sql(&format!("CREATE TABLESPACE {tablespace} LOCATION '{place}'")).await;
        server.sql(&format!("CREATE TABLE {table} (n int) TABLESPACE {tablespace}")).await;
        server.sql(&format!("INSERT INTO {table} SELECT generate_series(1, 1000)")).await;
    }
    server.sql("CREATE UNLOGGED TABLE scratch (n int PRIMARY KEY)").await;
    server.sql("INSERT INTO scratch SELECT generate_series(1, 1000)").await;
    server.sql("CREATE TABLE kept (n int, filler text)").await;
    server.sql("INSERT INTO kept SELECT n, repeat('x', 200) FROM generate_series(1, 5000) n").await;
    server.sql("VACUUM (FREEZE)").await;
    server.sql("CHECKPOINT").await;
    let id = archive.barman.backup(&server, &BackupOptions::default()).await;
    write(&server, 3).await;
    (archive, id, server)
}

pub(super) async fn path_of(server: &Postgres, relation: &str) -> String {
    server.sql(&format!("SELECT pg_relation_filepath('{relation}')")).await
}

type Change = Box<dyn Fn(&mut Vec<u8>)>;

fn in_page(path: &str, block: usize, at: usize) -> Change {
    let path = path.to_owned();
    Box::new(move |tar| {
        let place = member(tar, &path).content.start + block * 8192 + at;
        tar[place] ^= 1;
    })
}

fn blank(path: &str) -> Change {
    let path = path.to_owned();
    Box::new(move |tar| {
        let at = member(tar, &path).content.start;
        tar[at..at + 8192].fill(0);
    })
}

fn lost(path: &str) -> Change {
    let path = path.to_owned();
    Box::new(move |tar| without(tar, &path))
}

fn label(from: &'static str, to: &'static str) -> Change {
    Box::new(move |tar| {
        let content = member(tar, "backup_label").content;
        let text = String::from_utf8(tar[content.clone()].to_vec()).unwrap();
        tar[content].copy_from_slice(text.replace(from, to).as_bytes());
    })
}

/// What is made of a tar file, and what kind of damage is told of it.
async fn changes(server: &Postgres) -> Vec<(&'static str, Change, &'static str)> {
    let kept = &path_of(server, "kept").await;
    let scratch = &path_of(server, "scratch").await;
    let init = &format!("{}_init", path_of(server, "scratch_pkey").await);
    let database = kept.rsplit_once('/').unwrap().0;
    let map = &format!("{database}/pg_filenode.map");
    vec![
        ("page", in_page(kept, 3, 5000), "page_checksum"),
        ("position", in_page(kept, 3, 5), "page_checksum"),
        ("blank", blank(kept), "page_checksum"),
        ("init", in_page(init, 0, 100), "page_checksum"),
        ("scratch", in_page(scratch, 0, 5000), ""),
        ("control", in_page("global/pg_control", 0, 40), "bad_member"),
        ("map", in_page(map, 0, 20), "bad_member"),
        ("label-begin", label("LOCATION: 0/", "LOCATION: 7/"), "bad_member"),
        ("label-method", label("METHOD: stream", "METHOD: screen"), "bad_member"),
        ("label-text", label("LABEL: Barman", "LABEL: Batman"), ""),
        ("no-version", lost("PG_VERSION"), "missing_member"),
        ("no-control", lost("global/pg_control"), "missing_member"),
        ("no-label", lost("backup_label"), "missing_member"),
        ("no-xact", lost("pg_xact/0000"), "missing_member"),
        ("no-groups", lost("pg_multixact/offsets/0000"), "missing_member"),
        ("no-map", lost(map), "missing_member"),
        ("no-table", lost(kept), "missing_member"),
        ("no-catalogue", lost(&format!("{database}/1259")), "missing_member"),
        ("no-databases", lost("global/1262"), "missing_member"),
    ]
}

#[tokio::test]
async fn what_is_wrong_with_a_base_backup_is_named() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    for release in [Release::Debian, Release::Newer] {
        let name = format!("{release:?}").to_lowercase();
        let (archive, id, server) = stored(&s3, &name, release).await;
        assert_eq!(told(&read(&archive).await), [""; 0], "{release:?}");
        for (case, damage, kind) in changes(&server).await {
            let copy = archive.copy(&format!("{name}-{case}")).await;
            change(&copy.backup_file(&id, "data.tar"), damage);
            let found = read(&copy).await;
            let expected: Vec<String> = Some(format!("backup_damaged {kind}"))
                .into_iter()
                .filter(|_| !kind.is_empty())
                .collect();
            assert_eq!(told(&found), expected, "{release:?}, {case}: {found:#}");
            let is_restored = matches!(kind, "" | "page_checksum");
            assert_eq!(is_usable(&found, &id), is_restored, "{release:?}, {case}");
            fs::remove_dir_all(&copy.folder).unwrap();
        }
        let [one, two] = tablespaces(&archive, &id);
        let swapped = archive.copy(&format!("{name}-swapped")).await;
        let (first, second) = (swapped.backup_file(&id, &one), swapped.backup_file(&id, &two));
        let (first_bytes, second_bytes) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
        change(&first, |bytes| *bytes = second_bytes);
        change(&second, |bytes| *bytes = first_bytes);
        assert_eq!(told(&read(&swapped).await), ["backup_damaged bad_member"]);
        let empty = archive.copy(&format!("{name}-empty")).await;
        change(&empty.backup_file(&id, &one), |bytes| *bytes = vec![0; 10_240]);
        assert_eq!(told(&read(&empty).await), ["backup_damaged missing_member"]);
    }
}

fn tablespaces(archive: &Archive, id: &str) -> [String; 2] {
    let files = fs::read_dir(archive.folder.join(format!("base/{id}"))).unwrap();
    let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|it| it.starts_with(char::is_numeric)).collect();
    names.sort();
    names.try_into().unwrap()
}

#[tokio::test]
async fn a_page_that_the_log_does_not_hold_is_told_whatever_its_position_says() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let (archive, id, server) = stored(&s3, "position", Release::Debian).await;
    let kept = path_of(&server, "kept").await;
    // As if it had been written while the backup was taken, or behind it.
    for (place, kind) in [("meanwhile", "page_checksum"), ("later", "bad_member")] {
        let copy = archive.copy(place).await;
        let begin = info(&copy, &id, "begin_xlog");
        let (high, low) = begin.split_once('/').unwrap();
        let [high, low] = [high, low].map(|half| u32::from_str_radix(half, 16).unwrap());
        change(&copy.backup_file(&id, "data.tar"), |tar| {
            let at = member(tar, &kept).content.start + 3 * 8192;
            let low = if kind == "bad_member" { low + 0x0100_0000 } else { low + 8 };
            tar[at..at + 4].copy_from_slice(&high.to_le_bytes());
            tar[at + 4..at + 8].copy_from_slice(&low.to_le_bytes());
            if kind == "bad_member" {
                let page: [u8; 8192] = tar[at..at + 8192].try_into().unwrap();
                let sum = cnpg_backup_verifier::content::page::checksum(&page, 3);
                tar[at + 8..at + 10].copy_from_slice(&sum.to_le_bytes());
            }
        });
        assert_eq!(told(&read(&copy).await), [format!("backup_damaged {kind}")], "{place}");
    }
}

/// What is left of a table of 8,000 rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Restored {
    All,
    Less,
    Nothing,
}

pub(super) async fn restored(archive: &Archive, id: &str) -> Restored {
    archive.wait_for_backup(id).await;
    let recovery = Recovery { barman: &archive.barman, backup_id: id, target: &[] };
    let Ok(mut server) = Postgres::try_restore(&recovery, &Options::default()).await else {
        return Restored::Nothing;
    };
    server.begin();
    wait_until("the end of the recovery", LIMIT, async || {
        // It may run, and let nobody in.
        let is_closed =
            server.log().contains("FATAL:  could not open file \"global/pg_filenode.map\"");
        if !server.is_running() || is_closed {
            return Some(Restored::Nothing);
        }
        if !server.is_promoted().await {
            return None;
        }
        let rows = server.try_sql("SELECT count(*) FROM kept").await;
        let is_all = rows.success() && rows.stdout.trim() == "8000";
        Some(if is_all { Restored::All } else { Restored::Less })
    })
    .await
}

/// Each is restored for real.
#[tokio::test]
async fn what_a_restore_would_lose_is_never_called_recoverable() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "judged");
    let server = Postgres::start(&Options::archiving(&archive.barman, Codec::None)).await;
    server.sql("CREATE TABLE kept (n int, filler text)").await;
    server.sql("INSERT INTO kept SELECT n, repeat('x', 200) FROM generate_series(1, 5000) n").await;
    let id = archive.barman.backup(&server, &BackupOptions::default()).await;
    server.sql("INSERT INTO kept SELECT n, 'later' FROM generate_series(1, 3000) n").await;
    let names = server.archive_segments(1).await;
    write(&server, 1).await;
    drop(server);
    let data =
        || archive.backup_file(&id, "data.tar").strip_prefix(&archive.folder).unwrap().to_owned();
    let later = archive.segment(&names[0], Codec::None);
    let later = later.strip_prefix(&archive.folder).unwrap().to_owned();
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, PathBuf, Change, Restored); 10] = [
        ("nothing", data(), |_| {}, Restored::All),
        ("no-xact", data(), |tar| without(tar, "pg_xact/0000"), Restored::Less),
        ("no-groups", data(), |tar| without(tar, "pg_multixact/offsets/0000"), Restored::Nothing),
        ("no-map", data(), |tar| without(tar, "global/pg_filenode.map"), Restored::Nothing),
        (
            "label",
            data(),
            |tar| {
                let at = member(tar, "backup_label").content.start;
                let text = String::from_utf8_lossy(&tar[at..at + 200]).into_owned();
                let line = text.find("CHECKPOINT LOCATION: 0").unwrap();
                tar[at + line + 21] = b'7';
            },
            Restored::Nothing,
        ),
        ("label-text", data(), |tar| tar.extend([0; 10_240]), Restored::All),
        ("zeroed", later.clone(), |log| log[8192..16_384].fill(0), Restored::Less),
        // The length of its second record: what it announces is longer than the log.
        ("length", later.clone(), |log| log[8192 * 2 + 24 + 3] ^= 0x20, Restored::Less),
        // As if another server had written it.
        ("system", later.clone(), |log| log[25] ^= 1, Restored::Less),
        ("unused", later, |log| *log.last_mut().unwrap() = 1, Restored::All),
    ];
    for (case, file, damage, expected) in cases {
        let copy = archive.copy(&format!("judged-{case}")).await;
        change(&copy.folder.join(file), damage);
        assert_eq!(restored(&copy, &id).await, expected, "{case}");
        let found = read(&copy).await;
        let is_recoverable = found["verdict"] == "recoverable";
        assert_eq!(is_recoverable, expected == Restored::All, "{case}: {found:#}");
        assert_eq!(told(&found).is_empty(), is_recoverable, "{case}: {found:#}");
        fs::remove_dir_all(&copy.folder).unwrap();
    }
}

/// Recovery is consistent by then: what it cannot read is only what came later.
#[tokio::test]
async fn log_that_is_damaged_behind_the_end_of_a_backup_leaves_that_to_restore() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let archive = Archive::new(&s3, "end");
    let server = Postgres::start(&Options::archiving(&archive.barman, Codec::None)).await;
    server.sql("CREATE TABLE kept AS SELECT generate_series(1, 5000) n").await;
    let id = archive.barman.backup(&server, &BackupOptions::default()).await;
    server.sql("INSERT INTO kept SELECT generate_series(1, 3000)").await;
    write(&server, 2).await;
    drop(server);
    let segment = archive.segment(&info(&archive, &id, "end_wal"), Codec::None);
    let end: usize = info(&archive, &id, "end_offset").parse().unwrap();
    for (case, at, expected) in
        [("behind", end + 2, Restored::Less), ("before", end - 10, Restored::Nothing)]
    {
        let copy = archive.copy(&format!("end-{case}")).await;
        let file = copy.folder.join(segment.strip_prefix(&archive.folder).unwrap());
        change(&file, |log| log[at] ^= 1);
        assert_eq!(restored(&copy, &id).await, expected, "{case}");
        let found = read(&copy).await;
        assert_eq!(found["verdict"], "unrecoverable", "{case}: {found:#}");
        let is_usable = is_usable(&found, &id);
        assert_eq!(is_usable, expected == Restored::Less, "{case}: {found:#}");
        let windows = found["recovery_windows"].as_array().unwrap();
        assert_eq!(windows.len(), usize::from(is_usable), "{case}: {found:#}");
    }
}

/// Bits drawn by chance in the log, held against `pg_waldump`, and in the tar file, by what they lie in.
#[tokio::test]
async fn a_bit_anywhere_is_told_where_it_means_something() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let (archive, id, server) = stored(&s3, "bits", Release::Debian).await;
    let folder = archive.folder.join("wals/0000000100000000");
    let files = fs::read_dir(&folder).unwrap();
    let mut names: Vec<String> =
        files.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    let begin = info(&archive, &id, "begin_wal");
    // Before the backup nobody needs it.
    names.retain(|name| name.len() == 24 && begin < *name);
    names.sort();
    drop(server);
    for seed in 0..24 {
        let mut dice = Dice::new(seed);
        let mut draw = |end: usize| usize::try_from(dice.below(end as u64)).unwrap();
        let copy = archive.copy(&format!("bits-{seed}")).await;
        let is_log = seed % 2 == 0;
        let file = if is_log {
            format!("wals/0000000100000000/{}", names[draw(names.len())])
        } else {
            format!("base/{id}/data.tar")
        };
        let path = copy.folder.join(&file);
        let whole = fs::read(&path).unwrap();
        // The used part of a segment is its beginning.
        let at = draw(if is_log { 1 << 18 } else { whole.len() });
        let bit = 1 << draw(8);
        change(&path, |bytes| bytes[at] ^= bit);
        let found = read(&copy).await;
        let what = format!("seed {seed}: bit {bit} of byte {at} of {file}: {found:#}");
        if is_log {
            let mut command = Account::own().command(&Release::Debian.program("pg_waldump"));
            command.arg("--quiet").arg("--path").arg(copy.folder.join("wals/0000000100000000"));
            let read = run(command_with(command, &names), LIMIT).await;
            let is_told = !told(&found).is_empty();
            assert!(is_told || read.success(), "{what}");
            // It does not know whose log it reads, nor of which timeline.
            assert!(!is_told || !read.success() || at % 8192 < 40, "{what}");
        } else if let Some(is_told) = is_noticed(&whole, at) {
            assert_eq!(!told(&found).is_empty(), is_told, "{what}");
        }
        fs::remove_dir_all(&copy.folder).unwrap();
    }
}

fn command_with(mut command: std::process::Command, names: &[String]) -> std::process::Command {
    command.args([&names[0], &names[names.len() - 1]]);
    command
}

/// Whether a server that is restored can tell that a byte of a tar file was changed; `None` where that depends
/// on what it became.
fn is_noticed(tar: &[u8], at: usize) -> Option<bool> {
    let members = members(tar);
    let Some(member) = members.iter().find(|it| (it.at..it.end()).contains(&at)) else {
        // Behind the last member nothing is read.
        return Some(false);
    };
    let Member { path, content, .. } = member;
    if at < content.start {
        // The records between two headers hold times.
        let is_header = at < member.at + 512 || content.start <= at + 512;
        return is_header.then_some(true);
    }
    if content.end <= at {
        return Some(false);
    }
    let (place, name) = (at - content.start, path.rsplit('/').next().unwrap_or_default());
    let is_relation = name.starts_with(char::is_numeric)
        && (path.starts_with("base/") || path.starts_with("global/"));
    let stem = path.split(['_', '.']).next().unwrap_or_default();
    let init = format!("{stem}_init");
    let is_emptied = *path != init && members.iter().any(|it| it.path == init);
    match path.as_str() {
        "backup_label" => None,
        "global/pg_control" => Some(place < 292),
        "PG_VERSION" => (place < 2).then_some(true),
        _ if name == "pg_filenode.map" => Some(place < 508),
        _ => Some(is_relation && !is_emptied),
    }
}
