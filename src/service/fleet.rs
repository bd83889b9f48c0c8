//! What there is to watch: what the configuration names, and what Kubernetes shows now.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::expectations::DrillExpectation;
use crate::config::ArchiveConfig;
use crate::config::ExpectationConfig;
use crate::config::FlagExpectations;
use crate::domain::archive_id::ArchiveId;
use crate::domain::cluster::ClusterId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::publication::snapshot::DiscoveryState;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::orphans::Left;
use crate::service::orphans::Orphans;
use crate::sources::kubernetes::Discovered;
use crate::sources::kubernetes::Discovery;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::kubernetes::StoreCredentials;
use crate::sources::kubernetes::UnparsableObject;
use crate::sources::store::s3::CredentialSource;

/// The archives of the configuration and the clusters of Kubernetes, each under its name.
pub struct Fleet {
    configured: Vec<ArchiveConfig>,
    defaults: ExpectationConfig,
    flags: FlagExpectations,
    drills: DrillExpectation,
    specs: Vec<Arc<ArchiveSpec>>,
    discovery: Option<DiscoveryState>,
    orphans: Orphans,
    /// Results of drills that cannot be understood, as was logged.
    bad_results: BTreeSet<UnparsableObject>,
}

impl Fleet {
    /// What is configured, for now. Flags win over what Clusters and annotations say.
    pub fn new(
        configured: Vec<ArchiveConfig>,
        defaults: ExpectationConfig,
        flags: FlagExpectations,
    ) -> Self {
        let drills = DrillExpectation::default();
        let (specs, bad_results) = (Vec::new(), BTreeSet::new());
        let orphans = Orphans::default();
        let mut fleet = Self {
            configured,
            defaults,
            flags,
            drills,
            specs,
            discovery: None,
            orphans,
            bad_results,
        };
        fleet.specs = fleet.join(Vec::new());
        fleet
    }

    /// The same, where the drills of the clusters in Kubernetes are held to this.
    #[must_use]
    pub const fn drilled(mut self, drills: DrillExpectation) -> Self {
        self.drills = drills;
        self
    }

    /// Without orphans.
    pub fn specs(&self) -> &[Arc<ArchiveSpec>] {
        &self.specs
    }

    pub const fn orphans(&self) -> &Orphans {
        &self.orphans
    }

    pub const fn orphans_mut(&mut self) -> &mut Orphans {
        &mut self.orphans
    }

    /// Whether Kubernetes could be asked; `None` where it is not.
    pub fn discovery(&self) -> Option<DiscoveryState> {
        self.discovery.clone()
    }

    /// Compares what there was with what there is now. A cluster that is gone is no longer there,
    /// unless it only cannot be seen. Tells what was left behind.
    pub async fn refresh(&mut self, kubernetes: &Kubernetes, now: DateTime<Utc>) -> Vec<Left> {
        let mut discovery = kubernetes.discover(now, &self.defaults).await;
        kubernetes.ask_primaries(&mut discovery).await;
        self.take(discovery, |credentials| kubernetes.credential_source(credentials))
    }

    fn take(
        &mut self,
        found: Discovery,
        source: impl Fn(&StoreCredentials) -> Option<CredentialSource>,
    ) -> Vec<Left> {
        let Discovery { clusters, unread, unparsable, claims } = found;
        let (mut specs, missing) = match clusters {
            Ok(clusters) => {
                let spec = |it: Discovered| {
                    let credentials = source(&it.credentials);
                    ArchiveSpec::discovered(it, credentials).held_to(&self.flags)
                };
                (clusters.into_iter().map(spec).collect(), unread.into_iter().next())
            }
            Err(unreadable) => (self.last_known(&unreadable), Some(unreadable)),
        };
        specs.extend(unparsable.iter().filter_map(|object| self.unparsed(object)));
        self.log_bad_results(unparsable);
        let joined = self.join(specs);
        let before = std::mem::replace(&mut self.specs, joined);
        self.discovery = Some(match missing {
            None => DiscoveryState::Up,
            Some(unreadable) => DiscoveryState::Down(unreadable.to_string()),
        });
        let configured = self.configured.iter().map(|it| it.address.place()).collect();
        self.orphans.follow(claims, configured, source);
        self.orphans.inherit(&before, &self.specs)
    }

    /// What Kubernetes showed last, with nothing taken for known that it should tell now.
    fn last_known(&self, unreadable: &Unreadable) -> Vec<ArchiveSpec> {
        let known = self.specs.iter().filter(|it| it.cluster.is_some());
        known.map(|it| it.unread(unreadable)).collect()
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
        let is_it = |spec: &&Arc<ArchiveSpec>| spec.cluster.as_ref().is_some_and(|it| it.id == id);
        let known = self.specs.iter().find(is_it).map(|spec| spec.unread(&unreadable));
        Some(known.unwrap_or_else(|| ArchiveSpec::unreadable(id, unreadable, self.defaults)))
    }

    /// Once for each: nothing tells which cluster it is of.
    fn log_bad_results(&mut self, unparsable: Vec<UnparsableObject>) {
        let is_result = |object: &UnparsableObject| object.kind == "ConfigMap";
        let bad: BTreeSet<_> = unparsable.into_iter().filter(is_result).collect();
        for object in &bad - &self.bad_results {
            let UnparsableObject { namespace, name, why, .. } = object;
            tracing::warn!(%namespace, %name, %why, "the result of a restore drill is not understood");
        }
        self.bad_results = bad;
    }

    /// What is configured with what was found, each at the place where it was if only Kubernetes
    /// cannot tell it now.
    fn join(&self, found: Vec<ArchiveSpec>) -> Vec<Arc<ArchiveSpec>> {
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
        let before: BTreeMap<&ArchiveId, &ArchiveSpec> =
            self.specs.iter().map(|it| (&it.id, it.as_ref())).collect();
        let placed = specs.into_iter().map(|spec| match before.get(&spec.id) {
            Some(before) => spec.where_it_was(before),
            None => spec,
        });
        placed.map(|spec| Arc::new(ArchiveSpec { drills: self.drills, ..spec })).collect()
    }
}

#[cfg(test)]
mod tests;
