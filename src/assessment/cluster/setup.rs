//! Is the cluster set up so that backups can work?

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::cluster::ClusterCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::setup::NoStore;
use crate::assessment::finding::setup::ScheduleFlaw;
use crate::assessment::finding::setup::Setup;
use crate::domain::cluster::Archiver;
use crate::domain::cluster::BackupMethod;
use crate::observation::cluster::DeclaredStore;
use crate::observation::cluster::ObservedCluster;
use crate::observation::cluster::ObservedSchedule;
use crate::observation::cluster::PluginDeployment;
use crate::observation::cluster::StoreFacts;

pub(super) fn judge(case: &ClusterCase<'_>) -> Vec<Finding> {
    let cluster = case.cluster;
    let mut findings = Vec::new();
    // One API server that cannot be read fails every kind the same way.
    let mut risk = |setup| {
        let finding = Finding::new(Weight::Risk, setup);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    };
    if cluster.archiver == (Archiver::Plugin { is_wal_archiver: false }) {
        risk(Setup::WalArchiverNotEnabled);
    }
    if cluster.activity.skips_wal_archiving {
        risk(Setup::WalArchivingSkipped);
    }
    if !cluster.sharers.is_empty() {
        risk(Setup::SharedServerName { others: cluster.sharers.clone() });
    }
    match &cluster.plugin {
        None | Some(Ok(PluginDeployment::Found { available: 1.., .. })) => {}
        Some(Ok(deployment)) => risk(Setup::PluginUnavailable(deployment.clone())),
        Some(Err(unreadable)) => risk(Setup::KubernetesUnreadable(unreadable.clone())),
    }
    if let Err(unreadable) = &cluster.store {
        risk(Setup::KubernetesUnreadable(unreadable.clone()));
    }
    if let Err(unreadable) = &cluster.backups {
        risk(Setup::KubernetesUnreadable(unreadable.clone()));
    }
    for bad in &cluster.bad_annotations {
        let (key, value) = (bad.key.clone(), bad.value.clone());
        risk(Setup::AnnotationInvalid { key, value, expected: bad.expected.clone() });
    }
    match &cluster.schedules {
        Ok(schedules) => {
            schedules_of(cluster, schedules, case.now).into_iter().for_each(&mut risk);
        }
        Err(unreadable) => risk(Setup::KubernetesUnreadable(unreadable.clone())),
    }
    if let Ok(DeclaredStore::Found(store)) = &cluster.store {
        if let Some(why) = store.credentials_problem.clone() {
            risk(Setup::CredentialsIncomplete { why });
        }
        findings.extend(notices(cluster, store));
    }
    findings
}

/// What is worth knowing and breaks no promise.
fn notices(cluster: &ObservedCluster, store: &StoreFacts) -> Vec<Finding> {
    let name = || store.name.clone();
    let uses_plugin = matches!(cluster.archiver, Archiver::Plugin { .. });
    let lacks_env = uses_plugin && store.is_r2 && !store.has_checksum_env;
    let found = [
        cluster.activity.skips_empty_archive_check.then_some(Setup::EmptyArchiveCheckSkipped),
        (cluster.archiver == Archiver::InTree).then_some(Setup::LegacyInTreeBackup),
        (!store.has_retention_policy).then(|| Setup::NoRetentionPolicy { store: name() }),
        lacks_env.then(|| Setup::R2ChecksumEnvMissing { store: name() }),
    ];
    found.into_iter().flatten().map(|setup| Finding::new(Weight::Notice, setup)).collect()
}

pub(in crate::assessment) fn no_store(cluster: &ObservedCluster) -> Option<Finding> {
    let why = match cluster.store.as_ref().ok()? {
        DeclaredStore::Found(_) => return None,
        DeclaredStore::Undeclared if has_snapshots(cluster) => NoStore::OnlySnapshots,
        DeclaredStore::Undeclared => NoStore::Undeclared,
        DeclaredStore::Unnamed => NoStore::Unnamed,
        DeclaredStore::Missing(name) => NoStore::Missing(name.clone()),
        DeclaredStore::Unsupported { name, why } => {
            NoStore::Unsupported { name: name.clone(), why: why.clone() }
        }
    };
    let weight = match why {
        NoStore::Undeclared | NoStore::Unnamed | NoStore::Missing(_) => Weight::Unprotected,
        NoStore::OnlySnapshots | NoStore::Unsupported { .. } => Weight::OutOfSight,
    };
    Some(Finding::new(weight, Setup::NoObjectStore(why)))
}

fn has_snapshots(cluster: &ObservedCluster) -> bool {
    let backups = cluster.backups.iter().flatten().map(|backup| &backup.method);
    let schedules = cluster.schedules.iter().flatten().map(|schedule| &schedule.method);
    backups.chain(schedules).any(|method| *method == BackupMethod::VolumeSnapshot)
}

fn schedules_of(
    cluster: &ObservedCluster,
    schedules: &[ObservedSchedule],
    now: DateTime<Utc>,
) -> Vec<Setup> {
    if cluster.archiver == Archiver::Nobody {
        return Vec::new();
    }
    let is_ours = |schedule: &&ObservedSchedule| asks_the_archiver(cluster, &schedule.method);
    let ours: Vec<&ObservedSchedule> = schedules.iter().filter(is_ours).collect();
    let mut found = Vec::new();
    match ours.first() {
        Some(first) if ours.iter().all(|schedule| schedule.is_suspended) => {
            found.push(flawed(first, ScheduleFlaw::Suspended));
        }
        Some(_) => {}
        None => {
            let wrong = |it: &ObservedSchedule| ScheduleFlaw::WrongMethod(it.method.clone());
            found.extend(schedules.iter().map(|schedule| flawed(schedule, wrong(schedule))));
            if found.is_empty() {
                found.push(Setup::NoSchedule);
            }
        }
    }
    found.extend(ours.iter().filter_map(|schedule| flaw(schedule, now)));
    found
}

fn flaw(schedule: &ObservedSchedule, now: DateTime<Utc>) -> Option<Setup> {
    let text = schedule.text.clone();
    let flaw = match &schedule.schedule {
        Err(why) => ScheduleFlaw::Invalid { text, why: why.clone() },
        Ok(parsed) if parsed.has_five_fields() => {
            ScheduleFlaw::FiveFields { text, interval: parsed.interval_max(now) }
        }
        Ok(_) => return None,
    };
    Some(flawed(schedule, flaw))
}

fn flawed(schedule: &ObservedSchedule, flaw: ScheduleFlaw) -> Setup {
    Setup::Schedule { schedule: schedule.name.clone(), flaw }
}

/// Whether a backup of this method lands beside the cluster's WAL.
pub(super) fn asks_the_archiver(cluster: &ObservedCluster, method: &BackupMethod) -> bool {
    match cluster.archiver {
        Archiver::Plugin { .. } => method.is_barman_plugin(),
        Archiver::InTree => *method == BackupMethod::BarmanObjectStore,
        Archiver::Nobody => false,
    }
}
