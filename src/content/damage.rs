//! What is wrong with a base backup that was read to its last byte.

use std::fmt;

use crate::content::members::BlockId;

/// One thing of many that may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupDamage {
    /// An object that ends before its content does.
    Truncated { object: String },
    /// In the decoder's words.
    Undecodable { object: String, why: String },
    /// It can be decoded, and is no whole tar file.
    BadTar { object: String, why: String },
    /// By their paths in the data directory.
    MissingMembers(Vec<String>),
    /// A member that is damaged, or of another server or backup.
    Foreign { member: String, why: String },
    /// Of very many the first ones.
    PageChecksum { first: Vec<BlockId>, count: u64 },
}

/// So many pages are named one by one.
pub const PAGES_NAMED_MAX: usize = 20;

impl BackupDamage {
    /// For machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Undecodable { .. } => "undecodable",
            Self::BadTar { .. } => "bad_tar",
            Self::MissingMembers(_) => "missing_member",
            Self::Foreign { .. } => "bad_member",
            Self::PageChecksum { .. } => "page_checksum",
        }
    }

    /// The object, the members or the pages; of many the first ones.
    pub fn places(&self) -> Vec<String> {
        match self {
            Self::Truncated { object }
            | Self::Undecodable { object, .. }
            | Self::BadTar { object, .. } => vec![object.clone()],
            Self::MissingMembers(members) => members.clone(),
            Self::Foreign { member, .. } => vec![member.clone()],
            Self::PageChecksum { first, .. } => {
                first.iter().take(PAGES_NAMED_MAX).map(|page| place(*page)).collect()
            }
        }
    }
}

fn place(page: BlockId) -> String {
    let (path, block) = page.place();
    format!("{path} block {block}")
}

impl fmt::Display for BackupDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { object } => write!(f, "{object} ends too early"),
            Self::Undecodable { object, why } => write!(f, "{object} cannot be decoded: {why}"),
            Self::BadTar { object, why } => write!(f, "{object} is not a complete tar file: {why}"),
            Self::MissingMembers(members) => write!(f, "it lacks {}", members.join(", ")),
            Self::Foreign { member, why } => write!(f, "{member} is not what it should be: {why}"),
            Self::PageChecksum { first, count } => {
                let pages = if *count == 1 { "page has" } else { "pages have" };
                write!(f, "{count} {pages} a wrong checksum that recovery does not repair")?;
                first.first().map_or(Ok(()), |page| {
                    let first = if *count == 1 { "" } else { "the first " };
                    write!(f, ", {first}{}", place(*page))
                })
            }
        }
    }
}
