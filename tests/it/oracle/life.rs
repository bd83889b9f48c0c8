//! The life of an archive: a server writes, fails over, is restored in place, is copied by a drill
//! that archives into the same path; then something gets lost.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::storm::dice::Dice;

/// Minutes since the beginning.
type Minute = u64;

#[derive(Clone, Debug)]
pub(super) struct Life {
    dice: Dice,
    now: Minute,
    /// Where each timeline but the first came from.
    pub(super) forks: BTreeMap<u32, Fork>,
    /// Timeline and number of what is stored, with the upload.
    pub(super) segments: BTreeMap<(u32, u64), Minute>,
    /// Zero bytes of them.
    pub(super) empty: BTreeSet<(u32, u64)>,
    pub(super) backups: Vec<Taken>,
    pub(super) histories: BTreeMap<u32, History>,
    pub(super) living: u32,
    /// The segment that the living server writes to.
    open: u64,
    ghosts: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fork {
    pub(super) parent: u32,
    /// The segment that holds the switch point.
    pub(super) at: u64,
    /// When the promotion was.
    since: Minute,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) timeline: u32,
    pub(super) first: u64,
    pub(super) last: u64,
    began: Minute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum History {
    Stored,
    Garbage,
}

/// The grace of a scenario.
const GRACE: Minute = 10;

impl Life {
    pub(super) fn of(seed: u64) -> Self {
        let mut life = Self {
            dice: Dice::new(seed),
            now: 0,
            forks: BTreeMap::new(),
            segments: BTreeMap::new(),
            empty: BTreeSet::new(),
            backups: Vec::new(),
            histories: BTreeMap::new(),
            living: 1,
            open: 16,
            ghosts: BTreeSet::new(),
        };
        life.write(1);
        life.back_up();
        for _ in 0..life.dice.below(7) {
            let more = life.dice.below(5);
            life.write(more);
            match life.dice.below(10) {
                0..=2 => life.back_up(),
                3..=5 => life.fail_over(),
                6 => life.restore_in_place(),
                7 | 8 => life.haunt(),
                _ => {}
            }
        }
        let more = 1 + life.dice.below(6);
        life.write(more);
        life.lose_something();
        life
    }

    fn write(&mut self, count: u64) {
        for _ in 0..count {
            self.now += 5;
            self.segments.insert((self.living, self.open), self.now);
            self.open += 1;
        }
    }

    fn back_up(&mut self) {
        let (first, began) = (self.open, self.now + 1);
        let more = 1 + self.dice.below(2);
        self.write(more);
        let taken = Taken { timeline: self.living, first, last: self.open - 1, began };
        self.backups.push(taken);
    }

    fn fail_over(&mut self) {
        let (old, at) = (self.living, self.open);
        if self.dice.below(3) == 0 {
            // The old primary archives its last segment after all.
            self.segments.insert((old, at), self.now + 2);
        }
        self.now += 1;
        self.living = self.fork(old, at);
    }

    fn restore_in_place(&mut self) {
        let Some(at) = self.a_moment() else { return };
        self.now += 3;
        self.living = self.fork(self.living, at);
        self.open = at;
        self.write(1);
    }

    /// A copy is restored, promoted, and archives into the same path for a while.
    fn haunt(&mut self) {
        let Some(at) = self.a_moment() else { return };
        self.now += 1;
        let ghost = self.fork(self.living, at);
        self.ghosts.insert(ghost);
        for more in 0..self.dice.below(4) {
            self.segments.insert((ghost, at + more), self.now + 1 + more);
        }
        let more = 1 + self.dice.below(6);
        self.write(more);
    }

    /// A segment of the living timeline's own, behind a backup on it.
    fn a_moment(&mut self) -> Option<u64> {
        let own = self.backups.iter().filter(|it| it.timeline == self.living);
        let first = own.map(|it| it.last).min()? + 1;
        (first < self.open).then(|| first + self.dice.below(self.open - first))
    }

    fn fork(&mut self, parent: u32, at: u64) -> u32 {
        let new = self.forks.keys().max().map_or(2, |newest| newest + 1);
        self.forks.insert(new, Fork { parent, at, since: self.now });
        self.histories.insert(new, History::Stored);
        new
    }

