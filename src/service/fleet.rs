//! Everything that is watched: what the configuration names, and what Kubernetes shows now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;

use crate::config::ArchiveConfig;
use crate::config::ExpectationConfig;
use crate::config::FlagExpectations;
use crate::config::Polling;
use crate::domain::archive_id::ArchiveId;
use crate::domain::cluster::ClusterId;
use crate::observation::Reading;
use crate::observation::Unreadable;
use crate::observation::UnreadableReason;
use crate::publication::snapshot;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::watched::Watched;
use crate::sources::kubernetes::Discovered;
use crate::sources::kubernetes::Discovery;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::kubernetes::StoreCredentials;
use crate::sources::kubernetes::UnparsableObject;
use crate::sources::store::opening::Stores;
use crate::sources::store::s3::CredentialSource;

/// The archives of the configuration and the clusters of Kubernetes, each under its name.
pub struct Fleet {
    configured: Vec<ArchiveConfig>,
    defaults: ExpectationConfig,
    kubernetes: Option<Arc<Kubernetes>>,
    stores: Stores,
    polling: Polling,
    check_interval: Duration,
    watched: Vec<Watched>,
    discovery: Option<Reading<()>>,
    flags: FlagExpectations,
}

impl Fleet {
    pub fn new(
        configured: Vec<ArchiveConfig>,
        defaults: ExpectationConfig,
        stores: Stores,
    ) -> Self {
        Self {
            configured,
            defaults,
            kubernetes: None,
            stores,
            polling: Polling::List,
            check_interval: Duration::ZERO,
            watched: Vec::new(),
            discovery: None,
            flags: FlagExpectations::default(),
        }
    }

    /// With what watches each archive, instead of opening their stores.
    #[must_use]
    pub fn watching(self, watched: Vec<Watched>) -> Self {
        Self { watched, ..self }
    }

    #[must_use]
    pub fn polled(self, polling: Polling, check_interval: Duration) -> Self {
        Self { polling, check_interval, ..self }
    }

    #[must_use]
    pub fn discovered_by(self, kubernetes: Option<Arc<Kubernetes>>) -> Self {
        Self { kubernetes, ..self }
    }

    /// Flags win over what Clusters and annotations say.
    #[must_use]
    pub fn held_to(self, flags: FlagExpectations) -> Self {
        Self { flags, ..self }
    }

    pub fn into_watched(self) -> Vec<Watched> {
        self.watched
    }

    pub fn watched(&mut self) -> &mut [Watched] {
        &mut self.watched
    }

    pub const fn kubernetes(&self) -> Option<&Arc<Kubernetes>> {
        self.kubernetes.as_ref()
    }

    /// Whether Kubernetes could be asked; `None` where it is not.
    pub fn discovery(&self) -> Option<snapshot::DiscoveryState> {
        self.discovery.as_ref().map(|reading| match reading {
            Ok(()) => snapshot::DiscoveryState::Up,
            Err(unreadable) => snapshot::DiscoveryState::Down(unreadable.to_string()),
        })
    }

    /// Compares what is watched with what there is now. A cluster that is gone is no longer
    /// watched, unless it only cannot be seen.
    pub async fn refresh(&mut self, now: DateTime<Utc>) {
        let Some(kubernetes) = self.kubernetes.clone() else {
            // The configuration is read once.
            if self.watched.is_empty() {
                let specs = self.join(Vec::new());
                self.replace(specs);
            }
            return;
        };
        let mut discovery = kubernetes.discover(now, &self.defaults).await;
        kubernetes.ask_primaries(&mut discovery).await;
        self.take(discovery, |credentials| kubernetes.credential_source(credentials));
    }

