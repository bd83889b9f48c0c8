//! What is wrong with the log: segments, history files, and whose they are.

use std::fmt;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::ACCEPTED_BEFORE;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::fault::HistoryFault;
use crate::assessment::finding::fault::LifeSign;
use crate::assessment::finding::fault::SegmentFault;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::duration;
use crate::assessment::finding::words::ids;
use crate::assessment::finding::words::segments;
use crate::assessment::finding::words::span;
use crate::assessment::finding::words::time;
use crate::assessment::loss::Loss;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalDefect {
    Gap {
        gap: Gap,
        /// Backups that can be restored up to the gap only.
        stranded: Vec<BackupId>,
        /// The parent timeline still has a segment of that number: recovery would replay
        /// transactions that the new timeline never had.
        parent_has_segment: bool,
        lost: Loss,
        /// What `acknowledge_gap_before` must say at least to accept the loss.
        accepted_before: Option<DateTime<Utc>>,
    },
    Damaged {
        segment: SegmentName,
        fault: SegmentFault,
    },
    HistoryMissing {
        timeline: TimelineId,
        stranded: Vec<BackupId>,
    },
    HistoryDamaged {
        timeline: TimelineId,
        fault: HistoryFault,
    },
    PartialShadowsSegment {
        segment: SegmentName,
        /// Only when PostgreSQL asks for it again, as it does for the last one.
        is_at_end: bool,
    },
    SegmentTwice {
        first: SegmentName,
        count: u64,
    },
    /// Recovery that is told no timeline leaves the one that lives.
    TimelineFork {
        living: TimelineId,
        followed: TimelineId,
        /// PostgreSQL refuses to start, rather than follow it.
        is_refused: bool,
        signs: Vec<LifeSign>,
        against: Vec<LifeSign>,
    },
    ForeignSystem {
        expected: u64,
        found: u64,
        carrier: Carrier,
        harm: Harm,
    },
}

/// What several servers in one archive do to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Backups whose WAL another one overwrote.
    pub overwritten: Vec<BackupId>,
    /// The timeline of another server that recovery follows unless it is told one.
    pub misled_to: Option<TimelineId>,
    /// The present one goes through the same numbers as the one before.
    pub is_made_anew: bool,
    /// Not all was opened that tells.
    pub is_unknown: bool,
}

impl Harm {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What has another system identifier than the archive's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    Backup(BackupId),
    Segment(SegmentName),
    /// What Kubernetes says of the server that the cluster runs.
    Cluster,
}

