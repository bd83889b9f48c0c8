//! What went wrong with the log on its way to the server that replays it.

use crate::sources::store::error::StoreError;

/// A file that could not be delivered though the way leads over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Missing(String),
    Undecodable(String, String),
    Unread(String, StoreError),
    Unwritten(String),
}

impl Trouble {
    /// What the way leads over and was not there.
    pub(super) fn lacking(&self) -> Option<String> {
        match self {
            Self::Missing(file) => Some(format!("{file} is missing")),
            Self::Undecodable(file, why) => Some(format!("{file} cannot be decoded: {why}")),
            Self::Unread(..) | Self::Unwritten(_) => None,
        }
    }
}