    fn take(
        &mut self,
        found: Discovery,
        source: impl Fn(&StoreCredentials) -> Option<CredentialSource>,
    ) {
        let Discovery { clusters, unread, unparsable } = found;
        let mut specs = match clusters {
            Ok(clusters) => {
                let spec = |it: Discovered| {
                    let credentials = source(&it.credentials);
                    ArchiveSpec::discovered(it, credentials).held_to(&self.flags)
                };
                self.discovery = Some(unread.first().map_or(Ok(()), |it| Err(it.clone())));
                clusters.into_iter().map(spec).collect()
            }
            Err(unreadable) => {
                let specs = self.last_known(&unreadable);
                self.discovery = Some(Err(unreadable));
                specs
            }
        };
        specs.extend(unparsable.iter().filter_map(|object| self.unparsed(object)));
        let specs = self.join(specs);
        self.replace(specs);
    }

    /// What Kubernetes showed last, with nothing taken for known that it should tell now.
    fn last_known(&self, unreadable: &Unreadable) -> Vec<ArchiveSpec> {
        let known = self.watched.iter().map(Watched::spec);
        known.filter(|it| it.cluster.is_some()).map(|it| it.unread(unreadable)).collect()
    }

    /// A cluster that cannot be understood is there all the same.
    fn unparsed(&self, object: &UnparsableObject) -> Option<ArchiveSpec> {
        let id = ClusterId { namespace: object.namespace.clone(), name: object.name.clone() };
        let unreadable = Unreadable {
            what: format!("read {} {id}", object.kind),
            why: object.why.clone(),
            reason: UnreadableReason::Parse,
        };
        if object.kind != "Cluster" {
            return None;
        }
        let mut known = self.watched.iter().map(Watched::spec);
        let is_it = |spec: &&ArchiveSpec| spec.cluster.as_ref().is_some_and(|it| it.id == id);
        let known = known.find(is_it).map(|spec| spec.unread(&unreadable));
        Some(known.unwrap_or_else(|| ArchiveSpec::unreadable(id, unreadable, self.defaults)))
    }

    fn join(&self, found: Vec<ArchiveSpec>) -> Vec<ArchiveSpec> {
        let mut found: BTreeMap<ArchiveId, ArchiveSpec> =
            found.into_iter().map(|spec| (spec.id.clone(), spec)).collect();
        let configured = self.configured.iter().cloned().map(ArchiveSpec::from);
        let mut specs: Vec<ArchiveSpec> = configured
            .map(|spec| match found.remove(&spec.id) {
                Some(known) => spec.joined(known),
                None => spec,
            })
            .collect();
        specs.extend(found.into_values());
        specs
    }

