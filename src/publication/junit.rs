//! The result as test cases, in the XML of `JUnit`, which CI systems draw and keep a history of.
//!
//! An archive is a suite. It has a case for its verdict, and one for each kind of finding that it has.
//! Kinds that were not found have none: what was not looked for must not be drawn as passed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::Severity;
use crate::assessment::verdict::Verdict;
use crate::publication::runbook;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::view::ArchiveView;
use crate::publication::view::View;
use crate::publication::wording::rfc3339;
use crate::publication::wording::stands;

struct Suite {
    name: String,
    place: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    outcome: Outcome,
    /// Why, and what to do; none for a case that passed without a word.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Passed,
    Failed,
    /// It could not be read well enough to say.
    Undecided,
}

impl Outcome {
    const fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Recoverable => Self::Passed,
            Verdict::AtRisk | Verdict::Unrecoverable => Self::Failed,
            Verdict::Unknown => Self::Undecided,
        }
    }

    /// What is only good to know fails nothing.
    fn of_finding(finding: &Finding) -> Self {
        match (finding.severity(), finding.verdict()) {
            (Severity::Info, _) => Self::Passed,
            (Severity::Critical | Severity::Warning, Verdict::Unknown) => Self::Undecided,
            (
                Severity::Critical | Severity::Warning,
                Verdict::Recoverable | Verdict::AtRisk | Verdict::Unrecoverable,
            ) => Self::Failed,
        }
    }
}