impl Family for WalDefect {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::Gap { gap, .. } => (FindingCode::WalGap, Topic::Segments(gap.first)),
            Self::Damaged { segment, .. } => (FindingCode::WalDamaged, Topic::Segment(*segment)),
            Self::HistoryMissing { timeline, .. } => {
                (FindingCode::HistoryMissing, Topic::Timeline(*timeline))
            }
            Self::HistoryDamaged { timeline, .. } => {
                (FindingCode::HistoryDamaged, Topic::Timeline(*timeline))
            }
            Self::PartialShadowsSegment { segment, .. } => {
                (FindingCode::PartialShadowsSegment, Topic::Segment(*segment))
            }
            Self::SegmentTwice { first, .. } => {
                (FindingCode::SegmentTwice, Topic::Segments(*first))
            }
            Self::TimelineFork { followed, .. } => {
                (FindingCode::TimelineFork, Topic::Timeline(*followed))
            }
            Self::ForeignSystem { .. } => (FindingCode::ForeignSystem, Topic::Whole),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Gap { gap, parent_has_segment, .. } => match gap.effect {
                GapEffect::StopsRecovery if *parent_has_segment => {
                    "do not restore the latest state: recovery would replay the old timeline's \
                     segment and bring back abandoned transactions; TAKE_A_BACKUP"
                }
                GapEffect::StopsRecovery => {
                    "if the segments are still in pg_wal, repair archiving and let it catch up; \
                     otherwise TAKE_A_BACKUP"
                }
                GapEffect::Hole => {
                    "this goes away once retention has passed it; if the loss is known and \
                     accepted, ACKNOWLEDGE"
                }
                GapEffect::Harmless => "nothing to do",
            },
            Self::Damaged { .. } => {
                "if the segment is still in pg_wal, upload it again; otherwise TAKE_A_BACKUP"
            }
            Self::HistoryMissing { .. } => {
                "upload TOPIC.history again from pg_wal of the primary, or TAKE_A_BACKUP"
            }
            Self::HistoryDamaged { .. } => {
                "replace TOPIC.history with the copy in pg_wal of the primary; until then \
                 PostgreSQL may refuse to start recovery"
            }
            Self::PartialShadowsSegment { .. } => {
                "delete the .partial object, or restore with --no-partial among \
                 restoreAdditionalCommandArgs"
            }
            Self::SegmentTwice { .. } => {
                "nothing to do if the compression was changed; otherwise find out who else writes \
                 here"
            }
            Self::TimelineFork { .. } => {
                "restore with targetTLI as restore-plan says; find out who archives here besides \
                 the cluster, give it a server name of its own, and then delete TOPIC.history"
            }
            Self::ForeignSystem { carrier: Carrier::Backup(_), harm, .. } if harm.is_none() => {
                "nothing to do after a major upgrade: what both servers wrote can be restored; next \
                 time, give the new one a server name of its own"
            }
            Self::ForeignSystem { carrier: Carrier::Cluster, .. } => {
                "there is no backup of the present server here; if the cluster was recreated, give \
                 it a server name of its own; TAKE_A_BACKUP"
            }
            Self::ForeignSystem { harm: Harm { misled_to: Some(_), .. }, .. } => {
                "restore with targetTLI as restore-plan says, and give the new cluster a server name \
                 of its own; two servers in one archive mislead recovery and overwrite each other's WAL"
            }
            Self::ForeignSystem { .. } => {
                "give the new cluster a server name of its own; two servers in one archive \
                 overwrite each other's WAL"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::Gap { gap, stranded, parent_has_segment, lost, accepted_before } => {
                let mut evidence = vec![
                    ("last", gap.last.to_string()),
                    ("count", gap.count.to_string()),
                    ("effect", gap.effect.code().to_owned()),
                ];
                if !stranded.is_empty() {
                    evidence.push(("stranded", ids(stranded)));
                }
                evidence.extend(lost.from.map(|at| ("lost_from", time(at))));
                evidence.extend(lost.until.map(|at| ("lost_until", time(at))));
                evidence.extend(accepted_before.map(|at| (ACCEPTED_BEFORE, time(at))));
                if *parent_has_segment {
                    evidence.push(("parent_has_segment", "true".to_owned()));
                }
                evidence
            }
            Self::Damaged { fault, .. } => vec![("kind", fault.code().to_owned())],
            Self::HistoryMissing { stranded, .. } => vec![("stranded", ids(stranded))],
            Self::PartialShadowsSegment { is_at_end: true, .. } => {
                vec![("kind", "last_segment".to_owned())]
            }
            Self::HistoryDamaged { .. } | Self::PartialShadowsSegment { .. } => Vec::new(),
            Self::SegmentTwice { count, .. } => vec![("count", count.to_string())],
            Self::TimelineFork { living, is_refused, signs, against, .. } => {
                let codes = |signs: &[LifeSign]| {
                    signs.iter().map(|sign| sign.code()).collect::<Vec<_>>().join(", ")
                };
                let mut evidence = vec![("living", living.to_string()), ("signs", codes(signs))];
                if !against.is_empty() {
                    evidence.push(("against", codes(against)));
                }
                if *is_refused {
                    evidence.push(("default", "refused".to_owned()));
                }
                evidence
            }
            Self::ForeignSystem { expected, found, carrier, harm } => {
                let mut evidence = vec![
                    ("expected", expected.to_string()),
                    ("found", found.to_string()),
                    ("carrier", carrier.to_string()),
                ];
                if !harm.overwritten.is_empty() {
                    evidence.push(("overwritten", ids(&harm.overwritten)));
                }
                evidence.extend(harm.misled_to.map(|it| ("misled_to", it.to_string())));
                evidence
            }
        }
    }
}

