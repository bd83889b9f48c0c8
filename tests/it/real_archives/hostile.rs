//! What a hostile hand makes of an archive: objects and members exchanged, doubled, emptied and cut where it shows
//! least. Each is restored for real.

mod log;

use std::fs;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::rclone::Rclone;

use crate::real_archives::Archive;
use crate::real_archives::BUCKET;
use crate::real_archives::damage::Restored;
use crate::real_archives::damage::change;
use crate::real_archives::damage::is_usable;
use crate::real_archives::damage::member;
use crate::real_archives::damage::path_of;
use crate::real_archives::damage::read;
use crate::real_archives::damage::restored;
use crate::real_archives::damage::told;
use crate::real_archives::damage::without;
use crate::real_archives::write;

/// An archive with two backups, and log behind the second one.
struct Scene {
    archive: Archive,
    older: String,
    newer: String,
    /// Segments behind the newer backup; the first one holds rows.
    later: Vec<String>,
    kept: String,
}

impl Scene {
    async fn new(s3: &Rclone, name: &str) -> Self {
        let archive = Archive::new(s3, name);
        let options = Options::archiving(&archive.barman, Codec::None);
        let server = Postgres::start(&options.with_setting("autovacuum", "off")).await;
        let add = async |rows: u32| {
            let rows = format!("generate_series(1, {rows})");
            server.sql(&format!("INSERT INTO kept SELECT n, repeat('x', 200) FROM {rows} n")).await;
        };
        server.sql("CREATE TABLE kept (n int, filler text)").await;
        add(4000).await;
        server.sql("VACUUM (FREEZE)").await;
        let older = archive.barman.backup(&server, &BackupOptions::default()).await;
        add(1000).await;
        write(&server, 1).await;
        let newer = archive.barman.backup(&server, &BackupOptions::default()).await;
        add(3000).await;
        let mut later = server.archive_segments(1).await;
        later.extend(write(&server, 2).await);
        let kept = path_of(&server, "kept").await;
        Self { archive, older, newer, later, kept }
    }

    fn segment(&self, at: usize) -> Vec<u8> {
        fs::read(self.archive.segment(&self.later[at], Codec::None)).unwrap()
    }

    fn tar(&self, id: &str) -> Vec<u8> {
        fs::read(self.archive.backup_file(id, "data.tar")).unwrap()
    }

    /// What restores of a copy bring back, and what is said of it.
    async fn judge(&self, case: &str, damage: impl FnOnce(&Archive)) -> Judged {
        let copy = self.archive.copy(&format!("{}-{case}", self.archive.barman.server_name)).await;
        damage(&copy);
        let newer = restored(&copy, &self.newer).await;
        let found = read(&copy).await;
        fs::remove_dir_all(&copy.folder).unwrap();
        let is_usable = is_usable(&found, &self.newer);
        Judged { case: case.to_owned(), newer, is_usable, found }
    }
}

/// A restore gets over them, and somebody must see them all the same: parts that contradict each other, and a table
/// that only the log behind the backup makes whole.
const CONTRADICTIONS: [&str; 3] = ["odd-length", "label-of-older", "all-of-older"];

struct Judged {
    case: String,
    newer: Restored,
    is_usable: bool,
    found: Value,
}

impl Judged {
    /// What is wrong with the answer.
    fn fault(&self) -> Option<String> {
        let Self { case, newer, is_usable, found } = self;
        let told = told(found);
        let is_recoverable = found["verdict"] == "recoverable";
        let is_right = match newer {
            Restored::All if CONTRADICTIONS.contains(&case.as_str()) => !told.is_empty(),
            Restored::All => is_recoverable && told.is_empty() && *is_usable,
            Restored::Less => !is_recoverable && !told.is_empty(),
            Restored::Nothing => !is_recoverable && !told.is_empty() && !is_usable,
        };
        let verdict = &found["verdict"];
        (!is_right).then(|| format!("{case}: restored {newer:?}, {verdict}, {is_usable}, {told:?}"))
    }
}

