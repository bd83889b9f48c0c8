//! Whether this process does its work. Says nothing of stores and archives: a restart repairs
//! neither.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::service::shutdown::Shutdown;

/// What the loop tells the probes. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    turns: Arc<watch::Sender<Turns>>,
    turn_max: Duration,
    shutdown: Shutdown,
}

#[derive(Clone, Copy, Debug)]
struct Turns {
    last_at: Instant,
    has_finished_cycle: bool,
}

/// One part of a probe's answer: a name, and what is wrong if anything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub problem: Option<String>,
}

impl Health {
    /// `period` is how often the loop turns when it has nothing to do.
    pub fn new(period: Duration, shutdown: Shutdown) -> Self {
        let turns = Turns { last_at: Instant::now(), has_finished_cycle: false };
        let turn_max = period.saturating_mul(PERIODS_MAX).max(TURN_MIN);
        Self { turns: Arc::new(watch::Sender::new(turns)), turn_max, shutdown }
    }

    /// The loop got on: it slept for a period, or finished one archive of many.
    pub fn turned(&self) {
        self.turns.send_modify(|turns| turns.last_at = Instant::now());
    }

    /// Every archive was attempted, whatever came of it.
    pub fn finished_cycle(&self) {
        self.turns.send_modify(|turns| {
            *turns = Turns { last_at: Instant::now(), has_finished_cycle: true };
        });
    }

    pub fn has_finished_cycle(&self) -> bool {
        self.turns.borrow().has_finished_cycle
    }

    pub fn liveness(&self) -> Vec<Part> {
        let idle = self.turns.borrow().last_at.elapsed();
        let is_stuck = self.turn_max < idle;
        let problem = is_stuck.then(|| format!("has not turned for {} s", idle.as_secs()));
        vec![Part { name: "loop", problem }]
    }

    pub fn readiness(&self) -> Vec<Part> {
        let is_waiting = !self.has_finished_cycle();
        let is_ending = self.shutdown.is_requested();
        vec![
            Part {
                name: "first-cycle",
                problem: is_waiting.then(|| "not finished yet".to_owned()),
            },
            Part { name: "shutdown", problem: is_ending.then(|| "requested".to_owned()) },
        ]
    }
}

/// A loop that missed one turn was busy; one that missed three is stuck.
const PERIODS_MAX: u32 = 3;

/// With a period of a second, a single slow answer of the store is no reason for a restart.
const TURN_MIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    fn is_ok(parts: &[Part]) -> bool {
        parts.iter().all(|part| part.problem.is_none())
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_missed_three_turns_is_stuck_until_it_turns() {
        let (_sender, shutdown) = Shutdown::channel();
        let health = Health::new(PERIOD, shutdown);
        tokio::time::advance(3 * PERIOD).await;
        assert!(is_ok(&health.liveness()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!is_ok(&health.liveness()));
        health.turned();
        assert!(is_ok(&health.liveness()));
    }

    #[tokio::test]
    async fn ready_is_after_the_first_cycle_and_before_the_end() {
        let (sender, shutdown) = Shutdown::channel();
        let health = Health::new(PERIOD, shutdown);
        assert!(!is_ok(&health.readiness()));
        health.finished_cycle();
        assert!(is_ok(&health.readiness()));
        sender.send_replace(true);
        assert!(!is_ok(&health.readiness()));
        assert!(is_ok(&health.liveness()));
    }
}
