//! What a verdict rests on: that names are listed, or that their content was read.

use chrono::DateTime;
use chrono::Utc;

/// How much of an archive was read to its last byte, and found right or wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Whether what is stored is read beside the looks.
    pub is_read: bool,
    pub segments: u64,
    pub segments_read: u64,
    pub segments_damaged: u64,
    /// When some were read last, as far as is remembered.
    pub segments_read_at: Option<DateTime<Utc>>,
    /// Finished ones.
    pub backups: u64,
    pub backups_read: u64,
    pub backups_damaged: u64,
    pub backups_read_at: Option<DateTime<Utc>>,
    /// The newest moment that can be restored from what was read alone.
    pub read_until: Option<DateTime<Utc>>,
    /// Since when something is stored that a restore to the newest state needs, and nobody has read.
    pub unread_since: Option<DateTime<Utc>>,
    /// When it should have been read.
    pub due_at: Option<DateTime<Utc>>,
}

impl Proof {
    /// Whether anything was read.
    pub const fn is_any(&self) -> bool {
        0 < self.segments_read || 0 < self.backups_read
    }
}
