//! What the program says of it, held against recovery.

use chrono::TimeDelta;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::RecoveryWindow;
use cnpg_backup_verifier::assessment::TimeSource;
use cnpg_backup_verifier::assessment::plan::Restore;
use cnpg_backup_verifier::assessment::plan::RestorePlan;
use cnpg_backup_verifier::assessment::plan::Stop;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::recovery_target::Target;

use crate::oracle::wide::recovery::Recovered;
use crate::oracle::wide::recovery::Replayed;
use crate::oracle::wide::scenario::moment;
use crate::oracle::wide::scenario::name;
use crate::oracle::wide::world::BackupState;
use crate::oracle::wide::world::HistoryState;
use crate::oracle::wide::world::Kind;
use crate::oracle::wide::world::Second;
use crate::oracle::wide::world::Taken;
use crate::oracle::wide::world::World;

/// The grace of a scenario.
const GRACE: Second = 600;

pub(in crate::oracle) fn disagreement(world: &World) -> Option<String> {
    let said = world.assess();
    world
        .wrong_usable(&said)
        .or_else(|| world.wrong_window(&said))
        .or_else(|| world.wrong_newest(&said))
        .or_else(|| world.wrong_verdict(&said))
        .or_else(|| world.wrong_latest(&said))
        .or_else(|| world.wrong_moment(&said))
}

impl World {
    /// Whether what is left shows which timeline lives.
    pub(in crate::oracle) fn tells_who_lives(&self) -> bool {
        let living = self.branch(self.living);
        let history = self.histories.get(&living.timeline);
        let left_traces = living.timeline == 1
            || self.wals.keys().any(|(timeline, _)| *timeline == living.timeline)
            || history.is_some();
        let others = (0..self.branches.len()).filter(|it| *it != self.living);
        let others = others.filter(|it| self.branch(*it).system == living.system);
        // Who left an object of no bytes nobody can tell, nor what lies behind the first of two.
        let behind = self
            .newest()
            .and_then(|(it, number)| self.wals.range((it, number + 1)..(it + 1, 0)).next());
        let is_blurred = behind.is_some_and(|(_, slot)| {
            1 < slot.len() || slot.values().any(|it| it.kind == Kind::Empty)
        });
        // Nor whether an old server's late uploads are the new one's, whose WAL may have grown together with
        // what the old one left.
        let is_blurred = is_blurred || self.is_made_anew && !self.is_told;
        left_traces
            && !is_blurred
            && (self.is_told || others.into_iter().all(|it| self.is_outlived(it)))
    }

    fn is_outlived(&self, other: usize) -> bool {
        let (ours, theirs) = (self.branch(self.living), self.branch(other));
        let parted = (0..).find(|it| {
            self.branch_at(self.living, *it) != self.branch_at(other, *it) || 10_000 < *it
        });
        let parted = parted.unwrap();
        let newest = |branch: usize| {
            let slots = self.wals.values().flat_map(|slot| slot.values());
            let own = slots.filter(|it| {
                it.kind != Kind::Partial
                    && parted <= it.content.number
                    && self.branch_at(branch, it.content.number) == it.content.branch
            });
            own.map(|it| it.at).max()
        };
        let (newest, of_other) = (newest(self.living).unwrap_or(0), newest(other).unwrap_or(0));
        if theirs.timeline < ours.timeline {
            return of_other <= newest;
        }
        let of_other = of_other.max(theirs.since);
        let began = |it: &&Taken| it.branch == self.living && parted <= it.first;
        of_other + GRACE < newest || self.backups.iter().filter(began).any(|it| of_other < it.began)
    }

    fn taken(&self, id: &str) -> &Taken {
        self.backups.iter().find(|it| it.id() == id).unwrap()
    }

    fn is_of_living(&self, taken: &Taken) -> bool {
        self.branch(taken.branch).system == self.branch(self.living).system
    }

    /// Every backup is usable that some target makes so.
    fn wrong_usable(&self, said: &Assessment) -> Option<String> {
        self.backups.iter().find_map(|taken| {
            let targets = self.targets(taken);
            let is_usable = targets.into_iter().any(|it| self.recover(taken, it).is_some());
            let told = said.backups.iter().find(|it| it.id.as_str() == taken.id()).unwrap();
            (told.is_usable() != is_usable)
                .then(|| format!("{} usable: {is_usable}, said {:?}", taken.id(), told.unusable))
        })
    }

