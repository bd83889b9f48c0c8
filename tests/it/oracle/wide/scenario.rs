//! The archive in the language of the scenarios, and what opening its segments shows.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::assess_and_ask;
use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::observation::probe::DamagedSegment;
use cnpg_backup_verifier::observation::probe::SegmentContent;
use cnpg_backup_verifier::observation::probe::SegmentDamage;
use cnpg_backup_verifier::observation::probe::SegmentId;
use cnpg_backup_verifier::observation::probe::SegmentProbe;

use crate::oracle::wide::world::BackupState;
use crate::oracle::wide::world::END_OFFSET;
use crate::oracle::wide::world::HistoryState;
use crate::oracle::wide::world::Kind;
use crate::oracle::wide::world::SEGMENT;
use crate::oracle::wide::world::Second;
use crate::oracle::wide::world::Taken;
use crate::oracle::wide::world::World;
use crate::scenarios::file::Scenario;

/// No archive of this size asks for more rounds.
const ROUNDS: usize = 60;

pub(in crate::oracle) fn moment(second: Second) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2026-01-10T00:00:00Z".parse().unwrap();
    first + TimeDelta::seconds(second)
}

fn clock(second: Second) -> String {
    moment(second).format("%Y-%m-%d %H:%M:%S").to_string()
}

pub(in crate::oracle) fn name(timeline: u32, number: u64) -> String {
    format!("{timeline:08X}{:08X}{:08X}", number >> 8, number & 0xFF)
}

impl Taken {
    pub(in crate::oracle) fn id(&self) -> String {
        moment(self.began).format("%Y%m%dT%H%M%S").to_string()
    }
}

impl World {
    /// Everything is asked that the program would like to know.
    pub(in crate::oracle) fn assess(&self) -> Assessment {
        let scenario = Scenario::parse(&self.scenario(), Path::new("oracle"));
        let mut seen = scenario.observe();
        let mut opened: BTreeSet<SegmentId> = BTreeSet::new();
        for _ in 0..ROUNDS {
            let (said, questions) =
                assess_and_ask(&scenario.subject, &seen, &scenario.expectations, scenario.now);
            let wanted: Vec<SegmentId> =
                questions.segments.into_iter().filter(|it| opened.insert(*it)).collect();
            if wanted.is_empty() {
                return said;
            }
            for id in wanted {
                seen.probes.insert(id, Ok(self.open_segment(id)));
            }
        }
        panic!("it asks without an end");
    }

    fn open_segment(&self, id: SegmentId) -> SegmentProbe {
        let slot = &self.wals[&(id.timeline.value(), id.number.value())];
        let mut objects = slot.values().filter(|it| it.kind != Kind::Partial);
        let first = objects.next().unwrap();
        if first.kind == Kind::Empty {
            let damage = SegmentDamage::Truncated;
            return SegmentProbe::Damaged(DamagedSegment { damage, replayed: None, sound: None });
        }
        let commit = first.content.commit;
        let number = id.number.value();
        let ended = self.backups.iter().filter(|it| it.last == number);
        let mut newest_before: Vec<_> = ended
            .map(|it| {
                let before = commit.filter(|commit| commit.offset < END_OFFSET);
                (Lsn::new(it.last * SEGMENT + END_OFFSET), before.map(|it| moment(it.at)))
            })
            .collect();
        newest_before.dedup();
        SegmentProbe::Read(SegmentContent {
            system_identifier: self.branch(first.content.branch).system,
            newest_commit_at: commit.map(|it| moment(it.at)),
            newest_before,
        })
    }

    pub(in crate::oracle) fn scenario(&self) -> String {
        let mut text = format!("now {}\n", clock(self.now + 7_200));
        let living = self.branch(self.living);
        if self.is_told {
            writeln!(text, "cluster system {} timeline {}", living.system, living.timeline)
                .unwrap();
        }
        for ((timeline, number), slot) in &self.wals {
            let name = name(*timeline, *number);
            let folder = &name[..16];
            for (suffix, stored) in slot {
                let size = match stored.kind {
                    Kind::Empty => 0,
                    Kind::Whole | Kind::Partial if suffix.is_empty() => SEGMENT,
                    Kind::Whole | Kind::Partial => 100,
                };
                let at = clock(stored.at);
                let system = self.branch(stored.content.branch).system;
                writeln!(
                    text,
                    "# by {system}, commit {:?}",
                    stored.content.commit.map(|it| (clock(it.at), it.offset))
                )
                .unwrap();
                writeln!(text, "object wals/{folder}/{name}{suffix} {size} uploaded {at}").unwrap();
            }
        }
        for (timeline, history) in &self.histories {
            let ancestors = match history.state {
                HistoryState::Garbage => " malformed".to_owned(),
                HistoryState::Undecodable => " undecodable".to_owned(),
                HistoryState::Good => {
                    let ancestor = |(it, end): &(u32, u64)| format!(" {it}@{}", Lsn::new(*end));
                    history.ancestors.iter().map(ancestor).collect()
                }
            };
            writeln!(text, "history {timeline}{ancestors} uploaded {}", clock(history.at)).unwrap();
        }
        for taken in &self.backups {
            text += &self.backup(taken);
        }
        text
    }

    fn backup(&self, taken: &Taken) -> String {
        let Taken { first, last, is_standby, .. } = taken;
        let branch = self.branch(taken.branch);
        let (timeline, system, ended) = (branch.timeline, branch.system, clock(taken.ended));
        let standby = if *is_standby { " standby" } else { "" };
        let state = match taken.state {
            BackupState::Done => "",
            BackupState::Failed => " status FAILED",
            BackupState::WithoutTars => " tars none",
            BackupState::Running => {
                return format!("backup {} status STARTED system {system}\n", taken.id());
            }
        };
        format!(
            "backup {} wal {first:X}..{last:X} timeline {timeline} system {system}{standby}{state} \
             ended {ended}\n",
            taken.id()
        )
    }
}
