//! What is not listed any more, and was once.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::timeline::TimelineId;
use crate::ledger::Ledger;
use crate::ledger::ListedOnce;
use crate::observation::Observation;
use crate::observation::content::Gone;
use crate::observation::content::GoneObject;

/// Finished base backups and history files, as listings of everything showed them.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    /// `None` while the ledger cannot be read: then nothing is told, and nothing in it is replaced.
    once: Option<BTreeMap<String, ListedOnce>>,
    gone: Vec<GoneObject>,
}

/// Nobody keeps backups for longer than this and wants to hear of one that is gone.
const REMEMBERED_MAX: TimeDelta = TimeDelta::days(400);

/// A bound, far beyond what is kept in practice.
const GONE_MAX: usize = 1_000;

impl Listed {
    pub(super) fn load(ledger: &Ledger, archive: &str) -> Self {
        // What is gone is told after the first listing.
        Self { once: ledger.listed(archive), gone: Vec::new() }
    }

    pub(super) const fn is_unread(&self) -> bool {
        self.once.is_none()
    }

    pub(super) fn gone(&self) -> &[GoneObject] {
        &self.gone
    }

    /// Takes over a listing of everything; the answer is what there is to be remembered.
    pub(super) fn note(&mut self, seen: &Observation) -> Option<BTreeMap<String, ListedOnce>> {
        let present = self.present(seen)?;
        let (now, once) = (seen.began_at, self.once.as_mut()?);
        for (name, dated) in &present {
            let known = once.entry(name.clone());
            let known = known.or_insert(ListedOnce { dated: *dated, last_seen_at: now });
            known.last_seen_at = now;
        }
        once.retain(|name, it| {
            let absent = now.signed_duration_since(it.last_seen_at);
            present.contains_key(name) || absent < REMEMBERED_MAX
        });
        let absent = once.iter().filter(|(name, _)| !present.contains_key(*name));
        let gone = absent.filter_map(|(name, ListedOnce { dated, last_seen_at })| {
            let (dated, last_seen_at) = (*dated, *last_seen_at);
            Some(GoneObject { what: parse(name)?, dated, last_seen_at })
        });
        self.gone = gone.take(GONE_MAX).collect();
        self.once.clone()
    }

    /// Forgets what is gone but for these: retention, or whoever answers for it, has had it deleted.
    pub(super) fn keep_gone(&mut self, lost: &[Gone]) {
        let (kept, forgotten): (Vec<GoneObject>, Vec<GoneObject>) =
            self.gone.drain(..).partition(|it| lost.contains(&it.what));
        self.gone = kept;
        for object in forgotten {
            if let Some(once) = &mut self.once {
                once.remove(&name_of(&object.what));
            }
        }
    }

    /// What is there of what is worth remembering; `None` where the lists could not be read.
    fn present(&self, seen: &Observation) -> Option<BTreeMap<String, DateTime<Utc>>> {
        let mut present = BTreeMap::new();
        for backup in seen.backups.as_ref().ok()? {
            let name = name_of(&Gone::Backup(backup.id.clone()));
            let info = backup.parsed_info();
            let done = info.filter(|info| info.status == BackupStatus::Done && !info.is_snapshot);
            let ended_at = done.and_then(|info| info.ended_at);
            // One that cannot be read now is there all the same.
            let known = || self.once.as_ref()?.get(&name).map(|it| it.dated);
            if let Some(ended_at) = ended_at.or_else(known) {
                present.insert(name, ended_at);
            }
        }
        for timeline in seen.histories.keys() {
            present.insert(name_of(&Gone::History(*timeline)), seen.began_at);
        }
        Some(present)
    }
}

const HISTORY: &str = ".history";

fn name_of(gone: &Gone) -> String {
    match gone {
        Gone::Backup(id) => id.to_string(),
        Gone::History(timeline) => format!("{:08X}{HISTORY}", timeline.value()),
    }
}

fn parse(name: &str) -> Option<Gone> {
    match name.strip_suffix(HISTORY) {
        Some(timeline) => {
            let number = u32::from_str_radix(timeline, 16).ok()?;
            TimelineId::new(number).map(Gone::History)
        }
        None => BackupId::parse(name).ok().map(Gone::Backup),
    }
}
