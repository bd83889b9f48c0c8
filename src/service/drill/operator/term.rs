//! How long a drill may go on: until its time is up, or somebody ends it.

use std::time::Duration;

use anyhow::Context;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use tokio::time::sleep;

use crate::domain::drill::DrillClass;
use crate::service::clock;
use crate::service::drill::operator::classes::Failure;
use crate::service::shutdown::Shutdown;

pub(super) struct Term {
    pub(super) began_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) shutdown: Shutdown,
}

impl Term {
    pub(super) fn new(
        began_at: DateTime<Utc>,
        timeout: Duration,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        let timeout = TimeDelta::from_std(timeout).context("--timeout")?;
        let ends_at = began_at.checked_add_signed(timeout).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Ok(Self { began_at, ends_at, shutdown })
    }

    pub(super) fn time_left(&self) -> Duration {
        self.ends_at.signed_duration_since(clock::now()).to_std().unwrap_or_default()
    }

    /// Does this, which leaves nothing behind in the cluster where it is cut off. `at` is what a drill does
    /// meanwhile, in words.
    pub(super) async fn hold<T>(
        &mut self,
        at: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let time_left = self.time_left();
        let why = tokio::select! {
            done = work => return Ok(done),
            () = sleep(time_left) => format!("the time was up while {at}, before anything was restored"),
            () = self.shutdown.requested() => {
                format!("the drill was ended by a signal while {at}, before anything was restored")
            }
        };
        Err(Failure::new(DrillClass::Timeout, why))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::future::ready;

    use super::*;

    fn term(seconds: u64) -> (tokio::sync::watch::Sender<bool>, Term) {
        let (sender, shutdown) = Shutdown::channel();
        (sender, Term::new(clock::now(), Duration::from_secs(seconds), shutdown).unwrap())
    }

    #[tokio::test]
    async fn what_takes_too_long_or_is_ended_is_cut_off_and_says_so() {
        let (sender, mut long) = term(3600);
        assert_eq!(long.hold("it is read", ready(1)).await.unwrap(), 1);
        sender.send_replace(true);
        let ended = long.hold("it is read", pending::<()>()).await.unwrap_err();
        assert!(ended.detail.contains("ended by a signal while it is read"), "{ended:?}");
        let (_sender, mut short) = term(0);
        let ended = short.hold("it is read", pending::<()>()).await.unwrap_err();
        assert!(ended.detail.starts_with("the time was up while it is read"), "{ended:?}");
        assert_eq!(ended.class, DrillClass::Timeout);
    }
}
