//! How thoroughly an archive is looked at.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// Names, sizes, `backup.info`, history files, and the segments that an answer depends on.
    #[default]
    Listing,
    /// Every record of all WAL as well.
    Wal,
    /// All of the base backups as well.
    Full,
}
