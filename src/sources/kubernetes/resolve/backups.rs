//! `Backup`s and `ScheduledBackup`s, by the cluster that they are for.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::cluster::Archiver;
use crate::domain::cluster::BARMAN_PLUGIN;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::BackupPhase;
use crate::domain::schedule::Schedule;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::observation::cluster::BackupResource;
use crate::observation::cluster::Elsewhere;
use crate::observation::cluster::ObservedSchedule;
use crate::observation::cluster::SnapshotBackup;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::content::Scope;
use crate::sources::kubernetes::content::reading_in;
use crate::sources::kubernetes::resources::Backup;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::ScheduledBackup;
use crate::sources::kubernetes::resources::backup_method;

/// Built once for all clusters: a fleet has many more backups than clusters.
pub(super) struct BackupIndex<'a> {
    content: &'a Content,
    backups: ByCluster<'a, Backup>,
    schedules: ByCluster<'a, ScheduledBackup>,
}

/// By namespace and name of the cluster; with the object's own name.
type ByCluster<'a, K> = HashMap<(&'a str, &'a str), Vec<(&'a str, &'a Arc<<K as Kind>::Kept>)>>;

impl<'a> BackupIndex<'a> {
    pub(super) fn new(content: &'a Content) -> Self {
        Self {
            content,
            backups: by_cluster(&content.backups, |it| &it.cluster),
            schedules: by_cluster(&content.schedules, |it| &it.spec.cluster.name),
        }
    }

    /// By name. A `Backup` that does not parse is left out, since nothing tells whose it is.
    pub(super) fn backups(&self, cluster: &ObjectName) -> Reading<Vec<Arc<BackupResource>>> {
        reading_in(&self.content.backups, &cluster.namespace)?;
        let found = self.backups.get(&(&*cluster.namespace, &*cluster.name));
        Ok(found.into_iter().flatten().map(|(_, backup)| Arc::clone(backup)).collect())
    }

    /// As last seen, also while they cannot be read now. Those of a predecessor of the cluster's
    /// name are left out.
    pub(super) fn elsewhere(
        &self,
        name: &ObjectName,
        cluster: &Kept<Cluster>,
    ) -> Reading<Elsewhere> {
        if !has_been_seen(&self.content.backups, &name.namespace) {
            reading_in(&self.content.backups, &name.namespace)?;
        }
        if !has_been_seen(&self.content.schedules, &name.namespace) {
            reading_in(&self.content.schedules, &name.namespace)?;
        }
        let key = (&*name.namespace, &*name.name);
        let schedules = self.schedules.get(&key).into_iter().flatten();
        let schedules = schedules.filter(|(_, it)| !it.spec.suspend.unwrap_or(false));
        let schedules: Vec<BackupMethod> =
            schedules.map(|(_, it)| observed_schedule("", it).method).collect();
        let created = cluster.meta.created_at;
        let is_own = |it: &BackupResource| {
            it.created_at.zip(created).is_none_or(|(backup, cluster)| cluster <= backup)
        };
        let backups = self.backups.get(&key).into_iter().flatten();
        let completed: Vec<&BackupResource> = backups
            .map(|(_, it)| Arc::as_ref(it))
            .filter(|it| it.phase == BackupPhase::Completed && is_own(it))
            .collect();
        let methods = completed.iter().map(|it| it.method.clone());
        let plugin = methods.chain(schedules.iter().cloned()).find_map(other_plugin);
        let is_enabled = |wanted: &String| {
            let mut plugins = cluster.spec.plugins.iter();
            plugins.any(|it| it.name == *wanted && it.enabled.unwrap_or(true))
        };
        Ok(Elsewhere {
            schedules_snapshots: schedules.contains(&BackupMethod::VolumeSnapshot),
            snapshot: newest_snapshot(&completed),
            plugin: plugin.filter(is_enabled),
        })
    }

