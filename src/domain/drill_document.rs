//! Reads the document of a drill that somebody else wrote down.

use chrono::DateTime;
use chrono::Utc;
use serde::Deserialize;

use crate::domain::cluster::RestoreDrill;
use crate::domain::drill::DrillGroup;
use crate::domain::drill::DrillReport;
use crate::domain::drill::PhaseName;
use crate::domain::moment::in_calendar;

/// Where the document stands in a `ConfigMap`.
pub const REPORT_KEY: &str = "report.json";

/// The label of a `ConfigMap` that holds one, with the value `true`.
pub const REPORT_LABEL: &str = "backup-verifier.monosense.dev/drill-result";

/// A hundred checks with a sentence each take half of it.
const REPORT_BYTES_MAX: usize = 64 << 10;

/// No restore takes a year.
const PHASE_SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// What every version has.
#[derive(Deserialize)]
struct Form {
    form: u32,
}

impl DrillReport {
    /// Or why it is none that can be relied on.
    pub fn read(text: &str) -> Result<Self, String> {
        if REPORT_BYTES_MAX < text.len() {
            return Err(format!("{} bytes, and at most {REPORT_BYTES_MAX} are read", text.len()));
        }
        let Form { form } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if form != Self::FORM {
            return Err(format!("it has the form {form}, and {} is understood", Self::FORM));
        }
        let report: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        report.flaw().map_or(Ok(report), |flaw| Err(flaw.to_owned()))
    }

    fn flaw(&self) -> Option<&'static str> {
        let ends = [&self.predicted, &self.reached].into_iter().flatten();
        let times: [Option<DateTime<Utc>>; 3] =
            [Some(self.began_at), Some(self.ended_at), self.target.time];
        let mut times =
            ends.filter_map(|it| it.last_transaction_at).chain(times.into_iter().flatten());
        if times.any(|at| in_calendar(at).is_none()) {
            return Some("a time in it lies outside of the calendar");
        }
        if self.ended_at < self.began_at {
            return Some("it ended before it began");
        }
        if !self.phases.iter().all(|it| (0.0..=PHASE_SECONDS_MAX).contains(&it.seconds)) {
            return Some("a phase in it took no time that can be");
        }
        None
    }

    /// What it says of the archive; `None` where it says nothing, since something else got in its way.
    pub fn outcome(&self) -> Option<RestoreDrill> {
        let is_success = match self.class.group() {
            // Whoever wrote it may have compared nothing, or have taken a difference for none.
            DrillGroup::Success => self.matches_prediction() != Some(false),
            DrillGroup::Archive | DrillGroup::Settings => false,
            DrillGroup::Platform | DrillGroup::Cleanup => return None,
        };
        let duration = self.ended_at.signed_duration_since(self.began_at);
        Some(RestoreDrill {
            kind: self.kind,
            at: self.ended_at,
            is_success,
            duration: Some(duration),
        })
    }

    /// How long a phase took, if it was seen.
    pub fn seconds(&self, phase: PhaseName) -> Option<f64> {
        let mut seen = self.phases.iter().filter(|it| it.name == phase).map(|it| it.seconds);
        let first = seen.next()?;
        Some(seen.fold(first, |sum, it| sum + it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::drill::DrillClass;
    use serde_json::Value;
    use serde_json::json;

    type Edit = fn(&mut Value);

    fn document() -> Value {
        json!({
            "form": 1, "kind": "full", "way": "operator",
            "namespace": "databases", "cluster": "main", "server_name": "main",
            "began_at": "2026-01-10T10:00:00Z", "ended_at": "2026-01-10T10:10:00Z",
            "class": "succeeded", "detail": "", "backup_id": null,
            "target": {"time": null, "timeline": null, "seed": 7},
            "phases": [
                {"name": "base", "seconds": 60.5}, {"name": "replay", "seconds": 1.0},
                {"name": "base", "seconds": 0.5},
            ],
            "volume": {"base_bytes": 1, "wal_bytes": 2, "wal_segments": 3},
            "predicted": null, "reached": null, "checks": [],
            "versions": {"verifier": "1", "postgres": null, "operator": null},
        })
    }

    fn read(edit: impl FnOnce(&mut Value)) -> Result<DrillReport, String> {
        let mut document = document();
        edit(&mut document);
        DrillReport::read(&document.to_string())
    }

    #[test]
    fn a_document_is_read_whole_or_the_reason_is_told() {
        let report = read(|_| ()).unwrap();
        assert_eq!(report.seconds(PhaseName::Base), Some(61.0));
        assert_eq!(report.seconds(PhaseName::Start), None);
        let edits: [(&str, Edit); 7] = [
            ("the form 2", |it| it["form"] = json!(2)),
            ("missing field `form`", |it| *it = json!({})),
            ("unknown variant `lost`", |it| it["class"] = json!("lost")),
            ("ended before it began", |it| it["ended_at"] = json!("2026-01-10T09:00:00Z")),
            ("outside of the calendar", |it| {
                it["target"]["time"] = json!("+20000-01-01T00:00:00Z");
            }),
            ("took no time that can be", |it| it["phases"][0]["seconds"] = json!(-1)),
            ("65536 are read", |it| it["detail"] = json!("a".repeat(70_000))),
        ];
        for (expected, edit) in edits {
            let why = read(edit).unwrap_err();
            assert!(why.contains(expected), "{expected}: {why}");
        }
    }

    #[test]
    fn only_what_reached_the_archive_says_something_of_it() {
        let outcome = |class: DrillClass| {
            let report = read(|it| it["class"] = json!(class)).unwrap();
            report.outcome().map(|it| it.is_success)
        };
        assert_eq!(outcome(DrillClass::Succeeded), Some(true));
        assert_eq!(outcome(DrillClass::WalMissing), Some(false));
        assert_eq!(outcome(DrillClass::TablespaceMissing), Some(false));
        assert_eq!(outcome(DrillClass::Oom), None);
        assert_eq!(outcome(DrillClass::CleanupFailed), None);
        let end = |lsn| json!({"system_identifier": null, "timeline": 1, "lsn": lsn, "last_transaction_at": null});
        let elsewhere = read(|it| {
            it["predicted"] = end("0/7000000");
            it["reached"] = end("0/6000000");
        });
        assert!(!elsewhere.unwrap().outcome().unwrap().is_success);
    }
}
