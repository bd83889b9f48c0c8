//! Every upper bound of a read, each with the sentence that derives it.
//!
//! Reaching one is an error of the read, never a silent cut.

use std::time::Duration;

/// Ten times the largest archive we plan for, 30 days of one segment a second (2.6 million keys).
pub const LIST_PAGES_MAX: u32 = 30_000;

/// What is missing and asked for by name in one look, a request each: as many as a person puts back
/// within a minute. Of more, each look takes others.
pub const SOUGHT_PER_LOOK_MAX: usize = 8;

/// Timelines beside the newest that were written to within a day: as many failovers in a day as
/// there are without somebody who looks at them.
pub const BRANCHES_PER_LOOK_MAX: usize = 4;

/// What is new on an older timeline since the last look: more than a minute's segments of any
/// server, and few enough to hold. The rest comes with the next look.
pub const BRANCH_KEYS_MAX: usize = 10_000;

/// S3 gives at most this many keys a page (`max-keys` of `ListObjectsV2`).
pub const LIST_KEYS_PER_PAGE: u16 = 1_000;

/// One page of an outline shows 1,000 folders of 256 segments of 16 MiB, so this covers 4 million.
pub const OUTLINE_PAGES_MAX: u32 = 16;

/// Folders that are looked into below one place, a request each: as many clusters as we plan for, and at
/// 75 ms a request, eight at once, ten seconds.
pub const SERVERS_AT_A_PLACE_MAX: usize = 1_000;

/// Folders that are looked into at once: as many requests as one look at an archive may send.
pub const SERVERS_AT_ONCE: usize = 8;

/// A million keys at 75 ms a page take 75 s one after another and 2.4 s this way, plus what the CPU
/// needs to read them.
pub const LISTS_AT_ONCE: usize = 32;

/// A page of a thousand keys as it is sent, with names of 160 bytes and what each key needs beside.
pub const LIST_PAGE_BYTES: u64 = 512 << 10;

/// A page of a thousand keys of 1,024 bytes, S3's longest, each byte of them written as `%XX`, with a
/// kilobyte of XML around each, and a prefix and tokens of up to 32 KiB each.
pub const LIST_ANSWER_BYTES_MAX: u64 = 4 << 20;

/// Answers over [`LIST_PAGE_BYTES`] that are read from a store at once: what a store can occupy so,
/// 16 MiB, is as much as one complete listing.
pub const LARGE_LISTINGS_AT_A_STORE: usize = 4;

/// `ListBucketResult`, `Contents`, `Owner`, `ID`: S3 nests four elements, and another server will not
/// nest many more.
pub const LIST_ANSWER_DEPTH_MAX: usize = 16;

/// S3's own messages are a sentence or two; what goes on longer is for nobody to read.
pub const STORE_TEXT_CHARS_MAX: usize = 200;

/// A sentence about one key, which has up to 1,024 bytes.
pub const ERROR_CHARS_MAX: usize = 1_200;

/// Errors of S3 are XML of less than 2 KiB, and most pages that a proxy puts in their place fit as
/// well.
pub const ERROR_ANSWER_BYTES_MAX: u64 = 64 << 10;

/// A range costs up to one request more than its keys need; 16 folders hold up to 4,096 segments,
/// so that is at most a fifth.
pub const RANGE_FOLDERS_MIN: usize = 16;

/// A folder with a million entries takes about 100 MB while it is sorted.
pub const DIRECTORY_ENTRIES_MAX: usize = 1_000_000;

/// About 3 KiB, and up to 1.2 KiB for each tablespace with the longest path Linux allows.
pub const BACKUP_INFO_BYTES_MAX: u64 = 1 << 20;

/// A line for each ancestor, about 60 bytes: room for a thousand promotions.
pub const HISTORY_BYTES_MAX: u64 = 64 << 10;

/// Holds `full`, `standalone` or nothing (`KeepManager` in `barman/annotations.py`).
pub const KEEP_ANNOTATION_BYTES_MAX: u64 = 1 << 10;

/// `xz -9` needs 65 MiB to decode; Barman writes preset 3, which needs 5 MiB.
pub const XZ_MEMORY_BYTES_MAX: u64 = 128 << 20;

/// `zstd` without `--long` or `--ultra` writes windows of at most 8 MiB; 2^27 bytes is what its own
/// decoder accepts by default.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Access keys are shorter than 200 bytes; anything larger is the wrong file.
pub const CREDENTIAL_FILE_BYTES_MAX: u64 = 4 << 10;

/// Instance metadata is one hop away, or not there at all.
pub const INSTANCE_METADATA: Duration = Duration::from_secs(1);

/// What a directory's files are read in: enough to be worth handing from one thread to another. As many
/// bytes lie between store and decoder as of an answer of S3.
pub const BODY_CHUNK_BYTES: usize = 512 << 10;

