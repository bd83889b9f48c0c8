//! What went wrong in a recovery, from the words of those who took part.

use crate::domain::drill::DrillClass;
use crate::observation::recovery_log::RecoveryLog;

/// A failure, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) class: DrillClass,
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn new(class: DrillClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into() }
    }

    /// It may pass by itself, and says nothing of archive and settings.
    pub(super) const fn is_transient(&self) -> bool {
        matches!(self.class, DrillClass::Network | DrillClass::Plugin)
    }
}

/// What each says, in the order of how much it says. Of PostgreSQL: `xlogrecovery.c`, `xlog.c`,
/// `tablespace.c`. Of Barman: `barman/clients/cloud_restore.py`, `barman/cloud.py`, botocore's
/// `exceptions.py`. Of the plugin: `internal/cnpgi/restore`, `pkg/catalog`.
const WORDS: &[(DrillClass, &[&str])] = &[
    (DrillClass::Storage, &["No space left on device", "disk quota exceeded"]),
    (
        DrillClass::ParametersInsufficient,
        &["recovery has paused", "insufficient parameter settings", "is a lower setting than"],
    ),
    (
        DrillClass::Denied,
        &[
            "AccessDenied",
            "Access Denied",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "403 Forbidden",
            "(403)",
            "Unauthorized",
        ],
    ),
    (
        DrillClass::TablespaceMissing,
        &["for the tablespace before restarting", "tablespace location", "pg_tblspc/"],
    ),
    (
        DrillClass::TargetNotReached,
        &[
            "recovery ended before configured recovery target was reached",
            "requested recovery stop point is before consistent recovery point",
        ],
    ),
    (
        DrillClass::WrongTimeline,
        &[
            "requested timeline",
            "is not a child of this server's history",
            "recovery target timeline",
        ],
    ),
    (
        DrillClass::WalMissing,
        &[
            "could not locate required checkpoint record",
            "could not locate a valid checkpoint record",
            "could not find redo location",
            "WAL ends before",
        ],
    ),
    (
        DrillClass::BackupNotFound,
        &[
            "no target backup found",
            // Barman, as it writes it: `Backup 20260101T000000 for server main does not exists`.
            "does not exists",
            "Cannot find any candidate backup",
            "No backup found",
            "backup not found",
            "Unknown backup",
            "NoSuchBucket",
            "no backup found",
        ],
    ),
    (
        DrillClass::Network,
        &[
            "Could not connect to the endpoint",
            "EndpointConnectionError",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "connection refused",
            "Connection refused",
            "connection reset",
            "no such host",
            "i/o timeout",
            "Name or service not known",
            "Temporary failure in name resolution",
            "SlowDown",
            "ServiceUnavailable",
        ],
    ),
    (
        DrillClass::BaseUnreadable,
        &[
            "unexpected end of data",
            "ReadError",
            "Invalid data stream",
            "CRC check failed",
            "Not a gzipped file",
            "Barman cloud restore exception",
            "while restoring a backup",
        ],
    ),
    (
        DrillClass::Plugin,
        &[
            "unknown plugin",
            "plugin not available",
            "rpc error",
            "failed to dial",
            "plugin not found",
        ],
    ),
];

/// What ended a pod, by what the kubelet says of it and by what was logged before.
pub(super) fn of_pod(end: &str, log: &RecoveryLog) -> Failure {
    let kubelet = [
        ("OOMKilled", DrillClass::Oom),
        ("Evicted", DrillClass::Storage),
        ("ephemeral", DrillClass::Storage),
        ("DeadlineExceeded", DrillClass::Timeout),
        ("Preempting", DrillClass::Unschedulable),
        ("NodeLost", DrillClass::Unschedulable),
        ("NodeShutdown", DrillClass::Unschedulable),
        ("Terminated", DrillClass::Unschedulable),
        ("exit code 137", DrillClass::Unschedulable),
        ("exit code 143", DrillClass::Unschedulable),
    ];
    let [memory, others @ ..] = kubelet;
    if end.starts_with(memory.0) {
        return Failure::new(memory.1, format!("the pod that restores ended: {end}"));
    }
    if let Some(failure) = of_log(log) {
        return failure;
    }
    let found = others.into_iter().find(|(word, _)| end.contains(word));
    let class = found.map_or(DrillClass::Plugin, |(_, class)| class);
    Failure::new(class, format!("the pod that restores ended: {end}"))
}

/// `None` where nothing that is known was logged.
pub(super) fn of_log(log: &RecoveryLog) -> Option<Failure> {
    WORDS.iter().find_map(|(class, words)| {
        let says = |line: &&String| words.iter().any(|it| line.contains(it));
        log.trouble.iter().rev().find(says).map(|line| Failure::new(*class, line.clone()))
    })
}

/// What holds up a pod that does not begin; `None` where that is not known to last.
pub(super) fn of_obstacle(obstacle: &str) -> Option<DrillClass> {
    let is = |words: &[&str]| words.iter().any(|it| obstacle.contains(it));
    if is(&["ImagePull", "InvalidImageName", "ErrImage", "ImageInspect"]) {
        Some(DrillClass::Image)
    } else if is(&["PersistentVolumeClaim", "persistentvolumeclaim", "volume node affinity"]) {
        Some(DrillClass::Storage)
    } else if is(&["Unschedulable", "SchedulingGated"]) {
        Some(DrillClass::Unschedulable)
    } else if is(&["CreateContainer"]) {
        Some(DrillClass::Plugin)
    } else {
        None
    }
}

/// What Kubernetes refuses to those who work on the cluster.
pub(super) fn of_refusal(said: &str) -> Option<DrillClass> {
    let is = |words: &[&str]| words.iter().any(|it| said.contains(it));
    if is(&["exceeded quota", "failed quota", "must specify limits", "maximum memory usage"]) {
        Some(DrillClass::Quota)
    } else if is(&["admission webhook", "failed calling webhook", "denied the request"]) {
        Some(DrillClass::Webhook)
    } else if is(&["ProvisioningFailed", "FailedMount", "FailedAttachVolume", "FailedBinding"]) {
        Some(DrillClass::Storage)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
