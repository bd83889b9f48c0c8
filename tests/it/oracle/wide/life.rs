//! What becomes of an archive in years: servers follow each other, are copied, upgraded, made anew;
//! backups run on primaries and standbys, fail, are deleted; segments come late.

use std::collections::BTreeMap;

use crate::oracle::wide::world::BackupState;
use crate::oracle::wide::world::Branch;
use crate::oracle::wide::world::Commit;
use crate::oracle::wide::world::Content;
use crate::oracle::wide::world::History;
use crate::oracle::wide::world::HistoryState;
use crate::oracle::wide::world::Kind;
use crate::oracle::wide::world::SEGMENT;
use crate::oracle::wide::world::Second;
use crate::oracle::wide::world::Stored;
use crate::oracle::wide::world::Taken;
use crate::oracle::wide::world::World;
use crate::storm::dice::Dice;

const BEFORE_THE_END: u64 = 0x100;
const BEHIND_THE_END: u64 = 0x2000;

const CODECS: [&str; 7] = ["", ".gz", ".bz2", ".xz", ".snappy", ".zst", ".lz4"];

impl World {
    pub(in crate::oracle) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x77);
        let codec = CODECS[usize::try_from(dice.below(7)).unwrap()];
        let first = Branch {
            system: 7_000_000_000_000_000_001,
            timeline: 1,
            line: vec![(0, 0)],
            fork: 0,
            since: 0,
        };
        let is_told = dice.below(2) == 0;
        let mut world = Self {
            dice,
            now: 0,
            codec,
            branches: vec![first],
            wals: BTreeMap::new(),
            histories: BTreeMap::new(),
            backups: Vec::new(),
            living: 0,
            open: 16,
            is_begun: false,
            is_made_anew: false,
            is_told,
        };
        // Some are old: their timelines have two digits.
        if seed % 16 == 7 {
            for _ in 0..9 {
                world.write(1);
                world.fail_over();
            }
        }
        world.live();
        world
    }

    fn live(&mut self) {
        self.write(1);
        self.back_up();
        for _ in 0..self.dice.below(8) {
            let more = self.dice.below(5);
            self.write(more);
            match self.dice.below(20) {
                0..=3 => self.back_up(),
                4 => self.back_up_standby(),
                5 => self.fail_to_back_up(),
                6..=9 => self.fail_over(),
                10 | 11 => self.restore_in_place(),
                12..=14 => self.haunt(),
                15 => self.upgrade(),
                16 => self.make_anew(),
                17 => self.delete_old(),
                18 => self.codec = CODECS[usize::try_from(self.dice.below(7)).unwrap()],
                _ => self.now += 7_200,
            }
        }
        let more = 1 + self.dice.below(6);
        self.write(more);
        self.come_to_harm();
        if self.dice.below(8) == 0 {
            let (branch, first) = (self.living, self.open);
            let (began, ended) = (self.now + 5_000, self.now + 5_000);
            let (is_standby, state) = (false, BackupState::Running);
            self.backups.push(Taken {
                branch,
                first,
                last: first,
                began,
                ended,
                is_standby,
                state,
            });
        }
    }

    fn store(&mut self, timeline: u32, suffix: String, stored: Stored) {
        let slot = self.wals.entry((timeline, stored.content.number)).or_default();
        slot.insert(suffix, stored);
    }

    fn write(&mut self, count: u64) {
        for _ in 0..count {
            self.now += 300;
            let commit = (self.dice.below(4) != 0)
                .then(|| Commit { at: self.now - 60, offset: BEHIND_THE_END });
            self.write_with(commit);
        }
    }

    fn write_with(&mut self, commit: Option<Commit>) {
        let content = Content { branch: self.living, number: self.open, commit };
        let stored = Stored { content, kind: Kind::Whole, at: self.now };
        self.store(self.branches[self.living].timeline, self.codec.to_owned(), stored);
        self.open += 1;
        self.is_begun = false;
    }

    fn back_up(&mut self) {
        let (first, began) = (self.open, self.now + 61);
        let more = self.dice.below(2);
        self.write(more);
        let ended = self.now + 200;
        self.now += 300;
        let is_begun = self.is_begun && more == 0;
        let commit = match self.dice.below(4) {
            0 => None,
            1 | 2 if is_begun => None,
            1 => Some(Commit { at: ended - 5, offset: BEFORE_THE_END }),
            // Another transaction took its time before that of `pg_backup_stop`, and ended after it.
            2 => Some(Commit { at: ended + 3, offset: BEFORE_THE_END }),
            _ => Some(Commit { at: ended + 10, offset: BEHIND_THE_END }),
        };
        self.write_with(commit);
        let (branch, last, is_standby, state) =
            (self.living, self.open - 1, false, BackupState::Done);
        self.backups.push(Taken { branch, first, last, began, ended, is_standby, state });
    }

    /// Its last segment is archived some time, or is where the next timeline begins.
    fn back_up_standby(&mut self) {
        let (branch, first, began) = (self.living, self.open, self.now + 61);
        let more = self.dice.below(2);
        self.write(more);
        let (last, ended) = (self.open, self.now + 100);
        self.now += 100;
        self.is_begun = true;
        let (is_standby, state) = (true, BackupState::Done);
        self.backups.push(Taken { branch, first, last, began, ended, is_standby, state });
    }

    fn fail_to_back_up(&mut self) {
        self.back_up();
        let state =
            if self.dice.below(2) == 0 { BackupState::Failed } else { BackupState::WithoutTars };
        self.backups.last_mut().unwrap().state = state;
    }

    fn fail_over(&mut self) {
        let (old, at) = (self.living, self.open);
        let timeline = self.branches[old].timeline;
        let content = |number, at: Second| Content {
            branch: old,
            number,
            commit: Some(Commit { at, offset: BEHIND_THE_END }),
        };
        let since = self.now;
        match self.dice.below(6) {
            // The old primary archives its last segment after all, or more, sooner or later.
            tail @ 0..=2 => {
                let late = self.now + 20 + i64::try_from(self.dice.below(5_000)).unwrap();
                for number in at..=at + tail / 2 {
                    let content = content(number, since - 1);
                    let stored = Stored { content, kind: Kind::Whole, at: late };
                    self.store(timeline, self.codec.to_owned(), stored);
                }
            }
            // The new one archives what it had of it.
            3 => {
                let stored = Stored {
                    content: content(at, since - 1),
                    kind: Kind::Partial,
                    at: self.now + 20,
                };
                self.store(timeline, format!(".partial{}", self.codec), stored);
            }
            _ => {}
        }
        self.now += 30;
        let offset = if self.is_begun || self.dice.below(2) == 0 { 0x200 } else { 0 };
        self.living = self.fork(at, offset);
        self.is_begun = 0 < offset;
    }

    fn restore_in_place(&mut self) {
        let Some(at) = self.a_moment() else { return };
        self.now += 200;
        self.living = self.fork(at, 0x200);
        self.open = at;
        self.write(1);
    }

    /// A copy is restored, promoted, and archives into the same path for a while.
    fn haunt(&mut self) {
        let Some(at) = self.a_moment() else { return };
        self.now += 60;
        let ghost = self.fork(at, 0x200);
        let timeline = self.branches[ghost].timeline;
        let mut then = self.now;
        for number in at..at + self.dice.below(4) {
            then += 60;
            let commit = (self.dice.below(3) != 0)
                .then_some(Commit { at: then - 10, offset: BEHIND_THE_END });
            let content = Content { branch: ghost, number, commit };
            let stored = Stored { content, kind: Kind::Whole, at: then };
            self.store(timeline, self.codec.to_owned(), stored);
        }
        let more = 1 + self.dice.below(6);
        self.write(more);
    }

    /// A segment of the living branch's own, behind a backup on it.
    fn a_moment(&mut self) -> Option<u64> {
        let own = self.backups.iter().filter(|it| {
            it.branch == self.living && it.state == BackupState::Done && !it.is_standby
        });
        let first = own.map(|it| it.last).min()? + 1;
        (first < self.open).then(|| first + self.dice.below(self.open - first))
    }

    /// A timeline that begins in a segment of the living one: the next after those whose history files
    /// are handed out.
    fn fork(&mut self, at: u64, offset: u64) -> usize {
        let parent = self.branches[self.living].clone();
        let mut timeline = parent.timeline + 1;
        while self.histories.contains_key(&timeline) {
            timeline += 1;
        }
        let mut ancestors: Vec<(u32, u64)> = Vec::new();
        for pair in parent.line.windows(2) {
            ancestors.push((self.branches[pair[0].0].timeline, self.branches[pair[1].0].fork));
        }
        let fork = at * SEGMENT + offset;
        ancestors.push((parent.timeline, fork));
        let state = HistoryState::Good;
        self.histories.insert(timeline, History { ancestors, state, at: self.now });
        let index = self.branches.len();
        let mut line = parent.line;
        line.push((index, at));
        let system = parent.system;
        self.branches.push(Branch { system, timeline, line, fork, since: self.now });
        index
    }

    /// `pg_upgrade` goes on behind the old log, on timeline 1.
    fn upgrade(&mut self) {
        self.now += 1_000;
        let from = self.open + 1 + self.dice.below(3);
        self.succeed(from);
    }

    /// A new cluster under the old server name.
    fn make_anew(&mut self) {
        self.now += 1_000;
        self.is_made_anew = true;
        let from = 1 + self.dice.below(20);
        self.succeed(from);
    }

    fn succeed(&mut self, from: u64) {
        let index = self.branches.len();
        let system = self.branches[self.living].system + 1;
        let line = vec![(index, from)];
        self.branches.push(Branch { system, timeline: 1, line, fork: 0, since: self.now });
        self.living = index;
        self.open = from;
        self.is_begun = false;
        let more = self.dice.below(3);
        self.write(more);
        self.back_up();
    }

    /// As `barman-cloud-backup-delete` does (`_remove_wals_for_backup`).
    fn delete_old(&mut self) {
        let done = |it: &Taken| it.state == BackupState::Done;
        if self.backups.iter().filter(|it| done(it)).count() < 2 {
            return;
        }
        let oldest = self.backups.iter().position(done).unwrap();
        self.backups.remove(oldest);
        let next = *self.backups.iter().find(|it| done(it)).unwrap();
        let until = (self.branches[next.branch].timeline, next.first);
        let lived_on: Vec<u32> =
            self.backups.iter().map(|it| self.branches[it.branch].timeline).collect();
        self.wals.retain(|(timeline, number), _| {
            until <= (*timeline, *number) || *timeline != until.0 && lived_on.contains(timeline)
        });
    }
}
