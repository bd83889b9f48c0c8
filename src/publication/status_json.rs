//! The JSON of `check -o json` and `/api/v1/status`, as scripts read it.
//!
//! It has types of its own, so that a name changed inside never breaks a script.

mod judged;
mod kubernetes;
mod restorable;

use chrono::DateTime;
use chrono::Utc;
use serde::Serialize;
use serde::Serializer;

use crate::assessment::loss::Losses;
use crate::domain::archive_id::ArchiveAddress;
use crate::publication::drill_json;
use crate::publication::drill_json::Drill;
use crate::publication::drill_json::RecoveryTime;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::status_json::judged::JudgedProblem;
use crate::publication::status_json::judged::Rungs;
use crate::publication::status_json::kubernetes::Kubernetes;
use crate::publication::status_json::restorable::Backup;
use crate::publication::status_json::restorable::MissingWal;
use crate::publication::status_json::restorable::Segment;
use crate::publication::status_json::restorable::System;
use crate::publication::status_json::restorable::Timeline;
use crate::publication::status_json::restorable::Window;
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

#[derive(Debug, Serialize)]
struct StrayObjects<'a> {
    count: u64,
    examples: &'a [String],
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
