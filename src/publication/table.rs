//! A line for each archive and nothing else, to be read by eye, `grep` and `awk`: names are never cut,
//! and columns are as wide as what stands in them.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;
use crate::publication::view::View;
use crate::publication::wording::ago;
use crate::publication::wording::bytes;

/// How many columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    Few,
    All,
}

const FEW: &[&str] = &["VERDICT", "ARCHIVE", "NEWEST RESTORABLE", "WORST FINDING"];
const ALL: &[&str] = &[
    "VERDICT",
    "ARCHIVE",
    "NEWEST RESTORABLE",
    "LAST BASE BACKUP",
    "LAST WAL",
    "STORED",
    "FINDINGS",
    "ADDRESS",
];

/// The worst come first, and orphaned archives last.
pub fn render(view: &View<'_>, columns: Columns) -> String {
    let mut entries = view.worst_first();
    entries.extend(&view.orphans);
    let rows: Vec<Vec<String>> = entries.iter().map(|it| row(it, columns, view.now)).collect();
    let heads = match columns {
        Columns::Few => FEW,
        Columns::All => ALL,
    };
    let width = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|it| it.chars().count());
        let head = heads.get(index).map(|it| it.chars().count());
        cells.chain(head).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = line(heads.iter().copied(), &widths);
    for row in &rows {
        text += &line(row.iter().map(String::as_str), &widths);
    }
    text
}

fn row(entry: &ArchiveView<'_>, columns: Columns, now: DateTime<Utc>) -> Vec<String> {
    let assessment = entry.assessment;
    let newest = newest_span(&assessment.windows).map(|span| span.last.at);
    let verdict = entry.standing.verdict.code().to_owned();
    let mut cells = vec![verdict, assessment.archive.to_string(), moment(assessment, newest, now)];
    match columns {
        Columns::Few => cells.push(worst_finding(assessment)),
        Columns::All => {
            let backup = assessment.backups.iter().rev().find(|it| it.is_usable());
            let backup = backup.and_then(|it| it.ended_at);
            cells.push(moment(assessment, backup, now));
            let wal = assessment.newest_segment.map(|it| it.uploaded_at);
            cells.push(moment(assessment, wal, now));
            cells.push(stored(assessment));
            cells.push(findings(assessment));
            cells.push(assessment.place());
        }
    }
    cells.iter().map(|cell| clean(cell)).collect()
}

/// Names and addresses come from a bucket: takes out what would move the cursor or make a line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// That there is none, only where somebody has looked.
fn moment(assessment: &Assessment, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    match at {
        Some(at) => ago(at, now),
        None if assessment.observed_at.is_none() => "not known".to_owned(),
        None => "none".to_owned(),
    }
}

fn stored(assessment: &Assessment) -> String {
    if assessment.observed_at.is_some() {
        bytes(assessment.totals.bytes())
    } else {
        "not known".to_owned()
    }
}

fn worst_finding(assessment: &Assessment) -> String {
    assessment.findings.first().map_or("-", |finding| finding.code().as_str()).to_owned()
}

/// Each kind once, the worst first.
fn findings(assessment: &Assessment) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for finding in assessment.findings.iter() {
        let code = finding.code().as_str();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    if codes.is_empty() { "-".to_owned() } else { codes.join(",") }
}

/// With no spaces at its end.
fn line<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let cells: Vec<String> =
        cells.zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    format!("{}\n", cells.join("   ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;

    fn rendered(columns: Columns) -> String {
        let fleet = samples::fleet(samples::KINDS);
        let snapshot = samples::orphaning(&fleet, &[1]);
        render(&View::new(&snapshot, snapshot.generated_at), columns)
    }

    #[test]
    fn a_table_has_a_line_for_each_archive() {
        insta::assert_snapshot!(rendered(Columns::Few));
    }

    #[test]
    fn a_wide_table_has_what_a_few_columns_leave_out() {
        insta::assert_snapshot!(rendered(Columns::All));
    }

    #[test]
    fn an_orphan_is_told_from_the_others() {
        let text = rendered(Columns::Few);
        let last = text.lines().last().unwrap();
        assert!(last.contains("/- ("), "{text}");
    }

    #[test]
    fn every_line_begins_its_columns_at_the_same_place() {
        let text = rendered(Columns::All);
        let head = text.lines().next().unwrap();
        for name in ALL.iter().skip(1) {
            let at = head.find(name).unwrap();
            for line in text.lines() {
                let before: String = line.chars().take(at).collect();
                assert!(before.ends_with("   "), "{name}: {line}");
            }
        }
    }
}
