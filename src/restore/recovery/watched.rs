//! A server while it recovers.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::drill::PhaseName;
use crate::restore::courier::Courier;
use crate::restore::end::Ended;
use crate::restore::log::Line;
use crate::restore::recovery::Course;
use crate::restore::recovery::Step;
use crate::restore::server::Server;

/// The server is silent for as long as it replays.
const TOLD_EVERY: Duration = Duration::from_millis(250);

/// A server that is listened to until it takes connections, or has ended.
pub(super) struct Watched {
    pub(super) server: Server,
    pub(super) seen: Ended,
}

impl Watched {
    pub(super) async fn follow(
        &mut self,
        courier: &Courier,
        course: &mut Course,
        tell: &mut impl FnMut(Step),
    ) -> Result<(), ()> {
        let mut phase_began_at = Instant::now();
        let mut ticks = tokio::time::interval(TOLD_EVERY);
        loop {
            let line = tokio::select! {
                line = self.server.next_line() => line.ok_or(())?,
                _ = ticks.tick() => {
                    let (segments, of) = courier.progress();
                    if !self.seen.is_redo_done {
                        tell(Step::Replay(segments, of));
                    }
                    continue;
                }
            };
            self.seen.note(&line);
            match line {
                Line::RedoDone | Line::NoRedo => {
                    course.phase(PhaseName::Replay, phase_began_at);
                    phase_began_at = Instant::now();
                    tell(Step::Promote);
                }
                Line::Ready => {
                    course.phase(PhaseName::Promote, phase_began_at);
                    return Ok(());
                }
                // Nobody is there who would raise a parameter.
                Line::Paused(_) => return Err(()),
                Line::RedoStarts
                | Line::Consistent
                | Line::LastTransactionAt(_)
                | Line::NewTimeline(_)
                | Line::Fatal(_)
                | Line::Other => {}
            }
        }
    }
}
