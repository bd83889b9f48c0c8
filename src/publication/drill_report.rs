//! A drill in words, for whoever ran it.

use crate::domain::cluster::DrillKind;
use crate::domain::drill::DrillGroup;
use crate::domain::drill::DrillReport;
use crate::domain::drill::DrillTarget;
use crate::domain::drill::DrillVersions;
use crate::domain::drill::DrillWay;
use crate::publication::folded::folded;
use crate::publication::restored::phases;
use crate::publication::restored::place;
use crate::publication::wording::bytes;
use crate::publication::wording::rfc3339;

/// Folded to so many columns.
pub fn text(report: &DrillReport, width: usize) -> String {
    let DrillReport { kind, server_name, namespace, cluster, class, detail, .. } = report;
    let name = if cluster.is_empty() {
        server_name.clone()
    } else {
        format!("{namespace}/{cluster} ({server_name})")
    };
    let came = match class.group() {
        DrillGroup::Success => "SUCCEEDED",
        DrillGroup::Archive | DrillGroup::Settings => "FAILED",
        DrillGroup::Platform | DrillGroup::Cleanup => "was INCONCLUSIVE",
    };
    let why = if report.is_success() { String::new() } else { format!(" ({class})") };
    let mut text = format!("{name}: the {} drill {came}{why}\n  {detail}\n\n", kind.code());
    let mut row = |label: &str, value: String| text += &format!("  {label:<11}{value}\n");
    if let Some(id) = &report.backup_id {
        row("backup", id.clone());
    }
    row("target", target(&report.target, *kind));
    if let Some(end) = &report.predicted {
        row("predicted", place(end));
    }
    if let Some(end) = &report.reached {
        row("reached", place(end));
    }
    for check in &report.checks {
        let word = if check.is_passed { "passed" } else { "FAILED" };
        row("check", format!("{word}: {}, {}", check.name, check.detail));
    }
    let volume = &report.volume;
    let (base, wal) = (bytes(volume.base_bytes), bytes(volume.wal_bytes));
    row("read", format!("{base} of the base backup, {wal} of WAL"));
    if !report.phases.is_empty() {
        row("took", phases(&report.phases));
    }
    if let Some(by) = by(report) {
        row("by", by);
    }
    folded(&text, width)
}

/// What restored it.
fn by(report: &DrillReport) -> Option<String> {
    let DrillVersions { postgres, operator, .. } = &report.versions;
    let postgres = postgres.as_ref().map(|it| format!("PostgreSQL {it}"));
    match report.way {
        DrillWay::Local => postgres.map(|it| format!("{it} on this machine")),
        DrillWay::Operator => {
            let operator = operator.as_ref().map(|it| format!("CloudNativePG {it}"));
            let both: Vec<String> = operator.into_iter().chain(postgres).collect();
            (!both.is_empty()).then(|| both.join(", "))
        }
    }
}

fn target(target: &DrillTarget, kind: DrillKind) -> String {
    let what = match (target.time, target.lsn) {
        (Some(time), _) => rfc3339(time),
        (None, Some(lsn)) => lsn.to_string(),
        (None, None) => "the newest state".to_owned(),
    };
    let timeline = target.timeline.map(|it| format!(" on timeline {it}")).unwrap_or_default();
    // Nothing was drawn of the newest state.
    let seed = target.seed.filter(|_| kind == DrillKind::Pitr);
    let seed = seed.map(|seed| format!(", drawn with --seed {seed}")).unwrap_or_default();
    format!("{what}{timeline}{seed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;

    #[test]
    fn who_restored_it_is_told_for_either_way() {
        let fleet = samples::fleet(6);
        let mut archives = fleet.archives.iter();
        let reports = archives.find_map(|it| it.assessment.cluster.as_ref()?.drill_reports.first());
        let mut report = DrillReport::clone(reports.unwrap());
        report.versions.postgres = Some("18.6".to_owned());
        report.versions.operator = Some("1.28.4".to_owned());
        for (way, by) in [
            (DrillWay::Local, "PostgreSQL 18.6 on this machine"),
            (DrillWay::Operator, "CloudNativePG 1.28.4, PostgreSQL 18.6"),
        ] {
            report.way = way;
            let text = text(&report, usize::MAX);
            assert!(text.ends_with(&format!("  by         {by}\n")), "{text}");
        }
    }
}
