//! Which state a restore drill restores: drawn from a seed, and always one that was promised.

pub mod due;

use std::fmt;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::RecoveryWindow;
use crate::assessment::plan::Doubt;
use crate::assessment::plan::Obstruction;
use crate::assessment::plan::Restore;
use crate::assessment::plan::RestorePlan;
use crate::domain::cluster::DrillKind;
use crate::domain::drill::DrillTarget;
use crate::domain::lsn::Lsn;
use crate::domain::moment::after;
use crate::domain::recovery_target::Question;
use crate::domain::recovery_target::Target;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;

/// What a drill restores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnTarget {
    pub kind: DrillKind,
    pub seed: u64,
    /// Names the backup, since an operator that chooses itself chooses again at each attempt.
    pub question: Question,
    /// The answer to it.
    pub restore: Restore,
}

/// Why there is nothing to restore in a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    NotReachable(Obstruction),
    Unknown(Doubt),
    /// No window ends with a transaction whose time is known, so none has a moment that recovery is
    /// known to stop at.
    NoProvenMoment,
}

/// One in so many drills of a moment restores the state right after a change of the timeline, where
/// recovery goes wrong more often than elsewhere.
const SWITCH_EVERY: u64 = 4;

/// The same of the same assessment, kind and seed.
pub fn draw(assessment: &Assessment, kind: DrillKind, seed: u64) -> Result<DrawnTarget, WhyNot> {
    let drawn = |question: Question| ask(assessment, kind, seed, question);
    match kind {
        DrillKind::Full => drawn(Target::Latest.into()),
        DrillKind::Pitr => {
            let is_switch = seed % SWITCH_EVERY == SWITCH_EVERY - 1;
            let switch = is_switch.then(|| after_newest_switch(assessment)).flatten();
            if let Some(Ok(target)) = switch.map(drawn) {
                return Ok(target);
            }
            let Some(at) = moment(&proven(&assessment.windows), seed) else {
                // An archive of which nothing can be restored has a better reason than that.
                restore(assessment, &Target::Latest.into())?;
                return Err(WhyNot::NoProvenMoment);
            };
            drawn(Target::At(at).into())
        }
    }
}

/// Asks once to learn the backup, and again with it, which is what the drill will ask.
fn ask(
    assessment: &Assessment,
    kind: DrillKind,
    seed: u64,
    question: Question,
) -> Result<DrawnTarget, WhyNot> {
    let backup = restore(assessment, &question)?.backup_id().to_string();
    let question = Question { backup: Some(backup), ..question };
    let restore = restore(assessment, &question)?;
    Ok(DrawnTarget { kind, seed, question, restore })
}

fn restore(assessment: &Assessment, question: &Question) -> Result<Restore, WhyNot> {
    match RestorePlan::new(assessment, question.clone()) {
        RestorePlan::Reachable(restore) => Ok(restore),
        RestorePlan::NotReachable(obstruction) => Err(WhyNot::NotReachable(obstruction)),
        RestorePlan::Unknown(doubt) => Err(WhyNot::Unknown(doubt)),
    }
}

/// First and last moment of each stretch that recovery is known to stop in, apart from each other and
/// in order.
fn proven(windows: &[RecoveryWindow]) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let own = windows.iter().filter(|window| window.system.is_none());
    let stretch = |window: &RecoveryWindow| {
        let last = window.last_target()?;
        let last = window.apart_from.map_or(last, |apart| apart.min(last));
        (window.first.at <= last).then_some((window.first.at, last))
    };
    let mut stretches: Vec<_> = own.filter_map(stretch).collect();
    stretches.sort_unstable();
    let mut apart: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (first, last) in stretches {
        match apart.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            Some(_) | None => apart.push((first, last)),
        }
    }
    apart
}