/// Puts another content in the place of a member's, of whatever length.
fn replace(tar: &mut Vec<u8>, path: &str, content: &[u8]) {
    let member = member(tar, path);
    let header = member.content.start - 512;
    tar[header + 124..header + 136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    tar[header + 148..header + 156].fill(b' ');
    let sum: u32 = tar[header..header + 512].iter().map(|byte| u32::from(*byte)).sum();
    tar[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut padded = content.to_vec();
    padded.resize(content.len().next_multiple_of(512), 0);
    tar.splice(member.content.start..member.end(), padded);
}

fn content(tar: &[u8], path: &str) -> Vec<u8> {
    tar[member(tar, path).content].to_vec()
}

type Change<'a> = Box<dyn Fn(&mut Vec<u8>) + 'a>;

/// What is made of the tar file of the newer backup.
fn changes<'a>(
    kept: &'a str,
    of_older: &'a [u8],
    foreign_control: Vec<u8>,
) -> Vec<(&'static str, Change<'a>)> {
    let in_place = |path: &'static str, bytes: Vec<u8>| -> Change<'a> {
        Box::new(move |tar| replace(tar, path, &bytes))
    };
    vec![
        ("no-end", Box::new(move |tar| tar.truncate(member(tar, "backup_label").end()))),
        (
            "cut-and-closed",
            Box::new(move |tar| {
                tar.truncate(member(tar, "global/pg_control").at);
                tar.extend([0; 10_240]);
            }),
        ),
        (
            "twice",
            Box::new(move |tar| {
                let member = member(tar, kept);
                let copy = tar[member.at..member.end()].to_vec();
                tar.splice(member.at..member.at, copy);
            }),
        ),
        ("lost-relation", Box::new(move |tar| without(tar, kept))),
        (
            "odd-length",
            Box::new(move |tar| {
                let whole = content(tar, kept);
                replace(tar, kept, &whole[..whole.len() - 1000]);
            }),
        ),
        (
            "zeroed-first-page",
            Box::new(move |tar| {
                let at = member(tar, kept).content.start;
                tar[at..at + 8192].fill(0);
            }),
        ),
        (
            "other-block",
            Box::new(move |tar| {
                let at = member(tar, kept).content.start;
                tar.copy_within(at + 3 * 8192..at + 4 * 8192, at + 5 * 8192);
            }),
        ),
        ("label-of-older", in_place("backup_label", content(of_older, "backup_label"))),
        ("empty-label", in_place("backup_label", Vec::new())),
        ("control-of-other", in_place("global/pg_control", foreign_control)),
        ("other-version", in_place("PG_VERSION", b"14\n".to_vec())),
        ("all-of-older", Box::new(move |tar| of_older.clone_into(tar))),
        ("zeros", Box::new(move |tar| tar.fill(0))),
        (
            "zeroed-middle",
            Box::new(move |tar| {
                let at = member(tar, kept).at;
                tar[at..at + 4096].fill(0);
            }),
        ),
    ]
}

#[tokio::test]
async fn a_tar_file_that_a_hostile_hand_changed_is_never_called_whole() {
    let s3 = Rclone::start().await;
    s3.create_bucket(BUCKET);
    let scene = Scene::new(&s3, "tar").await;
    let other = Scene::new(&s3, "tar-other").await;
    let kept = scene.kept.as_str();
    let of_older = scene.tar(&scene.older);
    let foreign_control = content(&other.tar(&other.newer), "global/pg_control");
    let mut faults = Vec::new();
    for (case, damage) in changes(kept, &of_older, foreign_control) {
        let judged = scene.judge(case, |copy| {
            change(&copy.backup_file(&scene.newer, "data.tar"), |tar| damage(tar));
        });
        faults.extend(judged.await.fault());
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
