//! What the program says of an archive, held against the replay.

use std::path::Path;

use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::verdict::Verdict;

use crate::oracle::life::Life;
use crate::oracle::life::Taken;
use crate::scenarios::file::Scenario;

pub(super) fn disagreement(life: &Life) -> Option<String> {
    let scenario = Scenario::parse(&life.scenario(), Path::new("oracle"));
    let said = assess(&scenario.subject, &scenario.observe(), &scenario.expectations, scenario.now);
    wrong_usable(life, &said)
        .or_else(|| wrong_window(life, &said))
        .or_else(|| wrong_newest(life, &said))
        .or_else(|| wrong_verdict(life, &said))
}

/// Every backup is usable that some target makes so.
fn wrong_usable(life: &Life, said: &Assessment) -> Option<String> {
    life.backups.iter().find_map(|taken| {
        let id = Life::backup_id(taken);
        let is_usable =
            life.targets(taken).into_iter().any(|target| life.recover(taken, target).is_some());
        let told = said.backups.iter().find(|it| it.id.as_str() == id).unwrap();
        (told.is_usable() != is_usable).then(|| format!("{id} usable: {is_usable}"))
    })
}

/// Recovery by the words of a window ends at its last segment.
fn wrong_window(life: &Life, said: &Assessment) -> Option<String> {
    said.windows.iter().find_map(|window| {
        let taken = taken(life, window.backup_id.as_str());
        let told = window.target_timeline.map(|it| it.value());
        let target = told.unwrap_or_else(|| life.default_target(taken));
        let reached = life.recover(taken, target);
        let last = reached.map(|(timeline, number)| format!("{timeline:08X}00000000{number:08X}"));
        let is_right = last.as_deref() == Some(window.last.segment.to_string().as_str());
        let window = (window.backup_id.as_str(), told, window.last.segment);
        (!is_right).then(|| format!("window {window:?} ends at {last:?}"))
    })
}

fn wrong_newest(life: &Life, said: &Assessment) -> Option<String> {
    let (timeline, number) = life.newest()?;
    let newest = format!("{timeline:08X}00000000{number:08X}");
    let told = said.newest_segment.map(|it| it.name.to_string());
    (told.as_deref() != Some(&newest)).then(|| format!("newest {newest}, said {told:?}"))
}

fn wrong_verdict(life: &Life, said: &Assessment) -> Option<String> {
    let newest = life.newest();
    let reaches = |taken: &Taken, target| life.recover(taken, target) == newest;
    let is_reached =
        life.backups.iter().any(|it| life.targets(it).into_iter().any(|to| reaches(it, to)));
    if !is_reached {
        return (said.verdict != Verdict::Unrecoverable)
            .then(|| format!("{:?}, and nothing reaches {newest:?}", said.verdict));
    }
    // The newest backup that reaches it, by itself; and nothing is lost on the way from any.
    let mut backups = life.backups.iter().rev();
    let best = backups.find(|it| life.targets(it).into_iter().any(|to| reaches(it, to)))?;
    let is_led_there = reaches(best, life.default_target(best));
    let is_whole = life.backups.iter().all(|it| reaches(it, life.default_target(it)))
        && life.histories.len() == life.forks.len();
    match said.verdict {
        Verdict::Recoverable if !is_led_there => Some("default recovery is misled".to_owned()),
        Verdict::AtRisk if is_whole => {
            let told: Vec<String> = said.findings.iter().map(|it| it.problem.to_string()).collect();
            Some(format!("nothing is wrong, and said is: {}", told.join("; ")))
        }
        Verdict::Unrecoverable | Verdict::Unknown => {
            Some(format!("{:?}, and {newest:?} is reached", said.verdict))
        }
        Verdict::Recoverable | Verdict::AtRisk => None,
    }
}

fn taken<'a>(life: &'a Life, id: &str) -> &'a Taken {
    life.backups.iter().find(|it| Life::backup_id(it) == id).unwrap()
}
