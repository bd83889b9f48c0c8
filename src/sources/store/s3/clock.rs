//! The clock of a server, as the `Date` of its answers tells it.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use tokio::time::Instant;

use crate::domain::moment::in_calendar;
use crate::observation::store_clock::CLOCK_TOLERANCE;
use crate::observation::store_clock::ClockMove;
use crate::observation::store_clock::StoreClock;

#[derive(Debug, Default)]
pub(super) struct ServerClock {
    known: Mutex<Known>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// How far it was ahead at the last answer, and what it showed.
    last: Option<(TimeDelta, DateTime<Utc>)>,
    /// The answer from which on it has run as ours does. Not the one before the last: a clock that
    /// stands still is off by the seconds between two answers only.
    steady_since: Option<Tick>,
    moved: Option<(TimeDelta, Instant)>,
    /// What was known before each of the last moves, until a second answer bears the new time out: a
    /// single answer may come from a proxy, and the next one tells.
    before: Vec<Before>,
}

#[derive(Clone, Copy, Debug)]
struct Before {
    steady_since: Tick,
    moved: Option<(TimeDelta, Instant)>,
}

/// More answers in a row that agree with nothing are the clock's own.
const STRAYS_MAX: usize = 4;

/// Both clocks at one answer.
#[derive(Clone, Copy, Debug)]
struct Tick {
    theirs: DateTime<Utc>,
    ours: Instant,
}

impl ServerClock {
    /// Takes the time of an answer, which counts whole seconds. What is no time tells nothing.
    pub(super) fn note(&self, date: &str, now: DateTime<Utc>, at: Instant) {
        let date = DateTime::parse_from_rfc2822(date).ok().map(|date| date.to_utc());
        let Some(theirs) = date.and_then(in_calendar) else { return };
        let tick = Tick { theirs, ours: at };
        let mut known = self.known();
        known.last = Some((theirs.signed_duration_since(now), theirs));
        let since = *known.steady_since.get_or_insert(tick);
        let by = tick.moved_since(since);
        if by.abs() <= CLOCK_TOLERANCE {
            known.before.clear();
            return;
        }
        let agrees = |it: &Before| tick.moved_since(it.steady_since).abs() <= CLOCK_TOLERANCE;
        if let Some(back) = known.before.iter().position(agrees) {
            let was = known.before.drain(back..).next();
            known.steady_since = was.map(|was| was.steady_since);
            known.moved = was.and_then(|was| was.moved);
            return;
        }
        if STRAYS_MAX <= known.before.len() {
            known.before.remove(0);
        }
        let moved = known.moved;
        known.before.push(Before { steady_since: since, moved });
        (known.steady_since, known.moved) = (Some(tick), Some((by, at)));
    }

