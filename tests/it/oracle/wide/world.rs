//! An archive, and what made it what it is.

use std::collections::BTreeMap;

use crate::storm::dice::Dice;

/// Seconds since the beginning.
pub(in crate::oracle) type Second = i64;

#[derive(Clone, Debug)]
pub(in crate::oracle) struct World {
    pub(in crate::oracle) dice: Dice,
    pub(in crate::oracle) now: Second,
    pub(in crate::oracle) codec: &'static str,
    pub(in crate::oracle) branches: Vec<Branch>,
    /// The objects under each timeline and number, by what follows the name.
    pub(in crate::oracle) wals: BTreeMap<(u32, u64), BTreeMap<String, Stored>>,
    pub(in crate::oracle) histories: BTreeMap<u32, History>,
    pub(in crate::oracle) backups: Vec<Taken>,
    pub(in crate::oracle) living: usize,
    /// The segment that the living server writes to.
    pub(in crate::oracle) open: u64,
    /// Something is written in it already.
    pub(in crate::oracle) is_begun: bool,
    /// Names repeat.
    pub(in crate::oracle) is_made_anew: bool,
    /// Kubernetes shows the cluster.
    pub(in crate::oracle) is_told: bool,
}

/// The log of one server on one timeline.
#[derive(Clone, Debug)]
pub(in crate::oracle) struct Branch {
    pub(in crate::oracle) system: u64,
    pub(in crate::oracle) timeline: u32,
    /// The branches that lead to it, itself last, with the first segment of each.
    pub(in crate::oracle) line: Vec<(usize, u64)>,
    /// Its beginning.
    pub(in crate::oracle) fork: u64,
    pub(in crate::oracle) since: Second,
}

/// What one segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) struct Content {
    pub(in crate::oracle) branch: usize,
    pub(in crate::oracle) number: u64,
    pub(in crate::oracle) commit: Option<Commit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) struct Commit {
    pub(in crate::oracle) at: Second,
    /// In the segment.
    pub(in crate::oracle) offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) struct Stored {
    pub(in crate::oracle) content: Content,
    pub(in crate::oracle) kind: Kind,
    pub(in crate::oracle) at: Second,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) enum Kind {
    Whole,
    /// Of no bytes.
    Empty,
    /// A `.partial`.
    Partial,
}

#[derive(Clone, Debug)]
pub(in crate::oracle) struct History {
    /// Timelines and where they were left, oldest first.
    pub(in crate::oracle) ancestors: Vec<(u32, u64)>,
    pub(in crate::oracle) state: HistoryState,
    pub(in crate::oracle) at: Second,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) enum HistoryState {
    Good,
    /// PostgreSQL refuses it.
    Garbage,
    /// barman does not hand it out.
    Undecodable,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::oracle) struct Taken {
    pub(in crate::oracle) branch: usize,
    pub(in crate::oracle) first: u64,
    pub(in crate::oracle) last: u64,
    pub(in crate::oracle) began: Second,
    pub(in crate::oracle) ended: Second,
    pub(in crate::oracle) is_standby: bool,
    pub(in crate::oracle) state: BackupState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) enum BackupState {
    Done,
    Failed,
    WithoutTars,
    Running,
}

/// Where a backup ends in its last segment.
pub(in crate::oracle) const END_OFFSET: u64 = 0x138;

pub(in crate::oracle) const SEGMENT: u64 = 16 << 20;

impl World {
    pub(in crate::oracle) fn branch(&self, index: usize) -> &Branch {
        &self.branches[index]
    }

    /// The branch of a line that a segment belongs to.
    pub(in crate::oracle) fn branch_at(&self, branch: usize, number: u64) -> usize {
        let line = &self.branches[branch].line;
        line.iter().rev().find(|(_, first)| *first <= number).unwrap_or(&line[0]).0
    }
}
