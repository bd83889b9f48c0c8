//! The archives that no cluster names, a line each: they count in no verdict.

use crate::publication::report::paper::Paper;
use crate::publication::report::paper::shorten;
use crate::publication::span::newest_span;
use crate::publication::view::View;
use crate::publication::wording::ago;
use crate::publication::wording::bytes;
use crate::publication::wording::title;

/// What fits on a page; the JSON has everything.
const ORPHANS_MAX: usize = 20;

const VERDICT_WIDTH: usize = 13;
const NEWEST_WIDTH: usize = 17;
const STORED_WIDTH: usize = 10;

pub(super) fn write_orphans(paper: &mut Paper, view: &View<'_>) {
    let orphans = &view.orphans;
    if !orphans.is_empty() {
        paper.heading("ORPHANED");
        paper.paragraph(
            0,
            "No Cluster uses these archives; they do not count in the verdict above.",
        );
        let header = row(paper.width(), "VERDICT", ["ARCHIVE", "NEWEST RESTORABLE", "STORED"]);
        paper.line(0, &header);
    }
    for orphan in orphans.iter().take(ORPHANS_MAX) {
        let assessment = orphan.assessment;
        let is_read = assessment.observed_at.is_some();
        let newest = match newest_span(&assessment.windows) {
            Some(span) => ago(span.last.at, view.now),
            None if is_read => "never".to_owned(),
            None => "not known".to_owned(),
        };
        let stored =
            if is_read { bytes(assessment.totals.bytes()) } else { "not known".to_owned() };
        let name = assessment.archive.to_string();
        let verdict = orphan.standing.verdict;
        let line = row(paper.width(), title(verdict), [&name, &newest, &stored]);
        paper.coloured_start(verdict, &line);
        paper.paragraph(2, &assessment.place());
    }
    let rest = orphans.len().saturating_sub(ORPHANS_MAX);
    if rest != 0 {
        paper.line(0, &format!("and {rest} more; see -o json"));
    }
    for why in view.snapshot.orphan_search.iter().flat_map(|it| &it.unread) {
        paper.blank();
        paper.paragraph(0, &format!("Orphaned archives may be missing here: {why}"));
    }
}

/// The name gets what the other columns leave.
fn row(width: usize, verdict: &str, [archive, newest, stored]: [&str; 3]) -> String {
    let others = VERDICT_WIDTH + NEWEST_WIDTH + STORED_WIDTH + 6;
    let room = width.saturating_sub(others);
    let archive = shorten(archive, room);
    format!(
        "{verdict:VERDICT_WIDTH$}  {archive:room$}  {newest:NEWEST_WIDTH$}  {stored:>STORED_WIDTH$}"
    )
}
