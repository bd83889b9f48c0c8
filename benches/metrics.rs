//! How long a scrape takes, and how long it would take with the `prometheus` crate.
//!
//! `cargo bench --bench metrics`; the results belong into `docs/performance.md`.
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cnpg_backup_verifier::publication::metrics::Build;
use cnpg_backup_verifier::publication::metrics::Format;
use cnpg_backup_verifier::publication::metrics::RenderedMetrics;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use prometheus::Encoder;
use prometheus::GaugeVec;
use prometheus::Opts;
use prometheus::Registry;
use prometheus::TextEncoder;

const BUILD: Build = Build { version: "0.1.0", revision: "0123abc", rustc: "1.95.0" };

/// What the target speaks of: 1,000 archives with 30 series each.
const SERIES: usize = 30_000;

fn scrape(criterion: &mut Criterion) {
    let per_archive = series(&text_of(samples::fleet(60 * samples::KINDS))) / (60 * samples::KINDS);
    let fleets = [("30000_series", SERIES / per_archive), ("1000_archives", 1_000)];
    for (name, archives) in fleets {
        let snapshot = samples::fleet(archives);
        let now = snapshot.generated_at;
        let text = text_of(snapshot.clone());
        let mut group = criterion.benchmark_group(format!("metrics/{name}"));
        group.sample_size(20).measurement_time(Duration::from_secs(4));
        group.throughput(Throughput::Elements(u64::try_from(series(&text)).unwrap()));
        group.bench_function("first_scrape", |bencher| {
            let mut metrics = RenderedMetrics::new(BUILD);
            // A new `Arc` each time: the cache takes it for a new snapshot.
            bencher.iter_batched_ref(
                || Arc::new(snapshot.clone()),
                |snapshot| metrics.scrape(snapshot, now, &[], Format::Text),
                criterion::BatchSize::PerIteration,
            );
        });
        group.bench_function("second_scrape", |bencher| {
            let mut metrics = RenderedMetrics::new(BUILD);
            let snapshot = Arc::new(snapshot.clone());
            bencher.iter(|| black_box(metrics.scrape(&snapshot, now, &[], Format::Text)));
        });
        group.bench_function("second_scrape_copied", |bencher| {
            let mut metrics = RenderedMetrics::new(BUILD);
            let snapshot = Arc::new(snapshot.clone());
            bencher.iter(|| metrics.scrape(&snapshot, now, &[], Format::Text).into_string());
        });
        group.bench_function(BenchmarkId::new("reference", "prometheus_crate"), |bencher| {
            let registry = same_series(&text);
            bencher.iter(|| {
                let mut buffer = Vec::new();
                TextEncoder::new().encode(&registry.gather(), &mut buffer).unwrap();
                buffer
            });
        });
        group.finish();
    }
}

fn text_of(snapshot: Snapshot) -> String {
    let now = snapshot.generated_at;
    RenderedMetrics::new(BUILD).scrape(&Arc::new(snapshot), now, &[], Format::Text).into_string()
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// The series of a text as gauges of a registry.
fn same_series(text: &str) -> Registry {
    let registry = Registry::new();
    let mut families: HashMap<&str, GaugeVec> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let pairs: Vec<(&str, &str)> = labels
            .trim_end_matches("\"}")
            .split("\",")
            .filter_map(|pair| pair.split_once("=\""))
            .collect();
        let (names, values): (Vec<&str>, Vec<&str>) = pairs.into_iter().unzip();
        let family = families.entry(name).or_insert_with(|| {
            let family = GaugeVec::new(Opts::new(name, "The same series."), &names).unwrap();
            registry.register(Box::new(family.clone())).unwrap();
            family
        });
        family.with_label_values(&values).set(value.parse().unwrap());
    }
    registry
}

criterion_group!(benches, scrape);
criterion_main!(benches);
