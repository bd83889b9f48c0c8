//! What is next for a recovery that runs. Asks nobody and does nothing.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::drill::DrillClass;
use crate::observation::recovery::PodState;
use crate::observation::recovery::SeenPod;
use crate::observation::recovery::SeenRecovery;
use crate::observation::recovery_log::RecoveryLog;
use crate::service::drill::operator::classes;
use crate::service::drill::operator::classes::Failure;

/// What is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) seen: &'a SeenRecovery,
    pub(super) log: &'a RecoveryLog,
    pub(super) began_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    /// The server answers: what it restored is looked at.
    Prove,
    End(Failure),
}

/// An image that cannot be pulled is tried again after 10, 20, 40 and 80 seconds; a registry that was
/// away is back.
const IMAGE_PATIENCE: TimeDelta = TimeDelta::minutes(5);

/// A cluster that is given more nodes has started a pod by then.
const SCHEDULING_PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// What Kubernetes refuses is asked for again within seconds.
const REFUSAL_PATIENCE: TimeDelta = TimeDelta::minutes(1);

/// One more than may fail for a reason that passes.
const TRANSIENT_FAILURES_MAX: usize = 1;

/// A plugin that CloudNativePG does not know (`phaseUnknownPlugin` in `api/v1/cluster_types.go`).
const UNKNOWN_PLUGIN: &str = "unknown plugin";

impl Case<'_> {
    pub(super) fn next(&self) -> Step {
        let Some(cluster) = &self.seen.cluster else {
            return end(DrillClass::Timeout, "somebody else deleted the cluster");
        };
        if cluster.is_leaving {
            return end(DrillClass::Timeout, "somebody else is deleting the cluster");
        }
        if cluster.is_healthy() {
            return Step::Prove;
        }
        if self.log.is_paused {
            let why = classes::of_log(self.log);
            return Step::End(why.unwrap_or_else(|| {
                Failure::new(DrillClass::ParametersInsufficient, "recovery has paused")
            }));
        }
        let ended = self.failed_pod().or_else(|| self.failed_job());
        let stuck = || self.stuck_pod().or_else(|| self.refused());
        match ended.or_else(stuck) {
            Some(failure) => Step::End(failure),
            None if self.ends_at <= self.now => end(DrillClass::Timeout, self.standstill()),
            None => Step::Wait,
        }
    }

    /// Each further attempt fills the volume with another copy, so the first failure that does not pass
    /// by itself is the last.
    fn failed_pod(&self) -> Option<Failure> {
        let failures = self.seen.failures();
        let last = failures.clone().next_back()?;
        let failure = classes::of_pod(last, self.log);
        let is_tried_again = failure.is_transient() && failures.count() <= TRANSIENT_FAILURES_MAX;
        (!is_tried_again || self.is_over()).then_some(failure)
    }

    fn failed_job(&self) -> Option<Failure> {
        let why = self.seen.job.as_ref().and_then(|job| job.failure.clone());
        let is_unrecoverable = self.seen.cluster.as_ref().is_some_and(|it| it.is_unrecoverable());
        let why =
            why.or_else(|| is_unrecoverable.then(|| "the cluster is unrecoverable".to_owned()));
        why.map(|why| {
            classes::of_log(self.log).unwrap_or_else(|| {
                Failure::new(DrillClass::Plugin, format!("the Job ended: {why}"))
            })
        })
    }

    fn is_over(&self) -> bool {
        self.failed_job().is_some()
    }

    /// One that has not begun for long.
    fn stuck_pod(&self) -> Option<Failure> {
        let SeenPod { state: PodState::Pending(Some(obstacle)), created_at, .. } =
            self.seen.pods.last()?
        else {
            return None;
        };
        let class = classes::of_obstacle(obstacle)?;
        let patience = match class {
            DrillClass::Image | DrillClass::Plugin => IMAGE_PATIENCE,
            _ => SCHEDULING_PATIENCE,
        };
        let age = self.now.signed_duration_since((*created_at)?);
        (patience < age).then(|| Failure::new(class, format!("the pod does not begin: {obstacle}")))
    }

    /// What keeps Job or pod from being there.
    fn refused(&self) -> Option<Failure> {
        if !self.seen.pods.is_empty()
            || self.now.signed_duration_since(self.began_at) < REFUSAL_PATIENCE
        {
            return None;
        }
        let cluster = self.seen.cluster.as_ref()?;
        let of_cluster = [&cluster.phase, &cluster.phase_reason];
        let said = self.seen.warnings.iter().chain(of_cluster);
        let refusal = |said: &String| Some(Failure::new(classes::of_refusal(said)?, said.clone()));
        said.clone().find_map(refusal).or_else(|| {
            let unknown = said.into_iter().find(|it| it.contains(UNKNOWN_PLUGIN));
            unknown.map(|it| Failure::new(DrillClass::Plugin, it.clone()))
        })
    }

    /// Where it stood when time was up.
    fn standstill(&self) -> String {
        let hours = self.ends_at.signed_duration_since(self.began_at).num_minutes();
        let phase = self.seen.cluster.as_ref().map_or("", |it| it.phase.as_str());
        let pod = match self.seen.pods.last().map(|it| &it.state) {
            None => "no pod has begun",
            Some(PodState::Pending(_)) => "its pod waits",
            Some(PodState::Running) if self.log.milestones.base_restored_at.is_some() => {
                "the base backup was restored and replay had not ended"
            }
            Some(PodState::Running) => "its pod runs",
            Some(PodState::Succeeded | PodState::Failed(_)) => "its pod has ended",
        };
        format!("it was not done after {hours} min: {pod}, and the cluster says {phase:?}")
    }
}

fn end(class: DrillClass, detail: impl Into<String>) -> Step {
    Step::End(Failure::new(class, detail))
}

#[cfg(test)]
mod tests;
