//! The output of a monitoring plugin: a line, numbers, details, and an exit code.
//!
//! After the guidelines at <https://www.monitoring-plugins.org/doc/guidelines.html>.

use std::fmt::Write as _;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::verdict::Verdict;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;
use crate::publication::view::View;
use crate::publication::wording::ago;
use crate::publication::wording::count;

const fn state(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Recoverable => "OK",
        Verdict::AtRisk => "WARNING",
        Verdict::Unrecoverable => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    }
}

pub fn render(view: &View<'_>) -> String {
    let mut text = format!("BACKUP {}: ", state(view.verdict));
    let mut numbers = Vec::new();
    if let [archive] = view.archives.as_slice() {
        text.push_str(&clean(&headline(archive, view.now)));
        numbers = measures(archive.assessment, view.now);
    } else {
        let total = count(view.archives.len(), "archive");
        let mut parts = Vec::new();
        for verdict in Verdict::ALL {
            let number = view.of_verdict(verdict);
            numbers.push(format!("{}={number};;;0", verdict.code()));
            if number != 0 {
                parts.push(format!("{number} {}", words(verdict)));
            }
        }
        text.push_str(&total);
        if !parts.is_empty() {
            write!(text, ": {}", parts.join(", ")).unwrap_or_default();
        }
    }
    writeln!(text, " | {}", numbers.join(" ")).unwrap_or_default();
    for archive in view.worst_first() {
        let assessment = archive.assessment;
        if 1 < view.archives.len() {
            let (state, line) = (state(archive.standing.verdict), headline(&archive, view.now));
            writeln!(text, "{state}: {}", clean(&line)).unwrap_or_default();
        }
        for finding in &assessment.findings {
            let line =
                format!("{} {}: {finding}", finding.severity().code(), finding.code().as_str());
            writeln!(text, "  {}", clean(&line)).unwrap_or_default();
            writeln!(text, "    do: {}", clean(&assessment.hint(finding))).unwrap_or_default();
        }
    }
    for orphan in &view.orphans {
        let line = format!("orphaned: {}", headline(orphan, view.now));
        writeln!(text, "{}", clean(&line)).unwrap_or_default();
    }
    text
}

const fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Recoverable => "recoverable",
        Verdict::AtRisk => "at risk",
        Verdict::Unknown => "unknown",
        Verdict::Unrecoverable => "unrecoverable",
    }
}

fn headline(archive: &ArchiveView<'_>, now: DateTime<Utc>) -> String {
    let assessment = archive.assessment;
    let mut line = format!("{} is {}", assessment.archive, words(archive.standing.verdict));
    if archive.standing.is_stale() {
        write!(line, ", checked last {}", ago(assessment.checked_at, now)).unwrap_or_default();
    }
    if let Some(span) = newest_span(&assessment.windows) {
        let newest = ago(span.last.at, now);
        write!(line, ", newest restorable moment {newest}").unwrap_or_default();
    }
    if let Some(worst) = assessment.findings.first() {
        write!(line, ", {worst}").unwrap_or_default();
    }
    line
}

/// `label=value[unit];[warn];[crit];[min]`
fn measures(assessment: &Assessment, now: DateTime<Utc>) -> Vec<String> {
    let mut measures = Vec::new();
    let mut measure_age = |label, at: Option<DateTime<Utc>>, age_max: Option<TimeDelta>| {
        if let Some(at) = at {
            let age = (now - at).num_seconds().max(0);
            let age_max = age_max.map(|age| age.num_seconds().to_string()).unwrap_or_default();
            measures.push(format!("{label}={age}s;{age_max};;0"));
        }
    };
    let promises = &assessment.promises;
    let usable = assessment.backups.iter().filter(|backup| backup.is_usable());
    let newest_backup = usable.filter_map(|backup| backup.ended_at).max();
    let span = newest_span(&assessment.windows);
    measure_age("newest_restorable_age", span.map(|span| span.last.at), None);
    measure_age("base_backup_age", newest_backup, promises.base_backup_age_max);
    measure_age("wal_age", assessment.wal_uploaded_at(), promises.wal_age_max);
    if let Some(span) = span {
        let seconds = (span.last.at - span.first_at).num_seconds();
        let retention = promises.retention;
        // A value below the promise is what Nagios writes as `promise:`.
        let promised = retention.map(|retention| format!("{}:", retention.num_seconds()));
        measures.push(format!("recovery_window={seconds}s;{};;0", promised.unwrap_or_default()));
    }
    measures.push(format!("findings={};;;0", assessment.findings.len()));
    measures
}

/// Text that cannot be taken for numbers or for another line.
fn clean(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '|' => '/',
            control if control.is_control() => ' ',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;
    use crate::publication::snapshot::Snapshot;

    fn rendered(snapshot: &Snapshot) -> String {
        render(&View::new(snapshot, snapshot.generated_at))
    }

    #[test]
    fn one_archive_is_told_with_its_numbers() {
        insta::assert_snapshot!(rendered(&samples::only(samples::AT_RISK)));
    }

    #[test]
    fn several_archives_are_counted() {
        insta::assert_snapshot!(rendered(&samples::fleet(samples::KINDS)));
    }

    #[test]
    fn what_the_store_says_cannot_add_numbers_or_lines() {
        assert_eq!(clean("no | x=1\nOK\u{1b}[2J"), "no / x=1 OK [2J");
    }
}
