//! When transactions ended, as far as opened segments tell: only between two of them can recovery be
//! told to stop.

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::route::Route;
use crate::domain::moment::after;
use crate::domain::segment::SegmentNumber;
use crate::observation::Observation;
use crate::observation::probe::SegmentId;

/// The newest commit or abort in a stretch of WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newest {
    At(DateTime<Utc>),
    /// All was read, and there is none.
    None,
    /// Not all was opened, or not all could be read.
    NotKnown,
}

/// The first moment that a backup can be restored to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Every transaction from before the end had ended by then.
    Proven(DateTime<Utc>),
    /// The same, and it may be earlier.
    AtMost(DateTime<Utc>),
}

/// Transactions in opened segments, and the segments to open to know of more.
pub(crate) struct Commits<'a> {
    seen: &'a Observation,
    wanted: BTreeSet<SegmentId>,
}

/// `end_time` is `now()` of the transaction that calls `pg_backup_stop`: under load others end later
/// and still precede the end of the backup, by seconds (`do_pg_backup_stop` in `xlog.c`), and a target
/// between them is `before consistent recovery point`.
const OVERTAKING_MAX: TimeDelta = TimeDelta::minutes(1);

/// A switched segment of a quiet server holds no commit, and a few hundred bytes compressed. So many
/// are opened at a time, one round trip after the other.
const OPENED_AT_A_TIME: usize = 8;

impl First {
    /// Of a backup whose end was not opened.
    pub(crate) fn rounded(ended_at: DateTime<Utc>) -> Self {
        Self::AtMost(after(ended_at, OVERTAKING_MAX))
    }
}

impl<'a> Commits<'a> {
    pub(crate) const fn of(seen: &'a Observation) -> Self {
        Self { seen, wanted: BTreeSet::new() }
    }

    /// Newest last, so that the newest moments come first where not all can be opened.
    pub(crate) fn into_wanted(self) -> Vec<SegmentId> {
        self.wanted.into_iter().collect()
    }

    /// From a segment back to `floor`, both included.
    pub(crate) fn newest(
        &mut self,
        route: &Route,
        last: SegmentId,
        floor: SegmentNumber,
    ) -> Newest {
        let mut id = last;
        loop {
            let probes = self.seen.probes.timeline(id.timeline).filter(|it| it.has(id.number));
            let Some(probes) = probes else {
                // Mostly the first one tells.
                let count = if id == last { 1 } else { OPENED_AT_A_TIME };
                self.want(route, id, floor, count);
                return Newest::NotKnown;
            };
            if let Some(at) = probes.newest_commit_at(id.number) {
                return Newest::At(at);
            }
            // What follows a range without one is the segment before it.
            let Some(quiet) = probes.quiet_from(id.number) else { return Newest::NotKnown };
            let begin = route.taken_from(id.timeline).map_or(quiet, |taken| taken.first.max(quiet));
            let previous = begin.previous().filter(|number| floor <= *number);
            let Some(number) = previous else { return Newest::None };
            let Some(timeline) = route.timeline_at(number) else { return Newest::None };
            id = SegmentId { timeline, number };
        }
    }

    /// The first moment that is known to lie behind the end of a backup.
    pub(crate) fn first_moment(
        &mut self,
        candidate: &Candidate<'_>,
        route: &Route,
        ended_at: DateTime<Utc>,
    ) -> First {
        match self.newest_before_end(candidate, route) {
            Newest::At(at) => First::Proven(ended_at.max(at)),
            Newest::None => First::Proven(ended_at),
            Newest::NotKnown => First::rounded(ended_at),
        }
    }

    /// Asks for what proves the first moment.
    pub(crate) fn want_end(&mut self, candidate: &Candidate<'_>, route: &Route) {
        let wal = &candidate.wal;
        if let Some(timeline) = route.timeline_at(wal.last_required) {
            let id = SegmentId { timeline, number: wal.last_required };
            self.want(route, id, wal.first_required, 1);
        }
    }

    fn newest_before_end(&mut self, candidate: &Candidate<'_>, route: &Route) -> Newest {
        let wal = &candidate.wal;
        let Some(timeline) = route.timeline_at(wal.last_required) else { return Newest::NotKnown };
        let probes = self.seen.probes.timeline(timeline);
        let is_inside =
            SegmentNumber::containing(wal.end_lsn, wal.segment_size) == wal.last_required;
        let in_last = if is_inside {
            probes.and_then(|it| it.newest_commit_before(wal.last_required, wal.end_lsn))
        } else {
            probes
                .filter(|it| it.is_whole(wal.last_required))
                .map(|it| it.newest_commit_at(wal.last_required))
        };
        match in_last {
            None => Newest::NotKnown,
            Some(Some(at)) => Newest::At(at),
            Some(None) => {
                let previous = wal.last_required.previous();
                let previous = previous.filter(|number| wal.first_required <= *number);
                let id = previous.and_then(|number| {
                    Some(SegmentId { timeline: route.timeline_at(number)?, number })
                });
                id.map_or(Newest::None, |id| self.newest(route, id, wal.first_required))
            }
        }
    }

    fn want(&mut self, route: &Route, id: SegmentId, floor: SegmentNumber, count: usize) {
        let mut next = Some(id);
        for _ in 0..count {
            let Some(id) = next else { break };
            if self.seen.probes.has(id) {
                break;
            }
            self.wanted.insert(id);
            next = id.number.previous().filter(|number| floor <= *number).and_then(|number| {
                Some(SegmentId { timeline: route.timeline_at(number)?, number })
            });
        }
    }
}
