//! The timelines and servers of an archive, as its readers are told of them.

use std::collections::BTreeSet;

use crate::assessment::SystemState;
use crate::assessment::TimelineState;
use crate::assessment::archive::catalogue::Catalogue;
use crate::assessment::archive::recoverability::Recoverability;
use crate::domain::timeline::TimelineId;

/// The newest ones. Anybody with write access can leave a history file for each of four billion.
const TIMELINES_TOLD_MAX: usize = 32;

/// Those of the present server that left WAL or a history file, oldest first.
pub(super) fn timelines(recoverability: &Recoverability<'_>) -> Vec<TimelineState> {
    let Recoverability { living, timelines, .. } = recoverability;
    let known = timelines.with_wal().filter(|it| !timelines.is_stray(*it));
    let known: BTreeSet<TimelineId> = known.chain(timelines.listed()).collect();
    let living = living.as_ref();
    let state = |timeline| {
        let living = living.filter(|living| living.timeline == timeline);
        let signs = living.map(|living| living.signs.clone()).unwrap_or_default();
        TimelineState { timeline, is_living: living.is_some(), signs }
    };
    let spare = known.len().saturating_sub(TIMELINES_TOLD_MAX);
    let is_living = |timeline: TimelineId| living.is_some_and(|it| it.timeline == timeline);
    let told = known.into_iter().enumerate();
    let told = told.filter(|(index, timeline)| spare <= *index || is_living(*timeline));
    told.map(|(_, timeline)| state(timeline)).collect()
}

/// Those that finished a backup here, the present one last.
pub(super) fn systems(catalogue: &Catalogue<'_>) -> Vec<SystemState> {
    let owners = &catalogue.owners;
    let present = owners.system();
    let servers = owners.predecessors.iter().map(|it| it.system).chain(present);
    let backups = |system| {
        let infos = catalogue.backups.iter().filter_map(|(backup, _)| backup.parsed_info());
        infos.filter(|info| info.system_identifier == Some(system)).count()
    };
    servers
        .map(|system| SystemState {
            system,
            is_living: Some(system) == present,
            backups: backups(system),
        })
        .collect()
}
