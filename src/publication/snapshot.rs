//! What is known of every archive at one time; page, metrics and JSON all show the same one.

use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::domain::archive_id::StoreAddress;
use crate::domain::unreadable::UnreadableReason;

/// What is known at one time. It never changes; what comes later makes another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub generated_at: DateTime<Utc>,
    /// By name.
    pub archives: Vec<WatchedArchive>,
    /// By name, each once.
    pub stores: Vec<StoreState>,
    /// `None` where Kubernetes is not asked.
    pub discovery: Option<DiscoveryState>,
    /// `None` where nobody looks for orphaned archives.
    pub orphan_search: Option<OrphanSearch>,
}

/// Whether Kubernetes said which clusters there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoveryState {
    Up,
    /// Why it did not; what it told last is still watched.
    Down(String),
}

/// What came of looking for archives that no cluster names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrphanSearch {
    /// Why some may be missing: a sentence for each place.
    pub unread: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct WatchedArchive {
    pub assessment: Arc<Assessment>,
    /// The `name` of its [`StoreState`]; `None` for a cluster without an archive.
    pub object_store: Option<String>,
    pub checks: CheckCounts,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreState {
    pub name: String,
    /// Whether it answered when it was asked last.
    pub is_up: bool,
}

/// How often an archive was checked since the program started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckCounts {
    checks: u64,
    /// In the order of `UnreadableReason::ALL`.
    failures: [u64; UnreadableReason::ALL.len()],
}

impl Snapshot {
    pub fn new(generated_at: DateTime<Utc>, mut archives: Vec<WatchedArchive>) -> Self {
        archives.sort_by(|left, right| {
            let (left, right) = (&left.assessment, &right.assessment);
            (&left.archive, &left.address).cmp(&(&right.archive, &right.address))
        });
        let store = |archive: &WatchedArchive| {
            let is_up = archive.assessment.is_store_up();
            Some(StoreState { name: archive.object_store.clone()?, is_up })
        };
        // A store that was not asked yet is neither up nor down. One with nothing but orphans is nobody's
        // loss.
        let asked = archives
            .iter()
            .filter(|archive| archive.checks.checks() != 0 && archive.assessment.orphan.is_none());
        let mut stores: Vec<StoreState> = asked.filter_map(store).collect();
        // A store that is down for one of its archives sorts first and is the one that stays.
        stores.sort();
        stores.dedup_by(|next, kept| next.name == kept.name);
        Self { generated_at, archives, stores, discovery: None, orphan_search: None }
    }

    /// With what came of asking Kubernetes.
    #[must_use]
    pub fn discovered(self, discovery: Option<DiscoveryState>) -> Self {
        Self { discovery, ..self }
    }

    /// With what came of looking for orphans.
    #[must_use]
    pub fn searched(self, orphan_search: Option<OrphanSearch>) -> Self {
        Self { orphan_search, ..self }
    }

    /// Before anything is known.
    pub fn empty(generated_at: DateTime<Utc>) -> Self {
        Self::new(generated_at, Vec::new())
    }

    /// One pass over some archives, without a history of checks.
    pub fn once(generated_at: DateTime<Utc>, assessments: Vec<Assessment>) -> Self {
        let archives = assessments.into_iter().map(|assessment| {
            let mut checks = CheckCounts::default();
            checks.count(assessment.unreadable);
            WatchedArchive::new(Arc::new(assessment), checks)
        });
        Self::new(generated_at, archives.collect())
    }

    /// Only the archives of one cluster; `None` if it is not watched.
    pub fn of_cluster(&self, namespace: &str, cluster: &str) -> Option<Self> {
        let archives: Vec<WatchedArchive> = self
            .archives
            .iter()
            .filter(|watched| {
                let archive = &watched.assessment.archive;
                archive.namespace == namespace && archive.cluster == cluster
            })
            .cloned()
            .collect();
        (!archives.is_empty()).then(|| Self::new(self.generated_at, archives))
    }
}

impl WatchedArchive {
    pub fn new(assessment: Arc<Assessment>, checks: CheckCounts) -> Self {
        let object_store = assessment.address.as_ref().map(|address| store_name(&address.store));
        Self { assessment, object_store, checks }
    }
}

/// A name for a store that has no other: different stores get different names, and none tells a
/// password that somebody wrote into an endpoint.
fn store_name(store: &StoreAddress) -> String {
    match store {
        StoreAddress::S3 { bucket, endpoint_url: Some(url), .. } => {
            let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{}/{bucket}", host.trim_end_matches('/'))
        }
        StoreAddress::S3 { bucket, endpoint_url: None, region } => {
            format!("s3.{region}.amazonaws.com/{bucket}")
        }
        StoreAddress::Directory(path) => path.clone(),
    }
}

impl CheckCounts {
    /// Counts one check, and why it failed if it did.
    pub fn count(&mut self, failure: Option<UnreadableReason>) {
        self.checks += 1;
        for (reason, failures) in UnreadableReason::ALL.into_iter().zip(&mut self.failures) {
            *failures += u64::from(failure == Some(reason));
        }
    }

    pub const fn checks(&self) -> u64 {
        self.checks
    }

    /// The number of failed checks for each reason, also for those that never happened.
    pub fn failures(&self) -> impl Iterator<Item = (UnreadableReason, u64)> {
        UnreadableReason::ALL.into_iter().zip(self.failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;

    #[test]
    fn a_store_that_is_down_for_one_archive_is_down() {
        let mut fleet = samples::fleet(2);
        assert_eq!(fleet.stores.len(), 1);
        assert!(fleet.stores[0].is_up);
        let unread = Arc::make_mut(&mut fleet.archives[1].assessment);
        unread.unreadable = Some(UnreadableReason::Timeout);
        let snapshot = Snapshot::new(fleet.generated_at, fleet.archives);
        assert_eq!(snapshot.stores.len(), 1);
        assert!(!snapshot.stores[0].is_up);
    }

    #[test]
    fn a_cluster_that_is_not_watched_is_not_an_empty_one() {
        assert_eq!(samples::fleet(3).of_cluster("databases", "nobody"), None);
    }

    #[test]
    fn a_failed_check_counts_under_its_reason_only() {
        let mut counts = CheckCounts::default();
        counts.count(None);
        counts.count(Some(UnreadableReason::Throttled));
        assert_eq!(counts.checks(), 2);
        for (reason, failures) in counts.failures() {
            assert_eq!(failures, u64::from(reason == UnreadableReason::Throttled), "{reason:?}");
        }
    }

    #[test]
    fn the_name_of_a_store_tells_no_password() {
        let store = StoreAddress::S3 {
            bucket: "cnpg".to_owned(),
            endpoint_url: Some("https://me:secret@minio:9000/".to_owned()),
            region: "auto".to_owned(),
        };
        assert_eq!(store_name(&store), "minio:9000/cnpg");
    }
}
