use std::collections::BTreeMap;
use std::collections::BTreeSet;

use chrono::TimeDelta;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::IntCounterVec;
use prometheus::Opts;
use prometheus::Registry;

use super::*;
use crate::publication::metrics::family::ARCHIVE_LABELS;
use crate::publication::metrics::family::Kind;
use crate::publication::samples;

const BUILD: Build = Build { version: "0.1.0", revision: "0123abc", rustc: "1.95.0" };

fn own() -> Vec<MetricFamily> {
    let registry = Registry::new();
    let requests = Opts::new("backup_verifier_object_store_requests_total", "Requests \"sent\".");
    let requests = IntCounterVec::new(requests, &["operation"]).unwrap();
    requests.with_label_values(&["list"]).inc_by(3);
    registry.register(Box::new(requests)).unwrap();
    let durations = HistogramOpts::new("backup_verifier_check_duration_seconds", "A\nB.");
    let durations = Histogram::with_opts(durations.buckets(vec![0.5, 1.0, 10.0])).unwrap();
    durations.observe(0.75);
    registry.register(Box::new(durations)).unwrap();
    registry.gather()
}

fn render(snapshot: Snapshot, format: Format) -> String {
    let now = snapshot.generated_at;
    RenderedMetrics::new(BUILD).scrape(&Arc::new(snapshot), now, &own(), format).into_string()
}

#[test]
fn the_text_format_of_a_fleet() {
    insta::assert_snapshot!(render(samples::fleet(samples::KINDS), Format::Text));
}

#[test]
fn the_open_metrics_format_of_one_archive() {
    insta::assert_snapshot!(render(samples::only(samples::AT_RISK), Format::OpenMetrics));
}

/// A rule that asks for verdicts, findings or ages need not leave them out.
#[test]
fn an_orphaned_archive_has_series_of_its_own_and_none_of_an_archive() {
    let fleet = samples::fleet(samples::KINDS);
    let snapshot = samples::orphaning(&fleet, &[samples::HEALTHY, samples::UNRECOVERABLE]);
    let text = render(snapshot, Format::Text);
    let mut orphaned = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    orphaned.retain(|line| line.contains("cnpg_cluster=\"\"") || line.contains("_orphans "));
    insta::assert_snapshot!(orphaned.join("\n"));
    assert!(text.contains("\nbackup_verifier_archives 4\n"), "{text}");
}

#[test]
fn where_nobody_looks_for_orphans_none_are_counted() {
    let text = render(samples::fleet(samples::KINDS), Format::Text);
    assert!(!text.contains("backup_verifier_orphan"), "{text}");
}

#[test]
fn at_first_there_are_no_archives() {
    let text = render(Snapshot::empty(DateTime::UNIX_EPOCH), Format::Text);
    assert!(text.contains("\nbackup_verifier_archives 0\n"), "{text}");
    assert!(!text.contains("cnpg_cluster"), "{text}");
}

#[test]
fn no_series_exists_twice_even_if_two_archives_share_a_name() {
    let mut snapshot = samples::fleet(samples::KINDS);
    let mut twin = snapshot.archives[0].clone();
    Arc::make_mut(&mut twin.assessment).verdict = crate::assessment::verdict::Verdict::AtRisk;
    snapshot.archives.push(twin);
    let snapshot = Snapshot::new(snapshot.generated_at, snapshot.archives);
    let text = render(snapshot, Format::Text);
    let mut series = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, _) = line.rsplit_once(' ').unwrap();
        assert!(series.insert(name), "{name}");
    }
    let twin = "backup_verifier_verdict{cnpg_namespace=\"databases\",\
        cnpg_cluster=\"postgres-0000\",server_name=\"postgres-0000\",verdict=\"at_risk\"} 1";
    assert!(text.contains(twin), "the worse twin is shown");
}

#[test]
fn what_was_never_read_is_left_out() {
    let text = render(samples::only(samples::NEVER_READ), Format::Text);
    for name in ["wal_gaps", "base_backups", "archive_bytes", "last_wal", "latest_recoverable"] {
        assert!(!text.contains(name), "{name}");
    }
    assert!(text.contains("verdict=\"unknown\"} 1"));
}

#[test]
fn a_second_scrape_renders_nothing_and_a_new_snapshot_uses_the_memory_again() {
    let mut metrics = RenderedMetrics::new(BUILD);
    let snapshot = Arc::new(samples::fleet(samples::KINDS));
    let now = snapshot.generated_at;
    let first = metrics.scrape(&snapshot, now, &[], Format::Text);
    let second = metrics.scrape(&snapshot, now, &[], Format::Text);
    assert!(Arc::ptr_eq(&first.snapshot, &second.snapshot));
    let address = first.snapshot.as_ptr();
    drop((first, second));
    let third = metrics.scrape(&Arc::new(samples::fleet(1)), now, &[], Format::Text);
    assert_eq!(third.snapshot.as_ptr(), address);
}

#[test]
fn a_verdict_that_has_outlived_its_time_is_rendered_anew() {
    let mut metrics = RenderedMetrics::new(BUILD);
    let snapshot = Arc::new(samples::only(samples::HEALTHY));
    let mut text = |minutes| {
        let now = snapshot.generated_at + TimeDelta::minutes(minutes);
        metrics.scrape(&snapshot, now, &[], Format::Text).snapshot
    };
    let [fresh, still, stale] = [0, 4, 6].map(&mut text);
    assert!(Arc::ptr_eq(&fresh, &still));
    assert!(fresh.contains("verdict=\"recoverable\"} 1"), "{fresh}");
    assert!(stale.contains("verdict=\"unknown\"} 1"), "{stale}");
    assert!(Arc::ptr_eq(&stale, &text(600)));
    // The clock was set back.
    assert_eq!(text(0), fresh);
}

#[test]
fn both_formats_have_the_same_samples() {
    let lines = |format| -> BTreeMap<String, String> {
        let text = render(samples::fleet(samples::KINDS), format);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = samples.map(|line| line.rsplit_once(' ').unwrap());
        pairs
            .map(|(series, value)| {
                (series.replace("1.0\"", "1\"").replace("10.0\"", "10\""), value.to_owned())
            })
            .collect()
    };
    assert_eq!(lines(Format::Text), lines(Format::OpenMetrics));
}

#[test]
fn the_table_keeps_the_rules_of_prometheus() {
    let mut names = BTreeSet::new();
    for family in families() {
        let name = family.name;
        assert!(names.insert(name), "{name} twice");
        assert!(name.starts_with("backup_verifier_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert_eq!(name.ends_with("_info"), family.kind == Kind::Info, "{name}");
        assert!(!family.help.contains(['\\', '\n', '"']) && family.help.ends_with('.'), "{name}");
        for label in family.labels {
            assert!(!ARCHIVE_LABELS.contains(label), "{name} {label}");
            assert!(!["namespace", "cluster", "pod", "job", "instance"].contains(label), "{name}");
        }
    }
}
