//! A drill in words, for whoever ran it.

use crate::domain::cluster::DrillKind;
use crate::domain::drill::DrillGroup;
use crate::domain::drill::DrillReport;
use crate::domain::drill::DrillTarget;
use crate::publication::restored::phases;
use crate::publication::restored::place;
use crate::publication::wording::bytes;
use crate::publication::wording::rfc3339;

pub fn text(report: &DrillReport) -> String {
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
    if let Some(postgres) = &report.versions.postgres {
        row("by", format!("PostgreSQL {postgres} on this machine"));
    }
    text
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
