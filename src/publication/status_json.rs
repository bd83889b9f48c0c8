//! The JSON of `check -o json` and `/api/v1/status`, as scripts read it.
//!
//! It has types of its own, so that a name changed inside never breaks a script.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;
use serde::Serialize;
use serde::Serializer;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::FirstPoint;
use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::LastPoint;
use crate::assessment::NewestSegment;
use crate::assessment::RecoveryWindow;
use crate::assessment::SystemState;
use crate::assessment::TimelineState;
use crate::assessment::cluster::ClusterState;
use crate::assessment::cluster::Silence;
use crate::assessment::finding::Finding;
use crate::assessment::loss::Loss;
use crate::assessment::loss::Losses;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::cluster::RestoreDrill;
use crate::publication::drill_json;
use crate::publication::drill_json::Drill;
use crate::publication::drill_json::RecoveryTime;
use crate::publication::drills::restored;
use crate::publication::runbook;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::view::ArchiveView;
use crate::publication::view::View;
use crate::publication::wording::rfc3339;

/// The whole document.
#[derive(Debug, Serialize)]
pub struct StatusDocument<'a> {
    generated_at: Time,
    verdict: &'static str,
    /// `null` where Kubernetes is not asked.
    discovery: Option<AskedKubernetes<'a>>,
    /// `null` where nobody looks for orphaned archives.
    orphan_search: Option<SearchForOrphans<'a>>,
    archives: Archives<'a>,
}

/// Each is made when it is written: a tree of all would be many times the text.
#[derive(Debug)]
struct Archives<'a>(Vec<ArchiveView<'a>>);

/// Whether Kubernetes said which clusters there are.
#[derive(Debug, Serialize)]
struct AskedKubernetes<'a> {
    up: bool,
    why: Option<&'a str>,
}

/// Where orphaned archives could not be looked for.
#[derive(Debug, Serialize)]
struct SearchForOrphans<'a> {
    unread: &'a [String],
}

#[derive(Debug, Serialize)]
struct ArchiveDocument<'a> {
    cnpg_namespace: &'a str,
    cnpg_cluster: &'a str,
    server_name: &'a str,
    /// `null` for a cluster without an archive.
    destination_path: Option<String>,
    orphaned: bool,
    verdict: &'static str,
    observed_at: Option<Time>,
    checked_at: Time,
    stale: bool,
    latest_recoverable: Option<bool>,
    recovery_windows: Vec<Window<'a>>,
    timelines: Vec<Timeline>,
    systems: Vec<System>,
    gaps: Vec<MissingWal>,
    backups: Vec<Backup<'a>>,
    newest_segment: Option<Segment>,
    findings: Vec<JudgedProblem>,
    proof: Rungs,
    strays: StrayObjects<'a>,
    drills: Vec<Drill<'a>>,
    /// `null` where no drill tells.
    recovery_time: Option<RecoveryTime>,
    /// `null` for an archive that only the configuration names.
    kubernetes: Option<Kubernetes<'a>>,
}

/// What the verdict rests on.
#[derive(Debug, Serialize)]
struct Rungs {
    listed: Option<Time>,
    read: Option<Time>,
    restored: Option<Time>,
    read_until: Option<Time>,
    unread_since: Option<Time>,
    segments: u64,
    segments_read: u64,
    backups: u64,
    backups_read: u64,
}

#[derive(Debug, Serialize)]
struct StrayObjects<'a> {
    count: u64,
    examples: &'a [String],
}

