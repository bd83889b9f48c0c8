//! Whether this process does its work. Says nothing of stores and archives: a restart repairs
//! neither.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::interval;

use crate::service::shutdown::Shutdown;

/// What the probes are told. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    state: watch::Sender<State>,
    started_at: Instant,
    shutdown: Shutdown,
}

#[derive(Clone, Copy, Debug)]
struct State {
    turned_at: Instant,
    progress: Progress,
}

/// How far the daemon has come since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    Starting,
    /// It is known which archives there are.
    Found,
    /// A look at each of them has ended, whatever came of it.
    Read,
}

/// One part of a probe's answer: a name, and what is wrong if anything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub problem: Option<String>,
}

/// How often the event loop shows that it turns.
const TURN: Duration = Duration::from_secs(1);

/// An event loop that is busy for this long is stuck: the longest step, to judge a million
/// segments, takes less than a second.
const TURN_MAX: Duration = Duration::from_secs(30);

/// An archive that was not read by then is shown as unknown; the others are not withheld for it.
const READY_AFTER: Duration = Duration::from_mins(1);

impl Health {
    pub fn new(shutdown: Shutdown) -> Self {
        let started_at = Instant::now();
        let state = State { turned_at: started_at, progress: Progress::Starting };
        Self { state: watch::Sender::new(state), started_at, shutdown }
    }

    /// Notes that the event loop turns, for ever.
    pub async fn turn(&self) {
        let mut turns = interval(TURN);
        loop {
            turns.tick().await;
            self.state.send_modify(|state| state.turned_at = Instant::now());
        }
    }

    /// What was reached once stays so, also for archives that come later.
    pub fn reached(&self, progress: Progress) {
        self.state.send_modify(|state| state.progress = state.progress.max(progress));
    }

    pub fn progress(&self) -> Progress {
        self.state.borrow().progress
    }

    pub fn liveness(&self) -> Vec<Part> {
        let idle = self.state.borrow().turned_at.elapsed();
        let is_stuck = TURN_MAX < idle;
        let problem = is_stuck.then(|| format!("has not turned for {} s", idle.as_secs()));
        vec![Part { name: "loop", problem }]
    }

    pub fn readiness(&self) -> Vec<Part> {
        let is_waiting =
            self.progress() < Progress::Read && self.started_at.elapsed() < READY_AFTER;
        let is_ending = self.shutdown.is_requested();
        vec![
            Part { name: "archives", problem: is_waiting.then(|| "not all read yet".to_owned()) },
            Part { name: "shutdown", problem: is_ending.then(|| "requested".to_owned()) },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ok(parts: &[Part]) -> bool {
        parts.iter().all(|part| part.problem.is_none())
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_loop_that_does_not_turn_is_stuck_until_it_turns() {
        let (_sender, shutdown) = Shutdown::channel();
        let health = Health::new(shutdown);
        tokio::time::advance(TURN_MAX).await;
        assert!(is_ok(&health.liveness()));
        tokio::time::advance(TURN).await;
        assert!(!is_ok(&health.liveness()));
        tokio::select! {
            () = health.turn() => {}
            () = tokio::time::sleep(10 * TURN_MAX) => {}
        }
        assert!(is_ok(&health.liveness()));
    }

    #[tokio::test]
    async fn ready_is_after_the_first_reading_of_all_and_before_the_end() {
        let (sender, shutdown) = Shutdown::channel();
        let health = Health::new(shutdown);
        assert!(!is_ok(&health.readiness()));
        health.reached(Progress::Found);
        assert!(!is_ok(&health.readiness()));
        health.reached(Progress::Read);
        health.reached(Progress::Found);
        assert!(is_ok(&health.readiness()));
        sender.send_replace(true);
        assert!(!is_ok(&health.readiness()));
        assert!(is_ok(&health.liveness()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_archive_that_is_not_read_withholds_the_others_for_a_minute_only() {
        let (_sender, shutdown) = Shutdown::channel();
        let health = Health::new(shutdown);
        tokio::time::advance(READY_AFTER - TURN).await;
        assert!(!is_ok(&health.readiness()));
        tokio::time::advance(TURN).await;
        assert!(is_ok(&health.readiness()));
    }
}