    /// By name. If none is found, but some do not parse, one of those may be for this cluster.
    pub(super) fn schedules(&self, cluster: &ObjectName) -> Reading<Vec<ObservedSchedule>> {
        let objects = reading_in(&self.content.schedules, &cluster.namespace)?;
        let found = self.schedules.get(&(&*cluster.namespace, &*cluster.name));
        let found: Vec<ObservedSchedule> =
            found.into_iter().flatten().map(|(name, it)| observed_schedule(name, it)).collect();
        let bad = objects
            .iter()
            .filter(|(name, _)| name.namespace == cluster.namespace)
            .find_map(|(name, object)| Some((name, object.as_ref().err()?)));
        match bad {
            Some((name, why)) if found.is_empty() => Err(Unreadable {
                what: format!("read the ScheduledBackup {name}"),
                why: why.to_string(),
                reason: UnreadableReason::Parse,
            }),
            _ => Ok(found),
        }
    }
}

/// Whether the objects of a namespace were listed once.
fn has_been_seen<K: Kind>(scopes: &[Scope<K>], namespace: &str) -> bool {
    scopes.iter().any(|scope| scope.covers(namespace) && scope.last.is_some())
}

fn newest_snapshot(completed: &[&BackupResource]) -> Option<SnapshotBackup> {
    let snapshots = completed.iter().filter(|it| it.method == BackupMethod::VolumeSnapshot);
    let newest = snapshots.max_by_key(|it| it.stopped_at.or(it.created_at))?;
    Some(SnapshotBackup {
        name: newest.name.to_string(),
        stopped_at: newest.stopped_at,
        begin_wal: newest.begin_wal,
    })
}

fn other_plugin(method: BackupMethod) -> Option<String> {
    match method {
        BackupMethod::Plugin(Some(name)) if *name != *BARMAN_PLUGIN => Some(name.to_string()),
        _ => None,
    }
}

fn by_cluster<'a, K: Kind>(
    scopes: &'a [Scope<K>],
    cluster_of: fn(&K::Kept) -> &str,
) -> ByCluster<'a, K> {
    let mut index: ByCluster<'a, K> = HashMap::new();
    for (name, object) in scopes.iter().filter_map(|scope| scope.last.as_deref()).flatten() {
        if let Ok(object) = object {
            let cluster = (&*name.namespace, cluster_of(object));
            index.entry(cluster).or_default().push((&name.name, object));
        }
    }
    index
}

/// The shortest of the longest intervals.
pub(super) fn most_frequent<'a>(
    schedules: &'a [ObservedSchedule],
    archiver: &Archiver,
    now: DateTime<Utc>,
) -> Option<&'a Schedule> {
    let active = schedules.iter().filter(|it| !it.is_suspended && is_for(archiver, &it.method));
    let parsed = active.filter_map(|it| it.schedule.as_ref().ok());
    parsed
        .filter_map(|schedule| Some((schedule.interval_max(now)?, schedule)))
        .min_by_key(|(interval, _)| *interval)
        .map(|(_, schedule)| schedule)
}

/// Whether backups of this method land in the archive.
fn is_for(archiver: &Archiver, method: &BackupMethod) -> bool {
    match archiver {
        Archiver::Plugin { .. } => method.is_barman_plugin(),
        Archiver::InTree => *method == BackupMethod::BarmanObjectStore,
        Archiver::OtherPlugin(_) | Archiver::Nobody => false,
    }
}

fn filled(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn observed_schedule(name: &str, schedule: &Kept<ScheduledBackup>) -> ObservedSchedule {
    let Kept { meta, spec, status } = schedule;
    ObservedSchedule {
        name: name.to_owned(),
        created_at: meta.created_at,
        text: spec.schedule.clone(),
        schedule: Schedule::parse_due(&spec.schedule).map_err(|error| error.to_string()),
        is_suspended: spec.suspend.unwrap_or(false),
        method: backup_method(spec.method.as_deref(), spec.plugin_configuration.as_ref(), |name| {
            name.into()
        }),
        error: filled(&status.error),
    }
}
