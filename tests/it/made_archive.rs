//! Archives that are made up: the objects that barman would have stored, with WAL that can be read.
//!
//! Segments have 1 MiB unless it is said otherwise, so that opening one costs little.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use bzip2::Compression;
use bzip2::write::BzEncoder;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::config::ArchiveConfig;
use cnpg_backup_verifier::config::ExpectationConfig;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::object_key::ServerFolder;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::sources::store::memory::MemoryStore;
use test_servers::s3::S3Server;

pub(crate) const BUCKET: &str = "backups";
pub(crate) const SERVER_NAME: &str = "pg";
const SYSTEM_IDENTIFIER: u64 = 7_000_000_000_000_000_001;
const MEGABYTE: usize = 1 << 20;

/// What is stored under one server name, by key.
#[derive(Clone, Debug)]
pub(crate) struct MadeArchive {
    pub(crate) prefix: String,
    /// When the newest segment was uploaded, unless it is said otherwise.
    pub(crate) now: DateTime<Utc>,
    pub(crate) objects: BTreeMap<String, (Bytes, DateTime<Utc>)>,
    size: SegmentSize,
    /// What is stored behind the first megabyte of each segment.
    rest: Bytes,
    /// What is stored of one of these megabytes.
    rest_of_one: Bytes,
    /// Each base backup holds a file of so many of them.
    large_file: Option<usize>,
}

impl MadeArchive {
    pub(crate) fn empty() -> Self {
        Self::under("")
    }

    pub(crate) fn under(prefix: &str) -> Self {
        let now = clock::now() - TimeDelta::seconds(5);
        let size = SegmentSize::new(MEGABYTE as u64).unwrap();
        let (prefix, objects) = (prefix.to_owned(), BTreeMap::new());
        let (rest, rest_of_one) = (Bytes::new(), Bytes::new());
        Self { prefix, now, objects, size, rest, rest_of_one, large_file: None }
    }

    /// Segments of this size from now on, with nothing behind their one commit.
    pub(crate) fn with_segments_of(self, megabytes: usize) -> Self {
        self.filled_with(megabytes, &[0; MEGABYTE])
    }

