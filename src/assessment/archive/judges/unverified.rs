//! Was what a restore needs read to its last byte within the time that is meant for it?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::proof::Duty;
use crate::assessment::archive::proof::duties;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::promise::BrokenPromise;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let found = duties(case).into_iter().filter_map(|duty| {
        let age = case.now.signed_duration_since(duty.since);
        let weight = if case.now <= duty.due_at { Weight::Notice } else { Weight::Risk };
        let Duty { kind, since, age_max, .. } = duty;
        let problem = BrokenPromise::ContentUnverified { kind, since, age, age_max };
        (age_max < age).then(|| Finding::new(weight, problem))
    });
    found.collect()
}