/// The same where one thread reads and decodes: little enough to stay in the processor's own memory until it is
/// looked at, and enough that asking for it costs nothing beside reading it.
pub const FILE_PIECE_BYTES: usize = 64 << 10;

/// A slow disk or a mounted bucket answers a page of names or a piece of a file within this, or
/// hangs.
pub const DIRECTORY_CALL: Duration = Duration::from_secs(60);

/// One archive: a cold listing of 10 million keys, 32 pages at a time, at 0.3 s a page, takes 95 s;
/// this leaves room for retries and for opening what was listed.
pub const ARCHIVE_READ: Duration = Duration::from_secs(15 * 60);

/// How long one call to an object store may take, in all its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Patience {
    /// To a connection, TLS included: several lost packets on a long route.
    pub connect: Duration,
    /// From a request to the head of its answer; Amazon lists within this even where many
    /// delete markers lie in the way, save for pathological buckets.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub next_byte: Duration,
    /// One attempt, without the body of an object.
    pub attempt: Duration,
    /// All attempts and the pauses between them, without the body of an object.
    pub call: Duration,
    pub attempts_max: u32,
    /// The first pause; each further one is twice as long, less a random part.
    pub pause_first: Duration,
    pub pause_max: Duration,
    /// A body slower than this on the whole is given up.
    pub bytes_per_second_min: u64,
}

/// What the daemon grants an object store.
pub const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(30),
    next_byte: Duration::from_secs(20),
    attempt: Duration::from_secs(40),
    call: Duration::from_secs(120),
    attempts_max: 4,
    pause_first: Duration::from_millis(500),
    pause_max: Duration::from_secs(10),
    bytes_per_second_min: 256 << 10,
};

impl Patience {
    /// How long the body of an object of this size may take.
    pub const fn body(&self, bytes: u64) -> Duration {
        let seconds = match bytes.checked_div(self.bytes_per_second_min) {
            Some(seconds) => seconds,
            None => bytes,
        };
        self.first_byte.saturating_add(Duration::from_secs(seconds))
    }
}

/// The most an object that holds one segment of this size can take.
///
/// No codec of Barman's lets incompressible data grow by more than bzip2's 1 % and 600 bytes.
pub const fn segment_object_bytes_max(segment_bytes: u64) -> u64 {
    segment_bytes.saturating_add(segment_bytes / 64).saturating_add(4 << 10)
}

/// One byte more than a segment has, so that an overlong one is told from a whole one.
pub const fn segment_content_bytes_max(segment_bytes: u64) -> u64 {
    segment_bytes.saturating_add(1)
}

/// Small objects read at the same time: enough to hide the latency of a month of `backup.info`
/// files after a start, and no burst that a store would throttle.
pub const BACKUPS_AT_ONCE: usize = 8;

/// Hourly backups, as a five-field schedule makes them, kept for a year are 8,760.
pub const BACKUPS_MAX: usize = 10_000;

/// Every promotion leaves one; a thousand is a failover a day for three years.
pub const HISTORIES_MAX: usize = 1_000;

/// Each is about a hundred bytes, those of a quiet stretch together.
///
/// A steady archive needs one or two, one whose every backup is stranded before a hole of its own two
/// for each, and a quiet one as many as it closed without a transaction: a month of
/// `archive_timeout` is eight thousand.
pub const fn probes_remembered_max(backups: usize) -> usize {
    16_384_usize.saturating_add(backups.saturating_mul(2))
}

/// Segments opened in one look at an archive.
///
/// Twice what a month of daily backups can want, each with a reach of its own, and less than ten
/// seconds of a minute's poll. Until a later look comes to the rest, a window ends at an upload,
/// and says so.
pub const SEGMENTS_PER_LOOK: usize = 64;

/// The same for a command that looks once: two nights and a weekend without a transaction, at a segment
/// every five minutes.
pub const SEGMENTS_PER_LONE_LOOK: usize = 1024;

/// What answers of all stores may take in memory at once: four listings of 32 pages each, or
/// two segments that are decoded.
pub const BYTES_IN_FLIGHT_MAX: usize = 64 << 20;

/// Segments of one store that are read at once: each takes a thread, and two of them leave a
/// quarter of the bytes in flight to other stores.
pub const SEGMENTS_OPEN_AT_A_STORE: usize = 2;

/// Runs of segments that are read side by side when all are: as many as can be open at once, and one
/// that waits.
pub const RUNS_AT_ONCE: usize = 3;

/// Tar files of one backup that are read side by side: a large one decodes on two threads by itself.
pub const TARS_AT_ONCE: usize = 2;

/// Twice what PostgreSQL can keep in a tablespace of one table of 32 TiB; it bounds how long a crafted
/// object is decoded, not memory.
pub const TAR_BYTES_MAX: u64 = 64 << 40;