/// Orphaned archives are left out, as they count in no verdict.
pub fn render(view: &View<'_>) -> String {
    let mut suites: Vec<Suite> = view.archives.iter().map(|it| of_archive(it, view)).collect();
    suites.extend(of_discovery(view));
    if suites.is_empty() {
        suites.push(alone("archives", "no archive was selected"));
    }
    let all = || suites.iter().flat_map(|it| &it.cases);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = counts(all());
    writeln!(xml, "<testsuites name=\"cnpg-backup-verifier\" {counts}>").unwrap_or_default();
    let at = rfc3339(view.snapshot.generated_at);
    for suite in &suites {
        write_suite(&mut xml, suite, &at);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn of_archive(archive: &ArchiveView<'_>, view: &View<'_>) -> Suite {
    let ArchiveView { assessment, standing, .. } = archive;
    let outcome = Outcome::of_verdict(standing.verdict);
    let text = match outcome {
        Outcome::Passed => String::new(),
        Outcome::Failed | Outcome::Undecided => stands(standing, view.now),
    };
    let mut by_code: BTreeMap<FindingCode, Vec<&Finding>> = BTreeMap::new();
    for finding in assessment.findings.iter() {
        by_code.entry(finding.code()).or_default().push(finding);
    }
    let verdict = Case { name: "verdict".to_owned(), outcome, text };
    let findings = by_code.iter().map(|(code, findings)| of_findings(assessment, *code, findings));
    Suite {
        name: assessment.archive.to_string(),
        place: assessment.place(),
        cases: std::iter::once(verdict).chain(findings).collect(),
    }
}

fn of_findings(assessment: &Assessment, code: FindingCode, findings: &[&Finding]) -> Case {
    let worst = findings.iter().map(|it| Outcome::of_finding(it)).max();
    let mut text = String::new();
    for finding in findings {
        writeln!(text, "{}: {finding}", finding.severity().code()).unwrap_or_default();
        writeln!(text, "do: {}", assessment.hint(finding)).unwrap_or_default();
    }
    write!(text, "runbook: {}", runbook::url(code)).unwrap_or_default();
    Case { name: code.as_str().to_owned(), outcome: worst.unwrap_or(Outcome::Passed), text }
}

fn of_discovery(view: &View<'_>) -> Option<Suite> {
    match &view.snapshot.discovery {
        Some(DiscoveryState::Down(why)) => Some(alone("discovery", why)),
        None | Some(DiscoveryState::Up) => None,
    }
}

fn alone(name: &str, why: &str) -> Suite {
    let outcome = Outcome::Undecided;
    let case = Case { name: name.to_owned(), outcome, text: why.to_owned() };
    Suite { name: name.to_owned(), place: String::new(), cases: vec![case] }
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case> + Clone) -> String {
    let of = |outcome| cases.clone().filter(|it| it.outcome == outcome).count();
    let (failures, errors) = (of(Outcome::Failed), of(Outcome::Undecided));
    format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", cases.clone().count())
}

fn write_suite(xml: &mut String, suite: &Suite, at: &str) {
    let (name, counts) = (escaped(&suite.name), counts(suite.cases.iter()));
    writeln!(xml, "  <testsuite name=\"{name}\" timestamp=\"{at}\" {counts}>").unwrap_or_default();
    if !suite.place.is_empty() {
        let place = escaped(&suite.place);
        xml.push_str("    <properties>\n");
        writeln!(xml, "      <property name=\"archive\" value=\"{place}\"/>").unwrap_or_default();
        xml.push_str("    </properties>\n");
    }
    for case in &suite.cases {
        write_case(xml, &name, case);
    }
    xml.push_str("  </testsuite>\n");
}

fn write_case(xml: &mut String, class: &str, case: &Case) {
    let Case { name, outcome, text } = case;
    write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\"").unwrap_or_default();
    if text.is_empty() {
        xml.push_str("/>\n");
        return;
    }
    let message = escaped(text.lines().next().unwrap_or_default());
    let text = escaped(text);
    let element = match outcome {
        Outcome::Passed => format!("<system-out>{text}</system-out>"),
        Outcome::Failed => format!("<failure message=\"{message}\">{text}</failure>"),
        Outcome::Undecided => format!("<error message=\"{message}\">{text}</error>"),
    };
    writeln!(xml, ">\n      {element}\n    </testcase>").unwrap_or_default();
}

/// For text and attributes. What XML 1.0 has no place for becomes a space: names of objects and
/// messages of stores are anybody's.
fn escaped(text: &str) -> String {
    let is_allowed =
        |c: &char| *c == '\n' || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    let text: String = text.chars().map(|c| if is_allowed(&c) { c } else { ' ' }).collect();
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;
    use crate::publication::samples;

    fn rendered(index: usize) -> String {
        let snapshot = samples::only(index);
        render(&View::new(&snapshot, snapshot.generated_at))
    }

    #[test]
    fn an_archive_is_a_suite_with_a_case_for_each_kind_of_finding() {
        insta::assert_snapshot!(rendered(samples::AT_RISK));
    }

    #[test]
    fn what_could_not_be_read_is_an_error_and_no_failure() {
        let xml = rendered(samples::NEVER_READ);
        assert!(xml.contains("<error message="), "{xml}");
        assert!(!xml.contains("<failure"), "{xml}");
    }

    #[test]
    fn a_healthy_archive_fails_nothing() {
        let xml = rendered(samples::HEALTHY);
        assert!(xml.contains("failures=\"0\" errors=\"0\""), "{xml}");
        assert!(xml.contains("name=\"verdict\"/>"), "{xml}");
    }

    #[test]
    fn no_archive_is_an_error() {
        let snapshot = samples::fleet(0);
        let xml = render(&View::new(&snapshot, snapshot.generated_at));
        assert!(xml.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{xml}");
    }

    #[test]
    fn the_counts_are_those_of_the_elements_and_the_xml_is_well_formed() {
        let snapshot = samples::fleet(samples::KINDS);
        let xml = render(&View::new(&snapshot, snapshot.generated_at));
        let mut reader = Reader::from_str(&xml);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) | Event::Empty(start) => {
                    let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                    *seen.entry(name).or_default() += 1;
                }
                Event::Eof => break,
                Event::End(_)
                | Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => {}
            }
        }
        let many = |name: &str| seen.get(name).copied().unwrap_or_default();
        let (tests, failures, errors) = (many("testcase"), many("failure"), many("error"));
        let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
        assert!(xml.lines().nth(1).unwrap().contains(&counts), "{counts}\n{xml}");
        assert_eq!(many("testsuite"), snapshot.archives.len());
    }

    #[test]
    fn what_a_store_says_cannot_break_out_of_the_text() {
        let hostile = "</failure><x a=\"1\">&\u{1b}[31m\u{0}\u{ffff}";
        let text = escaped(hostile);
        assert_eq!(text, "&lt;/failure&gt;&lt;x a=&quot;1&quot;&gt;&amp; [31m  ");
    }
}
