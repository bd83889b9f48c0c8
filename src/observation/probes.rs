//! The segments that were opened, by timeline.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::observation::Reading;
use crate::observation::Unreadable;
use crate::observation::probe::DamagedSegment;
use crate::observation::probe::ReplayedPart;
use crate::observation::probe::SegmentContent;
use crate::observation::probe::SegmentDamage;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;
use crate::observation::probe::SoundPart;
use crate::observation::range_ends::RangeEnd;

/// The segments that were opened in this look or an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    timelines: BTreeMap<TimelineId, TimelineProbes>,
}

/// Those of one timeline. Memory grows with the holes between them, and with what is worth a word of
/// its own: damage, times of commits.
#[derive(Clone, Debug, Default)]
pub struct TimelineProbes {
    /// Whole segments, by the system identifier in them.
    written: BTreeMap<u64, SegmentSet>,
    commits: BTreeMap<SegmentNumber, DateTime<Utc>>,
    /// Within the segments that hold these positions.
    before: BTreeMap<(SegmentNumber, Lsn), Option<DateTime<Utc>>>,
    damaged: BTreeMap<SegmentNumber, DamagedSegment>,
    unread: BTreeMap<SegmentNumber, Unreadable>,
}

impl Probes {
    /// Takes the place of what was known of the segment.
    pub fn insert(&mut self, id: SegmentId, probe: Reading<SegmentProbe>) {
        self.timelines.entry(id.timeline).or_default().insert(id.number, probe);
    }

    /// Adds what is known of segments that were read to their last byte.
    pub fn insert_range_end(&mut self, timeline: TimelineId, last: SegmentNumber, end: RangeEnd) {
        let probes = self.timelines.entry(timeline).or_default();
        let RangeEnd { first, newest_commit_at, system_identifier } = end;
        let written = probes.written.entry(system_identifier).or_default();
        written.insert_range(SegmentRange { first, last });
        probes.commits.extend(newest_commit_at.map(|at| (first, at)));
    }

    pub fn timeline(&self, timeline: TimelineId) -> Option<&TimelineProbes> {
        self.timelines.get(&timeline)
    }

    /// Whether it was opened, with success or without.
    pub fn has(&self, id: SegmentId) -> bool {
        self.timeline(id.timeline).is_some_and(|probes| probes.has(id.number))
    }

    /// Forgets what an object might show that took another's place, but for what is read for its
    /// times alone: the ends of backups, and the long stretches of a quiet server's log in which no
    /// transaction ended.
    pub fn keep_quiet(&mut self) {
        self.timelines.values_mut().for_each(TimelineProbes::keep_quiet);
    }

    pub fn count(&self) -> usize {
        self.timelines.values().map(TimelineProbes::count).sum()
    }

    pub fn unread(&self) -> impl Iterator<Item = &Unreadable> {
        self.timelines.values().flat_map(|probes| probes.unread.values())
    }

    /// The newest segment that another server wrote, with its system identifier.
    pub fn newest_foreign(&self, ours: u64) -> Option<(SegmentId, u64)> {
        let everything = SegmentRange { first: SegmentNumber::new(0), last: SegmentNumber::LAST };
        self.timelines.iter().rev().find_map(|(&timeline, probes)| {
            let newest = |(writer, set): (u64, &SegmentSet)| {
                Some((SegmentId { timeline, number: set.newest_within(everything)? }, writer))
            };
            probes.written_by(|writer| writer != ours).filter_map(newest).max()
        })
    }
}

impl TimelineProbes {
    fn insert(&mut self, number: SegmentNumber, probe: Reading<SegmentProbe>) {
        self.written.values_mut().for_each(|set| set.remove(number));
        self.commits.remove(&number);
        self.before.retain(|(segment, _), _| *segment != number);
        self.damaged.remove(&number);
        self.unread.remove(&number);
        match probe {
            Ok(SegmentProbe::Read(content)) => {
                self.written.entry(content.system_identifier).or_default().insert(number);
                self.note_times(number, Some(content));
            }
            Ok(SegmentProbe::Damaged(damage)) => {
                let content = damage.sound.as_ref().map(|it| it.content.clone());
                self.damaged.insert(number, damage);
                self.note_times(number, content);
            }
            Err(unreadable) => drop(self.unread.insert(number, unreadable)),
        }
    }

