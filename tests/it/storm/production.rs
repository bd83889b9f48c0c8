//! Clusters that archive, keep and lose, and what can be restored of them in truth.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use test_servers::s3::S3Server;

use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::storm::dice::Dice;

/// One cluster's archive, by its folder of the bucket.
pub(super) struct Production {
    pub(super) folder: String,
    /// Of the server that it archives to.
    pub(super) host: String,
    newest: u64,
    /// Never archived, and never to be.
    missing: BTreeSet<u64>,
    /// All there ever were, with their first and last segment.
    backups: Vec<(u64, u64)>,
    kept: BTreeMap<u64, String>,
}

/// Makes each segment once: all clusters write the same ones.
pub(super) struct Mill {
    archive: MadeArchive,
    began_at: DateTime<Utc>,
    segments: BTreeMap<u64, (String, Bytes)>,
}

/// A backup takes so many segments.
const BACKUP_SEGMENTS: u64 = 2;

const BACKUPS_KEPT: usize = 2;

impl Mill {
    pub(super) fn new() -> Self {
        let archive = MadeArchive::empty();
        // Time stands still for everything but timers, so whatever is written was written long ago.
        let began_at = archive.now - TimeDelta::days(2);
        Self { archive, began_at, segments: BTreeMap::new() }
    }

    fn written_at(&self, number: u64) -> DateTime<Utc> {
        self.began_at + TimeDelta::minutes(i64::try_from(number).unwrap())
    }

    fn segment(&mut self, number: u64) -> (String, Bytes) {
        let at = self.written_at(number);
        let made = self.segments.entry(number).or_insert_with(|| {
            let key = self.archive.add_segment(number, at);
            let (content, _) = self.archive.objects.remove(&key).unwrap();
            (key, content)
        });
        made.clone()
    }
}

impl Production {
    /// With a backup, and all that it needs.
    pub(super) fn begin(folder: String, host: &str, server: &S3Server, mill: &mut Mill) -> Self {
        let mut new = Self {
            folder,
            host: host.to_owned(),
            newest: 0,
            missing: BTreeSet::new(),
            backups: Vec::new(),
            kept: BTreeMap::new(),
        };
        (0..3).for_each(|_| new.archive_segment(server, mill));
        new.take_backup(server, mill);
        new
    }

    /// A minute passes.
    pub(super) fn step(&mut self, dice: &mut Dice, server: &S3Server, mill: &mut Mill) {
        match dice.below(100) {
            0..60 => self.archive_segment(server, mill),
            60..62 => {
                self.newest += 1;
                self.missing.insert(self.newest);
                self.archive_segment(server, mill);
            }
            62..72 => {
                self.take_backup(server, mill);
                self.retain(server, mill);
            }
            _ => {}
        }
    }

    /// Whether an archive whose newest segment is this one can be restored to its end.
    pub(super) fn is_restorable_at(&self, newest: u64) -> bool {
        self.backups.iter().any(|&(first, last)| {
            last <= newest && self.missing.range(first..=newest).next().is_none()
        })
    }

    /// Whether nothing is wrong with what is kept.
    pub(super) fn is_whole(&self) -> bool {
        let oldest = *self.kept.keys().next().unwrap();
        self.missing.range(oldest..).next().is_none()
    }

    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    fn key(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    fn archive_segment(&mut self, server: &S3Server, mill: &mut Mill) {
        self.newest += 1;
        let (key, content) = mill.segment(self.newest);
        server.put_at(BUCKET, self.key(&key), content, mill.written_at(self.newest));
    }

    fn take_backup(&mut self, server: &S3Server, mill: &mut Mill) {
        let first = self.newest + 1;
        (0..BACKUP_SEGMENTS).for_each(|_| self.archive_segment(server, mill));
        let mut made = MadeArchive::empty();
        let id = made.add_backup(mill.written_at(self.newest), first, self.newest);
        for (key, (content, at)) in made.objects {
            server.put_at(BUCKET, self.key(&key), content, at);
        }
        self.backups.push((first, self.newest));
        self.kept.insert(first, id);
    }

    /// Deletes as barman does: backups first, then the WAL that no backup needs.
    fn retain(&mut self, server: &S3Server, mill: &Mill) {
        while BACKUPS_KEPT < self.kept.len() {
            let (_, id) = self.kept.pop_first().unwrap();
            let base = mill.archive.key(&format!("base/{id}/"));
            for key in server.keys(BUCKET, &self.key(&base)) {
                server.delete(BUCKET, &key);
            }
        }
        let oldest = *self.kept.keys().next().unwrap();
        for (_, (key, _)) in mill.segments.range(..oldest) {
            server.delete(BUCKET, &self.key(key));
        }
    }
}
