//! Which archives of a large fleet are shown: words, a verdict, a page.

use crate::assessment::verdict::Verdict;
use crate::publication::page::FormFields;
use crate::publication::page::words::encoded;
use crate::publication::view::ArchiveView;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OverviewFilter {
    pub(super) words: String,
    pub(super) verdict: Option<Verdict>,
    /// From 1 on.
    pub(super) page: usize,
}

/// What a selection selects.
#[derive(Debug)]
pub(super) struct Selected<'a> {
    pub(super) rows: Vec<ArchiveView<'a>>,
    /// The place of the first row among those that match, from 1 on.
    pub(super) first: usize,
    pub(super) matching: usize,
    pub(super) pages: usize,
    /// How many archives match the words, by verdict.
    pub(super) counts: [usize; Verdict::ALL.len()],
}

impl OverviewFilter {
    /// Returns also what was not understood, in words; the selection does without that.
    pub(super) fn parse(fields: &FormFields) -> (Self, Vec<String>) {
        let mut refusals = Vec::new();
        let words = fields.get("q").map(|words| words.trim()).unwrap_or_default();
        let words: String = words.chars().take(WORDS_CHARACTERS_MAX).collect();
        let verdict = match fields.get("verdict").map(String::as_str) {
            None | Some("") => None,
            Some(code) => {
                let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.code() == code);
                if verdict.is_none() {
                    let codes = Verdict::ALL.map(Verdict::code).join(", ");
                    refusals.push(format!("There is no such verdict. Use one of {codes}."));
                }
                verdict
            }
        };
        let page = match fields.get("page").map(String::as_str) {
            None | Some("") => 1,
            Some(page) => page.parse().ok().filter(|page| 0 < *page).unwrap_or_else(|| {
                refusals.push("A page is a number, starting at 1.".to_owned());
                1
            }),
        };
        (Self { words, verdict, page }, refusals)
    }

    pub(super) fn select<'a>(&self, entries: &[ArchiveView<'a>]) -> Selected<'a> {
        let words: Vec<String> = self.words.split_whitespace().map(str::to_lowercase).collect();
        let mut counts = [0; Verdict::ALL.len()];
        let mut rows = Vec::new();
        let mut matching = 0;
        let skipped = (self.page - 1).saturating_mul(ROWS_MAX);
        for entry in entries.iter().filter(|entry| has_words(entry, &words)) {
            let verdict = entry.standing.verdict;
            for (candidate, count) in Verdict::ALL.into_iter().zip(&mut counts) {
                *count += usize::from(candidate == verdict);
            }
            if self.verdict.is_none_or(|wanted| wanted == verdict) {
                if skipped <= matching && rows.len() < ROWS_MAX {
                    rows.push(*entry);
                }
                matching += 1;
            }
        }
        let pages = matching.div_ceil(ROWS_MAX).max(1);
        Selected { rows, first: skipped.saturating_add(1), matching, pages, counts }
    }

    /// A query for the same with another verdict, from its first page on.
    pub(super) fn with_verdict(&self, verdict: Option<Verdict>) -> String {
        Self { verdict, page: 1, words: self.words.clone() }.query()
    }

    pub(super) fn on_page(&self, page: usize) -> String {
        Self { page, ..self.clone() }.query()
    }

    pub(super) fn is_everything(&self) -> bool {
        self.words.is_empty() && self.verdict.is_none()
    }

    /// With its question mark: an address of nothing else would be that of the page it is on.
    pub(super) fn query(&self) -> String {
        let mut fields = Vec::new();
        if !self.words.is_empty() {
            fields.push(format!("q={}", encoded(&self.words)));
        }
        if let Some(verdict) = self.verdict {
            fields.push(format!("verdict={}", verdict.code()));
        }
        if self.page != 1 {
            fields.push(format!("page={}", self.page));
        }
        format!("?{}", fields.join("&"))
    }
}

/// In its names, its address, or the codes of its findings; all of them, in any case.
fn has_words(entry: &ArchiveView<'_>, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let assessment = entry.assessment;
    let mut text = format!("{} {}", assessment.archive, assessment.place()).to_lowercase();
    for finding in assessment.findings.iter() {
        text.push(' ');
        text.push_str(finding.code().as_str());
    }
    words.iter().all(|word| text.contains(word))
}

/// A screen or two; the first ones are the worst.
pub(super) const ROWS_MAX: usize = 50;

/// Longer than any name of a cluster with its namespace.
pub(super) const WORDS_CHARACTERS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;
    use crate::publication::view::View;

    fn parse(query: &[(&str, &str)]) -> (OverviewFilter, Vec<String>) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        OverviewFilter::parse(&query.iter().map(owned).collect())
    }

    #[track_caller]
    fn check(query: &[(&str, &str)], matching: usize, rows: usize) {
        let snapshot = samples::fleet(1_000);
        let entries = View::new(&snapshot, snapshot.generated_at).worst_first();
        let selected = parse(query).0.select(&entries);
        assert_eq!((selected.matching, selected.rows.len()), (matching, rows), "{query:?}");
    }

    #[test]
    fn a_large_fleet_is_shown_in_pages_with_the_worst_first() {
        check(&[], 1_000, ROWS_MAX);
        check(&[("page", "20")], 1_000, ROWS_MAX);
        check(&[("page", "21")], 1_000, 0);
        check(&[("page", "18446744073709551615")], 1_000, 0);
        let snapshot = samples::fleet(1_000);
        let entries = View::new(&snapshot, snapshot.generated_at).worst_first();
        let first = parse(&[]).0.select(&entries);
        assert!(first.rows.iter().all(|row| row.standing.verdict == Verdict::Unrecoverable));
        assert_eq!(first.pages, 20);
        assert_eq!(first.counts.iter().sum::<usize>(), 1_000);
    }

    #[test]
    fn all_words_must_be_found_somewhere() {
        check(&[("q", "POSTGRES-0007")], 1, 1);
        check(&[("q", "wal_gap 0001")], 1, 1);
        check(&[("q", "databases nothing-like-it")], 0, 0);
        check(&[("q", "s3://cnpg/home/postgres-0006")], 1, 1);
    }

    #[test]
    fn a_verdict_selects_what_is_shown_and_not_what_is_counted() {
        check(&[("verdict", "at_risk")], 167, ROWS_MAX);
        let snapshot = samples::fleet(12);
        let entries = View::new(&snapshot, snapshot.generated_at).worst_first();
        let selected = parse(&[("verdict", "at_risk")]).0.select(&entries);
        assert_eq!(selected.counts, [2, 2, 4, 4]);
    }

    #[test]
    fn what_is_not_understood_is_told_and_ignored() {
        let (everything, refusals) = parse(&[("verdict", "<script>"), ("page", "0"), ("x", "y")]);
        assert_eq!(refusals.len(), 2, "{refusals:?}");
        assert!(everything.is_everything());
        assert_eq!(parse(&[("page", "-1")]).1.len(), 1);
        assert_eq!(parse(&[("page", "")]).1.len(), 0);
    }

    #[test]
    fn a_link_keeps_the_words() {
        let (selection, _) = parse(&[("q", "a&b=c d"), ("page", "3")]);
        assert_eq!(selection.on_page(4), "?q=a%26b%3Dc%20d&page=4");
        assert_eq!(
            selection.with_verdict(Some(Verdict::AtRisk)),
            "?q=a%26b%3Dc%20d&verdict=at_risk"
        );
        assert_eq!(parse(&[]).0.query(), "?");
    }
}