    /// Recovery by the words of a window ends at its last segment.
    fn wrong_window(&self, said: &Assessment) -> Option<String> {
        said.windows.iter().find_map(|window| {
            let (taken, target) = self.words_of(window);
            let recovered = self.recover(taken, target);
            let last = recovered.as_ref().map(|it| name(it.reached.0, it.reached.1));
            let told = (window.backup_id.as_str(), target, window.last.segment);
            let told_last = window.last.segment.to_string();
            if last.as_deref() != Some(told_last.as_str()) {
                return Some(format!("window {told:?} ends at {last:?}"));
            }
            if recovered?.is_fatal && !window.ends_at_misfit {
                return Some(format!("window {told:?} ends before an object of the wrong size"));
            }
            let last = window.last.at - TimeDelta::microseconds(1);
            let is_span = window.last.source == TimeSource::Commit && window.first.at <= last;
            if window.last.source == TimeSource::Upload {
                return Some(format!("window {told:?} is not opened: {:?}", window.last));
            }
            let bad = [window.first.at, last].into_iter().filter(|_| is_span).find(|at| {
                let at = (*at - moment(0)).num_seconds();
                self.recover(taken, target).unwrap().stop_at(taken, at).is_none()
            });
            bad.map(|at| format!("window {told:?} promises {at}"))
        })
    }

    fn words_of(&self, window: &RecoveryWindow) -> (&Taken, u32) {
        let taken = self.taken(window.backup_id.as_str());
        let told = window.target_timeline.map(|it| it.value());
        (taken, told.unwrap_or_else(|| self.default_target(taken)))
    }

    fn wrong_newest(&self, said: &Assessment) -> Option<String> {
        let (timeline, number) = self.newest()?;
        if said.verdict == Verdict::Unrecoverable {
            return None;
        }
        let newest = name(timeline, number);
        let told = said.newest_segment.map(|it| it.name.to_string());
        (told.as_deref() != Some(&newest)).then(|| format!("newest {newest}, said {told:?}"))
    }

    fn reaches(&self, taken: &Taken, target: u32) -> bool {
        let recovered = self.recover(taken, target).filter(|it| !it.is_fatal);
        recovered.map(|it| it.reached) == self.newest()
    }

    fn wrong_verdict(&self, said: &Assessment) -> Option<String> {
        let own = || self.backups.iter().filter(|it| self.is_of_living(it));
        let mut newest_first: Vec<&Taken> = own().collect();
        newest_first.sort_by_key(|it| -it.ended);
        let best = newest_first
            .into_iter()
            .find(|it| self.targets(it).into_iter().any(|target| self.reaches(it, target)));
        let Some(best) = best else {
            return (said.verdict != Verdict::Unrecoverable)
                .then(|| format!("{:?}, and nothing reaches {:?}", said.verdict, self.newest()));
        };
        let newest = &self.wals[&self.newest().unwrap()];
        let is_led_there = self.reaches(best, self.default_target(best))
            && newest.values().all(|it| it.kind != Kind::Partial);
        match said.verdict {
            Verdict::Recoverable if !is_led_there => Some("default recovery is misled".to_owned()),
            Verdict::AtRisk if self.is_whole() => {
                let told: Vec<String> =
                    said.findings.iter().map(|it| it.problem.to_string()).collect();
                Some(format!("nothing is wrong, and said is: {}", told.join("; ")))
            }
            Verdict::Unrecoverable | Verdict::Unknown => {
                Some(format!("{:?}, and {:?} is reached", said.verdict, self.newest()))
            }
            Verdict::Recoverable | Verdict::AtRisk => None,
        }
    }

    /// Nobody needs to be told of anything.
    fn is_whole(&self) -> bool {
        let is_led = |taken: &Taken| {
            if self.is_of_living(taken) {
                self.reaches(taken, self.default_target(taken))
            } else {
                // Up to the last segment of its server.
                let recovered = self.recover(taken, self.default_target(taken));
                let system = self.branch(taken.branch).system;
                let slots = self.wals.values().flat_map(|slot| slot.values());
                let own = slots.filter(|it| self.branch(it.content.branch).system == system);
                let last = own.map(|it| it.content.number).max();
                recovered.is_some_and(|it| Some(it.reached.1) == last)
            }
        };
        let forks = self.branches.iter().filter(|it| 1 < it.timeline).count();
        let is_any_late = self.branches.iter().any(|it| it.line.len() == 1 && 0 < it.since);
        let is_right = |it: &Taken| match it.state {
            BackupState::Done => is_led(it),
            BackupState::Running => true,
            BackupState::Failed | BackupState::WithoutTars => false,
        };
        !self.is_made_anew
            && self.backups.iter().all(is_right)
            && self.histories.len() == forks
            && self.histories.values().all(|it| it.state == HistoryState::Good)
            && self.wals.values().all(|slot| slot.len() == 1)
            && (!is_any_late || forks == 0)
    }