    fn lose_something(&mut self) {
        let newest = self.newest();
        for _ in 0..self.dice.below(4) {
            let at = usize::try_from(self.dice.below(self.segments.len() as u64)).unwrap();
            let lost = *self.segments.keys().nth(at).unwrap();
            if Some(lost) == newest {
                continue;
            }
            if self.dice.below(5) == 0 {
                self.empty.insert(lost);
            } else {
                self.segments.remove(&lost);
                self.empty.remove(&lost);
            }
        }
        let timelines: Vec<u32> = self.histories.keys().copied().collect();
        for timeline in timelines {
            match self.dice.below(12) {
                0 => drop(self.histories.remove(&timeline)),
                1 => drop(self.histories.insert(timeline, History::Garbage)),
                _ => {}
            }
        }
    }

    /// The newest stored segment of the living timeline's line.
    pub(super) fn newest(&self) -> Option<(u32, u64)> {
        let mut upper = u64::MAX;
        let mut timeline = self.living;
        loop {
            let own = self.segments.range((timeline, 0)..(timeline, upper)).next_back();
            if let Some((newest, _)) = own {
                return Some(*newest);
            }
            let fork = self.forks.get(&timeline)?;
            (timeline, upper) = (fork.parent, fork.at);
        }
    }

    /// Whether what is left shows which timeline lives: what is newest on it came later than all of
    /// each ghost by more than the grace, or a backup was begun on it since.
    pub(super) fn tells_who_lives(&self) -> bool {
        let is_old = self.segments.keys().any(|(timeline, _)| *timeline == self.living)
            || self.histories.contains_key(&self.living)
            || self.living == 1;
        let beyond = |ghost: &u32| {
            let Fork { parent, at, since } = self.forks[ghost];
            let of_ghost = self.segments.range((*ghost, 0)..(ghost + 1, 0)).map(|(_, it)| *it);
            let newest_of_ghost = of_ghost.max().unwrap_or(since).max(since);
            let line = self.line(self.living);
            let own = self.segments.iter().filter(|((timeline, number), _)| {
                line.iter()
                    .any(|(it, first, end)| it == timeline && first <= number && number < end)
                    && (*timeline != parent || at <= *number)
            });
            let newest = own.map(|(_, it)| *it).max().unwrap_or(0);
            self.living > *ghost
                || newest > newest_of_ghost + GRACE
                || self.backups.iter().any(|it| {
                    it.timeline == self.living && at <= it.first && newest_of_ghost < it.began
                })
        };
        is_old && self.ghosts.iter().all(beyond)
    }

    /// The timelines that lead to one, with the first segment of each and the one after its last.
    pub(super) fn line(&self, timeline: u32) -> Vec<(u32, u64, u64)> {
        let (mut line, mut timeline, mut end) = (Vec::new(), timeline, u64::MAX);
        while let Some(fork) = self.forks.get(&timeline) {
            line.push((timeline, fork.at, end));
            (timeline, end) = (fork.parent, end.min(fork.at));
        }
        line.push((timeline, 0, end));
        line
    }

    /// The archive in the language of the scenarios.
    pub(super) fn scenario(&self) -> String {
        let mut text = format!("now {}\n", clock(self.now + 120));
        for ((timeline, number), at) in &self.segments {
            let at = clock(*at);
            let name = format!("{timeline:08X}00000000{number:08X}");
            if self.empty.contains(&(*timeline, *number)) {
                let folder = &name[..16];
                writeln!(text, "object wals/{folder}/{name}.bz2 0 uploaded {at}").unwrap();
            } else {
                writeln!(text, "timeline {timeline} wal {number:X} uploaded {at}").unwrap();
            }
        }
        for (timeline, history) in &self.histories {
            let ancestors: String = match history {
                History::Garbage => " malformed".to_owned(),
                History::Stored => {
                    let mut line = self.line(*timeline);
                    line.remove(0);
                    let ancestor =
                        |(it, _, end): &(u32, u64, u64)| format!(" {it}@0/{end:X}000028");
                    line.iter().rev().map(ancestor).collect()
                }
            };
            let since = clock(self.forks[timeline].since);
            writeln!(text, "history {timeline}{ancestors} uploaded {since}").unwrap();
        }
        for taken in &self.backups {
            let (id, ended) = (Self::backup_id(taken), clock(taken.began + 1));
            let Taken { timeline, first, last, .. } = taken;
            writeln!(text, "backup {id} wal {first:X}..{last:X} timeline {timeline} ended {ended}")
                .unwrap();
        }
        text
    }

    pub(super) fn backup_id(taken: &Taken) -> String {
        moment(taken.began).format("%Y%m%dT%H%M%S").to_string()
    }
}

fn clock(minute: Minute) -> String {
    moment(minute).format("%Y-%m-%d %H:%M").to_string()
}

fn moment(minute: Minute) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2026-01-10T00:00:00Z".parse().unwrap();
    first + TimeDelta::minutes(minute.try_into().unwrap())
}
