//! What an archive lacks, or has in a form that is of no use, and what may have come since it was
//! listed.

use crate::domain::segment::SegmentRange;
use crate::domain::timeline::TimelineId;

/// Something to ask the store for by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    pub what: Absent,
    /// Whether the newest state may be reached once it is there. Else it is asked for in its turn.
    pub is_urgent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    Segments { timeline: TimelineId, segments: SegmentRange },
    History(TimelineId),
}