    pub(super) fn read(&self, at: Instant) -> StoreClock {
        let known = self.known().clone();
        let (ahead, shown) = known.last.unzip();
        let moved = known.moved.map(|(by, moved_at)| ClockMove { by, ago: between(moved_at, at) });
        StoreClock { ahead, shown, moved }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tick {
    /// How much more time has passed by their clock than by ours.
    fn moved_since(self, earlier: Self) -> TimeDelta {
        let theirs = self.theirs.signed_duration_since(earlier.theirs);
        let by = theirs.checked_sub(&between(earlier.ours, self.ours));
        by.unwrap_or(TimeDelta::MIN)
    }
}

fn between(earlier: Instant, later: Instant) -> TimeDelta {
    let passed = later.saturating_duration_since(earlier);
    TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: i64 = 1_700_000_000;

    /// What is known after answers at these seconds of ours and theirs, and how long ago by ours.
    fn noted(answers: &[(u64, i64)]) -> StoreClock {
        let (clock, start) = (ServerClock::default(), Instant::now());
        let mut at = start;
        for &(ours, theirs) in answers {
            at = start + Duration::from_secs(ours);
            let now = time(i64::try_from(ours).unwrap());
            clock.note(&time(theirs).to_rfc2822(), now, at);
        }
        clock.read(at)
    }

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(START + second, 0).unwrap()
    }

    fn moved(by: i64, ago: i64) -> Option<ClockMove> {
        Some(ClockMove { by: TimeDelta::seconds(by), ago: TimeDelta::seconds(ago) })
    }

    #[test]
    fn a_clock_that_is_off_and_runs_as_ours_has_not_moved() {
        let seen = noted(&[(0, 3600), (60, 3660), (6_000, 9_599), (86_400, 90_001)]);
        assert_eq!(seen.ahead, Some(TimeDelta::seconds(3_601)));
        assert_eq!(seen.shown, Some(time(90_001)));
        assert_eq!(seen.moved, None);
    }

    #[test]
    fn a_jump_is_told_with_its_size_and_how_long_ago_it_was() {
        for by in [3_600, -3_600] {
            assert_eq!(noted(&[(0, 0), (60, 60 + by)]).moved, moved(by, 0));
            // From there on it runs as ours.
            let later = noted(&[(0, 0), (60, 60 + by), (120, 120 + by), (660, 660 + by)]);
            assert_eq!(later.moved, moved(by, 600));
        }
    }

    #[test]
    fn a_stray_answer_is_forgotten_with_the_next_one_and_two_alike_are_the_clock() {
        let day = 86_400;
        assert_eq!(noted(&[(0, 0), (60, 60 - day), (120, 120)]).moved, None);
        assert_eq!(noted(&[(0, 0), (60, 60 - day), (61, 9_000), (120, 120)]).moved, None);
        let confirmed = [(0, 0), (60, 60 - day), (61, 61 - day), (120, 120)];
        assert_eq!(noted(&confirmed).moved, moved(day, 0));
        // An earlier move is not forgotten over it.
        let earlier = [(0, 0), (60, 3_660), (120, 3_720), (180, 0), (240, 3_840)];
        assert_eq!(noted(&earlier).moved, moved(3_600, 180));
    }

    #[test]
    fn what_an_answer_takes_on_its_way_is_no_move() {
        assert_eq!(noted(&[(0, 0), (300, 0), (310, 310), (320, 620)]).moved, None);
    }

    #[test]
    fn a_clock_that_stands_still_moves_although_no_two_answers_show_it() {
        let still: Vec<(u64, i64)> = (0..=6).map(|minute| (60 * minute, 0)).collect();
        assert_eq!(noted(&still).moved, moved(-360, 0));
    }

    #[test]
    fn our_own_clock_on_the_wall_moves_nothing() {
        let (clock, start) = (ServerClock::default(), Instant::now());
        clock.note(&time(0).to_rfc2822(), time(0), start);
        let later = start + Duration::from_secs(60);
        clock.note(&time(60).to_rfc2822(), time(7_260), later);
        let seen = clock.read(later);
        assert_eq!((seen.ahead, seen.moved), (Some(TimeDelta::hours(-2)), None));
    }

    #[test]
    fn what_is_no_time_is_not_believed() {
        let clock = ServerClock::default();
        // Chrono reads it; with a grace added to it, its arithmetic panics.
        let absurd = "31 Dec 262142 23:59:59 +0000";
        assert!(DateTime::parse_from_rfc2822(absurd).is_ok());
        for date in [absurd, "", "yesterday"] {
            clock.note(date, time(0), Instant::now());
            assert_eq!(clock.read(Instant::now()), StoreClock::default(), "{date}");
        }
        clock.note("Tue, 14 Nov 2023 22:13:25 GMT", time(0), Instant::now());
        assert_eq!(clock.read(Instant::now()).ahead, Some(TimeDelta::seconds(5)));
    }

    #[test]
    fn times_at_both_ends_of_the_calendar_can_be_told_apart() {
        let clock = ServerClock::default();
        for date in ["1 Jan 0001 00:00:00 +0000", "31 Dec 9999 23:59:59 +0000"] {
            clock.note(date, time(0), Instant::now());
        }
        let seen = clock.read(Instant::now());
        assert!(seen.moved.is_some_and(|moved| TimeDelta::days(3_000_000) < moved.by), "{seen:?}");
        assert_eq!(seen.time(seen.ours(time(0))), time(0));
    }
}