    fn note_times(&mut self, number: SegmentNumber, content: Option<SegmentContent>) {
        let Some(content) = content else { return };
        self.commits.extend(content.newest_commit_at.map(|at| (number, at)));
        let before = content.newest_before.into_iter();
        self.before.extend(before.map(|(lsn, at)| ((number, lsn), at)));
    }

    fn keep_quiet(&mut self) {
        let ends: BTreeSet<SegmentNumber> = self.before.keys().map(|(number, _)| *number).collect();
        self.commits.retain(|number, _| {
            let is_kept = ends.contains(number);
            if !is_kept {
                self.written.values_mut().for_each(|set| set.remove(*number));
            }
            is_kept
        });
        self.damaged.clear();
        self.unread.clear();
    }

    /// Whether it was opened, with success or without.
    pub fn has(&self, number: SegmentNumber) -> bool {
        self.is_whole(number)
            || self.damaged.contains_key(&number)
            || self.unread.contains_key(&number)
    }

    /// Whether it was read, and nothing is wrong with it.
    pub fn is_whole(&self, number: SegmentNumber) -> bool {
        self.written.values().any(|set| set.contains(number))
    }

    /// Of a whole segment, the newest commit or abort that is complete in it.
    pub fn newest_commit_at(&self, number: SegmentNumber) -> Option<DateTime<Utc>> {
        self.commits.get(&number).copied()
    }

    /// The first of the whole segments without a commit or abort that lead up to one of them without
    /// a hole.
    pub fn quiet_from(&self, number: SegmentNumber) -> Option<SegmentNumber> {
        let whole = self.written.values().find_map(|set| set.range_at(number))?;
        let busy = self.commits.range(whole.first..=number).next_back();
        Some(busy.map_or(whole.first, |(busy, _)| busy.next()))
    }

    /// The newest commit or abort in a segment before a position in it; `None` where that was not
    /// asked when it was opened.
    pub fn newest_commit_before(
        &self,
        number: SegmentNumber,
        lsn: Lsn,
    ) -> Option<Option<DateTime<Utc>>> {
        let asked = self.before.get(&(number, lsn)).copied();
        // Where there is none at all, there is none before either.
        let is_quiet = self.is_whole(number) && !self.commits.contains_key(&number);
        asked.or(is_quiet.then_some(None))
    }

    pub fn damaged(
        &self,
        within: SegmentRange,
    ) -> impl Iterator<Item = (SegmentNumber, &SegmentDamage)> {
        self.damaged
            .range(within.first..=within.last)
            .map(|(number, damaged)| (*number, &damaged.damage))
    }

    /// What recovery replays of a damaged segment.
    pub fn replayed_part(&self, number: SegmentNumber) -> Option<ReplayedPart> {
        self.damaged.get(&number)?.replayed
    }

    /// What a damaged segment holds for a backup that begins behind the damage.
    pub fn sound_part(&self, number: SegmentNumber) -> Option<&SoundPart> {
        self.damaged.get(&number)?.sound.as_ref()
    }

    /// Why a segment could not be read.
    pub fn why_unread(&self, number: SegmentNumber) -> Option<&Unreadable> {
        self.unread.get(&number)
    }

    /// The first whole segment by such a writer, and which it is.
    pub fn first_written(
        &self,
        within: SegmentRange,
        is_meant: impl Fn(u64) -> bool,
    ) -> Option<(SegmentNumber, u64)> {
        let first = |(writer, set): (u64, &SegmentSet)| {
            Some((set.overlapping(within).next()?.first.max(within.first), writer))
        };
        self.written_by(is_meant).filter_map(first).min()
    }

    pub fn last_written(&self, within: SegmentRange, writer: u64) -> Option<SegmentNumber> {
        self.written.get(&writer)?.newest_within(within)
    }

    /// The whole segments by one writer.
    pub fn written_by_server(&self, writer: u64) -> Option<&SegmentSet> {
        self.written.get(&writer)
    }

    fn written_by(
        &self,
        is_meant: impl Fn(u64) -> bool,
    ) -> impl Iterator<Item = (u64, &SegmentSet)> {
        self.written.iter().map(|(writer, set)| (*writer, set)).filter(move |it| is_meant(it.0))
    }

