//! Decides what each look at an archive asks of the store.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;
use tokio::time::Instant;

use crate::assessment::wants::LateWal;
use crate::assessment::wants::Wants;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::service::pace::Pace;
use crate::sources::archive::Listing;

/// When what was listed last, and what is awaited.
#[derive(Debug)]
pub(super) struct Agenda {
    pace: Pace,
    /// Nobody bills what a directory is asked.
    is_free: bool,
    everything: Option<Complete>,
    wals_at: Option<Instant>,
    backups_at: Option<Instant>,
    folders_at: Option<Instant>,
    has_failed: bool,
    wants: Wants,
    /// Which part of the first interval between two complete listings is left out, so that those
    /// of a fleet that started together do not fall together.
    head_start: f64,
}

#[derive(Clone, Copy, Debug)]
struct Complete {
    at: Instant,
    is_first: bool,
}

/// The first complete listing after the start is due after half of the interval at the earliest.
const HEAD_START_MAX: f64 = 0.5;

impl Agenda {
    /// `address` is `None` for a cluster without an archive.
    pub(super) fn new(pace: Pace, address: Option<&ArchiveAddress>) -> Self {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        let [byte, ..] = hasher.finish().to_le_bytes();
        Self {
            pace,
            is_free: address.is_some_and(|it| matches!(it.store, StoreAddress::Directory(_))),
            everything: None,
            wals_at: None,
            backups_at: None,
            folders_at: None,
            has_failed: false,
            wants: Wants::default(),
            head_start: HEAD_START_MAX * f64::from(byte) / f64::from(u8::MAX),
        }
    }

    pub(super) const fn looks_every(&self) -> Duration {
        self.pace.looks_every
    }

