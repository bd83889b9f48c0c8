//! Every segment that is listed, each with those before it: records go on from one to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;

use crate::domain::codec::Bzip2;
use crate::domain::codec::Codec;
use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment::SegmentSize;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Observation;
use crate::observation::content::WholeSegment;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::inventory::Inventory;
use crate::observation::probe::DamagedSegment;
use crate::observation::probe::SegmentDamage;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;
use crate::observation::probe::SoundPart;
use crate::observation::range_ends::RangeEnds;
use crate::observation::timeline_archive::TimelineArchive;
use crate::sources::archive::Collector;
use crate::sources::archive::probes::WantedSegment;
use crate::sources::archive::probes::content;
use crate::sources::archive::probes::delivered;
use crate::sources::archive::probes::ends_inside;
use crate::sources::archive::probes::replayed;
use crate::sources::archive::verification::Progress;
use crate::sources::limits;
use crate::sources::store::error::StoreError;
use crate::wal::Damage;
use crate::wal::DamageKind;
use crate::wal::Ending;
use crate::wal::HeaderDamage;
use crate::wal::SegmentIdentity;
use crate::wal::Survey;
use crate::wal::Surveyor;

/// Consecutive segments of one timeline that are read one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub timeline: TimelineId,
    pub segments: SegmentRange,
}

/// What reading a run showed.
#[derive(Debug)]
pub struct RunReport {
    pub timeline: TimelineId,
    pub whole: SegmentSet,
    /// Each of those.
    pub shown: Vec<(SegmentNumber, WholeSegment)>,
    pub damaged: Vec<(SegmentNumber, DamagedSegment)>,
    pub unread: Vec<(SegmentNumber, Unreadable)>,
    /// Where the last segment ended, if it is whole.
    pub log: Log,
}

/// The end of what was read, which the next segment goes on from; boxed, as it holds the beginning of a
/// record.
pub type Log = Option<Box<Surveyor>>;

#[derive(Clone, Copy)]
enum Pass {
    First,
    /// By the reference decoder, and further than a segment is long, so that what is wrong with the object
    /// itself comes to light.
    Second,
}

/// What one segment shows.
enum Shown {
    Whole(Box<Surveyor>, Option<ObjectSum>),
    /// With where it ends, if its end is right.
    Damaged(DamagedSegment, Log),
}

impl Collector {
    /// Adds damaged segments as probes, and notes which ones are whole.
    pub(super) async fn verify_wal(&self, seen: &mut Observation, progress: &Arc<Progress>) {
        let Ok(inventory) = &seen.archive else { return };
        let runs = runs(inventory, &BTreeMap::new());
        progress.expect(runs.iter().map(|run| run.segments.count()).sum(), 0);
        let reports: Vec<BoxFuture<'_, RunReport>> = runs
            .into_iter()
            .map(|run| self.verify_run(inventory, run, None, progress).boxed())
            .collect();
        let reports: Vec<RunReport> =
            stream::iter(reports).buffer_unordered(limits::RUNS_AT_ONCE).collect().await;
        let mut range_ends: BTreeMap<TimelineId, RangeEnds> = BTreeMap::new();
        for report in reports {
            let RunReport { timeline, whole, shown, damaged, unread, .. } = report;
            let verified = seen.content.segments.entry(timeline).or_default();
            whole.ranges().iter().for_each(|range| verified.insert_range(*range));
            let ends = range_ends.entry(timeline).or_default();
            for (number, shown) in shown {
                ends.note(shown.range_end(number), number);
                if !shown.demands.is_empty() {
                    seen.content.demands.insert(SegmentId { timeline, number }, shown.demands);
                }
            }
            ends.keep_ends_of(verified);
            let count = u64::try_from(damaged.len()).unwrap_or(u64::MAX);
            seen.content.damaged_segments = seen.content.damaged_segments.saturating_add(count);
            for (number, damage) in damaged {
                let id = SegmentId { timeline, number };
                seen.probes.insert(id, Ok(SegmentProbe::Damaged(damage)));
            }
            for (number, unreadable) in unread {
                if seen.content.unread_segments.len() < limits::UNREAD_SEGMENTS_MAX {
                    let id = SegmentId { timeline, number };
                    seen.probes.insert(id, Err(unreadable.clone()));
                    seen.content.unread_segments.push(unreadable);
                }
            }
        }
        for (timeline, ends) in range_ends {
            for (segments, end) in ends.iter() {
                seen.probes.insert_range_end(timeline, segments.last, end);
            }
        }
    }

    /// Where the segment before a run ends, which was read before: a record may go on from it. `None` where
    /// that cannot be read now, or is not whole any more.
    pub async fn log_before(&self, inventory: &Inventory, run: Run) -> Log {
        let number = run.segments.first.previous()?;
        let id = SegmentId { timeline: run.timeline, number };
        match self.survey_segment(inventory, id, None, Pass::First).await {
            Ok((_, Shown::Whole(log, _))) => Some(log),
            Ok((_, Shown::Damaged(..))) | Err(_) => None,
        }
    }

