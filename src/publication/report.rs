//! What `check` prints for people: the verdict first, then why, then what to do.

mod archive;
mod drills;
mod orphans;
mod paper;

use crate::assessment::Latest;
use crate::assessment::verdict::Verdict;
use crate::publication::report::archive::write_archive;
use crate::publication::report::orphans::write_orphans;
use crate::publication::report::paper::Paper;
use crate::publication::span::newest_span;
use crate::publication::view::View;
use crate::publication::wording::ago;
use crate::publication::wording::count;
use crate::publication::wording::title;

/// What the text is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Medium {
    pub colour: Colour,
    /// Columns.
    pub width: usize,
}

impl Medium {
    /// A file or a pipe.
    pub const PLAIN: Self = Self { colour: Colour::Plain, width: Self::WIDTH_MAX };
    /// Longer lines are hard to read.
    pub const WIDTH_MAX: usize = 100;
    /// In less no table is one.
    pub const WIDTH_MIN: usize = 60;

    /// As wide as a terminal of so many columns allows.
    pub fn of_terminal(colour: Colour, columns: usize) -> Self {
        Self { colour, width: columns.clamp(Self::WIDTH_MIN, Self::WIDTH_MAX) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Text alone, as for a file or a pipe.
    Plain,
    /// Escape sequences of a terminal around verdicts and severities.
    Ansi,
}

/// One archive in full; of several a line each, and in full those that are not recoverable.
pub fn render(view: &View<'_>, medium: Medium) -> String {
    let mut paper = Paper::new(medium);
    match view.archives.as_slice() {
        [] if view.orphans.is_empty() => paper.line(0, "UNKNOWN  no archive was selected"),
        [] => paper.line(0, "UNKNOWN  no cluster has an archive"),
        [archive] => write_archive(&mut paper, archive, view.now),
        [..] => write_fleet(&mut paper, view),
    }
    write_orphans(&mut paper, view);
    paper.into_text()
}

fn write_fleet(paper: &mut Paper, view: &View<'_>) {
    let archives = view.worst_first();
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .rev()
        .map(|verdict| (verdict, view.of_verdict(verdict)))
        .filter(|(_, number)| *number != 0)
        .map(|(verdict, number)| format!("{number} {}", title(verdict).to_lowercase()))
        .collect();
    let total = count(archives.len(), "archive");
    paper.verdict(view.verdict, &format!("{total}: {}", counts.join(", ")));
    paper.blank();
    let width = paper.width();
    paper.line(0, &row(width, "VERDICT", ["ARCHIVE", "NEWEST RESTORABLE", "WORST FINDING"]));
    for archive in &archives {
        let (assessment, verdict) = (archive.assessment, archive.standing.verdict);
        let newest = newest_span(&assessment.windows)
            .map_or_else(|| "never".to_owned(), |span| ago(span.last.at, view.now));
        let newest = if assessment.windows.is_empty() && assessment.latest == Latest::Unknown {
            "not known".to_owned()
        } else {
            newest
        };
        let finding = assessment.findings.first().map_or("-", |finding| finding.code().as_str());
        let name = assessment.archive.to_string();
        let line = row(width, title(verdict), [&name, &newest, finding]);
        paper.coloured_start(verdict, &line);
    }
    for archive in archives {
        match archive.standing.verdict {
            Verdict::Recoverable => {}
            Verdict::AtRisk | Verdict::Unknown | Verdict::Unrecoverable => {
                paper.rule();
                write_archive(paper, &archive, view.now);
            }
        }
    }
}

/// A finding's code has at most so many letters.
const FINDING_WIDTH: usize = 27;
const NEWEST_WIDTH: usize = 17;
const VERDICT_WIDTH: usize = 13;
/// A name that is cut to less tells nothing.
const NAME_WIDTH_MIN: usize = 16;

/// The name gets what the other columns leave; in a narrow terminal the newest moment is left out,
/// which stands with each archive again.
fn row(width: usize, verdict: &str, [archive, newest, finding]: [&str; 3]) -> String {
    let others = VERDICT_WIDTH + 2 + 2 + FINDING_WIDTH;
    let has_newest = others + 2 + NEWEST_WIDTH + NAME_WIDTH_MIN <= width;
    let taken = if has_newest { others + 2 + NEWEST_WIDTH } else { others };
    let room = width.saturating_sub(taken).max(NAME_WIDTH_MIN);
    let archive = paper::shorten(archive, room);
    if has_newest {
        format!("{verdict:VERDICT_WIDTH$}  {archive:room$}  {newest:NEWEST_WIDTH$}  {finding}")
    } else {
        format!("{verdict:VERDICT_WIDTH$}  {archive:room$}  {finding}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;
    use crate::publication::snapshot::Snapshot;

    fn rendered(snapshot: &Snapshot, colour: Colour) -> String {
        laid_out(snapshot, Medium { colour, ..Medium::PLAIN })
    }

    fn laid_out(snapshot: &Snapshot, medium: Medium) -> String {
        render(&View::new(snapshot, snapshot.generated_at), medium)
    }

    #[test]
    fn a_healthy_archive_takes_few_words() {
        insta::assert_snapshot!(rendered(&samples::only(samples::HEALTHY), Colour::Plain));
    }

    #[test]
    fn a_risk_is_told_with_its_hint() {
        insta::assert_snapshot!(rendered(&samples::only(samples::AT_RISK), Colour::Plain));
    }

    #[test]
    fn an_unrecoverable_archive_says_what_is_left() {
        insta::assert_snapshot!(rendered(&samples::only(samples::UNRECOVERABLE), Colour::Plain));
    }

    #[test]
    fn old_values_are_told_with_their_age() {
        insta::assert_snapshot!(rendered(&samples::only(samples::UNREAD_SINCE), Colour::Plain));
    }

    #[test]
    fn nothing_is_claimed_of_an_archive_that_was_never_read() {
        insta::assert_snapshot!(rendered(&samples::only(samples::NEVER_READ), Colour::Plain));
    }

    #[test]
    fn an_empty_archive_is_told_as_empty() {
        insta::assert_snapshot!(rendered(&samples::only(samples::EMPTY), Colour::Plain));
    }

    #[test]
    fn orphaned_archives_come_last_a_line_each() {
        let fleet = samples::fleet(samples::KINDS);
        let snapshot = samples::orphaning(&fleet, &[0, 1, 2, 3, 4, 5]);
        insta::assert_snapshot!(rendered(&snapshot, Colour::Plain));
    }

    #[test]
    fn of_many_archives_the_worst_come_first() {
        let text = rendered(&samples::fleet(samples::KINDS), Colour::Plain);
        let (summary, _) = text.split_once("\n\n\n").unwrap_or((&text, ""));
        insta::assert_snapshot!(summary.lines().take(10).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for columns in [60, 80, 100, 1_000] {
            let medium = Medium::of_terminal(Colour::Plain, columns);
            let fleet = samples::fleet(40);
            let text = laid_out(&samples::orphaning(&fleet, &[7, 8, 9, 10]), medium);
            for line in text.lines() {
                let is_one_word = !line.trim().contains(' ');
                assert!(line.chars().count() <= medium.width || is_one_word, "{columns}: {line}");
                assert!(!line.contains(char::is_control), "{line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn in_a_narrow_terminal_tables_stay_tables() {
        for columns in [60, 80] {
            let medium = Medium::of_terminal(Colour::Plain, columns);
            let text = laid_out(&samples::fleet(samples::KINDS), medium);
            let table: Vec<&str> = text.lines().filter(|line| !line.starts_with("    ")).collect();
            insta::assert_snapshot!(format!("{columns}_columns"), table.join("\n"));
        }
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let snapshot = samples::fleet(samples::KINDS);
        let plain = rendered(&snapshot, Colour::Plain);
        let coloured = rendered(&snapshot, Colour::Ansi);
        assert!(!plain.contains('\u{1b}'));
        let mut stripped = coloured.clone();
        for code in ["\u{1b}[1;31m", "\u{1b}[1;32m", "\u{1b}[1;33m", "\u{1b}[1;35m", "\u{1b}[0m"] {
            stripped = stripped.replace(code, "");
        }
        assert_ne!(coloured, plain);
        assert_eq!(stripped, plain);
    }
}
