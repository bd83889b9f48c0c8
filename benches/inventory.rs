//! What it costs to fold a listing of a million segments, and to judge the result.
//!
//! `cargo bench --bench inventory`; the results belong into `docs/performance.md`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may panic and print")]
#![expect(clippy::indexing_slicing, reason = "a bench may panic")]

#[path = "support/extreme.rs"]
mod extreme;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/synthetic.rs"]
mod synthetic;

use std::hint::black_box;
use std::time::Duration;

use cnpg_backup_verifier::assessment::BackupKind;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::assess_and_ask;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::observation::fold::Fold;
use cnpg_backup_verifier::observation::inventory::Inventory;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;

use crate::memory::Counting;
use crate::synthetic::SEGMENTS;
use crate::synthetic::Synthetic;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HOLES: [u64; 3] = [0, 100, 10_000];

fn main() {
    print_memory();
    let mut criterion = Criterion::default().configure_from_args();
    fold(&mut criterion);
    assessment(&mut criterion);
    extremes(&mut criterion);
    criterion.final_summary();
}

fn listed(archive: Synthetic, objects: &[ListedObject]) -> Inventory {
    let folder = archive.folder();
    let mut fold = Fold::complete(SegmentSize::DEFAULT, &folder);
    objects.iter().for_each(|object| fold.add(object));
    fold.finish()
}

fn print_memory() {
    println!("memory of the inventory of {SEGMENTS} segments and of its assessment, in bytes");
    println!(
        "{:>8} {:>12} {:>12} {:>12} {:>12}",
        "holes", "fold peak", "inventory", "judge peak", "assessment"
    );
    for holes in HOLES {
        let archive = Synthetic::new(SEGMENTS, holes);
        let objects: Vec<ListedObject> = archive.objects().collect();
        let (inventory, folded) = memory::measured(|| listed(archive, &objects));
        let seen = archive.observation(inventory);
        let (subject, expected) = (archive.subject(), Synthetic::expectations());
        let (assessment, judged) =
            memory::measured(|| assess(&subject, &seen, &expected, archive.now()));
        let usable = assessment.backups.iter().filter(|it| it.kind == BackupKind::Usable);
        assert_eq!(usable.count(), 30);
        assert_eq!(u64::try_from(assessment.gaps.len()).unwrap(), holes);
        println!(
            "{holes:>8} {:>12} {:>12} {:>12} {:>12}",
            folded.peak_bytes, folded.held_bytes, judged.peak_bytes, judged.held_bytes
        );
    }
    println!();
}

fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inventory/fold_1000000_keys");
    group.sample_size(10).measurement_time(Duration::from_secs(6));
    for holes in HOLES {
        let archive = Synthetic::new(SEGMENTS, holes);
        let objects: Vec<ListedObject> = archive.objects().collect();
        group.throughput(Throughput::Elements(u64::try_from(objects.len()).unwrap()));
        group.bench_function(BenchmarkId::new("holes", holes), |bencher| {
            bencher.iter(|| listed(archive, black_box(&objects)));
        });
    }
    group.finish();
}

fn extremes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inventory/judge_1000_backups");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    let (subject, expected) = (Synthetic::new(1, 0).subject(), Synthetic::expectations());
    for (name, seen, reached) in
        [("10000_holes", extreme::holes(), false), ("1000_timelines", extreme::timelines(), true)]
    {
        let assessment = assess(&subject, &seen, &expected, extreme::now());
        assert_eq!(assessment.windows.len(), 1_000, "{name}");
        assert_eq!(assessment.latest.is_reached(), Some(reached), "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| assess(&subject, black_box(&seen), &expected, extreme::now()));
        });
    }
    group.finish();
}

fn assessment(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inventory/judge_30_backups");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    for holes in HOLES {
        let archive = Synthetic::new(SEGMENTS, holes);
        let seen = archive.observation(archive.inventory());
        let (subject, expected) = (archive.subject(), Synthetic::expectations());
        group.bench_function(BenchmarkId::new("assess", holes), |bencher| {
            bencher.iter(|| assess(&subject, black_box(&seen), &expected, archive.now()));
        });
        group.bench_function(BenchmarkId::new("wanted_probes", holes), |bencher| {
            bencher.iter(|| assess_and_ask(&subject, black_box(&seen), &expected, archive.now()));
        });
    }
    group.finish();
}
