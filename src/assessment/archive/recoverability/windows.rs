//! The moments that each usable backup can be restored to.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::FirstPoint;
use crate::assessment::LastPoint;
use crate::assessment::RecoveryWindow;
use crate::assessment::TimeSource;
use crate::assessment::WalStretch;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::assessment::archive::recoverability::route::Timelines;
use crate::domain::segment::SegmentNumber;
use crate::observation::Observation;
use crate::observation::probe::SegmentId;

/// The windows, and the segments to open so that their ends can be told more exactly.
pub(crate) struct Windows {
    pub(crate) windows: Vec<RecoveryWindow>,
    pub(crate) wanted: Vec<SegmentId>,
}

/// How many segments back a commit is looked for. A switched segment of a quiet server holds no
/// commit; that many in a row are an hour and more of silence at the usual `archive_timeout`.
const SEGMENTS_WITHOUT_COMMIT_MAX: usize = 16;

enum CommitSearch {
    Found(DateTime<Utc>),
    /// Opening this segment would tell more.
    Wanted(SegmentId),
    NotFound,
}

pub(crate) fn find(
    seen: &Observation,
    replay: &Replay<'_>,
    candidates: &[Candidate<'_>],
    timelines: &Timelines<'_>,
) -> Windows {
    let mut found = Windows { windows: Vec::new(), wanted: Vec::new() };
    for candidate in candidates {
        let (Some(reach), Ok(route)) = (candidate.reach(), &candidate.route) else { continue };
        let (Some(last), Some(ended_at)) = (reach.last, candidate.info.ended_at) else { continue };
        let reach_end = last.number;
        let last = if candidate.is_confined() {
            own_end(candidate, last, ended_at)
        } else {
            let search = newest_commit(seen, route, last, candidate.wal.last_required);
            let (at, source) = match search {
                CommitSearch::Found(at) => (at, TimeSource::Commit),
                CommitSearch::Wanted(id) => {
                    found.wanted.push(id);
                    (uploaded_at(replay, last).unwrap_or(ended_at), TimeSource::Upload)
                }
                CommitSearch::NotFound => {
                    (uploaded_at(replay, last).unwrap_or(ended_at), TimeSource::Upload)
                }
            };
            let size = candidate.wal.segment_size;
            LastPoint {
                at: at.max(ended_at),
                source,
                lsn: last.number.end(size),
                segment: last.number.name(last.timeline, size),
            }
        };
        let default = timelines.default_target(candidate.wal.end.timeline);
        found.windows.push(RecoveryWindow {
            backup_id: candidate.backup.id.clone(),
            first: FirstPoint { at: ended_at, lsn: candidate.wal.end_lsn },
            last,
            target_timeline: (route.target != default).then_some(route.target),
            system: None,
            path: path(candidate, route, reach_end),
        });
    }
    found.windows.sort_by(|a, b| (a.first.at, &a.backup_id).cmp(&(b.first.at, &b.backup_id)));
    found.wanted.sort_unstable();
    found.wanted.dedup();
    found
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

/// A standalone backup reaches its own end and nothing else.
fn own_end(candidate: &Candidate<'_>, last: SegmentId, ended_at: DateTime<Utc>) -> LastPoint {
    LastPoint {
        at: ended_at,
        source: TimeSource::Upload,
        lsn: candidate.wal.end_lsn,
        segment: last.number.name(last.timeline, candidate.wal.segment_size),
    }
}

fn newest_commit(
    seen: &Observation,
    route: &Route,
    last: SegmentId,
    floor: SegmentNumber,
) -> CommitSearch {
    let mut id = last;
    for _ in 0..SEGMENTS_WITHOUT_COMMIT_MAX {
        let probes = seen.probes.timeline(id.timeline).filter(|it| it.has(id.number));
        let Some(probes) = probes else { return CommitSearch::Wanted(id) };
        if let Some(at) = probes.newest_commit_at(id.number) {
            return CommitSearch::Found(at);
        }
        if !probes.is_whole(id.number) {
            return CommitSearch::NotFound;
        }
        let previous = id.number.previous().filter(|number| floor <= *number);
        let Some(number) = previous else { break };
        let Some(timeline) = route.timeline_at(number) else { break };
        id = SegmentId { timeline, number };
    }
    CommitSearch::NotFound
}

/// The upload of a segment, or of the end of its range, which is later.
fn uploaded_at(replay: &Replay<'_>, id: SegmentId) -> Option<DateTime<Utc>> {
    let timeline = replay.inventory.timeline(id.timeline)?;
    timeline
        .uploaded_at(id.number)
        .or_else(|| timeline.uploaded_at(timeline.segments().range_at(id.number)?.last))
}