    fn replace(&mut self, specs: Vec<ArchiveSpec>) {
        let mut known: BTreeMap<ArchiveId, Watched> =
            self.watched.drain(..).map(|it| (it.spec().id.clone(), it)).collect();
        for spec in specs {
            let watched = match known.remove(&spec.id) {
                Some(watched) => {
                    let spec = spec.where_it_was(watched.spec());
                    watched.updated(spec, &self.stores)
                }
                None => Watched::new(spec, &self.stores)
                    .checked_every(self.check_interval)
                    .polled(self.polling),
            };
            self.watched.push(watched);
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::assessment::finding::FindingCode;
    use crate::assessment::verdict::Verdict;
    use crate::config::Credentials;
    use crate::domain::archive_id::ArchiveAddress;
    use crate::domain::archive_id::StoreAddress;
    use crate::domain::cluster::Archiver;
    use crate::domain::retention_policy::RetentionPolicy;
    use crate::observation::cluster::Activity;
    use crate::observation::cluster::DeclaredStore;
    use crate::observation::cluster::ObservedCluster;
    use crate::service::clock;
    use crate::service::own_metrics::OwnMetrics;
    use crate::sources::store::s3::S3Clients;

    /// A cluster whose archive is an empty directory.
    fn discovered(name: &str, folder: &TempDir) -> Discovered {
        let id = ArchiveId {
            namespace: "databases".to_owned(),
            cluster: name.to_owned(),
            server_name: name.to_owned(),
        };
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
        let root = folder.path().to_str().unwrap().to_owned();
        let address = ArchiveAddress {
            store: StoreAddress::Directory(root),
            prefix: String::new(),
            server_name: name.to_owned(),
        };
        let cluster = ObservedCluster {
            id: ClusterId { namespace: "databases".to_owned(), name: name.to_owned() },
            uid: name.to_owned(),
            created_at: None,
            archiver: Archiver::Plugin { is_wal_archiver: true },
            instance: Default::default(),
            store: Ok(DeclaredStore::Undeclared),
            activity: Activity::default(),
            schedules: Ok(Vec::new()),
            backups: Ok(Vec::new()),
            plugin: None,
            sharers: Vec::new(),
            wal_archiving: None,
            drills: Vec::new(),
            bad_annotations: Vec::new(),
        };
        Discovered {
            id,
            address: Some(address),
            cluster,
            retention_policy: None,
            schedule: None,
            expectations: ExpectationConfig::default(),
            credentials: StoreCredentials::Configured,
        }
    }

    fn fleet(configured: Vec<ArchiveConfig>) -> Fleet {
        let metrics = OwnMetrics::register().unwrap();
        let clients = S3Clients::new(clock::now, metrics.requests);
        let stores = Stores::new(clients, &Credentials::DefaultChain);
        Fleet::new(configured, ExpectationConfig::default(), stores)
    }

    fn names(fleet: &mut Fleet) -> Vec<String> {
        fleet.watched().iter().map(|it| it.spec().id.cluster.clone()).collect()
    }

    fn shown(clusters: Vec<Discovered>) -> Discovery {
        Discovery { clusters: Ok(clusters), unread: Vec::new(), unparsable: Vec::new() }
    }

    fn down() -> Discovery {
        let unreadable = Unreadable {
            what: "list clusters".to_owned(),
            why: "no route".to_owned(),
            reason: UnreadableReason::Internal,
        };
        Discovery { clusters: Err(unreadable), unread: Vec::new(), unparsable: Vec::new() }
    }

    fn take(fleet: &mut Fleet, found: Discovery) {
        fleet.take(found, |_| None);
    }

    #[tokio::test]
    async fn clusters_come_and_go() {
        let folder = TempDir::new().unwrap();
        let mut fleet = fleet(Vec::new());
        take(&mut fleet, shown(vec![discovered("one", &folder)]));
        assert_eq!(names(&mut fleet), ["one"]);
        take(&mut fleet, shown(vec![discovered("two", &folder), discovered("one", &folder)]));
        assert_eq!(names(&mut fleet), ["one", "two"]);
        take(&mut fleet, shown(vec![discovered("two", &folder)]));
        assert_eq!(names(&mut fleet), ["two"]);
        assert_eq!(fleet.discovery(), Some(snapshot::DiscoveryState::Up));
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_seen_is_watched_on_and_its_promises_are_unknown() {
        let folder = TempDir::new().unwrap();
        let mut fleet = fleet(Vec::new());
        take(&mut fleet, shown(vec![discovered("one", &folder)]));
        fleet.watched()[0].check(Duration::ZERO).await;
        take(&mut fleet, down());
        assert_eq!(names(&mut fleet), ["one"]);
        assert!(matches!(fleet.discovery(), Some(snapshot::DiscoveryState::Down(_))));
        let assessment = fleet.watched()[0].check(Duration::ZERO).await;
        let codes: Vec<FindingCode> = assessment.findings.iter().map(|it| it.code()).collect();
        assert_eq!(codes, [FindingCode::ArchiveEmpty, FindingCode::KubernetesUnreadable]);
    }

    #[tokio::test]
    async fn the_configuration_wins_and_takes_the_rest_from_the_cluster() {
        let folder = TempDir::new().unwrap();
        let found = discovered("one", &folder);
        let mut address = found.address.clone().unwrap();
        address.prefix = "elsewhere".to_owned();
        let configured = ArchiveConfig {
            id: found.id.clone(),
            address: address.clone(),
            retention_policy: None,
            schedule: None,
            expectations: ExpectationConfig::default(),
        };
        let mut fleet = fleet(vec![configured]);
        let retention_policy = RetentionPolicy::parse("30d");
        take(&mut fleet, shown(vec![Discovered { retention_policy, ..found }]));
        let spec = fleet.watched()[0].spec();
        assert_eq!(spec.address, Some(address));
        assert!(spec.cluster.is_some() && spec.retention_policy.is_some());
        // Its cluster is deleted; the bucket outlives it.
        take(&mut fleet, shown(Vec::new()));
        assert_eq!(names(&mut fleet), ["one"]);
        assert!(fleet.watched()[0].spec().cluster.is_none());
    }

    #[tokio::test]
    async fn another_archive_under_the_same_name_starts_from_nothing() {
        let folder = TempDir::new().unwrap();
        let mut fleet = fleet(Vec::new());
        take(&mut fleet, shown(vec![discovered("one", &folder)]));
        fleet.watched()[0].check(Duration::ZERO).await;
        assert!(fleet.watched()[0].published().is_some());
        take(&mut fleet, shown(vec![discovered("one", &folder)]));
        assert!(fleet.watched()[0].published().is_some());
        let mut moved = discovered("one", &folder);
        moved.address.as_mut().unwrap().prefix = "moved".to_owned();
        take(&mut fleet, shown(vec![moved]));
        assert!(fleet.watched()[0].published().is_none());
    }

    #[tokio::test]
    async fn an_archive_whose_store_cannot_be_seen_is_read_where_it_was() {
        let folder = TempDir::new().unwrap();
        let mut fleet = fleet(Vec::new());
        take(&mut fleet, shown(vec![discovered("one", &folder)]));
        let mut unseen = Discovered { address: None, ..discovered("one", &folder) };
        unseen.cluster.store = Err(Unreadable {
            what: "read ObjectStore s3".to_owned(),
            why: "forbidden".to_owned(),
            reason: UnreadableReason::Auth,
        });
        take(&mut fleet, shown(vec![unseen]));
        let assessment = fleet.watched()[0].check(Duration::ZERO).await;
        let codes: Vec<FindingCode> = assessment.findings.iter().map(|it| it.code()).collect();
        assert_eq!(codes[0], FindingCode::ArchiveEmpty);
        assert!(codes.contains(&FindingCode::KubernetesUnreadable), "{codes:?}");
    }

    #[tokio::test]
    async fn a_cluster_without_an_archive_is_judged_too() {
        let folder = TempDir::new().unwrap();
        let mut fleet = fleet(Vec::new());
        let bare = Discovered { address: None, ..discovered("one", &folder) };
        take(&mut fleet, shown(vec![bare]));
        let assessment = fleet.watched()[0].check(Duration::ZERO).await;
        assert_eq!(assessment.verdict, Verdict::Unrecoverable);
        assert!(assessment.findings.iter().any(|it| it.code() == FindingCode::NoObjectStore));
        assert_eq!(fleet.watched()[0].published().unwrap().object_store, None);
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_understood_is_there_all_the_same() {
        let folder = TempDir::new().unwrap();
        let mut fleet = fleet(Vec::new());
        take(&mut fleet, shown(vec![discovered("known", &folder)]));
        let object = |name: &str| UnparsableObject {
            kind: "Cluster",
            namespace: "databases".to_owned(),
            name: name.to_owned(),
            why: "spec.plugins is a number".to_owned(),
        };
        let unparsable = vec![object("known"), object("new")];
        take(&mut fleet, Discovery { unparsable, ..shown(Vec::new()) });
        assert_eq!(names(&mut fleet), ["known", "new"]);
        let mut verdicts = Vec::new();
        for watched in fleet.watched() {
            let assessment = watched.check(Duration::ZERO).await;
            let is_unreadable =
                assessment.findings.iter().any(|it| it.code() == FindingCode::KubernetesUnreadable);
            assert!(is_unreadable, "{:?}", assessment.findings);
            verdicts.push(assessment.verdict);
        }
        assert_eq!(verdicts, [Verdict::Unrecoverable, Verdict::Unknown]);
    }
}