    /// Segments of this size from now on, that compress badly.
    pub(crate) fn with_noisy_segments_of(self, megabytes: usize) -> Self {
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        };
        let noise: Vec<u8> = (0..MEGABYTE).map(|_| byte()).collect();
        self.filled_with(megabytes, &noise)
    }

    fn filled_with(mut self, megabytes: usize, megabyte: &[u8]) -> Self {
        self.size = SegmentSize::new((megabytes * MEGABYTE) as u64).unwrap();
        self.rest_of_one = compressed(megabyte);
        self.rest = self.rest_of_one.repeat(megabytes - 1).into();
        self
    }

    /// With a file of this size in each base backup from now on, filled as the segments are.
    pub(crate) fn with_large_files_of(self, megabytes: usize) -> Self {
        Self { large_file: Some(megabytes), ..self }
    }

    /// Two good backups and every segment, one a minute, from the first to this one.
    pub(crate) fn healthy(newest: u64) -> Self {
        Self::empty().with_healthy(newest)
    }

    pub(crate) fn with_healthy(mut self, newest: u64) -> Self {
        self.add_healthy(newest);
        self
    }

    pub(crate) fn add_healthy(&mut self, newest: u64) {
        for number in 1..=newest {
            self.add_segment(number, self.minutes_ago(newest - number));
        }
        self.add_backup(self.minutes_ago(newest - 3), 2, 3);
        self.add_backup(self.minutes_ago(newest / 2), newest / 2, newest / 2 + 1);
    }

    pub(crate) fn minutes_ago(&self, minutes: u64) -> DateTime<Utc> {
        self.now - TimeDelta::minutes(i64::try_from(minutes).unwrap())
    }

    /// A segment of the first timeline, with a commit two seconds before its upload.
    pub(crate) fn add_segment(&mut self, number: u64, uploaded_at: DateTime<Utc>) -> String {
        let key = self.segment_key(1, number);
        let content = self.stored_segment(1, number, uploaded_at - TimeDelta::seconds(2));
        self.objects.insert(key.clone(), (content, uploaded_at));
        key
    }

    pub(crate) fn add_segment_of(&mut self, timeline: u32, number: u64) {
        let key = self.segment_key(timeline, number);
        let content = self.stored_segment(timeline, number, self.now);
        self.objects.insert(key, (content, self.now));
    }

    fn stored_segment(&self, timeline: u32, number: u64, committed_at: DateTime<Utc>) -> Bytes {
        let head = segment(timeline, number, self.size, committed_at);
        [compressed(&head), self.rest.clone()].concat().into()
    }

    /// A timeline that forked from the first one, in this segment.
    pub(crate) fn add_history(&mut self, timeline: u32, fork: u64) {
        let id = TimelineId::new(timeline).unwrap();
        let key = self.folder().history(id, Codec::None);
        let at = SegmentNumber::new(fork).start(self.size).saturating_add(0x100);
        let text = format!("1\t{at}\tno recovery target specified\n");
        self.objects.insert(key, (text.into(), self.now));
    }

    /// A finished backup that ended at this time, and its id.
    pub(crate) fn add_backup(&mut self, ended_at: DateTime<Utc>, first: u64, last: u64) -> String {
        let began_at = ended_at - TimeDelta::seconds(30);
        let id = began_at.format("%Y%m%dT%H%M%S").to_string();
        let info = self.backup_info(began_at, ended_at, first, last);
        self.add(&format!("base/{id}/backup.info"), info, ended_at);
        let tar = self.tar(first);
        self.add(&format!("base/{id}/data.tar.bz2"), tar, ended_at);
        id
    }

    /// What a base backup cannot be without, and nothing else.
    fn tar(&self, first: u64) -> Bytes {
        let start = SegmentNumber::new(first);
        let name = start.name(TimelineId::FIRST, self.size);
        let begin = start.start(self.size).saturating_add(40);
        let label = format!("START WAL LOCATION: {begin} (file {name})\nBACKUP FROM: primary\n");
        let mut control = SYSTEM_IDENTIFIER.to_le_bytes().to_vec();
        control.resize(288, 0);
        control.extend(crc32c::crc32c(&control).to_le_bytes());
        control.resize(8192, 0);
        let mut map = 0x0059_2717_u32.to_le_bytes().to_vec();
        map.resize(504, 0);
        map.extend(crc32c::crc32c(&map).to_le_bytes());
        map.resize(512, 0);
        let large = self.large_file.map(|megabytes| member_header("base/5/16384", megabytes << 20));
        let members = [
            member("PG_VERSION", b"15\n"),
            member("global/pg_control", &control),
            member("global/pg_filenode.map", &map),
            large.unwrap_or_default(),
        ];
        let noise = self.rest_of_one.repeat(self.large_file.unwrap_or_default());
        let end = [member("backup_label", label.as_bytes()), vec![0; 1024]].concat();
        [&compressed(&members.concat())[..], &noise, &compressed(&end)].concat().into()
    }

    fn backup_info(
        &self,
        began_at: DateTime<Utc>,
        ended_at: DateTime<Utc>,
        first: u64,
        last: u64,
    ) -> String {
        let name = |number| SegmentNumber::new(number).name(TimelineId::FIRST, self.size);
        let lsn =
            |number, offset| SegmentNumber::new(number).start(self.size).saturating_add(offset);
        format!(
            "backup_label='START WAL LOCATION: 0/0 (file 0)\\nBACKUP FROM: primary\\n'\n\
             begin_offset=40\nbegin_time={}\nbegin_wal={}\nbegin_xlog={}\ncompression=None\n\
             end_offset=312\nend_time={}\nend_wal={}\nend_xlog={}\nerror=None\nserver_name=cloud\n\
             status=DONE\nsystemid={SYSTEM_IDENTIFIER}\ntablespaces=None\ntimeline=1\n\
             version=150020\nxlog_segment_size={}\n",
            began_at.format("%Y-%m-%d %H:%M:%S%.6f%:z"),
            name(first),
            lsn(first, 40),
            ended_at.format("%Y-%m-%d %H:%M:%S%.6f%:z"),
            name(last),
            lsn(last, 312),
            self.size.bytes(),
        )
    }

    /// Any object, by its path below the server's folder.
    pub(crate) fn add(
        &mut self,
        path: &str,
        content: impl Into<Bytes>,
        uploaded_at: DateTime<Utc>,
    ) -> String {
        let key = self.key(path);
        self.objects.insert(key.clone(), (content.into(), uploaded_at));
        key
    }

    pub(crate) fn key(&self, path: &str) -> String {
        format!("{}{path}", self.folder().as_str())
    }

    pub(crate) fn segment_key(&self, timeline: u32, number: u64) -> String {
        let timeline = TimelineId::new(timeline).unwrap();
        let name = SegmentNumber::new(number).name(timeline, self.size);
        self.folder().segment(name, Codec::Bzip2)
    }

    pub(crate) fn without_segment(mut self, number: u64) -> Self {
        let key = self.segment_key(1, number);
        assert!(self.objects.remove(&key).is_some(), "{key}");
        self
    }

    pub(crate) fn folder(&self) -> ServerFolder {
        ServerFolder::new(&self.prefix, SERVER_NAME)
    }

    pub(crate) fn in_memory(&self) -> MemoryStore {
        let store = MemoryStore::default();
        for (key, (content, uploaded_at)) in &self.objects {
            store.put_at(key, content.clone(), *uploaded_at);
        }
        store
    }

    /// Stores it in a bucket, which may be new.
    pub(crate) fn put_into(&self, server: &S3Server) {
        server.create_bucket(BUCKET);
        for (key, (content, uploaded_at)) in &self.objects {
            server.put_at(BUCKET, key, content.clone(), *uploaded_at);
        }
    }

    /// As it would be configured, held to the usual ages.
    pub(crate) fn config(&self, endpoint_url: Option<String>) -> ArchiveConfig {
        ArchiveConfig {
            id: ArchiveId {
                namespace: "databases".to_owned(),
                cluster: SERVER_NAME.to_owned(),
                server_name: SERVER_NAME.to_owned(),
            },
            address: ArchiveAddress {
                store: StoreAddress::S3 {
                    bucket: BUCKET.to_owned(),
                    endpoint_url,
                    region: "auto".to_owned(),
                },
                prefix: self.prefix.clone(),
                server_name: SERVER_NAME.to_owned(),
            },
            retention_policy: None,
            schedule: None,
            expectations: ExpectationConfig {
                wal_age_max: Some(TimeDelta::minutes(15)),
                uploading_grace: Some(TimeDelta::minutes(10)),
                ..ExpectationConfig::default()
            },
        }
    }
}

