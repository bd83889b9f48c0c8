//! What Kubernetes says of a cluster, held against its archive.

mod archiving;
mod drills;
mod runs;
mod setup;
mod youth;

use std::sync::Arc;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::Subject;
use crate::assessment::cluster::archiving::silence;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding::Finding;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::cluster::DrillKind;
use crate::domain::cluster::Instance;
use crate::domain::cluster::RestoreDrill;
use crate::domain::drill::DrillReport;
use crate::domain::operator_version::OperatorVersion;
use crate::domain::segment::SegmentName;
use crate::domain::segment::SegmentSize;
use crate::observation::cluster::DeclaredStore;
use crate::observation::cluster::ObservedCluster;

pub(super) use crate::assessment::cluster::setup::no_store;
pub(super) use crate::assessment::cluster::youth::first_backup_due;

/// What the readers of an assessment are told of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterState {
    pub uid: String,
    pub created_at: Option<DateTime<Utc>>,
    /// CloudNativePG's word for what it does.
    pub phase: Option<String>,
    pub instance: Instance,
    pub operator: Option<OperatorVersion>,
    /// The `ObjectStore` of this archive; `None` for an in-tree one, and where the configuration
    /// names another place than the cluster does.
    pub object_store: Option<String>,
    pub silence: Option<Silence>,
    /// Its active schedules that ask the plugin, as written.
    pub schedules: Vec<String>,
    /// Over the retention window; `None` where nothing is scheduled or it could not be read.
    pub scheduled: Option<ScheduledBackups>,
    /// The last of each kind that says something of the archive.
    pub drills: Vec<RestoreDrill>,
    /// Those that ran by themselves, newest first.
    pub drill_reports: Vec<Arc<DrillReport>>,
    /// Whether those are all that are known: none is not none where they could not be read.
    pub are_drills_read: bool,
}

/// Why no new WAL is no sign of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    Hibernated,
    Fenced,
    /// Nothing comes from the cluster that it follows.
    Replica,
    /// A switchover, an upgrade or the like, in CloudNativePG's words.
    Busy(String),
    /// PostgreSQL has nothing to archive, and its last segment is stored.
    Idle,
}

/// What became of the slots of all schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScheduledBackups {
    pub expected: u64,
    pub completed: u64,
    pub failed: u64,
    pub missed: u64,
}

/// The newest segment of the archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredSegment {
    pub(super) name: SegmentName,
    /// By our clock, as Kubernetes' times are; `None` where nobody can tell.
    pub(super) stored_at: Option<DateTime<Utc>>,
}

/// A cluster and what its archive was found to hold.
pub(super) struct ClusterCase<'a> {
    pub(super) cluster: &'a ObservedCluster,
    pub(super) address: Option<&'a ArchiveAddress>,
    /// `None` while the archive could not be listed.
    pub(super) backups: Option<&'a [AssessedBackup]>,
    pub(super) newest: Option<StoredSegment>,
    pub(super) segment_size: SegmentSize,
    pub(super) expected: &'a Expectations,
    pub(super) now: DateTime<Utc>,
}

/// Each asks one question.
const JUDGES: &[fn(&ClusterCase<'_>) -> Vec<Finding>] =
    &[setup::judge, runs::judge, archiving::judge, drills::judge];

impl<'a> ClusterCase<'a> {
    /// A cluster whose archive could not be listed.
    pub(super) fn unlisted(
        cluster: &'a ObservedCluster,
        subject: &'a Subject,
        expected: &'a Expectations,
        now: DateTime<Utc>,
    ) -> Self {
        let (address, segment_size) = (subject.address.as_ref(), SegmentSize::DEFAULT);
        Self { cluster, address, backups: None, newest: None, segment_size, expected, now }
    }

    pub(super) fn judge(&self) -> (ClusterState, Vec<Finding>) {
        let findings = JUDGES.iter().flat_map(|judge| judge(self)).collect();
        let cluster = self.cluster;
        let schedules = runs::active(cluster).map(|schedule| schedule.text.clone()).collect();
        let state = ClusterState {
            uid: cluster.uid.clone(),
            created_at: cluster.created_at,
            phase: cluster.activity.phase.clone(),
            instance: cluster.instance.clone(),
            operator: cluster.operator,
            object_store: self.object_store().map(str::to_owned),
            silence: silence(self),
            schedules,
            scheduled: runs::count(self),
            drills: drills::last_of_each_kind(cluster),
            drill_reports: drills::reports(cluster).to_vec(),
            are_drills_read: cluster.drill_reports.is_ok(),
        };
        (state, findings)
    }

    /// How long ago something was, by our clock.
    fn age(&self, at: DateTime<Utc>) -> TimeDelta {
        self.now.signed_duration_since(at)
    }

    fn object_store(&self) -> Option<&str> {
        let Ok(DeclaredStore::Found(store)) = &self.cluster.store else { return None };
        let is_here = |it: &ArchiveAddress| it.destination_path() == store.destination_path;
        let is_named = self.address.is_some_and(is_here) && !store.name.is_empty();
        is_named.then_some(&store.name)
    }
}

impl ClusterState {
    /// The last drill of a kind that says something of the archive, if it ran by itself.
    pub fn concluded(&self, kind: DrillKind) -> Option<&DrillReport> {
        let last = self.drills.iter().find(|drill| drill.kind == kind)?;
        drills::source(&self.drill_reports, last)
    }

    /// Drills that ended since these were known. What is older than a day was only not seen.
    pub fn drills_since(
        &self,
        known: &[Arc<DrillReport>],
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = &DrillReport> {
        let is_new = move |it: &&Arc<DrillReport>| {
            !known.contains(it) && now.signed_duration_since(it.ended_at) < TimeDelta::days(1)
        };
        self.drill_reports.iter().filter(is_new).map(Arc::as_ref)
    }

    /// The newest drill of a kind, if something else got in its way.
    pub fn obstructed(&self, kind: DrillKind) -> Option<&DrillReport> {
        let last = self.drills.iter().find(|drill| drill.kind == kind);
        drills::obstructed(&self.drill_reports, kind, last)
    }
}

impl Silence {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Hibernated => "hibernated",
            Self::Fenced => "fenced",
            Self::Replica => "replica",
            Self::Busy(_) => "busy",
            Self::Idle => "idle",
        }
    }
}

#[cfg(test)]
mod tests;
