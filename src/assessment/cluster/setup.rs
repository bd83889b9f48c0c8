//! Is the cluster set up so that backups can work?

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::cluster::ClusterCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::elsewhere::Elsewhere;
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
    if let Err(unreadable) = &cluster.drill_reports {
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
    tablespace_missing(case).into_iter().for_each(&mut risk);
    if let Ok(DeclaredStore::Found(store)) = &cluster.store {
        if let Some(why) = store.credentials_problem.clone() {
            risk(Setup::CredentialsIncomplete { why });
        }
        // CloudNativePG 1.31 comes without it.
        if cluster.archiver == Archiver::InTree {
            findings.push(Finding::new(Weight::Risk, Setup::LegacyInTreeBackup));
        }
        findings.extend(notices(cluster, store));
    }
    findings
}

/// A tablespace that was made since the newest backup: its record in the WAL ends recovery with an
/// error, as nobody has made the place for it (`create_tablespace_directories` in `tablespace.c`).
fn tablespace_missing(case: &ClusterCase<'_>) -> Option<Setup> {
    let usable = case.backups?.iter().filter(|backup| backup.is_usable());
    let newest = usable.max_by_key(|backup| (backup.ended_at, &backup.id))?;
    let declared = case.cluster.instance.tablespaces.iter().map(|it| &it.name);
    let has = |name: &String| newest.tablespaces.iter().any(|it| **it == **name);
    let missing: Vec<String> = declared.filter(|name| !has(name)).cloned().collect();
    let backup = newest.id.clone();
    (!missing.is_empty()).then_some(Setup::TablespaceMissing { tablespaces: missing, backup })
}

/// What is worth knowing and breaks no promise.
fn notices(cluster: &ObservedCluster, store: &StoreFacts) -> Vec<Finding> {
    let name = || store.name.clone();
    let uses_plugin = matches!(cluster.archiver, Archiver::Plugin { .. });
    let lacks_env = uses_plugin && store.is_r2 && !store.has_checksum_env;
    let found = [
        cluster.activity.skips_empty_archive_check.then_some(Setup::EmptyArchiveCheckSkipped),
        (!store.has_retention_policy).then(|| Setup::NoRetentionPolicy { store: name() }),
        lacks_env.then(|| Setup::R2ChecksumEnvMissing { store: name() }),
    ];
    found.into_iter().flatten().map(|setup| Finding::new(Weight::Notice, setup)).collect()
}

/// Why there is no archive to look at, and what that means.
pub(in crate::assessment) fn no_store(cluster: &ObservedCluster) -> Option<Finding> {
    let unprotected = |why| Finding::new(Weight::Unprotected, Setup::NoObjectStore(why));
    Some(match cluster.store.as_ref().ok()? {
        DeclaredStore::Found(_) => return None,
        DeclaredStore::Undeclared => undeclared(cluster),
        DeclaredStore::Unnamed => unprotected(NoStore::Unnamed),
        DeclaredStore::Missing(name) => unprotected(NoStore::Missing(name.clone())),
        DeclaredStore::Elsewhere { name, why } => {
            let (name, why) = (name.clone(), why.clone());
            Finding::new(Weight::Elsewhere, Elsewhere::Store { name, why })
        }
        DeclaredStore::Unsupported { name, why } => {
            let why = NoStore::Unsupported { name: name.clone(), why: why.clone() };
            Finding::new(Weight::OutOfSight, Setup::NoObjectStore(why))
        }
    })
}

/// Nothing of Barman's: others may make backups.
fn undeclared(cluster: &ObservedCluster) -> Finding {
    if let Archiver::OtherPlugin(name) = &cluster.archiver {
        return Finding::new(Weight::Elsewhere, Elsewhere::Plugin(name.clone()));
    }
    match &cluster.elsewhere {
        Ok(elsewhere) if elsewhere.schedules_snapshots || elsewhere.snapshot.is_some() => {
            Finding::new(Weight::Elsewhere, Elsewhere::OnlySnapshots)
        }
        Ok(elsewhere) => match elsewhere.plugin.clone() {
            Some(name) => Finding::new(Weight::Elsewhere, Elsewhere::Plugin(name)),
            None => Finding::new(Weight::Unprotected, Setup::NoObjectStore(NoStore::Undeclared)),
        },
        Err(unread) => Finding::new(Weight::Unknown, Setup::KubernetesUnreadable(unread.clone())),
    }
}

fn schedules_of(
    cluster: &ObservedCluster,
    schedules: &[ObservedSchedule],
    now: DateTime<Utc>,
) -> Vec<Setup> {
    if matches!(cluster.archiver, Archiver::OtherPlugin(_) | Archiver::Nobody) {
        return Vec::new();
    }
    let of = |is_wanted: &dyn Fn(&BackupMethod) -> bool| -> Vec<&ObservedSchedule> {
        schedules.iter().filter(|it| is_wanted(&it.method)).collect()
    };
    let beside_wal = of(&|method| asks_the_archiver(cluster, method));
    // WAL here and base backups in volume snapshots is a pair that CloudNativePG advises.
    let snapshots = of(&|method| *method == BackupMethod::VolumeSnapshot);
    let ours = if beside_wal.is_empty() { snapshots } else { beside_wal };
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
        Archiver::OtherPlugin(_) | Archiver::Nobody => false,
    }
}