/// The first megabyte of a segment with one commit, after which the server switched to the next.
pub(crate) fn segment(
    timeline: u32,
    number: u64,
    size: SegmentSize,
    committed_at: DateTime<Utc>,
) -> Vec<u8> {
    let start = SegmentNumber::new(number).start(size).value();
    let mut bytes = Vec::with_capacity(MEGABYTE);
    bytes.extend(0xD110_u16.to_le_bytes());
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(timeline.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(SYSTEM_IDENTIFIER.to_le_bytes());
    bytes.extend(u32::try_from(size.bytes()).unwrap().to_le_bytes());
    bytes.extend(8192_u32.to_le_bytes());
    let commit = start + bytes.len() as u64;
    let since_2000 = committed_at.timestamp_micros() - 946_684_800_000_000;
    let body = [&[255, 8][..], &since_2000.to_le_bytes()].concat();
    // The switch that ended the segment before.
    let previous = start.saturating_sub(size.bytes()) + SWITCH_OFFSET;
    bytes.extend(record(previous, 1, 0, &body));
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    assert_eq!(bytes.len() as u64, SWITCH_OFFSET);
    bytes.extend(record(commit, 0, 0x40, &[]));
    bytes.resize(MEGABYTE, 0);
    bytes
}

/// Where in each segment its last record begins.
const SWITCH_OFFSET: u64 = 80;

fn record(previous: u64, resource_manager: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    record.extend(u32::try_from(24 + body.len()).unwrap().to_le_bytes());
    record.extend(7_u32.to_le_bytes());
    record.extend(previous.to_le_bytes());
    record.extend([flags, resource_manager, 0, 0]);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(body), &record);
    record.extend(checksum.to_le_bytes());
    record.extend(body);
    record
}

fn compressed(bytes: &[u8]) -> Bytes {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::new(5));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

/// A member of a tar file, filled up to whole blocks.
fn member(path: &str, content: &[u8]) -> Vec<u8> {
    let mut member = member_header(path, content.len());
    member.extend(content);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// In the form of POSIX (`ustar`).
fn member_header(path: &str, size: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, path);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
