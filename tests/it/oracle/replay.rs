//! Recovery, one segment after the other.

use crate::oracle::life::History;
use crate::oracle::life::Life;
use crate::oracle::life::Taken;

/// A timeline that recovery follows, and the segment that holds its beginning.
type Expected = (u32, u64);

impl Life {
    /// Where recovery aims unless told otherwise (`findNewestTimeLine`).
    pub(super) fn default_target(&self, backup: &Taken) -> u32 {
        let mut target = backup.timeline;
        while self.histories.contains_key(&(target + 1)) {
            target += 1;
        }
        target
    }

    /// Every timeline that recovery of a backup can be told.
    pub(super) fn targets(&self, backup: &Taken) -> Vec<u32> {
        let mut targets = vec![self.default_target(backup), 1];
        targets.extend(self.histories.keys());
        targets
    }

    /// The last segment that recovery replays rightly; nothing where PostgreSQL refuses to start, or
    /// the backup never becomes consistent.
    pub(super) fn recover(&self, backup: &Taken, target: u32) -> Option<(u32, u64)> {
        let expected = self.expected(backup, target)?;
        let (mut reached, mut current) = (None, 0);
        for number in backup.first.. {
            let file = self.read_any(&expected, number, current);
            // What another timeline holds under that number is not what belongs there.
            let right = expected.iter().find(|(_, begin)| *begin <= number)?.0;
            match file {
                Some(timeline) if timeline == right => {
                    current = timeline;
                    reached = Some((timeline, number));
                }
                Some(_) | None => break,
            }
        }
        reached.filter(|(_, number)| backup.last <= *number)
    }

    /// `readTimeLineHistory`, newest first, and what `InitWalRecovery` demands of it.
    fn expected(&self, backup: &Taken, target: u32) -> Option<Vec<Expected>> {
        let is_default = target == self.default_target(backup);
        let line: Vec<(u32, u64, u64)> = match self.histories.get(&target) {
            _ if target == 1 => vec![(1, 0, u64::MAX)],
            Some(History::Stored) => self.line(target),
            Some(History::Garbage) => return None,
            None if is_default => vec![(target, 0, u64::MAX)],
            None => return None,
        };
        let is_child = line.iter().any(|(timeline, first, end)| {
            *timeline == backup.timeline && *first <= backup.first && backup.last < *end
        });
        is_child.then(|| line.iter().map(|(timeline, first, _)| (*timeline, *first)).collect())
    }

    /// `XLogFileReadAnyTLI`: the newest timeline that had begun by then and has the file, and none
    /// before the one that was read last.
    fn read_any(&self, expected: &[Expected], number: u64, current: u32) -> Option<u32> {
        let begun = expected.iter().filter(|(_, begin)| *begin <= number);
        begun.map(|(timeline, _)| *timeline).take_while(|timeline| current <= *timeline).find(
            |it| self.segments.contains_key(&(*it, number)) && !self.empty.contains(&(*it, number)),
        )
    }
}
