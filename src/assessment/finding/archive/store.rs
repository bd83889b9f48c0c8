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
    /// Its lists are not those that Barman and we rely on.
    ListingUnusable(Unreadable),
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
pub(super) const COLD_HINT: &str = "remove the lifecycle rule for this prefix, thaw or copy back \
                                    what is needed, then TAKE_A_BACKUP";

impl Family for StoreDefect {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::Empty { .. } => (FindingCode::ArchiveEmpty, Topic::Whole),
            Self::NotFound(_) => (FindingCode::ArchiveNotFound, Topic::Whole),
            Self::Unreachable(unread) => (FindingCode::StoreUnreachable, Topic::Read(&unread.what)),
            Self::Denied(unread) => (FindingCode::StoreDenied, Topic::Read(&unread.what)),
            Self::ListingUnusable(unread) => {
                (FindingCode::ListingUnusable, Topic::Read(&unread.what))
            }
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
                "give the folder that holds base/ and wals/: the ObjectStore's destinationPath, \
                 then the server name"
            }
            Self::Unreachable(unread) => unreachable(unread.reason),
            Self::Denied(_) => {
                "check that there is a token, that it has not expired, and that it may list and read this bucket"
            }
            Self::ListingUnusable(_) => {
                "let the store list by ListObjectsV2 and in the byte order of the keys, or keep the \
                 backups in one that does"
            }
            Self::ClockSkew(_) => {
                "check the clock of this machine, then that of the store; the age of WAL is judged \
                 by the store's clock, that of base backups by ours"
            }
            Self::HeadUnusable(HeadTrouble::Refused) => {
                "allow the token to read objects, or set polling: list; HEAD is tried again after \
                 a restart"
            }
            Self::HeadUnusable(HeadTrouble::Invents) => {
                "find out what answers in the store's place, or set polling: list; HEAD is tried \
                 again after a restart"
            }
            Self::ClockUnreliable(_) => {
                "check the clock of this machine, then that of the store and of any proxy or cache \
                 in front of it; until it is mended, look at pg_stat_archiver yourself"
            }
            Self::NotAllowed(_) => {
                "correct the archive's endpoint, or add it to object_stores.allowed in the \
                 configuration"
            }
            Self::ColdWal { .. } => COLD_HINT,
            Self::Infrequent => {
                "a restore reads all of it: budget for that, or remove the lifecycle rule"
            }
            Self::Unencrypted { .. } => {
                "use https, or list the endpoint in object_stores.allowed if this is intended"
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
            Self::Unreachable(unread)
            | Self::Denied(unread)
            | Self::ListingUnusable(unread)
            | Self::NotAllowed(unread) => {
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
                write!(f, "the store's clock is {} of ours", apart(*ahead, "ahead", "behind"))
            }
            Self::HeadUnusable(HeadTrouble::Refused) => f.write_str(
                "the store refuses HEAD but answers LIST, so every look uses LIST, which costs \
                 more",
            ),
            Self::HeadUnusable(HeadTrouble::Invents) => f.write_str(
                "the store answers HEAD for segments that it does not list, so every look uses \
                 LIST, which costs more",
            ),
            Self::ClockUnreliable(doubt) => write!(
                f,
                "there is no telling how old the newest WAL is: {doubt}; the store's clock is \
                 wrong, or ours"
            ),
            Self::Unreachable(unread)
            | Self::Denied(unread)
            | Self::ListingUnusable(unread)
            | Self::NotAllowed(unread) => unread.fmt(f),
            Self::ColdWal { first, last, count } => write!(
                f,
                "{} in a storage class that must be thawed before a restore, from {first} to \
                 {last}; a lifecycle rule of the bucket is the likely cause",
                segments(u64::try_from(*count).unwrap_or(u64::MAX))
            ),
            Self::Infrequent => f.write_str(
                "a part of the archive is in a storage class for infrequent access: it can be read \
                 at once, but each read is billed",
            ),
            Self::Unencrypted { endpoint } => {
                write!(f, "{endpoint} is read over a public network without encryption")
            }
        }
    }
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FutureUpload { uploaded_at, by } => {
                let (uploaded_at, by) = (time(*uploaded_at), duration(*by));
                write!(
                    f,
                    "an upload is dated {uploaded_at}, which is {by} from now by the store's \
                           own clock"
                )
            }
            Self::Moved { by } => {
                let apart = apart(*by, "forward", "back");
                write!(f, "between two answers the store's clock moved {apart} against ours")
            }
        }
    }
}

const fn unreachable(reason: UnreadableReason) -> &'static str {
    match reason {
        UnreadableReason::Parse => "the store answers, but not the way S3 does: see what it said",
        UnreadableReason::Dns => "check the spelling of the endpoint's host, and DNS from here",
        UnreadableReason::Refused => {
            "the host is up but nothing listens there: check the endpoint's port, and whether the \
             store is running"
        }
        UnreadableReason::Tls => {
            "the authority that signed the store's certificate is not known here: allow the backup \
             verifier to read Secrets, so that it can use the ObjectStore's endpointCA, or mount \
             the authority's certificate and set SSL_CERT_FILE"
        }
        UnreadableReason::NotFound => {
            "check the name of the bucket, or that the directory exists and is mounted here"
        }
        UnreadableReason::Auth
        | UnreadableReason::Timeout
        | UnreadableReason::Throttled
        | UnreadableReason::Listing
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
