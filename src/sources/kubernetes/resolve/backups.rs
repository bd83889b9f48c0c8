//! `Backup`s and `ScheduledBackup`s, by the cluster that they are for.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
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
use crate::sources::kubernetes::resources::PluginReference;
use crate::sources::kubernetes::resources::ScheduledBackup;

/// Built once for all clusters: a fleet has many more backups than clusters.
pub(super) struct BackupIndex<'a> {
    content: &'a Content,
    backups: ByCluster<'a, Backup>,
    schedules: ByCluster<'a, ScheduledBackup>,
}

/// By namespace and name of the cluster; with the object's own name.
type ByCluster<'a, K> = HashMap<(&'a str, &'a str), Vec<(&'a str, &'a Kept<K>)>>;

impl<'a> BackupIndex<'a> {
    pub(super) fn new(content: &'a Content) -> Self {
        Self {
            content,
            backups: by_cluster(&content.backups, |spec| &spec.cluster.name),
            schedules: by_cluster(&content.schedules, |spec| &spec.cluster.name),
        }
    }

    /// By name. A `Backup` that does not parse is left out, since nothing tells whose it is.
    pub(super) fn backups(&self, cluster: &ObjectName) -> Reading<Vec<Arc<BackupResource>>> {
        reading_in(&self.content.backups, &cluster.namespace)?;
        let found = self.backups.get(&(cluster.namespace.as_str(), cluster.name.as_str()));
        Ok(found
            .into_iter()
            .flatten()
            .map(|(name, backup)| observed_backup(name, backup))
            .collect())
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
        let key = (name.namespace.as_str(), name.name.as_str());
        let schedules = self.schedules.get(&key).into_iter().flatten();
        let schedules = schedules.filter(|(_, it)| !it.spec.suspend.unwrap_or(false));
        let schedules: Vec<BackupMethod> =
            schedules.map(|(_, it)| observed_schedule("", it).method).collect();
        let created = cluster.meta.created_at;
        let is_own = |it: &Kept<Backup>| {
            it.meta.created_at.zip(created).is_none_or(|(backup, cluster)| cluster <= backup)
        };
        let backups = self.backups.get(&key).into_iter().flatten();
        let completed: Vec<(&str, &Kept<Backup>)> = backups
            .filter(|(_, it)| BackupPhase::parse(&it.status.phase) == BackupPhase::Completed)
            .filter(|(_, it)| is_own(it))
            .copied()
            .collect();
        let methods = completed.iter().map(|(name, it)| observed_backup(name, it).method.clone());
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
        let found = self.schedules.get(&(cluster.namespace.as_str(), cluster.name.as_str()));
        let found: Vec<ObservedSchedule> =
            found.into_iter().flatten().map(|(name, it)| observed_schedule(name, it)).collect();
        let bad = objects
            .iter()
            .filter(|(name, _)| name.namespace == cluster.namespace)
            .find_map(|(name, object)| Some((name, object.as_ref().err()?)));
        match bad {
            Some((name, why)) if found.is_empty() => Err(Unreadable {
                what: format!("read the ScheduledBackup {name}"),
                why: why.clone(),
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

fn newest_snapshot(completed: &[(&str, &Kept<Backup>)]) -> Option<SnapshotBackup> {
    let snapshots = completed
        .iter()
        .filter(|(name, it)| observed_backup(name, it).method == BackupMethod::VolumeSnapshot);
    let at = |it: &Kept<Backup>| it.status.stopped_at.or(it.meta.created_at);
    let (name, newest) = snapshots.max_by_key(|(_, it)| at(it))?;
    Some(SnapshotBackup {
        name: (*name).to_owned(),
        stopped_at: newest.status.stopped_at,
        begin_wal: newest.status.begin_wal,
    })
}

fn other_plugin(method: BackupMethod) -> Option<String> {
    match method {
        BackupMethod::Plugin(Some(name)) if name != BARMAN_PLUGIN => Some(name),
        _ => None,
    }
}

fn by_cluster<'a, K: Kind>(
    scopes: &'a [Scope<K>],
    cluster_of: fn(&K::Spec) -> &String,
) -> ByCluster<'a, K> {
    let mut index: ByCluster<'a, K> = HashMap::new();
    for (name, object) in scopes.iter().filter_map(|scope| scope.last.as_deref()).flatten() {
        if let Ok(object) = object {
            let cluster = (name.namespace.as_str(), cluster_of(&object.spec).as_str());
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

/// `method` is `barmanObjectStore` where nothing is said (`api/v1/backup_types.go`).
fn method(method: Option<&str>, plugin: Option<&PluginReference>) -> BackupMethod {
    match method {
        None | Some("" | "barmanObjectStore") => BackupMethod::BarmanObjectStore,
        Some("volumeSnapshot") => BackupMethod::VolumeSnapshot,
        Some("plugin") => {
            let name = plugin.and_then(|plugin| plugin.name.clone());
            BackupMethod::Plugin(name.filter(|name| !name.is_empty()))
        }
        Some(other) => BackupMethod::Other(other.to_owned()),
    }
}

fn observed_backup(name: &str, backup: &Kept<Backup>) -> Arc<BackupResource> {
    Arc::clone(backup.status.observed.get_or_init(|| Arc::new(observe_backup(name, backup))))
}

fn observe_backup(name: &str, backup: &Kept<Backup>) -> BackupResource {
    let Kept { meta, spec, status } = backup;
    BackupResource {
        name: name.to_owned(),
        created_at: meta.created_at,
        method: method(spec.method.as_deref(), spec.plugin_configuration.as_ref()),
        phase: BackupPhase::parse(&status.phase),
        // A volume snapshot has a backup id of another form, and no folder in a bucket.
        backup_id: status.backup_id.as_deref().and_then(|id| BackupId::parse(id).ok()),
        started_at: status.started_at,
        stopped_at: status.stopped_at,
        error: filled(&status.error),
        schedule: meta.label("cnpg.io/scheduled-backup").map(str::to_owned),
        is_immediate: meta.label("cnpg.io/immediateBackup") == Some("true"),
        cluster_uid: status.plugin_metadata.as_ref().and_then(|it| shared(&it.cluster_uid)),
        server_name: shared(&status.server_name),
    }
}

/// The same text as is kept of the object: there are tens of thousands of them.
fn shared(text: &Option<Arc<str>>) -> Option<Arc<str>> {
    text.clone().filter(|text| !text.is_empty())
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
        method: method(spec.method.as_deref(), spec.plugin_configuration.as_ref()),
        error: filled(&status.error),
    }
}
