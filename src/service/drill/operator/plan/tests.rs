use super::*;
use crate::observation::recovery::SeenCluster;
use crate::observation::recovery::SeenJob;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

/// A recovery that runs, in its third minute of 60.
struct Example {
    seen: SeenRecovery,
    log: RecoveryLog,
    now: DateTime<Utc>,
}

impl Example {
    fn new() -> Self {
        let cluster =
            SeenCluster { phase: "Setting up primary".to_owned(), ..SeenCluster::default() };
        let job = SeenJob { created_at: Some(at(1)), ..SeenJob::default() };
        let seen =
            SeenRecovery { cluster: Some(cluster), job: Some(job), ..SeenRecovery::default() };
        Self { seen, log: RecoveryLog::default(), now: at(3) }.with_pod(PodState::Running)
    }

    fn with_pod(mut self, state: PodState) -> Self {
        let name = format!("pod-{}", self.seen.pods.len());
        let pod = SeenPod { name, created_at: Some(at(1)), started_at: None, state };
        self.seen.pods.push(pod);
        self
    }

    fn without_pods(mut self) -> Self {
        self.seen.pods.clear();
        self
    }

    fn saying(mut self, line: &str) -> Self {
        self.log.trouble.push_back(line.to_owned());
        self
    }

    fn next(&self) -> Step {
        let (seen, log, now) = (&self.seen, &self.log, self.now);
        Case { seen, log, began_at: at(0), ends_at: at(60), now }.next()
    }

    fn class(&self) -> Option<DrillClass> {
        match self.next() {
            Step::End(failure) => Some(failure.class),
            Step::Wait | Step::Prove => None,
        }
    }
}

fn failed() -> PodState {
    PodState::Failed("exit code 1".to_owned())
}

fn waits(why: &str) -> PodState {
    PodState::Pending(Some(why.to_owned()))
}

#[test]
fn a_recovery_that_runs_is_waited_for_until_its_time_is_up() {
    let mut example = Example::new();
    assert_eq!(example.next(), Step::Wait);
    example.now = at(60);
    assert_eq!(example.class(), Some(DrillClass::Timeout));
    let Step::End(failure) = example.next() else { panic!() };
    assert!(
        failure.detail.starts_with("it was not done after 60 min: its pod runs"),
        "{failure:?}"
    );
}

#[test]
fn a_cluster_that_is_healthy_and_ready_is_looked_at() {
    let mut example = Example::new();
    let cluster = example.seen.cluster.as_mut().unwrap();
    cluster.phase = "Cluster in healthy state".to_owned();
    assert_eq!(example.next(), Step::Wait);
    example.seen.cluster.as_mut().unwrap().ready_at = Some(at(2));
    assert_eq!(example.next(), Step::Prove);
    // Pods that failed before do not matter any more.
    assert_eq!(example.with_pod(failed()).next(), Step::Prove);
}

#[test]
fn the_first_failure_ends_it_but_one_that_may_pass() {
    let denied = Example::new().with_pod(failed()).saying("(AccessDenied) when calling");
    assert_eq!(denied.class(), Some(DrillClass::Denied));
    let once = Example::new().with_pod(failed()).saying("Could not connect to the endpoint URL");
    assert_eq!(once.next(), Step::Wait);
    let twice = once.with_pod(failed());
    assert_eq!(twice.class(), Some(DrillClass::Network));
}

/// Before 1.28.4, 1.29.2 and 1.30 no phase tells of it.
#[test]
fn a_job_that_failed_ends_it_whatever_the_phase_says() {
    let mut example = Example::new().with_pod(failed());
    example.seen.job.as_mut().unwrap().failure = Some("BackoffLimitExceeded".to_owned());
    assert_eq!(example.class(), Some(DrillClass::Plugin));
    let mut example = Example::new().without_pods();
    let cluster = example.seen.cluster.as_mut().unwrap();
    cluster.phase = "Cluster is unrecoverable and needs manual intervention".to_owned();
    assert_eq!(example.class(), Some(DrillClass::Plugin));
}

#[test]
fn a_recovery_that_paused_is_not_waited_for() {
    let mut example = Example::new().saying("max_connections = 20 is a lower setting than on the");
    assert_eq!(example.next(), Step::Wait);
    example.log.is_paused = true;
    assert_eq!(example.class(), Some(DrillClass::ParametersInsufficient));
}

#[test]
fn a_pod_that_does_not_begin_is_waited_for_as_long_as_that_may_pass() {
    for (why, minutes, class) in [
        ("ImagePullBackOff: no such image", 6, DrillClass::Image),
        ("Unschedulable: 0/3 nodes are available", 16, DrillClass::Unschedulable),
        ("Unschedulable: unbound immediate PersistentVolumeClaims", 16, DrillClass::Storage),
        ("CreateContainerConfigError: secret not found", 6, DrillClass::Plugin),
    ] {
        let mut example = Example::new().without_pods().with_pod(waits(why));
        example.now = at(1 + minutes - 1);
        assert_eq!(example.next(), Step::Wait, "{why}");
        example.now = at(1 + minutes);
        assert_eq!(example.class(), Some(class), "{why}");
    }
}

#[test]
fn what_is_refused_is_waited_for_a_minute() {
    for (warning, class) in [
        ("FailedCreate: pods is forbidden: exceeded quota: few", DrillClass::Quota),
        ("FailedCreate: admission webhook \"a\" denied the request", DrillClass::Webhook),
        ("ProvisioningFailed: no such class", DrillClass::Storage),
    ] {
        let mut example = Example::new().without_pods();
        example.seen.warnings.push(warning.to_owned());
        assert_eq!(example.class(), Some(class), "{warning}");
        example.now = at(0);
        assert_eq!(example.next(), Step::Wait);
    }
    let mut example = Example::new().without_pods();
    let cluster = example.seen.cluster.as_mut().unwrap();
    cluster.phase = "Cluster cannot proceed: an unknown plugin is required".to_owned();
    assert_eq!(example.class(), Some(DrillClass::Plugin));
}

#[test]
fn a_cluster_that_somebody_deletes_ends_it() {
    let mut example = Example::new();
    example.seen.cluster.as_mut().unwrap().is_leaving = true;
    assert_eq!(example.class(), Some(DrillClass::Timeout));
    example.seen.cluster = None;
    assert_eq!(example.class(), Some(DrillClass::Timeout));
}