impl fmt::Display for WalDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { gap, lost, .. } => write_gap(f, gap, lost),
            Self::Damaged { segment, fault } => {
                write!(f, "WAL segment {segment} is damaged: {fault}")
            }
            Self::HistoryMissing { timeline, .. } => write!(
                f,
                "the history file of timeline {timeline} is missing; recovery from an older \
                 timeline cannot find its way there"
            ),
            Self::HistoryDamaged { timeline, fault } => {
                write!(f, "the history file of timeline {timeline} is damaged: {fault}")
            }
            Self::PartialShadowsSegment { segment, is_at_end: true } => write!(
                f,
                "a leftover {segment}.partial is restored when PostgreSQL reads the last segment \
                 again, and may stop it at the end of recovery"
            ),
            Self::PartialShadowsSegment { segment, is_at_end: false } => write!(
                f,
                "a leftover {segment}.partial is restored instead of the complete segment"
            ),
            Self::SegmentTwice { first, count } => write!(
                f,
                "{} stored with two compressions, starting with {first}",
                segments(*count)
            ),
            Self::TimelineFork { living, followed, is_refused, signs, against } => {
                let ends = if *is_refused {
                    "which PostgreSQL refuses from the newest backup"
                } else {
                    "and ends there"
                };
                write!(
                    f,
                    "without targetTLI, recovery follows timeline {followed}, {ends}, while the \
                     archive continues on timeline {living}{}{}",
                    listed(": ", signs),
                    listed(&format!("; in favour of timeline {followed}: "), against)
                )
            }
            Self::ForeignSystem { expected, found, carrier: Carrier::Cluster, harm } => write!(
                f,
                "the cluster is not the PostgreSQL server that was backed up here: its system \
                 identifier is {found}, that of the newest backup {expected}{harm}"
            ),
            Self::ForeignSystem { expected, found, carrier, harm } => write!(
                f,
                "{carrier} belongs to another PostgreSQL server: its system identifier is \
                 {found}, expected {expected}{harm}"
            ),
        }
    }
}

/// What is missing, and from when to when nothing can be restored for it.
fn write_gap(f: &mut fmt::Formatter<'_>, gap: &Gap, lost: &Loss) -> fmt::Result {
    write!(f, "{} of WAL missing: ", segments(gap.count))?;
    write!(f, "{}", span(gap.first, gap.last))?;
    match (gap.effect, lost.from, lost.until) {
        (GapEffect::Harmless, ..) => f.write_str("; no backup needs it"),
        (GapEffect::StopsRecovery, None, _) => f.write_str("; nothing after it can be restored"),
        (GapEffect::StopsRecovery, Some(from), _) => {
            let from = time(from);
            write!(f, "; nothing after it can be restored, so nothing since {from}")
        }
        (GapEffect::Hole, Some(from), Some(until)) => {
            let length = duration(until.signed_duration_since(from));
            let (from, until) = (time(from), time(until));
            write!(f, "; no moment from {from} to {until} can be restored ({length})")
        }
        (GapEffect::Hole, None, Some(until)) => {
            write!(f, "; no moment inside it, before {}, can be restored", time(until))
        }
        (GapEffect::Hole, _, None) => f.write_str("; moments inside it cannot be restored"),
    }
}

/// Nothing where there is none.
fn listed(before: &str, signs: &[LifeSign]) -> String {
    let words: Vec<String> = signs.iter().map(ToString::to_string).collect();
    if words.is_empty() { String::new() } else { format!("{before}{}", words.join(", ")) }
}

/// As it goes on after what is told before.
impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.overwritten.is_empty() {
            write!(f, "; the WAL of backups {} was overwritten", ids(&self.overwritten))?;
        }
        if self.is_made_anew {
            f.write_str("; the present one writes under the same names")?;
        }
        match self.misled_to {
            None => Ok(()),
            Some(timeline) => write!(
                f,
                "; without targetTLI, recovery follows timeline {timeline} of the other server"
            ),
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(id) => write!(f, "backup {id}"),
            Self::Segment(name) => write!(f, "WAL segment {name}"),
            Self::Cluster => f.write_str("the cluster"),
        }
    }
}
