//! What can be restored, from which backups, and which WAL is missing.

use serde::Serialize;

use crate::assessment::AssessedBackup;
use crate::assessment::FirstPoint;
use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::LastPoint;
use crate::assessment::NewestSegment;
use crate::assessment::RecoveryWindow;
use crate::assessment::SystemState;
use crate::assessment::TimelineState;
use crate::assessment::loss::Loss;
use crate::assessment::loss::Losses;
use crate::publication::status_json::Time;

#[derive(Debug, Serialize)]
pub(super) struct Window<'a> {
    backup_id: &'a str,
    first: First,
    last: Last,
    timeline_choice: &'static str,
    /// `null` where only names are known.
    read_until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_timeline: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apart_from: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_identifier: Option<String>,
}

#[derive(Debug, Serialize)]
struct First {
    time: Time,
    lsn: String,
}

#[derive(Debug, Serialize)]
struct Last {
    time: Time,
    lsn: String,
    segment: String,
    timeline: u32,
    time_source: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    id: u32,
    living: bool,
    evidence: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct System {
    system_identifier: String,
    living: bool,
    backups: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct MissingWal {
    timeline: u32,
    first: String,
    last: String,
    count: u64,
    effect: &'static str,
    acknowledged: bool,
    /// Behind the last moment that can be restored before it, up to the first one after it.
    lost_from: Option<Time>,
    lost_until: Option<Time>,
    lost_seconds: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Backup<'a> {
    backup_id: &'a str,
    status: Option<&'static str>,
    usable: bool,
    reasons: Vec<String>,
    begin_time: Option<Time>,
    end_time: Option<Time>,
    begin_wal: Option<String>,
    end_wal: Option<String>,
    size_bytes: u64,
    read_at: Option<Time>,
}

#[derive(Debug, Serialize)]
pub(super) struct Segment {
    name: String,
    uploaded_at: Time,
}

impl<'a> Window<'a> {
    pub(super) fn new(window: &'a RecoveryWindow) -> Self {
        let FirstPoint { at, lsn } = window.first;
        let LastPoint { at: last_at, source, lsn: last_lsn, segment } = window.last;
        Self {
            backup_id: window.backup_id.as_str(),
            first: First { time: Time(at), lsn: lsn.to_string() },
            last: Last {
                time: Time(last_at),
                lsn: last_lsn.to_string(),
                segment: segment.to_string(),
                timeline: segment.timeline.value(),
                time_source: source.code(),
            },
            timeline_choice: if window.target_timeline.is_some() { "told" } else { "default" },
            target_timeline: window.target_timeline.map(|timeline| timeline.value()),
            apart_from: window.apart_from.map(Time),
            read_until: window.read_until.map(Time),
            // Beyond what JavaScript counts exactly.
            system_identifier: window.system.map(|system| system.to_string()),
        }
    }
}

impl Timeline {
    pub(super) fn new(state: &TimelineState) -> Self {
        Self {
            id: state.timeline.value(),
            living: state.is_living,
            evidence: state.signs.iter().map(|sign| sign.code()).collect(),
        }
    }
}

impl System {
    pub(super) fn new(state: SystemState) -> Self {
        Self {
            system_identifier: state.system.to_string(),
            living: state.is_living,
            backups: state.backups,
        }
    }
}

impl MissingWal {
    pub(super) fn new(gap: &Gap, losses: &Losses) -> Self {
        let costs = gap.effect != GapEffect::Harmless;
        let lost = if costs { losses.by(gap) } else { Loss::default() };
        Self {
            timeline: gap.first.timeline.value(),
            first: gap.first.to_string(),
            last: gap.last.to_string(),
            count: gap.count,
            effect: gap.effect.code(),
            acknowledged: gap.is_acknowledged,
            lost_from: lost.from.map(Time),
            lost_until: lost.until.map(Time),
            lost_seconds: lost.length().map(|length| length.num_seconds()),
        }
    }
}

impl<'a> Backup<'a> {
    pub(super) fn new(backup: &'a AssessedBackup) -> Self {
        Self {
            backup_id: backup.id.as_str(),
            status: backup.status.map(|status| status.code()),
            usable: backup.is_usable(),
            reasons: backup.unusable.iter().map(ToString::to_string).collect(),
            begin_time: backup.began_at.map(Time),
            end_time: backup.ended_at.map(Time),
            begin_wal: backup.begin_wal.map(|name| name.to_string()),
            end_wal: backup.end_wal.map(|name| name.to_string()),
            size_bytes: backup.size_bytes,
            read_at: backup.read_at.map(Time),
        }
    }
}

impl Segment {
    pub(super) fn new(segment: NewestSegment) -> Self {
        Self { name: segment.name.to_string(), uploaded_at: Time(segment.uploaded_at) }
    }
}
