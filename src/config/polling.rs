//! What the polls of an archive may cost.

use std::time::Duration;

use crate::domain::format::Flaw;
use crate::domain::format::Format;

/// How a poll finds what is new. Each tier costs less than the one before and sees some changes
/// later; none sees a deletion before the next full listing unless it says so here.
///
/// The tiers are for object stores that bill requests; of a directory both lists are read at every
/// poll. Each tier asks for one thing at each poll, so none sends more than one LIST of a page, and
/// after a poll that failed it reads both lists. Whatever the tier, the end of `wals/` is listed as
/// soon as no segment came for half of `wal_max_age`, and again each quarter of it, before WAL can
/// be stale. HEADs are believed as long as lists show the same; else lists take their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polling {
    /// A LIST of the end of `wals/` at every poll, and every ten minutes one of `base/` in its
    /// place, with a HEAD of the next expected segment.
    ///
    /// Both at every poll while a base backup would help: the newest state cannot be reached, or
    /// it is not known whether it can, or the next backup is about to be overdue. In turn while a
    /// backup is running.
    #[default]
    List,
    /// A HEAD of the next expected segment at every poll; `wals/` and `base/` are listed every
    /// ten minutes, the folders of `wals/` every hour, everything every day.
    ///
    /// The newest segment is as fresh as with `List` while the archive goes on as it did. Later,
    /// by ten minutes at most, it sees a new timeline, another compression, a segment that
    /// overtook a missing one, a leftover `.partial`, a backup that began or ended or was
    /// deleted. A lost folder and a lost first segment of the oldest backup show within the hour.
    /// That the whole bucket is gone shows at the next LIST only: to a HEAD it looks the same.
    Head,
    /// As `Head`, but `wals/` and `base/` are listed every hour, the folders every six hours,
    /// everything every week.
    ///
    /// What `Head` sees within ten minutes takes up to an hour; while a backup is running or would
    /// help, `base/` is listed every ten minutes all the same. One object that was deleted from the middle of
    /// `wals/` may stay unnoticed for a week.
    Frugal,
}

impl Polling {
    pub const ALL: [Self; 3] = [Self::List, Self::Head, Self::Frugal];

    /// The word in the configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Head => "head",
            Self::Frugal => "frugal",
        }
    }

    /// Between two listings of everything, unless something else is configured.
    pub const fn full_listing_interval(self) -> Duration {
        match self {
            Self::List => Duration::from_hours(6),
            Self::Head => Duration::from_hours(24),
            Self::Frugal => Duration::from_hours(7 * 24),
        }
    }
}

pub(super) const POLLING: Format<Polling> = Format {
    expected: "list, head or frugal",
    parse: |text| {
        Polling::ALL.into_iter().find(|polling| polling.code() == text).ok_or(Flaw::Mismatch)
    },
};
