use super::*;

fn log(trouble: &[&str]) -> RecoveryLog {
    let mut log = RecoveryLog::default();
    log.trouble.extend(trouble.iter().map(|it| (*it).to_owned()));
    log
}

#[test]
fn the_words_of_a_log_have_a_class() {
    for (line, class) in [
        ("exit status 1: An error occurred (AccessDenied) when calling", DrillClass::Denied),
        (
            "directory \"/var/lib/x\" does not exist: Create this directory for the tablespace before \
          restarting the server.",
            DrillClass::TablespaceMissing,
        ),
        ("WAL ends before end of online backup", DrillClass::WalMissing),
        (
            "recovery ended before configured recovery target was reached",
            DrillClass::TargetNotReached,
        ),
        ("ERROR: Backup 20260101T000000 for server a does not exists", DrillClass::BackupNotFound),
        ("Error while restoring a backup: exit status 4", DrillClass::BaseUnreadable),
        ("could not write to file: No space left on device", DrillClass::Storage),
        ("Could not connect to the endpoint URL: \"http://a\"", DrillClass::Network),
        (
            "max_connections = 20 is a lower setting than on the primary server",
            DrillClass::ParametersInsufficient,
        ),
        ("rpc error: code = Unavailable", DrillClass::Plugin),
    ] {
        let failure = of_log(&log(&["nothing", line, "while"])).unwrap();
        assert_eq!((failure.class, failure.detail.as_str()), (class, line));
    }
    assert_eq!(of_log(&log(&["something else"])), None);
}

/// Whoever wraps an error says less than who made it.
#[test]
fn the_cause_counts_before_what_follows_from_it() {
    let lines = ["(AccessDenied) when calling", "Error while restoring a backup"];
    assert_eq!(of_log(&log(&lines)).unwrap().class, DrillClass::Denied);
}

#[test]
fn a_pod_that_ended_has_a_class_whatever_it_logged() {
    let class = |end: &str, lines: &[&str]| of_pod(end, &log(lines)).class;
    assert_eq!(class("OOMKilled", &["(AccessDenied)"]), DrillClass::Oom);
    assert_eq!(class("exit code 1", &["(AccessDenied)"]), DrillClass::Denied);
    assert_eq!(class("Evicted: the node was low on", &[]), DrillClass::Storage);
    assert_eq!(class("exit code 137", &[]), DrillClass::Unschedulable);
    assert_eq!(class("exit code 1", &[]), DrillClass::Plugin);
}

#[test]
fn what_holds_up_a_pod_has_a_class() {
    assert_eq!(of_obstacle("ImagePullBackOff: Back-off"), Some(DrillClass::Image));
    let volume = "Unschedulable: pod has unbound immediate PersistentVolumeClaims";
    assert_eq!(of_obstacle(volume), Some(DrillClass::Storage));
    assert_eq!(of_obstacle("Unschedulable: 0/3 nodes"), Some(DrillClass::Unschedulable));
    assert_eq!(of_obstacle("CreateContainerConfigError: no secret"), Some(DrillClass::Plugin));
    assert_eq!(of_obstacle("PodInitializing"), None);
    assert_eq!(
        of_refusal("HTTP 403, pods is forbidden: exceeded quota: few"),
        Some(DrillClass::Quota)
    );
    assert_eq!(of_refusal("admission webhook \"a\" denied the request"), Some(DrillClass::Webhook));
    assert_eq!(of_refusal("BackOff: restarting"), None);
}