    fn count(&self) -> usize {
        let whole = usize::try_from(self.written.values().map(SegmentSet::count).sum::<u64>());
        whole
            .unwrap_or(usize::MAX)
            .saturating_add(self.damaged.len())
            .saturating_add(self.unread.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::unreadable::UnreadableReason;

    const EVERYTHING: SegmentRange =
        SegmentRange { first: SegmentNumber::new(0), last: SegmentNumber::LAST };

    fn id(timeline: u32, number: u64) -> SegmentId {
        let timeline = TimelineId::new(timeline).unwrap();
        SegmentId { timeline, number: SegmentNumber::new(number) }
    }

    fn whole(system_identifier: u64) -> Reading<SegmentProbe> {
        let newest_commit_at = Some(DateTime::UNIX_EPOCH);
        let newest_before = Vec::new();
        Ok(SegmentProbe::Read(SegmentContent {
            system_identifier,
            newest_commit_at,
            newest_before,
        }))
    }

    fn damaged() -> Reading<SegmentProbe> {
        let damage = SegmentDamage::NoHeader;
        Ok(SegmentProbe::Damaged(DamagedSegment { damage, replayed: None, sound: None }))
    }

    #[test]
    fn what_is_found_last_is_what_is_known() {
        let unread = Unreadable {
            what: "read".to_owned(),
            why: "no".to_owned(),
            reason: UnreadableReason::Timeout,
        };
        let mut probes = Probes::default();
        for probe in [Err(unread), whole(7), damaged(), whole(8)] {
            probes.insert(id(1, 5), probe);
            assert!(probes.has(id(1, 5)));
            assert_eq!(probes.count(), 1);
        }
        let timeline = probes.timeline(TimelineId::FIRST).unwrap();
        assert!(timeline.is_whole(SegmentNumber::new(5)));
        assert_eq!(timeline.damaged(EVERYTHING).count() + probes.unread().count(), 0);
        assert_eq!(timeline.first_written(EVERYTHING, |it| it == 7), None);
        let found = timeline.first_written(EVERYTHING, |_| true);
        assert_eq!(found, Some((SegmentNumber::new(5), 8)));
    }

    #[test]
    fn ends_of_backups_and_quiet_stretches_are_kept() {
        let content = |newest_commit_at, newest_before| {
            Ok(SegmentProbe::Read(SegmentContent {
                system_identifier: 7,
                newest_commit_at,
                newest_before,
            }))
        };
        let at = Some(DateTime::UNIX_EPOCH);
        let mut probes = Probes::default();
        probes.insert(id(1, 1), content(at, vec![(Lsn::new(9), None)]));
        probes.insert(id(1, 2), content(None, Vec::new()));
        probes.insert(id(1, 3), content(at, Vec::new()));
        probes.insert(id(1, 4), damaged());
        probes.keep_quiet();
        assert_eq!([1, 2, 3, 4].map(|it| probes.has(id(1, it))), [true, true, false, false]);
        let timeline = probes.timeline(TimelineId::FIRST).unwrap();
        assert_eq!(timeline.newest_commit_at(SegmentNumber::new(1)), at);
    }

    #[test]
    fn whole_segments_of_one_writer_are_one_range() {
        let mut probes = Probes::default();
        (0..10_000).for_each(|number| probes.insert(id(1, number), whole(7)));
        assert_eq!(probes.timelines[&TimelineId::FIRST].written[&7].ranges().len(), 1);
    }

    #[test]
    fn the_border_between_two_writers_is_found_within_a_range() {
        let mut probes = Probes::default();
        for (number, writer) in [(1, 7), (2, 7), (5, 8), (9, 9), (12, 7)] {
            probes.insert(id(1, number), whole(writer));
        }
        probes.insert(id(2, 3), whole(7));
        let timeline = probes.timeline(TimelineId::FIRST).unwrap();
        let within = SegmentRange { first: SegmentNumber::new(2), last: SegmentNumber::new(11) };
        assert_eq!(timeline.last_written(within, 7), Some(SegmentNumber::new(2)));
        let foreign = timeline.first_written(within, |it| it != 7);
        assert_eq!(foreign, Some((SegmentNumber::new(5), 8)));
        assert_eq!(probes.newest_foreign(7), Some((id(1, 9), 9)));
        assert_eq!(probes.newest_foreign(8), Some((id(2, 3), 7)));
    }
}
