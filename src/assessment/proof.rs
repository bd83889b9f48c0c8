//! What a verdict rests on: that names are listed, or that their content was read.

/// How much of an archive was read to its last byte, and found right or wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    pub segments: u64,
    pub segments_read: u64,
    /// Finished ones.
    pub backups: u64,
    pub backups_read: u64,
}

impl Proof {
    /// Whether anything was read.
    pub const fn is_any(&self) -> bool {
        0 < self.segments_read || 0 < self.backups_read
    }
}