/// A pod on a busy node, which decodes bzip2 by the slower decoder, reads no fewer stored bytes a second.
pub const JOB_BYTES_PER_SECOND_MIN: u64 = 4 << 20;

/// To list an archive of a million segments, and for what else does not depend on the backup's size.
pub const JOB_BEGINS: Duration = Duration::from_mins(10);

/// What is expected of a Job is exceeded so many times by one that reads a damaged backup: by the fast
/// decoder, by the other one, and once more for its digest.
pub const JOB_PATIENCE: u32 = 3;

/// So many that cannot be read end a run of segments: each may take all the patience that there is.
pub const UNREAD_IN_A_RUN_MAX: usize = 3;

/// Of segments that could not be read these are named; a store that is down fails them all alike.
pub const UNREAD_SEGMENTS_MAX: usize = 20;

/// Chunks between a store and a decoder: enough that neither waits for the other, and up to a
/// megabyte, as an answer of S3 comes in at most 400 KiB at a time.
pub const CHUNKS_WAITING_MAX: usize = 2;

/// What decoding an object takes, whatever its size: 24 MB with bzip2, which holds blocks of 900 kB
/// as they are stored, sorted and decoded, and the most of what Barman writes.
pub const DECODER_BYTES: u64 = 24 << 20;

/// Threads of the event loop, however many cores the node has.
///
/// Tasks mostly wait, and each further thread costs an arena of glibc's
/// allocator: of a thousand archives a second one keeps 20 MB more that lie idle.
pub const WORKER_THREADS: usize = 1;

/// Archives of one store read at the same time. Most of a look is waiting: at 75 ms for a list, a
/// thousand archives take five seconds of a minute's poll.
pub const LOOKS_AT_A_STORE: usize = 16;

/// Archives of one store of which everything is listed at the same time: two keep two cores busy.
/// What is read shortly does not wait for them.
pub const COMPLETE_LISTINGS_AT_A_STORE: usize = 2;

/// To the API server's connection, TLS included.
pub const KUBERNETES_CONNECT: Duration = Duration::from_secs(5);

/// One watch; the server ends it then. A connection that died silently is noticed that late, and
/// four watches a minute are nothing to a server.
pub const KUBERNETES_WATCH_SECONDS: u32 = 60;

/// Between two pieces of an answer: longer than a watch may be silent.
pub const KUBERNETES_READ: Duration = Duration::from_secs(75);

/// What a watch saw is relied on for this long after the server could last be asked: two restarts
/// of an API server, and shorter than any age that is judged by default.
pub const KUBERNETES_STALE: Duration = Duration::from_mins(5);

/// Objects in one page of a list: 2 MB of clusters as they are with their managed fields.
pub const KUBERNETES_PAGE: u32 = 250;

/// Results of restore drills that are kept of a cluster: as many as the page shows, and two years of
/// drills each quarter.
pub const DRILL_REPORTS: usize = 10;

/// One call that is no list and no watch.
pub const KUBERNETES_CALL: Duration = Duration::from_secs(10);

/// What a container logs between two looks: PostgreSQL and the plugin write a few hundred bytes for each
/// segment, and replay some hundred a second.
pub const POD_LOG_BYTES_MAX: i64 = 4 << 20;

/// Names, a target and a sentence: less than a kilobyte.
pub const DUE_DRILL_BYTES_MAX: usize = 16 << 10;

/// The results of 500 clusters, ten of each.
pub const DRILL_RESULTS_MAX: u32 = 5_000;

/// A Secret that was rotated is noticed within this, without an error of the store within it.
pub const SECRET_FRESH: Duration = Duration::from_secs(60);

/// A store that refuses our keys makes us look at the Secret again, but not more often.
pub const SECRET_AGAIN: Duration = Duration::from_secs(5);

/// Secrets read at the same time.
pub const SECRETS_AT_ONCE: usize = 8;

/// Instances asked for their metrics at the same time.
pub const PRIMARIES_AT_ONCE: usize = 16;

/// A primary in the same cluster answers in milliseconds; this is not worth a wait.
pub const INSTANCE_METRICS: Duration = Duration::from_secs(2);

/// An instance with thousands of relations in custom queries exports a few megabytes.
pub const INSTANCE_METRICS_BYTES_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gets_time_by_its_size() {
        assert_eq!(PATIENCE.body(0), PATIENCE.first_byte);
        assert_eq!(PATIENCE.body(16 << 20), PATIENCE.first_byte + Duration::from_secs(64));
    }

    #[test]
    fn incompressible_segments_fit() {
        for megabytes in [1_u64, 16, 1024] {
            let segment = megabytes << 20;
            let bzip2 = segment + segment / 100 + 600;
            assert!(bzip2 <= segment_object_bytes_max(segment), "{megabytes} MiB");
        }
    }
}