    /// At most one LIST of a page, but for [`Listing::Complete`] and [`Listing::Incremental`].
    /// Until `told_until` a backup is looked for that others tell of.
    pub(super) fn next(&self, told_until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Listing {
        if self.is_complete_due() {
            return Listing::Complete;
        }
        if self.is_free || self.has_failed {
            return Listing::Incremental;
        }
        let (pace, mut wants) = (&self.pace, self.wants);
        if told_until.is_some_and(|until| now < until) {
            wants.backup_from = Some(now);
        }
        let Some(backups_every) = pace.backups_every(&wants, now) else {
            return Listing::Incremental;
        };
        let wals_every = match wants {
            Wants { segment_until: Some(until), .. } if now <= until => Duration::ZERO,
            Wants { late_wal: Some(LateWal { from, every }), .. } if from <= now => {
                every.to_std().unwrap_or_default().min(pace.wals_every)
            }
            Wants { .. } => pace.wals_every,
        };
        let lists = [
            (self.wals_at, wals_every, Listing::Wal),
            (self.backups_at, backups_every, Listing::Backups),
            (self.folders_at, pace.folders_every, Listing::Folders),
        ];
        let due = lists
            .into_iter()
            .filter(|(at, every, _)| at.is_none_or(|at| *every <= at.elapsed()))
            // What waited longest, so that a list due at every look leaves room for the others.
            .min_by_key(|(at, ..)| *at);
        due.map_or(Listing::NextSegment, |(_, _, listing)| listing)
    }

    /// Notes a look that left something unread.
    pub(super) const fn note_failure(&mut self) {
        self.has_failed = true;
    }

    /// Notes a look that missed nothing, and what it makes us wait for.
    pub(super) fn note(&mut self, listing: Listing, began_at: Instant, wants: Wants) {
        (self.has_failed, self.wants) = (false, wants);
        let at = Some(began_at);
        match listing {
            Listing::Complete => {
                let is_first = self.everything.is_none();
                self.everything = Some(Complete { at: began_at, is_first });
                (self.wals_at, self.backups_at, self.folders_at) = (at, at, at);
            }
            Listing::Incremental => (self.wals_at, self.backups_at) = (at, at),
            Listing::Wal => self.wals_at = at,
            Listing::Backups => self.backups_at = at,
            Listing::Folders => self.folders_at = at,
            Listing::NextSegment => {}
        }
    }

    fn is_complete_due(&self) -> bool {
        let every = self.pace.complete_every;
        self.everything.is_none_or(|Complete { at, is_first }| {
            let head_start = if is_first { every.mul_f64(self.head_start) } else { Duration::ZERO };
            every.saturating_sub(head_start) <= at.elapsed()
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::config::Polling;

    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: Duration = Duration::from_hours(24);

    fn agenda(polling: Polling) -> Agenda {
        let store = StoreAddress::S3 {
            bucket: "cnpg".to_owned(),
            endpoint_url: None,
            region: "auto".to_owned(),
        };
        agenda_of(polling, store)
    }

    fn agenda_of(polling: Polling, store: StoreAddress) -> Agenda {
        let address = ArchiveAddress { store, prefix: String::new(), server_name: "pg".to_owned() };
        Agenda::new(Pace::new(polling, MINUTE, DAY), Some(&address))
    }

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// What the polls of some minutes ask for, one letter each.
    async fn play(agenda: &mut Agenda, minutes: usize, wants: Wants) -> String {
        let mut asked = String::new();
        for _ in 0..minutes {
            let listing = agenda.next(None, NOW);
            agenda.note(listing, Instant::now(), wants);
            asked.push(match listing {
                Listing::Complete => 'C',
                Listing::Incremental => 'i',
                Listing::Wal => 'w',
                Listing::Backups => 'b',
                Listing::Folders => 'f',
                Listing::NextSegment => '.',
            });
            tokio::time::advance(MINUTE).await;
        }
        asked
    }

    #[tokio::test(start_paused = true)]
    async fn each_tier_lists_at_its_own_beat_and_one_thing_at_a_time() {
        let asked = play(&mut agenda(Polling::List), 23, Wants::default()).await;
        assert_eq!(asked, "Cwwwwwwwwwbwwwwwwwwwbww");
        let asked = play(&mut agenda(Polling::Head), 64, Wants::default()).await;
        let expected = "C.........wb........wb........wb........wb........wb........fwb.";
        assert_eq!(asked, expected);
        let asked = play(&mut agenda(Polling::Frugal), 600, Wants::default()).await;
        let count = |letter| asked.chars().filter(|it| *it == letter).count();
        assert_eq!(['C', 'i', 'w', 'b', 'f'].map(count), [1, 0, 9, 9, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_awaited_is_listed_before_its_time() {
        let late_wal = Some(LateWal { from: NOW, every: TimeDelta::minutes(4) });
        let late = Wants { late_wal, ..Wants::default() };
        assert_eq!(play(&mut agenda(Polling::Frugal), 10, late).await, "C...w...w.");
        let awaited = Wants { segment_until: Some(NOW), ..Wants::default() };
        let asked = play(&mut agenda(Polling::Head), 14, awaited).await;
        assert_eq!(asked, "Cwwwwwwwwwbwww");
        let running = Wants { is_backup_running: true, ..Wants::default() };
        let asked = play(&mut agenda(Polling::Frugal), 25, running).await;
        assert_eq!(asked, "C.........b.........b....");
        let asked = play(&mut agenda(Polling::List), 6, running).await;
        assert_eq!(asked, "Cwbwbw");
    }

    #[tokio::test(start_paused = true)]
    async fn a_backup_that_would_help_is_looked_for() {
        let broken = Wants { backup_from: Some(NOW), ..Wants::default() };
        assert_eq!(play(&mut agenda(Polling::List), 4, broken).await, "Ciii");
        assert_eq!(play(&mut agenda(Polling::Frugal), 22, broken).await, "C.........b.........b.");
        let mut agenda = agenda(Polling::List);
        agenda.note(Listing::Complete, Instant::now(), Wants::default());
        assert_eq!(agenda.next(None, NOW), Listing::Wal);
        assert_eq!(agenda.next(Some(NOW + TimeDelta::seconds(1)), NOW), Listing::Incremental);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_awaited_before_or_after_its_time() {
        let (before, later) =
            (Some(NOW - TimeDelta::seconds(1)), Some(NOW + TimeDelta::seconds(1)));
        let every = TimeDelta::minutes(1);
        let late_wal = later.map(|from| LateWal { from, every });
        let wants =
            Wants { late_wal, segment_until: before, backup_from: later, ..Wants::default() };
        assert_eq!(play(&mut agenda(Polling::Head), 11, wants).await, "C.........w");
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_rarer_than_the_beat_lists_both_in_turn() {
        let mut agenda = agenda(Polling::List);
        agenda.note(Listing::Complete, Instant::now(), Wants::default());
        let mut asked = Vec::new();
        for _ in 0..4 {
            tokio::time::advance(Duration::from_hours(1)).await;
            let listing = agenda.next(None, NOW);
            agenda.note(listing, Instant::now(), Wants::default());
            asked.push(listing);
        }
        assert_eq!(asked, [Listing::Wal, Listing::Backups, Listing::Wal, Listing::Backups]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_is_listed_at_every_poll() {
        let store = StoreAddress::Directory("/backups".to_owned());
        let mut agenda = agenda_of(Polling::List, store);
        assert_eq!(play(&mut agenda, 4, Wants::default()).await, "Ciii");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_both_lists_are_read() {
        let mut agenda = agenda(Polling::Frugal);
        agenda.note(Listing::Complete, Instant::now(), Wants::default());
        agenda.note_failure();
        assert_eq!(agenda.next(None, NOW), Listing::Incremental);
        agenda.note(Listing::Incremental, Instant::now(), Wants::default());
        assert_eq!(agenda.next(None, NOW), Listing::NextSegment);
    }

    #[tokio::test(start_paused = true)]
    async fn complete_listings_keep_their_interval_after_a_head_start() {
        let mut agenda = agenda(Polling::List);
        let asked = play(&mut agenda, 4 * 24 * 60, Wants::default()).await;
        let at: Vec<usize> = asked.match_indices('C').map(|(at, _)| at).collect();
        let day = 24 * 60;
        assert!((day / 2..=day).contains(&at[1]), "{at:?}");
        assert_eq!([at[2] - at[1], at[3] - at[2]], [day, day], "{at:?}");
    }
}
