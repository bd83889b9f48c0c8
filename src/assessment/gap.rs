//! WAL that is missing.

use crate::domain::segment::SegmentName;

/// Missing segments of one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first: SegmentName,
    pub last: SegmentName,
    pub count: u64,
    pub effect: GapEffect,
    /// The operator has accepted the loss. Only of a hole: that the newest state cannot be reached
    /// is always told.
    pub is_acknowledged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapEffect {
    /// The newest state cannot be reached any more.
    StopsRecovery,
    /// Only moments in between cannot be reached.
    Hole,
    /// No backup needs these segments.
    Harmless,
}

impl Gap {
    /// Whether it costs moments that nobody has given up.
    pub fn is_problem(&self) -> bool {
        self.effect != GapEffect::Harmless && !self.is_acknowledged
    }
}

impl GapEffect {
    pub const ALL: [Self; 3] = [Self::StopsRecovery, Self::Hole, Self::Harmless];

    pub const fn code(self) -> &'static str {
        match self {
            Self::StopsRecovery => "stops_recovery",
            Self::Hole => "hole",
            Self::Harmless => "harmless",
        }
    }
}
