//! How long a look at the status page takes.
//!
//! `cargo bench --bench page`; the results belong into `docs/performance.md`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench may panic")]

#[path = "../tests/samples/history.rs"]
mod history;
#[path = "../tests/samples/mod.rs"]
mod samples;

use std::collections::HashMap;
use std::time::Duration;

use cnpg_backup_verifier::publication::page::Archives;
use cnpg_backup_verifier::publication::page::Context;
use cnpg_backup_verifier::publication::page::archives;
use cnpg_backup_verifier::publication::page::overview;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::publication::view::View;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;

fn page(criterion: &mut Criterion) {
    let fields = |query: &[(&str, &str)]| -> HashMap<String, String> {
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let mut group = criterion.benchmark_group("page");
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    let fleet = samples::fleet(1_000);
    let searched = fields(&[("q", "wal_gap 09")]);
    group.bench_function("fleet_of_1000", |bencher| {
        bencher.iter(|| overview(&context(&view(&fleet)), &HashMap::new()));
    });
    group.bench_function("fleet_of_1000_searched", |bencher| {
        bencher.iter(|| overview(&context(&view(&fleet)), &searched));
    });
    let one = history::broken(&samples::fleet(1));
    let shown = Archives::OfCluster {
        namespace: "databases".to_owned(),
        cluster: "postgres-0000".to_owned(),
    };
    let asked = fields(&[("to", "latest")]);
    group.bench_function("archive_with_an_answer", |bencher| {
        bencher.iter(|| archives(&context(&view(&one)), &shown, &asked));
    });
    group.finish();
}

fn view(snapshot: &Snapshot) -> View<'_> {
    View::new(snapshot, snapshot.generated_at)
}

fn context<'a>(view: &'a View<'a>) -> Context<'a> {
    Context { view, knows_archives: true, root: "", version: "0.1.0" }
}

criterion_group!(benches, page);
criterion_main!(benches);