    /// `log` is where the segment before the first one ended, if that was read.
    pub async fn verify_run(
        &self,
        inventory: &Inventory,
        run: Run,
        log: Log,
        progress: &Arc<Progress>,
    ) -> RunReport {
        let Run { timeline, segments } = run;
        let mut report = RunReport {
            timeline,
            whole: SegmentSet::default(),
            shown: Vec::new(),
            damaged: Vec::new(),
            unread: Vec::new(),
            log: None,
        };
        let (mut log, mut number) = (log, segments.first);
        loop {
            let id = SegmentId { timeline, number };
            log = self.verify_segment(inventory, id, log, &mut report).await;
            progress.note(1, 0);
            // A store that fails one after the other is down; the rest stays unread for now.
            if number == segments.last || limits::UNREAD_IN_A_RUN_MAX <= report.unread.len() {
                break;
            }
            number = number.next();
        }
        // The last record may go on in the segment behind, which another run reads from its start.
        let goes_on =
            log.as_ref().is_some_and(|it| matches!(it.survey().ending, Ending::InsideRecord(_)));
        let next = SegmentId { timeline, number: segments.last.next() };
        let archive = inventory.timeline(timeline);
        if goes_on && archive.is_some_and(|archive| readable(archive).contains(next.number)) {
            self.verify_segment(inventory, next, log.clone(), &mut report).await;
            // It is told whole by the run that it belongs to.
            report.whole.remove(next.number);
            report.shown.retain(|(number, _)| *number != next.number);
        }
        report.log = log;
        report
    }

    /// What the next segment goes on from; `None` where this one is not whole.
    async fn verify_segment(
        &self,
        inventory: &Inventory,
        id: SegmentId,
        log: Log,
        report: &mut RunReport,
    ) -> Log {
        let name = id.number.name(id.timeline, inventory.segment_size);
        match self.read_segment(inventory, id, log).await {
            Ok(Ok(Shown::Whole(surveyor, sum))) => {
                report.whole.insert(id.number);
                let shown = shown_by(&surveyor, sum);
                report.shown.extend(shown.map(|shown| (id.number, shown)));
                return Some(surveyor);
            }
            Ok(Ok(Shown::Damaged(damage, log))) => {
                report.damaged.push((id.number, damage));
                return log;
            }
            Ok(Err(why)) => {
                let (what, reason) = (format!("read WAL segment {name}"), UnreadableReason::Parse);
                report.unread.push((id.number, Unreadable { what, why, reason }));
            }
            Err(error) => {
                let unreadable = error.unreadable(&format!("read WAL segment {name}"));
                report.unread.push((id.number, unreadable));
            }
        }
        None
    }

    /// Damage only after the reference decoder and the store have confirmed it; else why it is not known
    /// what the segment holds.
    async fn read_segment(
        &self,
        inventory: &Inventory,
        id: SegmentId,
        log: Log,
    ) -> Result<Result<Shown, String>, StoreError> {
        let (_, mut shown) = self.survey_segment(inventory, id, log.clone(), Pass::First).await?;
        let mut log = log;
        if let Shown::Damaged(DamagedSegment { damage: SegmentDamage::Log(damage), .. }, _) = &shown
            && log.is_some()
            && is_of_other_server(damage)
        {
            // Another server wrote it, and nothing goes on here.
            log = None;
            (_, shown) = self.survey_segment(inventory, id, None, Pass::First).await?;
        }
        if matches!(shown, Shown::Whole(..)) {
            return Ok(Ok(shown));
        }
        let (codec, shown) = self.survey_segment(inventory, id, log, Pass::Second).await?;
        let Shown::Damaged(DamagedSegment { damage, replayed, .. }, _) = shown else {
            return Ok(Ok(shown));
        };
        let name = id.number.name(id.timeline, inventory.segment_size);
        let confirmed = self.confirmed(&self.folder.segment(name, codec), codec, damage).await?;
        let damage = match confirmed {
            Ok(damage) => damage,
            Err(why) => return Ok(Err(why)),
        };
        let (sound, log) = match &damage {
            SegmentDamage::Log(damage) => self.sound_part(inventory, id, damage.at).await?,
            _ => (None, None),
        };
        Ok(Ok(Shown::Damaged(DamagedSegment { damage, replayed, sound }, log)))
    }

    /// What a damaged segment holds for the recovery of a backup that begins behind the damage.
    async fn sound_part(
        &self,
        inventory: &Inventory,
        id: SegmentId,
        damaged_at: Lsn,
    ) -> Result<(Option<SoundPart>, Log), StoreError> {
        let size = inventory.segment_size;
        let behind = self.backups_begun_in(id, size).into_iter().filter(|lsn| damaged_at < *lsn);
        for from in behind {
            let surveyor = Surveyor::new(identity(id, size)).beginning_at(from);
            let surveyor = surveyor.asked_before(self.backups_ended_in(id, size));
            let read = self.survey_by(inventory, id, surveyor, Pass::Second).await?;
            if let (_, Shown::Whole(log, _)) = read
                && let Ok(content) = content(&log.survey(), size.bytes(), size)
            {
                return Ok((Some(SoundPart { from, content }), Some(log)));
            }
        }
        Ok((None, None))
    }

