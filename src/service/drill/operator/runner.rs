//! Creates a drill's cluster, follows it to its end, asks what it restored, and removes it.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use crate::domain::drill::CheckResult;
use crate::domain::drill::DrillClass;
use crate::domain::drill::RecoveryEnd;
use crate::domain::drill_check::DrillCheck;
use crate::domain::drill_id::DrillId;
use crate::domain::operator_version::OperatorVersion;
use crate::domain::recovery_cluster::RecoveryCluster;
use crate::execution::drills;
use crate::execution::drills::NotCreated;
use crate::observation::recovery::SeenRecovery;
use crate::restore::questions::Access;
use crate::restore::questions::RecoveryTold;
use crate::service::clock;
use crate::service::drill::operator::classes;
use crate::service::drill::operator::classes::Failure;
use crate::service::drill::operator::logs::Logs;
use crate::service::drill::operator::phases::Passed;
use crate::service::drill::operator::plan::Case;
use crate::service::drill::operator::plan::Step;
use crate::service::drill::operator::proof::Promise;
use crate::service::drill::operator::removal::GONE_WITHIN;
use crate::service::drill::operator::removal::LOOK_EVERY;
use crate::service::drill::operator::removal::remove;
use crate::service::drill::operator::term::Term;
use crate::sources::kubernetes::drills::DrillNamespace;

/// One drill while it runs.
pub(super) struct Runner<'a> {
    pub(super) namespace: &'a DrillNamespace,
    pub(super) id: &'a DrillId,
    pub(super) term: Term,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) failure: Option<Failure>,
    pub(super) passed: Passed,
    pub(super) reached: Option<RecoveryEnd>,
    pub(super) checks: Vec<CheckResult>,
    pub(super) postgres: Option<String>,
    /// The version of CloudNativePG that made it.
    pub(super) operator: Option<String>,
}

/// What the restored server is held to.
pub(super) struct Expected<'a> {
    pub(super) promise: &'a Promise,
    /// The major version of PostgreSQL, as far as it is known.
    pub(super) major: u32,
    pub(super) checks: &'a [DrillCheck],
}

/// From the condition `Ready` until the Service leads to the pod.
const ANSWERS_WITHIN: Duration = Duration::from_mins(1);

impl Runner<'_> {
    /// The cluster is gone when this returns, or the outcome says that it is not. An error if there was
    /// nothing to create.
    pub(super) async fn run(
        &mut self,
        cluster: &RecoveryCluster,
        expected: Expected<'_>,
    ) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::default();
        let uid = match drills::create_cluster(self.namespace, cluster).await {
            Ok(uid) => uid,
            Err(NotCreated::Taken) => {
                bail!(
                    "there is already a cluster {} of somebody else's; it was left alone",
                    self.id.object_name()
                );
            }
            Err(NotCreated::Refused(why)) => {
                let Some(class) = classes::of_refusal(&why) else {
                    bail!("Kubernetes refuses the cluster: {why}");
                };
                outcome.failure = Some(Failure::new(class, why));
                return Ok(outcome);
            }
            Err(NotCreated::Unanswered(why)) => match self.uid().await {
                Some(uid) => uid,
                None => bail!("no cluster was created: {why}"),
            },
        };
        tracing::info!(cluster = self.id.object_name(), "a cluster is being restored");
        outcome.passed.began_at = Some(self.term.began_at);
        match self.follow(&mut outcome).await {
            None => self.prove(&mut outcome, &expected).await,
            Some(failure) => outcome.failure = Some(failure),
        }
        let operator = outcome.operator.as_deref().and_then(OperatorVersion::parse);
        let explained = |failure| expected.promise.explained(failure, operator);
        outcome.failure = outcome.failure.take().map(explained);
        if let Err(why) = remove(self.namespace, self.id, &uid, GONE_WITHIN).await {
            let failure = Failure::new(DrillClass::CleanupFailed, why);
            tracing::error!(why = failure.detail, "what the drill made is not gone");
            outcome.failure.get_or_insert(failure);
        }
        Ok(outcome)
    }

    /// Of the cluster that may have been created.
    async fn uid(&self) -> Option<String> {
        let own = self.namespace.own_clusters().await.ok()?;
        own.into_iter().find(|it| it.id == *self.id).map(|it| it.uid)
    }

    /// Until the server answers; else why it does not.
    async fn follow(&mut self, outcome: &mut Outcome) -> Option<Failure> {
        let mut logs = Logs::default();
        let mut seen = SeenRecovery::default();
        loop {
            let read = self.namespace.recovery(&self.id.object_name()).await;
            let now = clock::now();
            match read {
                Ok(looked) => {
                    logs.read(self.namespace, &looked).await;
                    outcome.passed.note(&looked, logs.all().milestones);
                    let job = looked.job.as_ref();
                    outcome.operator = job.and_then(|it| it.operator.clone());
                    seen = looked;
                    let log = logs.all();
                    let Term { began_at, ends_at, .. } = self.term;
                    match (Case { seen: &seen, log: &log, began_at, ends_at, now }).next() {
                        Step::Wait => {}
                        Step::Prove => return None,
                        Step::End(failure) => return Some(failure),
                    }
                }
                Err(unread) if self.term.ends_at <= now => {
                    return Some(Failure::new(DrillClass::Network, unread.to_string()));
                }
                Err(unread) => tracing::debug!(%unread, "the drill cannot be looked at"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.term.shutdown.requested() => {
                    let phase = seen.cluster.map_or_else(String::new, |it| it.phase);
                    let why = format!("the drill was ended by a signal; the cluster says {phase:?}");
                    return Some(Failure::new(DrillClass::Timeout, why));
                }
            }
        }
    }

    async fn prove(&self, outcome: &mut Outcome, expected: &Expected<'_>) {
        let told = match self.ask(expected.major).await {
            Ok((server, told)) => {
                outcome.checks.push(server.databases().await);
                for check in expected.checks {
                    outcome.checks.push(server.check(check, expected.promise.moment()).await);
                }
                told
            }
            Err(failure) => {
                outcome.failure = Some(failure);
                return;
            }
        };
        outcome.passed.checked_at = Some(clock::now());
        outcome.postgres = Some(told.version.clone());
        let Some((end, written)) = Promise::reached(&told) else {
            let why = "the history file of the restored server has no line".to_owned();
            outcome.failure = Some(Failure::new(DrillClass::StoppedEarly, why));
            return;
        };
        outcome.failure = expected.promise.judge(&end, &written).err();
        outcome.reached = Some(end);
        let failed = outcome.checks.iter().find(|check| !check.is_passed);
        if let (None, Some(check)) = (&outcome.failure, failed) {
            let why = format!("{}: {}", check.name, check.detail);
            outcome.failure = Some(Failure::new(DrillClass::CheckFailed, why));
        }
    }

    async fn ask(&self, major: u32) -> Result<(Access, RecoveryTold), Failure> {
        let began = Instant::now();
        loop {
            let asked = match self.namespace.login(&self.id.object_name()).await {
                Ok(login) => {
                    let server = Access::remote(&login, major);
                    server.recovery().await.map(|told| (server, told))
                }
                Err(unread) => Err(unread.to_string()),
            };
            match asked {
                Ok(told) => return Ok(told),
                Err(why) if ANSWERS_WITHIN <= began.elapsed() => {
                    let why = format!("the restored server cannot be asked: {why}");
                    return Err(Failure::new(DrillClass::Network, why));
                }
                Err(why) => tracing::debug!(why, "the restored server does not answer yet"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
