//! What is wrong with the place where an archive should be.

use std::fmt;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::archive::address;
use crate::assessment::finding::archive::address::WrongAddress;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::duration;
use crate::assessment::finding::words::segments;
use crate::assessment::finding::words::time;
use crate::domain::segment::SegmentName;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::HeadTrouble;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreDefect {
    /// It was read, and nothing is there.
    Empty {
        address: String,
        /// Archives that lie near.
        nearby: Vec<String>,
    },
    /// There is something else.
    NotFound(WrongAddress),
    Unreachable(Unreadable),
    Denied(Unreadable),
    /// How far its clock is ahead of ours; ages are told by it all the same.
    ClockSkew(TimeDelta),
    /// No age can be told by its clock.
    ClockUnreliable(ClockDoubt),
    /// Lists are read instead.
    HeadUnusable(HeadTrouble),
    /// We do not ask it.
    NotAllowed(Unreadable),
    /// WAL that must be thawed before it is read.
    ColdWal {
        first: SegmentName,
        last: SegmentName,
        count: usize,
    },
    /// Some of it is in a class of which each read is billed.
    Infrequent,
    /// Everything goes over a public network as it is.
    Unencrypted {
        endpoint: String,
    },
}

/// Why the store's clock is not believed. Ours is as much in question: the two disagree with
/// themselves or with each other, and nothing here tells which is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDoubt {
    /// Something is stamped so much later than the store's own time.
    FutureUpload { uploaded_at: DateTime<Utc>, by: TimeDelta },
    /// Between two answers its clock went on so much more than ours; negative is less.
    Moved { by: TimeDelta },
}

/// Of what lies in a cold class.
pub(super) const COLD_HINT: &str = "take the lifecycle rule for this prefix away, thaw or copy back \
                                    what is needed, then TAKE_A_BACKUP";

impl Family for StoreDefect {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::Empty { .. } => (FindingCode::ArchiveEmpty, Topic::Whole),
            Self::NotFound(_) => (FindingCode::ArchiveNotFound, Topic::Whole),
            Self::Unreachable(unread) => (FindingCode::StoreUnreachable, Topic::Read(&unread.what)),
            Self::Denied(unread) => (FindingCode::StoreDenied, Topic::Read(&unread.what)),
            Self::ClockSkew(_) => (FindingCode::ClockSkew, Topic::Whole),
            Self::ClockUnreliable(_) => (FindingCode::ClockUnreliable, Topic::Whole),
            Self::HeadUnusable(_) => (FindingCode::HeadUnusable, Topic::Whole),
            Self::NotAllowed(unread) => {
                (FindingCode::EndpointNotAllowed, Topic::Read(&unread.what))
            }
            Self::ColdWal { .. } => (FindingCode::StorageClassCold, Topic::Whole),
            Self::Infrequent => (FindingCode::StorageClassInfrequent, Topic::Whole),
            Self::Unencrypted { .. } => (FindingCode::EndpointUnencrypted, Topic::Whole),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Empty { .. } => {
                "check bucket, path and server name; a new cluster has an empty archive until its \
                 first segment is archived"
            }
            Self::NotFound(_) => {
                "name the folder that holds base/ and wals/: destinationPath of the ObjectStore, then \
                 the server name"
            }
            Self::Unreachable(unread) => unreachable(unread.reason),
            Self::Denied(_) => {
                "check that the token exists, is not expired and may list and read this bucket"
            }
            Self::ClockSkew(_) => {
                "see whether the clock of this machine is set, then that of the store; WAL is \
                 judged by the store's, base backups by ours"
            }
            Self::HeadUnusable(HeadTrouble::Refused) => {
                "let the token read objects, or set polling: list; HEAD is asked again after a \
                 restart"
            }
            Self::HeadUnusable(HeadTrouble::Invents) => {
                "find out what answers in the store's place, or set polling: list; HEAD is asked \
                 again after a restart"
            }
            Self::ClockUnreliable(_) => {
                "see whether the clock of this machine is set, then that of the store and of \
                 whatever answers in its place; until then look at pg_stat_archiver yourself"
            }
            Self::NotAllowed(_) => {
                "correct the endpoint of the archive, or add it to object_stores.allowed of this \
                 program"
            }
            Self::ColdWal { .. } => COLD_HINT,
            Self::Infrequent => {
                "a restore reads all of it: count its price in, or take the lifecycle rule away"
            }
            Self::Unencrypted { .. } => {
                "use https, or name the endpoint in object_stores.allowed if this is meant"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::Empty { address, .. } | Self::NotFound(WrongAddress { address, .. }) => {
                vec![("address", address.clone())]
            }
            Self::ColdWal { first, last, count } => vec![
                ("first", first.to_string()),
                ("last", last.to_string()),
                ("count", count.to_string()),
            ],
            Self::Infrequent => Vec::new(),
            Self::Unencrypted { endpoint } => vec![("endpoint", endpoint.clone())],
            Self::Unreachable(unread) | Self::Denied(unread) | Self::NotAllowed(unread) => {
                vec![("reason", unread.reason.code().to_owned())]
            }
            Self::HeadUnusable(HeadTrouble::Refused) => vec![("kind", "refused".to_owned())],
            Self::HeadUnusable(HeadTrouble::Invents) => vec![("kind", "invents".to_owned())],
            Self::ClockSkew(ahead) => vec![("ahead_seconds", seconds(*ahead))],
            Self::ClockUnreliable(ClockDoubt::FutureUpload { uploaded_at, by }) => vec![
                ("kind", "future_upload".to_owned()),
                ("uploaded_at", time(*uploaded_at)),
                ("ahead_seconds", seconds(*by)),
            ],
            Self::ClockUnreliable(ClockDoubt::Moved { by }) => {
                vec![("kind", "moved".to_owned()), ("moved_seconds", seconds(*by))]
            }
        }
    }
}

