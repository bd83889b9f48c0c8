//! The moments that each usable backup can be restored to.

mod branches;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::FirstPoint;
use crate::assessment::LastPoint;
use crate::assessment::RecoveryWindow;
use crate::assessment::TimeSource;
use crate::assessment::WalStretch;
use crate::assessment::archive::content::is_read_whole;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::commits::Commits;
use crate::assessment::archive::recoverability::commits::First;
use crate::assessment::archive::recoverability::commits::Newest;
use crate::assessment::archive::recoverability::replay::Obstacle;
use crate::assessment::archive::recoverability::replay::ObstacleKind;
use crate::assessment::archive::recoverability::replay::Reach;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::assessment::archive::recoverability::timelines::Timelines;
use crate::assessment::finding::SegmentFault;
use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineId;
use crate::observation::Observation;
use crate::observation::probe::ReplayedPart;
use crate::observation::probe::SegmentId;
use crate::wal::Demands;

/// The windows, and the segments to open so that their ends can be told more exactly.
pub(crate) struct Windows {
    pub(crate) windows: Vec<RecoveryWindow>,
    pub(crate) wanted: Vec<SegmentId>,
}

/// Where windows are looked for.
pub(crate) struct Search<'a> {
    pub(crate) seen: &'a Observation,
    pub(crate) replay: &'a Replay<'a>,
    pub(crate) timelines: &'a Timelines<'a>,
    pub(crate) living: Option<TimelineId>,
}

