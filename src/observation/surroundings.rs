//! What lies at and around a place where nothing of an archive was found.

/// Seen when neither a backup nor WAL is where they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// In the archive's own folder.
    pub inside: Names,
    /// One level higher, without that folder. Empty too where the store does not show it.
    pub beside: Names,
    /// The folders at both places that hold an archive, as prefixes that end in `/`; the empty one is
    /// the bucket itself.
    pub archives: Vec<String>,
}

/// Some names of a folder, in byte order; those of folders end in `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub first: Vec<String>,
    pub has_more: bool,
}

impl Names {
    pub const fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
