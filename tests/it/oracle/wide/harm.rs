//! What gets lost in an archive.

use crate::oracle::wide::world::HistoryState;
use crate::oracle::wide::world::Kind;
use crate::oracle::wide::world::World;

impl World {
    pub(in crate::oracle) fn come_to_harm(&mut self) {
        let newest = self.newest();
        for _ in 0..self.dice.below(4) {
            let at = usize::try_from(self.dice.below(self.wals.len() as u64)).unwrap();
            let id = *self.wals.keys().nth(at).unwrap();
            if Some(id) == newest {
                continue;
            }
            match self.dice.below(8) {
                0 | 1 => self.empty(id),
                2 => self.leave_a_partial(id),
                3 => self.store_twice(id),
                _ => drop(self.wals.remove(&id)),
            }
        }
        if self.dice.below(12) == 0
            && let Some(newest) = newest
        {
            self.leave_a_partial(newest);
        }
        for timeline in self.histories.keys().copied().collect::<Vec<_>>() {
            let history = self.histories.get_mut(&timeline).unwrap();
            match self.dice.below(16) {
                0 => drop(self.histories.remove(&timeline)),
                1 => history.state = HistoryState::Garbage,
                2 => history.state = HistoryState::Undecodable,
                _ => {}
            }
        }
    }

    fn empty(&mut self, id: (u32, u64)) {
        let slot = self.wals.get_mut(&id).unwrap();
        slot.values_mut().filter(|it| it.kind == Kind::Whole).for_each(|it| it.kind = Kind::Empty);
    }

    fn leave_a_partial(&mut self, id: (u32, u64)) {
        let slot = self.wals.get_mut(&id).unwrap();
        let whole = slot.iter().find(|(_, it)| it.kind == Kind::Whole);
        if let Some((suffix, stored)) = whole.map(|(suffix, it)| (suffix.clone(), *it)) {
            let mut partial = stored;
            partial.kind = Kind::Partial;
            slot.insert(format!(".partial{suffix}"), partial);
        }
    }

    fn store_twice(&mut self, id: (u32, u64)) {
        let suffix = [".bz2", ".gz", ".zst"][usize::try_from(self.dice.below(3)).unwrap()];
        let kind = if self.dice.below(2) == 0 { Kind::Empty } else { Kind::Whole };
        let slot = self.wals.get_mut(&id).unwrap();
        if slot.contains_key(suffix) {
            return;
        }
        let whole = slot.values().find(|it| it.kind == Kind::Whole);
        if let Some(mut stored) = whole.copied() {
            stored.kind = kind;
            slot.insert(suffix.to_owned(), stored);
        }
    }
}