#[derive(Debug, Serialize)]
struct Window<'a> {
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
struct Timeline {
    id: u32,
    living: bool,
    evidence: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct System {
    system_identifier: String,
    living: bool,
    backups: usize,
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
struct MissingWal {
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
struct Backup<'a> {
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
struct Segment {
    name: String,
    uploaded_at: Time,
}

#[derive(Debug, Serialize)]
struct JudgedProblem {
    code: &'static str,
    severity: &'static str,
    message: String,
    hint: String,
    runbook_url: String,
    evidence: BTreeMap<&'static str, String>,
}

/// What Kubernetes says of the cluster.
#[derive(Debug, Serialize)]
struct Kubernetes<'a> {
    created_at: Option<Time>,
    phase: Option<&'a str>,
    /// Why no new WAL is no sign of trouble.
    silence: Option<&'static str>,
    schedules: &'a [String],
    scheduled_backups: Option<ScheduledRuns>,
    restore_drills: Vec<RecordedDrill>,
}

#[derive(Debug, Serialize)]
struct ScheduledRuns {
    expected: u64,
    completed: u64,
    failed: u64,
    missed: u64,
}

#[derive(Debug, Serialize)]
struct RecordedDrill {
    kind: &'static str,
    time: Time,
    success: bool,
    duration_seconds: Option<i64>,
}

/// RFC 3339 in UTC.
#[derive(Debug)]
struct Time(DateTime<Utc>);

/// The document with line breaks, for a file or a terminal.
pub fn render(view: &View<'_>) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(&StatusDocument::new(view))?;
    text.push('\n');
    Ok(text)
}

/// The same document as YAML.
pub fn render_yaml(view: &View<'_>) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&StatusDocument::new(view))
}

impl<'a> StatusDocument<'a> {
    pub fn new(view: &'a View<'a>) -> Self {
        let snapshot = view.snapshot;
        Self {
            generated_at: Time(snapshot.generated_at),
            verdict: view.verdict.code(),
            discovery: snapshot.discovery.as_ref().map(AskedKubernetes::new),
            orphan_search: snapshot
                .orphan_search
                .as_ref()
                .map(|search| SearchForOrphans { unread: &search.unread }),
            archives: Archives(view.everything()),
        }
    }
}

impl<'a> AskedKubernetes<'a> {
    fn new(discovery: &'a DiscoveryState) -> Self {
        match discovery {
            DiscoveryState::Up => Self { up: true, why: None },
            DiscoveryState::Down(why) => Self { up: false, why: Some(why) },
        }
    }
}

impl<'a> ArchiveDocument<'a> {
    fn new(archive: &ArchiveView<'a>) -> Self {
        let assessment = archive.assessment;
        let losses = Losses::of(&assessment.windows);
        Self {
            cnpg_namespace: &assessment.archive.namespace,
            cnpg_cluster: &assessment.archive.cluster,
            server_name: &assessment.archive.server_name,
            destination_path: assessment.address.as_ref().map(ArchiveAddress::destination_path),
            orphaned: assessment.orphan.is_some(),
            verdict: archive.standing.verdict.code(),
            observed_at: assessment.observed_at.map(Time),
            checked_at: Time(assessment.checked_at),
            stale: archive.standing.is_stale(),
            latest_recoverable: assessment.latest.is_reached(),
            recovery_windows: assessment.windows.iter().map(Window::new).collect(),
            timelines: assessment.timelines.iter().map(Timeline::new).collect(),
            systems: assessment.systems.iter().copied().map(System::new).collect(),
            gaps: assessment.gaps.iter().map(|gap| MissingWal::new(gap, &losses)).collect(),
            backups: assessment.backups.iter().map(Backup::new).collect(),
            newest_segment: assessment.newest_segment.map(Segment::new),
            findings: assessment
                .findings
                .iter()
                .map(|finding| JudgedProblem::new(finding, assessment))
                .collect(),
            proof: Rungs::new(assessment),
            strays: StrayObjects {
                count: assessment.strays.count,
                examples: &assessment.strays.examples,
            },
            drills: drill_json::drills(assessment),
            recovery_time: RecoveryTime::new(assessment),
            kubernetes: assessment.cluster.as_ref().map(Kubernetes::new),
        }
    }
}

impl<'a> Kubernetes<'a> {
    fn new(cluster: &'a ClusterState) -> Self {
        let drill = |drill: &RestoreDrill| RecordedDrill {
            kind: drill.kind.code(),
            time: Time(drill.at),
            success: drill.is_success,
            duration_seconds: drill.duration.map(|duration| duration.num_seconds()),
        };
        Self {
            created_at: cluster.created_at.map(Time),
            phase: cluster.phase.as_deref(),
            silence: cluster.silence.as_ref().map(Silence::code),
            schedules: &cluster.schedules,
            scheduled_backups: cluster.scheduled.map(|runs| ScheduledRuns {
                expected: runs.expected,
                completed: runs.completed,
                failed: runs.failed,
                missed: runs.missed,
            }),
            restore_drills: cluster.drills.iter().map(drill).collect(),
        }
    }
}

impl<'a> Window<'a> {
    fn new(window: &'a RecoveryWindow) -> Self {
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
    fn new(state: &TimelineState) -> Self {
        Self {
            id: state.timeline.value(),
            living: state.is_living,
            evidence: state.signs.iter().map(|sign| sign.code()).collect(),
        }
    }
}

impl System {
    fn new(state: SystemState) -> Self {
        Self {
            system_identifier: state.system.to_string(),
            living: state.is_living,
            backups: state.backups,
        }
    }
}

impl MissingWal {
    fn new(gap: &Gap, losses: &Losses) -> Self {
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
    fn new(backup: &'a AssessedBackup) -> Self {
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

impl Rungs {
    fn new(assessment: &Assessment) -> Self {
        let proof = assessment.proof;
        let read_at = proof.backups_read_at.max(proof.segments_read_at);
        let read_at = read_at.or(assessment.observed_at).filter(|_| proof.is_any());
        Self {
            listed: assessment.observed_at.map(Time),
            read: read_at.map(Time),
            restored: restored(assessment).map(|(drill, _)| Time(drill.at)),
            read_until: proof.read_until.map(Time),
            unread_since: proof.unread_since.map(Time),
            segments: proof.segments,
            segments_read: proof.segments_read,
            backups: proof.backups,
            backups_read: proof.backups_read,
        }
    }
}

impl Segment {
    fn new(segment: NewestSegment) -> Self {
        Self { name: segment.name.to_string(), uploaded_at: Time(segment.uploaded_at) }
    }
}

impl JudgedProblem {
    fn new(finding: &Finding, assessment: &Assessment) -> Self {
        Self {
            code: finding.code().as_str(),
            severity: finding.severity().code(),
            message: finding.to_string(),
            hint: assessment.hint(finding),
            runbook_url: runbook::url(finding.code()),
            evidence: finding.problem.evidence().into_iter().collect(),
        }
    }
}

impl Serialize for Archives<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ArchiveDocument::new))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;
    use crate::publication::snapshot::Snapshot;

    #[test]
    fn the_document_is_what_scripts_rely_on() {
        let fleet = samples::fleet(samples::KINDS);
        insta::assert_snapshot!(render(&View::new(&fleet, fleet.generated_at)).unwrap());
    }

    #[test]
    fn yaml_says_the_same_as_json() {
        let fleet = samples::fleet(samples::KINDS);
        let view = View::new(&fleet, fleet.generated_at);
        let json: serde_json::Value = serde_json::from_str(&render(&view).unwrap()).unwrap();
        let yaml = render_yaml(&view).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, json, "{yaml}");
    }

    #[test]
    fn a_fleet_of_none_is_a_document_too() {
        let empty = Snapshot::empty(DateTime::UNIX_EPOCH);
        let text = render(&View::new(&empty, empty.generated_at)).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "generated_at": "1970-01-01T00:00:00Z", "verdict": "unknown", "discovery": null,
            "orphan_search": null, "archives": [],
        });
        assert_eq!(document, expected);
    }
}
