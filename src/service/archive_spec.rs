//! What is to be watched: said by the configuration, found in Kubernetes, or both.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Subject;
use crate::assessment::expectations::DrillExpectation;
use crate::assessment::expectations::Expectations;
use crate::config::ArchiveConfig;
use crate::config::DrillsConfig;
use crate::config::ExpectationConfig;
use crate::config::FlagExpectations;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::ArchiveId;
use crate::domain::cluster::ClusterId;
use crate::domain::format::BaseBackupAgeMax;
use crate::domain::orphan::Orphan;
use crate::domain::retention_policy::RetentionPolicy;
use crate::domain::schedule::Schedule;
use crate::domain::unreadable::Unreadable;
use crate::observation::cluster::ObservedCluster;
use crate::sources::kubernetes::Discovered;
use crate::sources::store::opening::Access;
use crate::sources::store::s3::CredentialSource;

/// One archive, or one cluster without an archive, and what it is held to.
#[derive(Clone, Debug)]
pub struct ArchiveSpec {
    pub id: ArchiveId,
    /// `None` for a cluster that has no archive.
    pub address: Option<ArchiveAddress>,
    pub access: Access,
    pub retention_policy: Option<RetentionPolicy>,
    pub schedule: Option<Schedule>,
    pub expectations: ExpectationConfig,
    /// `None` for an archive that only the configuration names.
    pub cluster: Option<Arc<ObservedCluster>>,
    /// `None` unless it is known that no cluster names the archive.
    pub orphan: Option<Orphan>,
    pub drills: DrillExpectation,
}

/// How long a scheduled backup may take before it counts as overdue.
const BACKUP_DURATION_GRACE: TimeDelta = TimeDelta::hours(2);

/// What drills are held to where they are configured so.
pub fn drill_expectation(config: &DrillsConfig) -> DrillExpectation {
    DrillExpectation {
        are_run: config.namespace.is_some(),
        pitr_every: config.pitr_every,
        full_every: config.full_every,
        recovery_time_objective: config.recovery_time_objective,
    }
}

impl From<ArchiveConfig> for ArchiveSpec {
    fn from(config: ArchiveConfig) -> Self {
        Self {
            id: config.id,
            address: Some(config.address),
            access: Access::default(),
            retention_policy: config.retention_policy,
            schedule: config.schedule,
            expectations: config.expectations,
            cluster: None,
            orphan: None,
            drills: DrillExpectation::default(),
        }
    }
}

impl ArchiveSpec {
    /// What Kubernetes shows, to be opened with these credentials.
    pub fn discovered(found: Discovered, credentials: Option<CredentialSource>) -> Self {
        let access = Access { credentials, authority: found.authority };
        Self {
            id: found.id,
            address: found.address,
            access,
            retention_policy: found.retention_policy,
            schedule: found.schedule,
            expectations: found.expectations,
            cluster: Some(Arc::new(found.cluster)),
            orphan: None,
            drills: DrillExpectation::default(),
        }
    }

    /// A cluster of which only its name is known.
    pub fn unreadable(id: ClusterId, why: Unreadable, expectations: ExpectationConfig) -> Self {
        let archive = ArchiveId {
            namespace: id.namespace.clone(),
            cluster: id.name.clone(),
            server_name: id.name.clone(),
        };
        Self {
            id: archive,
            address: None,
            access: Access::default(),
            retention_policy: None,
            schedule: None,
            expectations,
            cluster: Some(Arc::new(ObservedCluster::unreadable(id, why))),
            orphan: None,
            drills: DrillExpectation::default(),
        }
    }

    /// The same while Kubernetes cannot tell of its cluster.
    #[must_use]
    pub fn unread(&self, unreadable: &Unreadable) -> Self {
        let cluster = self.cluster.as_ref().map(|cluster| Arc::new(cluster.unread(unreadable)));
        Self { cluster, ..self.clone() }
    }

    /// What the configuration says, with what Kubernetes knows of the same archive: its cluster,
    /// and what the configuration leaves open.
    #[must_use]
    pub fn joined(self, found: Self) -> Self {
        Self {
            retention_policy: self.retention_policy.or(found.retention_policy),
            schedule: self.schedule.or(found.schedule),
            cluster: found.cluster,
            expectations: ExpectationConfig {
                acknowledge_gap_before: (self.expectations.acknowledge_gap_before)
                    .or(found.expectations.acknowledge_gap_before),
                ..self.expectations
            },
            ..self
        }
    }

    /// The same at the place where the archive was, if only Kubernetes cannot tell it now.
    #[must_use]
    pub fn where_it_was(self, before: &Self) -> Self {
        let is_unread = self.cluster.as_ref().is_some_and(|cluster| cluster.store.is_err());
        if self.address.is_some() || !is_unread {
            return self;
        }
        Self {
            address: before.address.clone(),
            access: before.access.clone(),
            retention_policy: before.retention_policy.clone(),
            ..self
        }
    }

    /// Flags win over what the cluster declares.
    #[must_use]
    pub fn held_to(self, flags: &FlagExpectations) -> Self {
        let retention_policy = flags.retention_policy.clone().or(self.retention_policy);
        let expectations = flags.expectations.or(self.expectations);
        Self { retention_policy, expectations, ..self }
    }

    pub fn subject(&self) -> Subject {
        Subject { archive: self.id.clone(), address: self.address.clone() }
    }

    pub fn expectations(&self, looks_every: Duration, now: DateTime<Utc>) -> Expectations {
        let config = &self.expectations;
        let schedule = self.schedule.clone();
        Expectations {
            base_backup_age_max: match config.base_backup_age_max {
                None => None,
                Some(BaseBackupAgeMax::Exactly(age)) => Some(age),
                Some(BaseBackupAgeMax::FromSchedule) => schedule
                    .as_ref()
                    .and_then(|schedule| schedule.interval_max(now))
                    .map(|interval| interval + BACKUP_DURATION_GRACE),
            },
            wal_age_max: config.wal_age_max,
            uploading_grace: config.uploading_grace.unwrap_or_else(TimeDelta::zero),
            retention: self.retention_policy.as_ref().map(RetentionPolicy::window),
            schedule,
            check_interval: TimeDelta::from_std(looks_every).ok(),
            acknowledge_gap_before: (config.acknowledge_gap_before)
                .and_then(|accepted| accepted.before(now)),
            accepts_plain_http: false,
            content: None,
            drills: self.drills,
        }
    }
}
