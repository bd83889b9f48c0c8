//! A snapshot as it stands when somebody looks. All renderers take one, so that none shows a verdict
//! that has outlived its time, and no two show different ones.

use std::cmp::Reverse;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::standing::Standing;
use crate::assessment::standing::UNSEEN;
use crate::assessment::verdict::Verdict;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::snapshot::Snapshot;
use crate::publication::snapshot::WatchedArchive;

#[derive(Clone, Debug)]
pub struct View<'a> {
    pub snapshot: &'a Snapshot,
    pub now: DateTime<Utc>,
    /// The worst of all archives but the orphaned ones: nobody lives on those.
    pub verdict: Verdict,
    /// By name; several archives of one name with the worst first.
    pub archives: Vec<ArchiveView<'a>>,
    /// Those that no cluster names, in the same order.
    pub orphans: Vec<ArchiveView<'a>>,
}

/// An archive with its standing.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveView<'a> {
    pub watched: &'a WatchedArchive,
    pub assessment: &'a Assessment,
    pub standing: Standing,
}

impl<'a> View<'a> {
    pub fn new(snapshot: &'a Snapshot, now: DateTime<Utc>) -> Self {
        let view = |watched: &'a WatchedArchive| {
            let assessment = &*watched.assessment;
            ArchiveView { watched, assessment, standing: assessment.standing(now) }
        };
        let mut archives: Vec<ArchiveView<'a>> = snapshot.archives.iter().map(view).collect();
        archives.sort_by(|left, right| {
            let by_name = left.assessment.archive.cmp(&right.assessment.archive);
            by_name.then_with(|| right.standing.verdict.cmp(&left.standing.verdict))
        });
        let (orphans, archives): (Vec<_>, Vec<_>) =
            archives.into_iter().partition(|it| it.assessment.orphan.is_some());
        let unseen = match snapshot.discovery {
            Some(DiscoveryState::Down(_)) => Some(UNSEEN),
            None | Some(DiscoveryState::Up) => None,
        };
        let verdict = Verdict::worst(archives.iter().map(|it| it.standing.verdict).chain(unseen));
        Self { snapshot, now, verdict, archives, orphans }
    }

    /// Whether nothing is unknown but what lies where this program does not look.
    pub fn is_unknown_by_nature(&self) -> bool {
        let is_known = |it: &ArchiveView<'_>| {
            it.standing.verdict < Verdict::Unknown
                || it.assessment.is_unknown_by_nature() && !it.standing.is_stale()
        };
        self.archives.iter().all(is_known)
    }

    /// The archives that a reader should see first come first.
    pub fn worst_first(&self) -> Vec<ArchiveView<'a>> {
        let mut archives = self.archives.clone();
        archives.sort_by_key(|archive| Reverse(archive.standing.verdict));
        archives
    }

    /// Orphaned or not, by name.
    pub fn everything(&self) -> Vec<ArchiveView<'a>> {
        let mut all = [&*self.archives, &*self.orphans].concat();
        all.sort_by_key(|it| &it.assessment.archive);
        all
    }

    pub fn of_verdict(&self, verdict: Verdict) -> usize {
        self.archives.iter().filter(|archive| archive.standing.verdict == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;
    use maud::html;

    use super::*;
    use crate::assessment::standing::LastCheck;
    use crate::publication::metrics::Build;
    use crate::publication::metrics::Format;
    use crate::publication::metrics::RenderedMetrics;
    use crate::publication::nagios;
    use crate::publication::page::Context;
    use crate::publication::page::FormFields;
    use crate::publication::page::overview;
    use crate::publication::report;
    use crate::publication::report::Medium;
    use crate::publication::samples;
    use crate::publication::status_json;

    const FRESH: TimeDelta = TimeDelta::minutes(4);
    const STALE: TimeDelta = TimeDelta::minutes(6);

    /// The verdict after some time, and the one before where it is in doubt.
    #[track_caller]
    fn check(kind: usize, age: TimeDelta, verdict: Verdict, before: Option<Verdict>) {
        let snapshot = samples::only(kind);
        let view = View::new(&snapshot, snapshot.generated_at + age);
        let standing = view.archives[0].standing;
        let was = match standing.last_check {
            LastCheck::Stale { was, .. } => Some(was),
            LastCheck::Read | LastCheck::Unread => None,
        };
        assert_eq!((standing.verdict, view.verdict, was), (verdict, verdict, before));
    }

    #[test]
    fn a_good_verdict_does_not_outlive_three_checks() {
        let (good, risky) = (Verdict::Recoverable, Verdict::AtRisk);
        check(samples::HEALTHY, FRESH, good, None);
        check(samples::HEALTHY, STALE, Verdict::Unknown, Some(good));
        check(samples::AT_RISK, STALE, Verdict::Unknown, Some(risky));
    }

    #[test]
    fn a_bad_verdict_stays_until_somebody_has_looked() {
        let bad = Verdict::Unrecoverable;
        check(samples::UNRECOVERABLE, TimeDelta::days(3), bad, Some(bad));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_old() {
        check(samples::HEALTHY, TimeDelta::hours(-2), Verdict::Recoverable, None);
    }

    #[test]
    fn where_no_next_check_was_promised_none_is_missed() {
        let mut snapshot = samples::only(samples::HEALTHY);
        let assessment = Arc::make_mut(&mut snapshot.archives[0].assessment);
        assessment.promises.check_interval = None;
        let view = View::new(&snapshot, snapshot.generated_at + TimeDelta::days(300));
        assert_eq!(view.verdict, Verdict::Recoverable);
    }

    #[test]
    fn an_hour_between_two_checks_leaves_three_to_miss() {
        let mut snapshot = samples::only(samples::HEALTHY);
        let assessment = Arc::make_mut(&mut snapshot.archives[0].assessment);
        assessment.promises.check_interval = Some(TimeDelta::hours(1));
        for (minutes, verdict) in [(179, Verdict::Recoverable), (181, Verdict::Unknown)] {
            let view = View::new(&snapshot, snapshot.generated_at + TimeDelta::minutes(minutes));
            assert_eq!(view.verdict, verdict, "{minutes}");
        }
    }

    #[test]
    fn all_that_is_shown_tells_the_same_verdict() {
        for (kind, age, verdict) in [
            (samples::HEALTHY, FRESH, Verdict::Recoverable),
            (samples::HEALTHY, STALE, Verdict::Unknown),
            (samples::AT_RISK, STALE, Verdict::Unknown),
            (samples::UNRECOVERABLE, STALE, Verdict::Unrecoverable),
        ] {
            let snapshot = Arc::new(samples::only(kind));
            let now = snapshot.generated_at + age;
            let view = View::new(&snapshot, now);
            let (code, is_stale) = (verdict.code(), age == STALE);
            let title = code.replace('_', " ").to_uppercase();

            let build = Build { version: "", revision: "", rustc: "" };
            let metrics = RenderedMetrics::new(build).scrape(&snapshot, now, &[], Format::Text);
            assert!(metrics.snapshot.contains(&format!("verdict=\"{code}\"}} 1")), "{code}");
            assert_eq!(metrics.snapshot.matches("verdict=").count(), Verdict::ALL.len());

            let document = status_json::render(&view).unwrap();
            let document: serde_json::Value = serde_json::from_str(&document).unwrap();
            assert_eq!(document["verdict"], code);
            assert_eq!(document["archives"][0]["verdict"], code);
            assert_eq!(document["archives"][0]["stale"], is_stale);

            let plugin = nagios::render(&view);
            assert!(plugin.contains(&format!(" is {}", title.to_lowercase())), "{plugin}");
            assert_eq!(plugin.contains("checked last 6 min 2 s ago"), is_stale, "{plugin}");

            let report = report::render(&view, Medium::PLAIN);
            assert!(report.starts_with(&title), "{report}");
            assert_eq!(report.contains("has not been checked since"), is_stale, "{report}");

            let context = Context { view: &view, knows_archives: true, root: "", version: "" };
            let page = overview(&context, &FormFields::new()).html;
            let title = html! { title { (title) " · 1 archive · cnpg-backup-verifier" } };
            assert!(page.contains(&title.into_string()), "{page}");
            assert!(page.contains(&format!("class=\"archive {code}\"")), "{page}");
        }
    }

    #[test]
    fn of_archives_with_one_name_the_stale_one_may_be_the_worse() {
        let mut snapshot = samples::only(samples::AT_RISK);
        let mut twin = samples::only(samples::HEALTHY).archives.remove(0);
        let assessment = Arc::make_mut(&mut twin.assessment);
        assessment.archive = snapshot.archives[0].assessment.archive.clone();
        assessment.checked_at -= TimeDelta::minutes(10);
        snapshot.archives.push(twin);
        let view = View::new(&snapshot, snapshot.generated_at);
        let verdicts: Vec<Verdict> = view.archives.iter().map(|it| it.standing.verdict).collect();
        assert_eq!(verdicts, [Verdict::Unknown, Verdict::AtRisk]);
    }

    #[test]
    fn an_orphaned_archive_counts_in_no_verdict_and_is_shown_everywhere() {
        let fleet = samples::fleet(samples::KINDS);
        let shown = [samples::HEALTHY, samples::UNRECOVERABLE].map(|it| fleet.archives[it].clone());
        let fleet = Snapshot::new(fleet.generated_at, shown.to_vec());
        let snapshot = samples::orphaning(&fleet, &[1]);
        let view = View::new(&snapshot, snapshot.generated_at);
        assert_eq!((view.verdict, view.archives.len()), (Verdict::Recoverable, 1));
        assert_eq!(view.orphans[0].standing.verdict, Verdict::Unrecoverable);
        let name = "databases/- (postgres-0002)";

        let report = report::render(&view, Medium::PLAIN);
        assert!(report.starts_with("RECOVERABLE  databases/postgres-0000"), "{report}");
        assert!(report.contains(&format!("UNRECOVERABLE  {name}")), "{report}");
        let plugin = nagios::render(&view);
        assert!(plugin.starts_with("BACKUP OK: "), "{plugin}");
        assert!(plugin.contains(&format!("orphaned: {name} is unrecoverable")), "{plugin}");

        let document = status_json::render(&view).unwrap();
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["verdict"], "recoverable");
        let orphaned = |it: usize| document["archives"][it]["orphaned"].clone();
        assert_eq!([orphaned(0), orphaned(1)], [true, false]);

        let context = Context { view: &view, knows_archives: true, root: "", version: "" };
        let page = overview(&context, &FormFields::new()).html;
        let (above, below) = page.split_once("Orphaned archives").unwrap();
        assert!(above.contains("<title>RECOVERABLE") && !above.contains(name), "{above}");
        assert!(below.contains(name) && below.contains("archive?namespace=databases"), "{below}");
    }

    #[test]
    fn the_worst_archives_come_first() {
        let snapshot = samples::fleet(8);
        let view = View::new(&snapshot, snapshot.generated_at);
        let verdicts: Vec<Verdict> =
            view.worst_first().iter().map(|archive| archive.standing.verdict).collect();
        assert!(verdicts.is_sorted_by(|first, next| first >= next), "{verdicts:?}");
        assert_eq!(view.verdict, Verdict::Unrecoverable);
    }
}
