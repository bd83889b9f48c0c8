//! What barman hands out of it, and how far PostgreSQL gets.

use crate::oracle::wide::world::BackupState;
use crate::oracle::wide::world::Commit;
use crate::oracle::wide::world::Content;
use crate::oracle::wide::world::END_OFFSET;
use crate::oracle::wide::world::HistoryState;
use crate::oracle::wide::world::Kind;
use crate::oracle::wide::world::SEGMENT;
use crate::oracle::wide::world::Second;
use crate::oracle::wide::world::Taken;
use crate::oracle::wide::world::World;

/// What `barman-cloud-wal-restore` makes of a name.
enum Delivered {
    Whole(Content),
    /// PostgreSQL reads the beginning.
    Cut,
    WrongSize,
}

/// A recovery from a backup that became consistent.
#[derive(Clone, Debug)]
pub(in crate::oracle) struct Recovered {
    /// The last segment, by the name that it came under.
    pub(in crate::oracle) reached: (u32, u64),
    pub(in crate::oracle) contents: Vec<Content>,
    /// What ends it is fatal.
    pub(in crate::oracle) is_fatal: bool,
}

/// A transaction that was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oracle) struct Replayed {
    pub(in crate::oracle) at: Second,
    pub(in crate::oracle) content: Content,
}

impl World {
    fn deliver(&self, id: (u32, u64)) -> Option<Delivered> {
        // The first in the order of the keys.
        let (suffix, stored) = self.wals.get(&id)?.first_key_value()?;
        match stored.kind {
            Kind::Whole => Some(Delivered::Whole(stored.content)),
            Kind::Partial => Some(Delivered::Cut),
            Kind::Empty if [".bz2", ".xz", ".lz4"].contains(&suffix.as_str()) => None,
            Kind::Empty => Some(Delivered::WrongSize),
        }
    }

    fn has_history(&self, timeline: u32) -> bool {
        let history = self.histories.get(&timeline);
        history.is_some_and(|it| it.state != HistoryState::Undecodable)
    }

    /// Where recovery aims unless told otherwise (`findNewestTimeLine`).
    pub(in crate::oracle) fn default_target(&self, taken: &Taken) -> u32 {
        let mut target = self.branch(taken.branch).timeline;
        while self.has_history(target + 1) {
            target += 1;
        }
        target
    }

    pub(in crate::oracle) fn targets(&self, taken: &Taken) -> Vec<u32> {
        let mut targets = vec![self.default_target(taken), 1];
        targets.extend(self.histories.keys().filter(|it| self.has_history(**it)));
        targets
    }

    /// `readTimeLineHistory`, newest first, with the beginning of each.
    fn expected(&self, taken: &Taken, target: u32) -> Option<Vec<(u32, u64)>> {
        let own = self.branch(taken.branch).timeline;
        let ancestors: &[(u32, u64)] =
            match self.histories.get(&target).filter(|_| self.has_history(target)) {
                _ if target == 1 => &[],
                Some(history) if history.state == HistoryState::Garbage => return None,
                Some(history) => &history.ancestors,
                None if target == self.default_target(taken) => &[],
                None => return None,
            };
        let mut expected = Vec::new();
        let mut begin = 0;
        let mut is_child = false;
        let [begun, ended] = [taken.first * SEGMENT + 0x28, taken.last * SEGMENT + END_OFFSET];
        for (timeline, end) in ancestors.iter().copied().chain([(target, u64::MAX)]) {
            expected.insert(0, (timeline, begin));
            is_child |= timeline == own && begin <= begun && ended < end;
            begin = end;
        }
        is_child.then_some(expected)
    }

    pub(in crate::oracle) fn recover(&self, taken: &Taken, target: u32) -> Option<Recovered> {
        if taken.state != BackupState::Done {
            return None;
        }
        let expected = self.expected(taken, target)?;
        let (mut contents, mut reached, mut current) = (Vec::new(), None, 0);
        let mut is_fatal = false;
        let mut before = taken.branch;
        'segments: for number in taken.first.. {
            let begun = expected.iter().filter(|(_, begin)| begin / SEGMENT <= number);
            // What another timeline holds under that number is not what belongs there.
            let right = begun.clone().next().map(|(timeline, _)| *timeline);
            let floor = current;
            for (timeline, _) in begun.take_while(|(timeline, _)| floor <= *timeline) {
                match self.deliver((*timeline, number)) {
                    None => {}
                    Some(Delivered::Whole(content))
                        if Some(*timeline) == right && self.goes_on(before, content) =>
                    {
                        (before, current, reached) =
                            (content.branch, *timeline, Some((*timeline, number)));
                        contents.push(content);
                        continue 'segments;
                    }
                    Some(Delivered::Whole(_) | Delivered::Cut) => break 'segments,
                    Some(Delivered::WrongSize) => {
                        is_fatal = true;
                        break 'segments;
                    }
                }
            }
            break;
        }
        let reached = reached.filter(|(_, number)| taken.last + u64::from(is_fatal) <= *number)?;
        Some(Recovered { reached, contents, is_fatal })
    }

    /// Whether a record in it points to the one before.
    fn goes_on(&self, before: usize, content: Content) -> bool {
        let line = &self.branch(content.branch).line;
        line.first().is_some_and(|(_, first)| *first <= content.number)
            && (content.branch == before
                || line.iter().any(|(it, _)| *it == before)
                    && self.branch_at(content.branch, content.number.saturating_sub(1)) == before)
    }

    /// The newest stored segment on the way to the end of the living branch.
    pub(in crate::oracle) fn newest(&self) -> Option<(u32, u64)> {
        let ids = self.wals.iter().filter(|(_, slot)| {
            slot.values().any(|it| {
                let Content { branch, number, .. } = it.content;
                it.kind != Kind::Partial
                    && self.branch(self.living).line.iter().any(|it| it.0 == branch)
                    && self.branch_at(self.living, number) == branch
            })
        });
        ids.map(|(id, _)| *id).max_by_key(|(_, number)| *number)
    }

    /// Every transaction of the living branch, oldest first, stored or not being all the same.
    pub(in crate::oracle) fn of_living(&self) -> Vec<Replayed> {
        let slots = self.wals.values().flat_map(|slot| slot.values());
        let mut all: Vec<Replayed> = slots
            .filter(|it| {
                let Content { branch, number, .. } = it.content;
                self.branch(self.living).line.iter().any(|it| it.0 == branch)
                    && self.branch_at(self.living, number) == branch
            })
            .filter_map(|it| Some(Replayed { at: it.content.commit?.at, content: it.content }))
            .collect();
        all.sort_by_key(|it| it.content.number);
        all.dedup();
        all
    }
}

impl Recovered {
    /// The transaction before which recovery stops, and the last that it replays; nothing where it
    /// refuses the target.
    pub(in crate::oracle) fn stop_at(&self, taken: &Taken, at: Second) -> Option<Option<Replayed>> {
        let end = (taken.last, END_OFFSET);
        let mut last = None;
        for content in &self.contents {
            let Some(Commit { at: committed, offset }) = content.commit else { continue };
            if at < committed {
                return (end < (content.number, offset)).then_some(last);
            }
            last = Some(Replayed { at: committed, content: *content });
        }
        None
    }
}