impl fmt::Display for StoreDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { address, nearby } => {
                write!(f, "nothing is stored under {address}{}", address::nearby(nearby))
            }
            Self::NotFound(wrong) => wrong.fmt(f),
            Self::ClockSkew(ahead) => {
                write!(f, "the clock of the store is {} of ours", apart(*ahead, "ahead", "behind"))
            }
            Self::HeadUnusable(HeadTrouble::Refused) => f.write_str(
                "the store refuses HEAD and answers LIST, so each look sends the dearer LIST",
            ),
            Self::HeadUnusable(HeadTrouble::Invents) => f.write_str(
                "to HEAD the store shows segments that it does not list, so each look sends the \
                 dearer LIST",
            ),
            Self::ClockUnreliable(doubt) => write!(
                f,
                "nobody can tell how old the newest WAL is: {doubt}; the clock of the store is \
                 wrong, or ours"
            ),
            Self::Unreachable(unread) | Self::Denied(unread) | Self::NotAllowed(unread) => {
                unread.fmt(f)
            }
            Self::ColdWal { first, last, count } => write!(
                f,
                "{} in a storage class that must be thawed before a restore, from {first} to \
                 {last}; a lifecycle rule of the bucket is the likely cause",
                segments(u64::try_from(*count).unwrap_or(u64::MAX))
            ),
            Self::Infrequent => f.write_str(
                "a part of the archive is in a storage class for infrequent access: it is read at \
                 once, and each read is billed",
            ),
            Self::Unencrypted { endpoint } => {
                write!(f, "{endpoint} is asked over a public network without encryption")
            }
        }
    }
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FutureUpload { uploaded_at, by } => {
                let (uploaded_at, by) = (time(*uploaded_at), duration(*by));
                write!(f, "an upload is of {uploaded_at}, {by} from now by the store's own time")
            }
            Self::Moved { by } => {
                let apart = apart(*by, "forward", "back");
                write!(f, "between two answers the store's time moved {apart} against ours")
            }
        }
    }
}

const fn unreachable(reason: UnreadableReason) -> &'static str {
    match reason {
        UnreadableReason::Parse => {
            "the store answers, but not as S3 does: look at what it said; lists are read by \
             ListObjectsV2, in byte order"
        }
        UnreadableReason::Dns => {
            "check how the endpoint's host is written, and the name service from here"
        }
        UnreadableReason::Refused => {
            "the host is there and nothing listens: check the endpoint's port, and whether the store \
             runs"
        }
        UnreadableReason::Tls => {
            "the authority that signed the store's certificate is not known here: let this program \
             read Secrets, and endpointCA of the ObjectStore is used, or mount the authority's \
             certificate and set SSL_CERT_FILE"
        }
        UnreadableReason::NotFound => {
            "check the name of the bucket, or whether the directory is there and mounted here"
        }
        UnreadableReason::Auth
        | UnreadableReason::Timeout
        | UnreadableReason::Throttled
        | UnreadableReason::NotAllowed
        | UnreadableReason::Internal => "check the endpoint and the network from here",
    }
}

fn apart(by: TimeDelta, forward: &str, back: &str) -> String {
    let direction = if by < TimeDelta::zero() { back } else { forward };
    format!("{} {direction}", duration(by.abs()))
}

fn seconds(duration: TimeDelta) -> String {
    duration.num_seconds().to_string()
}
