//! How long each part of a recovery took.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::drill::DrillPhase;
use crate::domain::drill::PhaseName;
use crate::observation::recovery::SeenRecovery;
use crate::observation::recovery_log::Milestones;

/// When what was over. What nobody saw leaves out the phases that it parts: without logs there is no end
/// of the base backup and of the replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) began_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    milestones: Milestones,
    ready_at: Option<DateTime<Utc>>,
    pub(super) checked_at: Option<DateTime<Utc>>,
}

impl Passed {
    pub(super) fn note(&mut self, seen: &SeenRecovery, milestones: Milestones) {
        if let Some(job) = &seen.job {
            self.began_at = self.began_at.or(job.created_at);
        }
        // Of the attempt that succeeds, which is the last.
        let started_at = seen.pods.iter().rev().find_map(|pod| pod.started_at);
        self.started_at = started_at.or(self.started_at);
        self.milestones = milestones;
        let ready_at = seen.cluster.as_ref().and_then(|cluster| cluster.ready_at);
        self.ready_at = ready_at.or(self.ready_at);
    }

    pub(super) fn phases(&self) -> Vec<DrillPhase> {
        let Self { milestones, .. } = self;
        let ends = [
            (PhaseName::Start, self.began_at, self.started_at),
            (PhaseName::Base, self.started_at, milestones.base_restored_at),
            (PhaseName::Replay, milestones.base_restored_at, milestones.replayed_at),
            (PhaseName::Promote, milestones.replayed_at, self.ready_at),
            (PhaseName::Check, self.ready_at, self.checked_at),
        ];
        let phase =
            |(name, from, to): (PhaseName, Option<DateTime<Utc>>, Option<DateTime<Utc>>)| {
                let milliseconds = to?.signed_duration_since(from?).num_milliseconds();
                // Kubernetes writes whole seconds, and clocks of nodes differ.
                let milliseconds = u32::try_from(milliseconds).unwrap_or(0);
                Some(DrillPhase { name, seconds: f64::from(milliseconds) / 1000.0 })
            };
        ends.into_iter().filter_map(phase).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::recovery::PodState;
    use crate::observation::recovery::SeenCluster;
    use crate::observation::recovery::SeenJob;
    use crate::observation::recovery::SeenPod;

    fn at(second: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(second, 0)
    }

    fn passed(milestones: Milestones) -> Vec<(PhaseName, f64)> {
        let pod = |name: &str, started_at| SeenPod {
            name: name.to_owned(),
            created_at: None,
            started_at,
            state: PodState::Running,
        };
        let seen = SeenRecovery {
            cluster: Some(SeenCluster { ready_at: at(100), ..SeenCluster::default() }),
            job: Some(SeenJob { created_at: at(0), ..SeenJob::default() }),
            pods: vec![pod("a", at(4)), pod("b", at(10)), pod("c", None)],
            warnings: Vec::new(),
        };
        let mut passed = Passed::default();
        passed.note(&seen, milestones);
        passed.checked_at = at(103);
        passed.phases().iter().map(|phase| (phase.name, phase.seconds)).collect()
    }

    #[test]
    fn each_phase_ends_where_the_next_begins() {
        let milestones = Milestones { base_restored_at: at(40), replayed_at: at(90) };
        let expected = [
            (PhaseName::Start, 10.0),
            (PhaseName::Base, 30.0),
            (PhaseName::Replay, 50.0),
            (PhaseName::Promote, 10.0),
            (PhaseName::Check, 3.0),
        ];
        assert_eq!(passed(milestones), expected);
    }

    #[test]
    fn without_logs_what_they_part_is_left_out() {
        let expected = [(PhaseName::Start, 10.0), (PhaseName::Check, 3.0)];
        assert_eq!(passed(Milestones::default()), expected);
    }
}