impl Search<'_> {
    pub(crate) fn windows(&self, candidates: &[Candidate<'_>]) -> Windows {
        let mut commits = Commits::of(self.seen);
        let mut by_end: Vec<&Candidate<'_>> = candidates.iter().collect();
        by_end.sort_by_key(|it| (it.info.ended_at, &it.backup.id));
        let mut windows = Vec::new();
        // Of what older windows hold, nobody needs to know whether a later backup holds it too.
        let mut held_until: Option<DateTime<Utc>> = None;
        for candidate in &by_end {
            let (Some(reach), Ok(route)) = (candidate.reach(), &candidate.route) else { continue };
            let is_held = candidate.info.ended_at < held_until;
            let way = Way { candidate, route, reach, is_first_wanted: !is_held };
            let Some(window) = self.window(&way, &mut commits) else { continue };
            held_until = held_until.max(Some(window.last.at));
            windows.push(window);
        }
        windows.extend(self.branches(&by_end, &mut commits));
        // Stable: of one backup, the way to the newest state comes before those to other branches.
        windows.sort_by(|a, b| (a.first.at, &a.backup_id).cmp(&(b.first.at, &b.backup_id)));
        Windows { windows, wanted: commits.into_wanted() }
    }

    fn window(&self, way: &Way<'_>, commits: &mut Commits<'_>) -> Option<RecoveryWindow> {
        let Way { candidate, route, reach, is_first_wanted } = *way;
        let (last, ended_at) = (reach.last?, candidate.info.ended_at?);
        let size = candidate.wal.segment_size;
        let newest = if candidate.is_confined() {
            Newest::None
        } else {
            commits.newest(route, last, candidate.wal.last_required)
        };
        // What happens to be known of it besides counts not: the same archive has the same answer.
        let rounded = First::rounded(ended_at);
        let is_first_wanted = is_first_wanted
            || matches!((rounded, newest), (First::AtMost(first), Newest::At(at)) if at <= first);
        let first = if is_first_wanted {
            commits.first_moment(candidate, route, ended_at)
        } else {
            rounded
        };
        if is_first_wanted && matches!(first, First::AtMost(_)) {
            commits.want_end(candidate, route);
        }
        let is_proven = matches!(first, First::Proven(_));
        let (First::Proven(first) | First::AtMost(first)) = first;
        let replayed = reach.stopped_by.as_ref().filter(|_| !candidate.is_confined());
        let replayed = replayed.and_then(|it| self.replayed_part(it, last));
        let newest = match replayed.and_then(|(_, part)| part.newest_commit_at) {
            Some(at) => Newest::At(at),
            // What else its last segment holds is not replayed.
            None if reach.is_cut() => Newest::None,
            None => newest,
        };
        let (first, at, source) = match newest {
            Newest::At(at) if first < at => (first, at, TimeSource::Commit),
            // Whether it lies behind the backup's end is not known.
            Newest::At(at) if !is_proven => {
                (at.max(ended_at), at.max(ended_at), TimeSource::Upload)
            }
            Newest::At(at) => (at.max(ended_at), at.max(ended_at), TimeSource::Backup),
            Newest::None => (ended_at, ended_at, TimeSource::Backup),
            Newest::NotKnown => {
                let at = self.uploaded_at(last).unwrap_or(first);
                (first, at.max(first), TimeSource::Upload)
            }
        };
        let end = last.number.end(size);
        let (end, lsn) = match replayed {
            _ if candidate.is_confined() => (last, candidate.wal.end_lsn),
            Some((damaged, part)) if end < part.until => (damaged, part.until),
            // A record that begins before the damaged segment goes on in it.
            Some((_, part)) => (last, part.until),
            None => (last, end),
        };
        let segment = end.number.name(end.timeline, size);
        let default = self.timelines.default_target(candidate.wal.end.timeline);
        let (read_until, unread_since) = self.read_until(candidate, route, last, at);
        let apart_from = self.apart_from(route, candidate, first, commits);
        let is_newer = self.living.is_some_and(|living| living < route.target);
        Some(RecoveryWindow {
            backup_id: candidate.backup.id.clone(),
            first: FirstPoint { at: first, lsn: candidate.wal.end_lsn },
            last: LastPoint { at, source, lsn, segment },
            segment_size: size,
            target_timeline: (route.target != default).then_some(route.target),
            apart_from,
            is_of_copy: apart_from.is_some() && is_newer,
            ends_at_misfit: reach
                .stopped_by
                .as_ref()
                .is_some_and(|it| self.replay.is_misfit(it.at)),
            system: None,
            read_until,
            unread_since,
            demands: self.demands(candidate, route, last),
            path: path(candidate, route, end.number),
        })
    }

    /// What recovery replays of the damaged segment that stops it.
    fn replayed_part(
        &self,
        stopped_by: &Obstacle,
        last: SegmentId,
    ) -> Option<(SegmentId, ReplayedPart)> {
        let Obstacle { at, kind } = stopped_by;
        let is_damaged = matches!(kind, ObstacleKind::Damaged(SegmentFault::Damaged(_)));
        let probes = self.seen.probes.timeline(at.timeline);
        let is_next = *at == last || at.number == last.number.next();
        let probes = probes.filter(|_| is_damaged && is_next)?;
        Some((*at, probes.replayed_part(at.number)?))
    }

    /// Up to where everything was read, if the window ends `at` then, and since when the first segment
    /// that was not is stored.
    fn read_until(
        &self,
        candidate: &Candidate<'_>,
        route: &Route,
        last: SegmentId,
        at: DateTime<Utc>,
    ) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let content = &self.seen.content;
        let is_whole = is_read_whole(content, &candidate.backup.id, candidate.info);
        let (first, needed) = (candidate.first_needed, candidate.wal.last_required);
        let mut unread = route.stretches(first, last.number).filter_map(|stretch| {
            match content.segments.get(&stretch.timeline) {
                Some(read) => read.first_missing(stretch.segments),
                None => Some(stretch.segments.first),
            }
        });
        let Some(unread) = unread.next() else { return (is_whole.then_some(at), None) };
        let before = unread.previous().filter(|it| is_whole && needed <= *it);
        let before = before
            .and_then(|number| Some(SegmentId { timeline: route.timeline_at(number)?, number }));
        // Of what is wanted so that it can be told, nothing is opened.
        let read_until =
            before.zip(candidate.info.ended_at).map(|(id, ended_at)| {
                match Commits::of(self.seen).newest(route, id, needed) {
                    Newest::At(at) => at.max(ended_at),
                    Newest::None | Newest::NotKnown => ended_at,
                }
            });
        // Inside a range its upload is not known, and what is before it is older.
        let archive = route.timeline_at(unread).and_then(|it| self.replay.inventory.timeline(it));
        let uploaded_at = archive.and_then(|archive| archive.uploaded_at(unread));
        (read_until, uploaded_at.or(read_until).or(candidate.info.ended_at))
    }

    /// Tablespaces that the backup has are no demand: their place is made before recovery.
    fn demands(
        &self,
        candidate: &Candidate<'_>,
        route: &Route,
        last: SegmentId,
    ) -> Option<Box<Demands>> {
        let known = &self.seen.content.demands;
        if known.is_empty() {
            return None;
        }
        let mut demands = Demands::default();
        for stretch in route.stretches(candidate.wal.first_required, last.number) {
            let id = |number| SegmentId { timeline: stretch.timeline, number };
            let within = id(stretch.segments.first)..=id(stretch.segments.last);
            known.range(within).for_each(|(_, it)| demands.add(it));
        }
        for tablespace in &candidate.info.tablespaces {
            demands.tablespaces.remove(&tablespace.oid);
        }
        (!demands.is_empty()).then(|| Box::new(demands))
    }

    /// The upload of a segment, or of the end of its range, which is later.
    fn uploaded_at(&self, id: SegmentId) -> Option<DateTime<Utc>> {
        let timeline = self.replay.inventory.timeline(id.timeline)?;
        let range_end = || timeline.uploaded_at(timeline.segments().range_at(id.number)?.last);
        let uploaded_at = timeline.uploaded_at(id.number).or_else(range_end)?;
        Some(self.timelines.until().map_or(uploaded_at, |until| uploaded_at.min(until)))
    }
}

/// How a backup is restored.
#[derive(Clone, Copy)]
struct Way<'a> {
    candidate: &'a Candidate<'a>,
    route: &'a Route,
    reach: &'a Reach,
    /// Whether the first moment matters to the segment.
    is_first_wanted: bool,
}

fn path(candidate: &Candidate<'_>, route: &Route, last: SegmentNumber) -> Vec<WalStretch> {
    let size = candidate.wal.segment_size;
    let stretches = route.stretches(candidate.wal.first_required, last);
    stretches
        .map(|Stretch { timeline, segments }| WalStretch {
            first: segments.first.name(timeline, size),
            last: segments.last.name(timeline, size),
            count: segments.count(),
        })
        .collect()
}