    async fn survey_segment(
        &self,
        inventory: &Inventory,
        id: SegmentId,
        log: Log,
        pass: Pass,
    ) -> Result<(Codec, Shown), StoreError> {
        let new = || Surveyor::new(identity(id, inventory.segment_size));
        let surveyor = log.map_or_else(new, |log| log.in_next_segment());
        self.survey_by(inventory, id, surveyor, pass).await
    }

    async fn survey_by(
        &self,
        inventory: &Inventory,
        id: SegmentId,
        surveyor: Surveyor,
        pass: Pass,
    ) -> Result<(Codec, Shown), StoreError> {
        let size = inventory.segment_size;
        let _turn = self.turns.segment().await;
        let bytes_max = limits::segment_content_bytes_max(size.bytes());
        let (turns, bytes_max) = match pass {
            Pass::First => (self.turns.clone(), bytes_max),
            Pass::Second => {
                let by_reference = self.turns.decoding_by(Bzip2::Reference);
                (by_reference, bytes_max.saturating_mul(BOMB_FACTOR))
            }
        };
        let wanted = WantedSegment { inventory, id, bytes_max };
        let (codec, decoded) = self.decode_segment_by(&turns, wanted, surveyor).await?;
        let surveyor = decoded.fed;
        let name = id.number.name(id.timeline, size);
        let sum = ObjectSum::of(&self.folder.segment(name, codec), &decoded.version);
        let (damage, replayed) = match delivered(decoded.length, size) {
            Err(damage) => (Some(damage), None),
            Ok(length) => {
                let survey = surveyor.survey();
                (damage_of(&survey, length, size), replayed(&survey, length, size))
            }
        };
        let damaged = damage.map(|damage| DamagedSegment { damage, replayed, sound: None });
        let whole = || Shown::Whole(Box::new(surveyor), sum);
        Ok((codec, damaged.map_or_else(whole, |damaged| Shown::Damaged(damaged, None))))
    }
}

fn identity(id: SegmentId, size: SegmentSize) -> SegmentIdentity {
    SegmentIdentity {
        start: Some(id.number.start(size)),
        timeline: Some(id.timeline),
        segment_size: Some(size),
        system_identifier: None,
    }
}

fn shown_by(surveyor: &Surveyor, sum: Option<ObjectSum>) -> Option<WholeSegment> {
    let survey = surveyor.survey();
    Some(WholeSegment {
        system_identifier: survey.header?.system_identifier,
        newest_commit_at: survey.newest_transaction_end.map(|end| end.ended_at),
        demands: survey.demands,
        sum,
    })
}

fn damage_of(survey: &Survey, found: u64, size: SegmentSize) -> Option<SegmentDamage> {
    let expected = size.bytes();
    match survey.ending {
        // One that is too long stops PostgreSQL before it looks inside.
        Ending::Damaged(damage) if found <= expected => Some(damage.into()),
        _ if found != expected => Some(SegmentDamage::Length { found, expected }),
        _ => ends_inside(survey).map(SegmentDamage::Ends),
    }
}

const fn is_of_other_server(damage: &Damage) -> bool {
    matches!(
        damage.kind,
        DamageKind::Header(HeaderDamage::OtherSystem { .. } | HeaderDamage::OtherMagic { .. })
    )
}

/// What a listing alone shows to be of no use is not read.
fn readable(archive: &TimelineArchive) -> SegmentSet {
    let useless = [archive.shadowed(), archive.empty(), archive.misfits(), archive.frozen()];
    useless.into_iter().fold(archive.segments().clone(), |left, set| left.without(set))
}

/// All segments but those that are known; what a restore to now needs comes first.
pub fn runs(inventory: &Inventory, known: &BTreeMap<TimelineId, SegmentSet>) -> Vec<Run> {
    let mut runs = Vec::new();
    for (&timeline, archive) in &inventory.timelines {
        let known = known.get(&timeline);
        let readable = readable(archive);
        let wanted = known.map_or_else(|| readable.clone(), |known| readable.without(known));
        for range in wanted.ranges() {
            let mut first = range.first;
            loop {
                let end = SegmentNumber::new(first.value().saturating_add(RUN_SEGMENTS - 1));
                let last = end.min(range.last);
                runs.push(Run { timeline, segments: SegmentRange { first, last } });
                if last == range.last {
                    break;
                }
                first = last.next();
            }
        }
    }
    runs.reverse();
    runs
}

/// So many segments are decoded of an object that holds more than one, to see how it ends.
const BOMB_FACTOR: u64 = 16;

/// Each run reads a segment more than it has; a sixty-fourth is cheap, and runs are many enough to be
/// read side by side.
const RUN_SEGMENTS: u64 = 64;