    fn wrong_latest(&self, said: &Assessment) -> Option<String> {
        match RestorePlan::new(said, Target::Latest) {
            RestorePlan::Reachable(restore) => {
                let (taken, target) = self.words_of(&restore.window);
                (!self.reaches(taken, target))
                    .then(|| format!("latest from {} with {target}", taken.id()))
            }
            RestorePlan::Unknown(doubt) => Some(format!("latest: {doubt}")),
            RestorePlan::NotReachable(_) => None,
        }
    }

    fn wrong_moment(&self, said: &Assessment) -> Option<String> {
        let (living, timeline) = (self.of_living(), self.branch(self.living).timeline);
        let has_lost_its_way = 1 < timeline
            && self.histories.get(&timeline).is_none_or(|it| it.state != HistoryState::Good);
        if has_lost_its_way {
            return None;
        }
        let mut ways: Vec<(&Taken, u32, Recovered)> = Vec::new();
        for taken in self.backups.iter().filter(|it| self.is_of_living(it)) {
            let mut targets = self.targets(taken);
            targets.sort_unstable();
            targets.dedup();
            let way = |target| Some((taken, target, self.recover(taken, target)?));
            ways.extend(targets.into_iter().filter_map(way));
        }
        let mut moments: Vec<Second> = Vec::new();
        for slot in self.wals.values() {
            let commits = slot.values().filter_map(|it| it.content.commit);
            moments.extend(commits.flat_map(|it| [it.at - 1, it.at]));
        }
        moments.sort_unstable();
        moments.dedup();
        moments.into_iter().find_map(|at| {
            // Before its end a backup is at best what it is then. Of branches that were left not every
            // moment is offered.
            let ways =
                ways.iter().filter(|(taken, target, _)| *target == timeline && taken.ended <= at);
            let states = ways.filter_map(|(taken, _, it)| it.stop_at(taken, at)).collect();
            let right = living.iter().rev().find(|it| it.at <= at);
            self.wrong_plan(said, at, &Truth { states, right })
        })
    }

    fn wrong_plan(&self, said: &Assessment, at: Second, truth: &Truth<'_>) -> Option<String> {
        let told = moment(at);
        match RestorePlan::new(said, Target::At(told)) {
            RestorePlan::Reachable(restore) => self.wrong_restore(&restore, at).or_else(|| {
                let (taken, target) = self.words_of(&restore.window);
                let state = self.recover(taken, target)?.stop_at(taken, at)?;
                let is_edge = restore.window.first.at == told;
                if is_edge || !self.is_of_living(taken) || truth.is_living(state) {
                    return None;
                }
                if truth.states.iter().any(|it| truth.is_living(*it)) {
                    return Some(format!(
                        "{told}: a branch that was left, and the living one has it"
                    ));
                }
                restore
                    .left
                    .is_none()
                    .then(|| format!("{told}: of a branch that was left, silently"))
            }),
            RestorePlan::NotReachable(why) if !truth.states.is_empty() => {
                Some(format!("{told}: not reachable ({}), and it is", why.why))
            }
            RestorePlan::Unknown(doubt) => Some(format!("{told}: {doubt}")),
            RestorePlan::NotReachable(_) => None,
        }
    }

    fn wrong_restore(&self, restore: &Restore, at: Second) -> Option<String> {
        let (taken, target) = self.words_of(&restore.window);
        let told = format!("{} from {} with {target}", moment(at), taken.id());
        let Some(recovered) = self.recover(taken, target) else { return Some(told) };
        if recovered.is_fatal != restore.needs_prefetch_off {
            return Some(format!("{told}: prefetch"));
        }
        let is_right = match restore.stop {
            Stop::At(_) => recovered.stop_at(taken, at).is_some(),
            // The last transaction, without a target.
            Stop::Never => !recovered.is_fatal && self.reaches(taken, target),
            Stop::Lsn(_) | Stop::RestorePoint(_) | Stop::Consistent => false,
        };
        (!is_right).then_some(told)
    }
}

/// What recoveries of the living server come to that are told to stop at a moment.
struct Truth<'a> {
    /// The last transaction of each.
    states: Vec<Option<Replayed>>,
    /// The last one of the living branch.
    right: Option<&'a Replayed>,
}

impl Truth<'_> {
    /// Before the first transaction nobody can tell states apart.
    fn is_living(&self, state: Option<Replayed>) -> bool {
        state.is_none() || state.as_ref() == self.right
    }
}
