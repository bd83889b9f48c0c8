//! What a restored server has to show before a drill has succeeded.

use std::path::Path;
use std::process::Stdio;

use crate::config::FurtherReadings;
use crate::domain::cluster::DrillKind;
use crate::domain::drill::CheckResult;
use crate::domain::drill::DrillClass;
use crate::domain::drill::RecoveryEnd;
use crate::domain::drill_check::DrillCheck;
use crate::restore::failed::Failed;
use crate::restore::questions::answer::lacking_machine;
use crate::restore::recovery::Course;
use crate::service::restoring::Prepared;

/// In order: whose it is, where its recovery ended, whether it answers, what its owner asks.
pub(super) struct Proof<'a> {
    pub(super) prepared: &'a Prepared<'a>,
    pub(super) sockets: &'a Path,
    pub(super) readings: FurtherReadings,
    pub(super) checks: Vec<DrillCheck>,
    pub(super) kind: DrillKind,
}

impl Proof<'_> {
    /// Why recovery ended, if all is as it should be.
    pub(super) async fn run(
        &self,
        course: &Course,
        results: &mut Vec<CheckResult>,
    ) -> Result<String, Failed> {
        let access = self.prepared.access(self.sockets);
        let role = self.prepared.role();
        let asked = |why: String| {
            let class = lacking_machine(&why).unwrap_or(DrillClass::CheckFailed);
            Failed::new(class, format!("connect to postgres as {role}: {why}"))
        };
        let identifier = access.system_identifier().await.map_err(asked)?;
        if self.prepared.system_identifier().is_some_and(|expected| expected != identifier) {
            let why = format!("the restored server is another one: its identifier is {identifier}");
            return Err(Failed::new(DrillClass::WrongTimeline, why));
        }
        self.compare(course)?;
        results.push(access.databases().await);
        let restored = course.reached.as_ref().and_then(|end| end.last_transaction_at);
        for check in &self.checks {
            results.push(access.check(check, restored).await);
        }
        self.read_further(results).await;
        let failed = results.iter().find(|it| !it.is_passed);
        if let Some(CheckResult { name, detail, .. }) = failed {
            let class = lacking_machine(detail).unwrap_or(DrillClass::CheckFailed);
            return Err(Failed::new(class, format!("{name}: {detail}")));
        }
        let reason = course.reason.as_deref().unwrap_or_default();
        Ok(format!("recovery ended as predicted: {reason}"))
    }

    /// With what the log foretold.
    fn compare(&self, course: &Course) -> Result<(), Failed> {
        let (Some(predicted), Some(reached)) = (&course.predicted, &course.reached) else {
            let why = "where recovery would end could not be predicted";
            // That says nothing of the archive.
            return Err(Failed::new(DrillClass::Storage, why));
        };
        let ends = |end: &RecoveryEnd| format!("{} on timeline {}", end.lsn, end.timeline);
        let (foretold, found) = (ends(predicted), ends(reached));
        if predicted.timeline != reached.timeline {
            let why = format!("recovery ended at {found}; predicted was {foretold}");
            return Err(Failed::new(DrillClass::WrongTimeline, why));
        }
        if predicted.lsn != reached.lsn {
            let kind = self.kind.code();
            let why = format!("recovery ({kind}) ended at {found}; predicted was {foretold}");
            return Err(Failed::new(DrillClass::StoppedEarly, why));
        }
        Ok(())
    }

    async fn read_further(&self, results: &mut Vec<CheckResult>) {
        if self.readings.has_dump {
            results.push(self.program("pg_dumpall", &[]).await);
        }
        if self.readings.has_amcheck {
            let arguments = ["--all", "--install-missing", "--heapallindexed", "--no-strict-names"];
            results.push(self.program("pg_amcheck", &arguments).await);
        }
    }

    /// A program of PostgreSQL that reads everything. What it says may hold data, so it is not told.
    async fn program(&self, name: &str, arguments: &[&str]) -> CheckResult {
        let path = self.prepared.programs.path(name);
        let mut command = self.prepared.account.command(&path);
        command.args(["--no-password", "--username", self.prepared.role(), "--host"]);
        command.arg(self.sockets).args(arguments).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().await;
        let (is_passed, detail) = match status {
            Ok(status) if status.success() => (true, "it read everything".to_owned()),
            Ok(status) => (false, format!("it ended with {status}")),
            Err(error) => (false, format!("{}: {error}", path.display())),
        };
        CheckResult { name: name.to_owned(), is_passed, detail }
    }
}
