//! What is wrong with the place where an archive should be.

use std::fmt;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::domain::unreadable::Unreadable;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreDefect {
    /// It was read, and nothing is there.
    Empty {
        address: String,
    },
    Unreachable(Unreadable),
    Denied(Unreadable),
}

impl Family for StoreDefect {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::Empty { .. } => (FindingCode::ArchiveEmpty, Topic::Whole),
            Self::Unreachable(unread) => (FindingCode::StoreUnreachable, Topic::Read(&unread.what)),
            Self::Denied(unread) => (FindingCode::StoreDenied, Topic::Read(&unread.what)),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Empty { .. } => {
                "check bucket, path and server name; a new cluster has an empty archive until its \
                 first segment is archived"
            }
            Self::Unreachable(_) => {
                "check the endpoint, the bucket's name and the network from here"
            }
            Self::Denied(_) => {
                "check that the token exists, is not expired and may list and read this bucket"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::Empty { address } => vec![("address", address.clone())],
            Self::Unreachable(unread) | Self::Denied(unread) => {
                vec![("reason", unread.reason.code().to_owned())]
            }
        }
    }
}

impl fmt::Display for StoreDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { address } => write!(f, "nothing is stored under {address}"),
            Self::Unreachable(unread) | Self::Denied(unread) => unread.fmt(f),
        }
    }
}
