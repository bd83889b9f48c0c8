//! A second, deliberately simple judge: it replays random archives segment by segment, as
//! `StartupXLOG` and `XLogFileReadAnyTLI` go, and the program has to agree.
//!
//! `BACKUP_VERIFIER_ORACLE_SEED` draws from another seed on, `BACKUP_VERIFIER_ORACLE_ARCHIVES` more
//! or fewer archives. A seed that fails prints its archive in the language of the scenarios.

mod life;
mod replay;
mod verdicts;
mod wide;

use std::env;
use std::panic;

use crate::oracle::life::Life;
use crate::oracle::verdicts::disagreement;
use crate::oracle::wide::World;

/// As many as a few seconds allow in a debug build.
const ARCHIVES: u64 = 4_000;

#[test]
fn a_plain_replay_agrees_with_what_is_said_of_random_archives() {
    let from = setting("BACKUP_VERIFIER_ORACLE_SEED").unwrap_or(1);
    let count = setting("BACKUP_VERIFIER_ORACLE_ARCHIVES").unwrap_or(ARCHIVES);
    let mut wrong = Vec::new();
    let mut judged = 0_u64;
    for seed in from..from + count {
        let life = Life::of(seed);
        if !life.tells_who_lives() {
            continue;
        }
        judged += 1;
        let found = panic::catch_unwind(|| disagreement(&life));
        let found = found.unwrap_or_else(|_| Some("it panicked".to_owned()));
        wrong.extend(found.map(|why| format!("seed {seed}: {why}\n{}", life.scenario())));
    }
    assert!(count / 2 < judged, "only {judged} of {count} archives can be judged");
    let shown: Vec<&str> = wrong.iter().take(5).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {judged} wrong\n{}", wrong.len(), shown.join("\n"));
}

#[test]
fn a_plain_replay_agrees_with_what_is_said_of_archives_of_many_hands() {
    let from = setting("BACKUP_VERIFIER_ORACLE_SEED").unwrap_or(1);
    let count = setting("BACKUP_VERIFIER_ORACLE_ARCHIVES").unwrap_or(ARCHIVES / 4);
    let mut wrong = Vec::new();
    let mut judged = 0_u64;
    for seed in from..from + count {
        let world = World::of(seed);
        if !world.tells_who_lives() {
            continue;
        }
        judged += 1;
        let found = panic::catch_unwind(|| wide::disagreement(&world));
        let found = found.unwrap_or_else(|_| Some("it panicked".to_owned()));
        wrong.extend(found.map(|why| format!("seed {seed}: {why}\n{}", world.scenario())));
    }
    let reasons: String =
        wrong.iter().map(|it| it.lines().next().unwrap().to_owned() + "\n").collect();
    assert!(count / 2 < judged, "only {judged} of {count} archives can be judged");
    let shown: Vec<&str> = wrong.iter().take(5).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {judged} wrong\n{reasons}\n{}", wrong.len(), shown.join("\n"));
}

/// Seeds of archives that were once told wrongly, each for a reason of its own.
const MENDED: [u64; 11] =
    [571, 877, 3_945, 5_492, 5_624, 5_832, 7_520, 7_882, 11_394, 21_455, 22_184];

#[test]
fn a_plain_replay_agrees_with_what_is_said_of_archives_that_were_once_told_wrongly() {
    for seed in MENDED {
        let world = World::of(seed);
        assert!(world.tells_who_lives(), "seed {seed}");
        let found = wide::disagreement(&world);
        assert_eq!(found, None, "seed {seed}\n{}", world.scenario());
    }
}

fn setting(name: &str) -> Option<u64> {
    env::var_os(name).map(|text| text.to_str().unwrap().parse().unwrap())
}
