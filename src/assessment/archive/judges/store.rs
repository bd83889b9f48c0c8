//! What could not be read, or only in a dearer way.

use crate::assessment::Assessment;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::domain::storage_class::StorageClass;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Observation;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let mut found = judge_reads(case.seen, Weight::Risk);
    let trouble = case.seen.head_trouble.map(StoreDefect::HeadUnusable);
    let is_infrequent = case.inventory.has_infrequent
        || case
            .catalogue
            .backups
            .iter()
            .flat_map(|(backup, _)| &backup.tars)
            .any(|tar| tar.class == StorageClass::Infrequent);
    let billed = is_infrequent.then_some(StoreDefect::Infrequent);
    let notices = trouble.into_iter().chain(billed);
    found.extend(notices.map(|problem| Finding::new(Weight::Notice, problem)));
    found
}

/// One finding for each reason: a store that is down fails every read the same way.
pub(in crate::assessment::archive) fn judge_reads(
    seen: &Observation,
    weight: Weight,
) -> Vec<Finding> {
    let mut known: Vec<UnreadableReason> = Vec::new();
    let mut findings = Vec::new();
    for unreadable in seen.unread() {
        if known.contains(&unreadable.reason) {
            continue;
        }
        known.push(unreadable.reason);
        let unread = unreadable.clone();
        let (weight, problem) = match unreadable.reason {
            UnreadableReason::Auth => (weight, StoreDefect::Denied(unread)),
            UnreadableReason::Listing => (weight, StoreDefect::ListingUnusable(unread)),
            UnreadableReason::NotAllowed => (Weight::OutOfSight, StoreDefect::NotAllowed(unread)),
            UnreadableReason::NotFound
            | UnreadableReason::Timeout
            | UnreadableReason::Throttled
            | UnreadableReason::Parse
            | UnreadableReason::Dns
            | UnreadableReason::Refused
            | UnreadableReason::Tls
            | UnreadableReason::Internal => (weight, StoreDefect::Unreachable(unread)),
        };
        findings.push(Finding::new(weight, problem));
    }
    findings
}

impl Assessment {
    /// Whether the store answered when it was asked last, be it with a refusal. One that may not be
    /// asked has not failed to.
    pub const fn is_store_up(&self) -> bool {
        match self.unreadable {
            None
            | Some(
                UnreadableReason::Auth
                | UnreadableReason::NotFound
                | UnreadableReason::Listing
                | UnreadableReason::NotAllowed,
            ) => true,
            Some(
                UnreadableReason::Timeout
                | UnreadableReason::Throttled
                | UnreadableReason::Parse
                | UnreadableReason::Dns
                | UnreadableReason::Refused
                | UnreadableReason::Tls
                | UnreadableReason::Internal,
            ) => false,
        }
    }
}
