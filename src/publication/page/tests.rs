use chrono::DateTime;
use chrono::TimeDelta;

use super::*;
use crate::publication::samples;
use crate::publication::snapshot;
use crate::publication::snapshot::Snapshot;

/// The snapshot some time after it was made.
fn view(snapshot: &Snapshot, age: TimeDelta) -> View<'_> {
    View::new(snapshot, snapshot.generated_at + age)
}

fn context<'a>(view: &'a View<'a>) -> Context<'a> {
    Context { view, knows_archives: true, root: "", version: "0.1.0" }
}

fn fields(query: &[(&str, &str)]) -> FormFields {
    query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn front(snapshot: &Snapshot, query: &[(&str, &str)]) -> Page {
    overview(&context(&view(snapshot, TimeDelta::seconds(20))), &fields(query))
}

fn cluster(snapshot: &Snapshot, query: &[(&str, &str)]) -> Page {
    let archive = &snapshot.archives[0].assessment.archive;
    let shown = Archives::OfCluster {
        namespace: archive.namespace.clone(),
        cluster: archive.cluster.clone(),
    };
    archives(&context(&view(snapshot, TimeDelta::seconds(20))), &shown, &fields(query)).unwrap()
}

/// What is between head and foot, an element a line.
fn main_of(page: &Page) -> String {
    let (_, rest) = page.html.split_once("<main").unwrap();
    let (main, _) = rest.split_once("</main>").unwrap();
    let main = main.replace("><", ">\n<");
    // Pictures have tests of their own.
    let mut text = String::new();
    for part in main.split("<svg") {
        match part.split_once("</svg>") {
            Some((_, after)) => text += after.trim_start_matches('\n'),
            None => text += part,
        }
    }
    text
}

/// What a reader sees, without the markup.
fn text_of(page: &Page) -> String {
    let mut text = String::new();
    for part in page.html.split('<') {
        text += part.split_once('>').map_or("", |(_, text)| text);
    }
    text
}

#[test]
fn a_healthy_archive_is_all_that_a_home_lab_needs() {
    insta::assert_snapshot!(main_of(&front(&samples::only(samples::HEALTHY), &[])));
}

#[test]
fn a_broken_archive_says_why_and_what_to_do_first() {
    let main = main_of(&front(&samples::only(samples::UNRECOVERABLE), &[]));
    let (before_the_picture, _) = main.split_once("<section class=\"window\"").unwrap();
    insta::assert_snapshot!(before_the_picture);
}

#[test]
fn nothing_is_claimed_of_an_archive_that_was_never_read() {
    let page = front(&samples::only(samples::NEVER_READ), &[]);
    insta::assert_snapshot!(main_of(&page));
    for claim in ["none", "Nothing is wrong", "can be restored</li>"] {
        let told = text_of(&page).replace("none recorded", "");
        assert!(!told.contains(claim), "{claim}");
    }
}

#[test]
fn a_large_fleet_is_a_table() {
    insta::assert_snapshot!(main_of(&front(&samples::fleet(6), &[])));
}

#[test]
fn a_few_archives_are_shown_in_full_and_many_are_not() {
    let articles = |archives| {
        let page = front(&samples::fleet(archives), &[]).html;
        page.matches("<article").count()
    };
    assert_eq!([1, 2, 5, 6, 1_000].map(articles), [1, 2, 5, 0, 0]);
}

#[test]
fn a_thousand_archives_stay_a_small_page() {
    let page = front(&samples::fleet(1_000), &[]);
    assert_eq!(page.html.matches("<tr>").count(), 51);
    assert!(page.html.len() < 60_000, "{} bytes", page.html.len());
}

#[test]
fn an_archive_with_a_month_behind_it_stays_a_small_page() {
    for snapshot in [samples::long_history(), samples::broken_history()] {
        let page = cluster(&snapshot, &[("to", "latest")]);
        assert!(page.html.len() < 60_000, "{} bytes", page.html.len());
    }
}

#[test]
fn old_as_the_clock_of_the_reader_may_be_nothing_breaks() {
    let snapshot = samples::long_history();
    for age in [TimeDelta::days(-400), TimeDelta::days(400)] {
        let page = overview(&context(&view(&snapshot, age)), &FormFields::new());
        assert!(page.html.contains("role=\"img\""));
    }
}

#[test]
fn a_good_verdict_that_nobody_renews_is_not_shown_as_good() {
    let snapshot = samples::only(samples::HEALTHY);
    let view = view(&snapshot, TimeDelta::hours(2));
    let context = context(&view);
    let page = overview(&context, &FormFields::new());
    let text = text_of(&page);
    assert!(text.starts_with("UNKNOWN · 1 archive"), "{text}");
    assert!(text.contains("It was recoverable 2 h ago, and has not been checked since"), "{text}");
    assert!(page.html.contains("class=\"archive unknown\""));
    assert!(!page.html.contains("class=\"verdict recoverable\""));
    assert!(!text.contains("Nothing is wrong"));
    assert!(text.contains("not read since"));
}

#[test]
fn of_a_fleet_it_is_told_how_much_is_old() {
    let snapshot = samples::fleet(6);
    let view = view(&snapshot, TimeDelta::hours(2));
    let context = context(&view);
    let page = overview(&context, &fields(&[("verdict", "recoverable")]));
    let text = text_of(&page);
    // For two of the six nobody promised another check.
    assert!(text.contains("4 archives should have been checked again by now"), "{text}");
    assert!(text.contains("No archive matches."), "{text}");
}

#[test]
fn before_the_archives_are_found_the_page_says_that_nothing_is_known() {
    let snapshot = Snapshot::empty(DateTime::UNIX_EPOCH);
    let view = view(&snapshot, TimeDelta::zero());
    let mut context = context(&view);
    let configured = text_of(&overview(&context, &FormFields::new()));
    assert!(configured.contains("No archive is watched"), "{configured}");
    context.knows_archives = false;
    let starting = text_of(&overview(&context, &FormFields::new()));
    assert!(starting.contains("No archive has been looked at yet"), "{starting}");
    assert!(starting.starts_with("UNKNOWN"), "{starting}");
}

#[test]
fn names_from_a_bucket_and_words_from_a_query_are_text_and_not_markup() {
    let page = front(&samples::only(samples::NEVER_READ), &[]).html;
    assert!(page.contains("odd&quot;\\&lt;b&gt;4"), "{page}");
    assert!(!page.contains("<b>"), "{page}");
    let words = "\"><script>alert(1)</script>";
    let searched = front(&samples::fleet(6), &[("q", words)]).html;
    assert!(searched.contains("&quot;&gt;&lt;script&gt;"), "{searched}");
    assert!(!searched.contains("<script"), "{searched}");
    let asked = cluster(&samples::only(samples::HEALTHY), &[("to", words), ("at", words)]).html;
    assert!(asked.contains("&quot;&gt;&lt;script&gt;"), "{asked}");
    assert!(!asked.contains("<script"), "{asked}");
}

#[test]
fn a_page_needs_no_script_no_style_of_its_own_and_nothing_from_elsewhere() {
    let long = samples::long_history();
    let pages = [
        front(&samples::fleet(5), &[]),
        front(&samples::broken_history(), &[]),
        front(&samples::fleet(1_000), &[]),
        cluster(&long, &[("to", "latest")]),
    ];
    for page in pages {
        for forbidden in ["<script", "style=", "<style", " src=", "onclick", "@import"] {
            assert!(!page.html.contains(forbidden), "{forbidden}");
        }
    }
}

#[test]
fn what_is_not_understood_is_refused_with_words() {
    let fleet = samples::fleet(6);
    for query in [("page", "two"), ("page", "2"), ("verdict", "fine")] {
        let page = front(&fleet, &[query]);
        assert!(page.is_refusal && page.html.contains("role=\"alert\""), "{query:?}");
    }
    assert!(!front(&fleet, &[("utm_source", "chat"), ("page", "1")]).is_refusal);
    let page = cluster(&samples::only(samples::HEALTHY), &[("to", "tomorrow")]);
    assert!(page.is_refusal && page.html.contains("value=\"tomorrow\""), "{}", page.html);
}

#[test]
fn the_form_is_answered_with_a_plan_and_a_manifest() {
    let page = cluster(&samples::long_history(), &[("at", "2026-01-08T06:00:00"), ("to", "")]);
    let text = text_of(&page);
    assert!(text.contains("Yes: 2026-01-08 06:00:00 UTC"), "{text}");
    assert!(text.contains("targetTime: &quot;2026-01-08T06:00:00.000000+00:00&quot;"), "{text}");
    assert!(text.contains("backupID: 20260108T000000"), "{text}");
}

#[test]
fn a_moment_that_cannot_be_reached_has_neighbours_that_can() {
    let snapshot = samples::long_history();
    let page = cluster(&snapshot, &[("to", "2025-12-30T20:00:00Z")]);
    assert!(text_of(&page).contains("No: 2025-12-30 20:00:00 UTC"), "{}", text_of(&page));
    let links: Vec<&str> = page.html.split("?to=").skip(1).collect();
    assert_eq!(links.len(), 2);
    for link in links {
        let (to, _) = link.split_once('"').unwrap();
        let to = percent_encoding::percent_decode_str(to).decode_utf8().unwrap();
        let nearest = cluster(&snapshot, &[("to", &to)]);
        assert!(text_of(&nearest).contains("Yes: "), "{to}");
    }
}

#[test]
fn a_moment_at_the_end_of_all_time_is_answered_like_any_other() {
    for at in ["9999-12-31T23:59:59.999999999", "0001-01-01T00:00"] {
        let page = cluster(&samples::long_history(), &[("at", at)]);
        assert!(text_of(&page).contains("No: "), "{at}");
    }
}

#[test]
fn an_answer_from_an_old_reading_is_no_plain_yes() {
    let page = cluster(&samples::only(samples::UNREAD_SINCE), &[("to", "latest")]);
    let text = text_of(&page);
    assert!(text.contains("Yes, as of the last reading: the newest archived state"), "{text}");
    assert!(!text.contains("Yes: "), "{text}");
}

#[test]
fn archives_of_one_cluster_are_asked_one_by_one() {
    let fleet = samples::fleet(1);
    let mut second = fleet.archives[0].clone();
    let mut assessment = (*second.assessment).clone();
    assessment.address.as_mut().unwrap().prefix = "elsewhere".to_owned();
    second.assessment = assessment.into();
    let snapshot = Snapshot::new(fleet.generated_at, vec![fleet.archives[0].clone(), second]);
    let page = cluster(&snapshot, &[]).html;
    assert!(
        page.contains("name=\"archive\" value=\"s3://cnpg/elsewhere/postgres-0000\""),
        "{page}"
    );
    let of_one =
        cluster(&snapshot, &[("to", "latest"), ("archive", "s3://cnpg/elsewhere/postgres-0000")]);
    assert_eq!(of_one.html.matches("Yes: ").count(), 1);
    assert_eq!(of_one.html.matches("id=\"restore\"").count(), 1);
}

#[test]
fn a_page_is_read_again_by_itself_unless_somebody_reads_an_answer_or_says_no() {
    let snapshot = samples::only(samples::HEALTHY);
    let is_refreshed = |page: Page| page.html.contains("http-equiv=\"refresh\"");
    assert!(is_refreshed(front(&samples::fleet(6), &[])));
    assert!(is_refreshed(front(&snapshot, &[])));
    assert!(!is_refreshed(front(&snapshot, &[("refresh", "off")])));
    assert!(!is_refreshed(cluster(&snapshot, &[("to", "latest")])));
}

#[test]
fn an_archive_that_is_not_watched_has_no_page() {
    let snapshot = samples::only(samples::HEALTHY);
    let shown =
        Archives::OfCluster { namespace: "databases".to_owned(), cluster: "nobody".to_owned() };
    let view = view(&snapshot, TimeDelta::zero());
    let context = context(&view);
    assert_eq!(archives(&context, &shown, &FormFields::new()), None);
    assert!(not_found(&context, &shown).contains("databases/nobody is not watched"));
}

#[test]
fn the_picture_tells_its_content_in_words() {
    let page = cluster(&samples::long_history(), &[]).html;
    let (_, svg) = page.split_once("role=\"img\"").unwrap();
    let (svg, _) = svg.split_once("</figure>").unwrap();
    insta::assert_snapshot!(svg.replace("><", ">\n<"));
}

#[test]
fn clusters_that_nobody_could_name_are_missed_aloud() {
    let snapshot = samples::fleet(1);
    let down = snapshot::DiscoveryState::Down("list clusters: forbidden".to_owned());
    let page = front(&snapshot.clone().discovered(Some(down)), &[]);
    let text = text_of(&page);
    assert!(text.contains("Kubernetes does not say which clusters exist."), "{text}");
    assert!(text.contains("list clusters: forbidden"), "{text}");
    let up = front(&snapshot.discovered(Some(snapshot::DiscoveryState::Up)), &[]);
    assert!(!text_of(&up).contains("does not say"));
}

#[test]
fn an_orphaned_archive_has_a_page_that_says_so() {
    let snapshot = samples::orphaning(&samples::only(samples::AT_RISK), &[0]);
    let page = front(&snapshot, &[]);
    assert!(text_of(&page).contains("No Cluster uses 1 archive below the watched stores."));
    assert!(text_of(&page).contains("Some may be missing here: list s3://elsewhere/"), "{page:?}");
    let named = [("namespace", "databases"), ("server_name", "postgres-0001")];
    let shown = Archives::named(&fields(&named));
    let view = view(&snapshot, TimeDelta::seconds(20));
    let page = archives(&context(&view), &shown, &fields(&named)).unwrap();
    let text = text_of(&page);
    assert!(text.contains("Orphaned: no Cluster uses this archive"), "{text}");
    assert!(text.contains("Cluster databases/postgres-0001 was deleted"), "{text}");
}