/// Each microsecond of the stretches is as likely as any other.
fn moment(stretches: &[(DateTime<Utc>, DateTime<Utc>)], seed: u64) -> Option<DateTime<Utc>> {
    let length = |(first, last): &(DateTime<Utc>, DateTime<Utc>)| {
        let length = last.signed_duration_since(*first).num_microseconds();
        length.and_then(|it| u64::try_from(it).ok()).unwrap_or(0).saturating_add(1)
    };
    let total = stretches.iter().map(length).fold(0, u64::saturating_add);
    // The upper half of the product: below the total, without the bias of a remainder.
    let product = u128::from(mixed(seed)).checked_mul(u128::from(total))?;
    let mut left = u64::try_from(product >> 64).ok()?;
    for stretch in stretches {
        match left.checked_sub(length(stretch)) {
            Some(rest) => left = rest,
            None => {
                let microseconds = i64::try_from(left).ok()?;
                return Some(after(stretch.0, TimeDelta::microseconds(microseconds)));
            }
        }
    }
    None
}

/// `SplitMix64`: neighbouring seeds lead to numbers that have nothing to do with each other
/// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(super) const fn mixed(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The end of the segment in which the newest timeline begins. When that was, no history file tells;
/// where it lies, the WAL does.
fn after_newest_switch(assessment: &Assessment) -> Option<Question> {
    let switch = |window: &RecoveryWindow| -> Option<(TimelineId, SegmentName)> {
        let (newest, earlier) = window.path.split_last()?;
        let is_switch = earlier.iter().any(|it| it.first.timeline != newest.first.timeline);
        is_switch.then_some((newest.first.timeline, newest.first))
    };
    let is_own = |it: &&RecoveryWindow| it.system.is_none() && it.apart_from.is_none();
    let found = assessment.windows.iter().filter(is_own);
    let found = found.filter_map(|window| Some((switch(window)?, window)));
    let ((_, segment), window) =
        found.max_by_key(|((timeline, _), it)| (*timeline, it.first.at))?;
    let end: Lsn = segment.number(window.segment_size).ok()?.end(window.segment_size);
    let backup = Some(window.backup_id.to_string());
    Some(Question { target: Target::Lsn(end), backup, timeline: None })
}

impl DrawnTarget {
    /// As it is written down.
    pub fn target(&self) -> DrillTarget {
        DrillTarget {
            time: self.restore.stop_at(),
            lsn: self.restore.stop_at_lsn(),
            timeline: self.restore.target_timeline().map(TimelineId::value),
            seed: Some(self.seed),
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReachable(obstruction) => write!(f, "{}", obstruction.why),
            Self::Unknown(doubt) => write!(f, "{doubt}"),
            Self::NoProvenMoment => f.write_str(
                "no window ends with a transaction whose time is known, so there is no moment at \
                 which recovery is sure to stop",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_generator_is_the_published_one() {
        // The first outputs of the reference implementation from the state 0, which adds before it mixes.
        assert_eq!(mixed(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mixed(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn moments_are_drawn_evenly_from_stretches_that_lie_apart() {
        let stretches = [(at(0), at(1_000)), (at(5_000), at(8_000))];
        let mut parts = [0_u32; 4];
        for seed in 0..4_000 {
            let drawn = moment(&stretches, seed).unwrap();
            assert_eq!(moment(&stretches, seed), Some(drawn));
            let part = match drawn {
                it if it <= at(1_000) => 0,
                it if it < at(5_000) => panic!("{it} lies between the stretches"),
                it if it < at(6_000) => 1,
                it if it < at(7_000) => 2,
                it => {
                    assert!(it <= at(8_000));
                    3
                }
            };
            parts[part] += 1;
        }
        // A thousand each; five standard deviations are 137.
        assert!(parts.iter().all(|it| (863..1_137).contains(it)), "{parts:?}");
    }

    #[test]
    fn a_stretch_of_one_moment_is_that_moment_and_none_is_none() {
        assert_eq!(moment(&[(at(7), at(7))], 99), Some(at(7)));
        assert_eq!(moment(&[], 99), None);
    }
}
