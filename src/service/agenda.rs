//! Decides what each poll of an archive asks of the store.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::time::Duration;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use tokio::time::Instant;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::config::Polling;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::sources::archive::Listing;

/// When what was listed last.
#[derive(Debug)]
pub(super) struct Agenda {
    polling: Polling,
    /// Nobody bills what a directory is asked.
    is_free: bool,
    everything: Option<Complete>,
    wals_at: Option<Instant>,
    backups_at: Option<Instant>,
    folders_at: Option<Instant>,
    has_failed: bool,
    /// Which part of the first interval between two complete listings is left out, so that those
    /// of a fleet that started together do not fall together.
    head_start: f64,
}

#[derive(Clone, Copy, Debug)]
struct Complete {
    at: Instant,
    is_first: bool,
}

/// What calls for a look before its time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    /// WAL that a backup needs seems to be gone.
    pub(super) has_lost_wal: bool,
    /// A missing segment may still be on its way.
    pub(super) awaits_segment: bool,
    pub(super) is_backup_running: bool,
    /// A new base backup would better the verdict, or is waited for.
    pub(super) would_backup_help: bool,
    /// Where no segment came for long: how soon `wals/` is to be listed.
    pub(super) late_every: Option<Duration>,
}

/// How often a tier lists what.
struct Beat {
    wals_every: Duration,
    backups_every: Duration,
    /// While a backup is running: its end is news that is waited for.
    running_backup_every: Duration,
    /// While a backup would help; `None` is both lists at every poll.
    helpful_backup_every: Option<Duration>,
    folders_every: Duration,
}

/// Somebody who waits for a backup to end looks this often.
const TEN_MINUTES: Duration = Duration::from_mins(10);

/// How long before the newest backup is too old `base/` is looked at more often: longer than the
/// ten minutes that a backup may be there unseen, so that it never counts as overdue.
const OVERDUE_SOON: TimeDelta = TimeDelta::minutes(15);

/// The first complete listing after the start is due after half of the interval at the earliest.
const HEAD_START_MAX: f64 = 0.5;

impl Beat {
    const fn of(polling: Polling) -> Self {
        match polling {
            Polling::List => Self {
                wals_every: Duration::ZERO,
                backups_every: TEN_MINUTES,
                running_backup_every: Duration::ZERO,
                helpful_backup_every: None,
                // The complete listings are closer together than this would be worth.
                folders_every: Duration::MAX,
            },
            Polling::Head => Self {
                wals_every: TEN_MINUTES,
                backups_every: TEN_MINUTES,
                running_backup_every: TEN_MINUTES,
                helpful_backup_every: Some(TEN_MINUTES),
                folders_every: Duration::from_hours(1),
            },
            Polling::Frugal => Self {
                wals_every: Duration::from_hours(1),
                backups_every: Duration::from_hours(1),
                running_backup_every: TEN_MINUTES,
                helpful_backup_every: Some(TEN_MINUTES),
                folders_every: Duration::from_hours(6),
            },
        }
    }

    /// `None` if `base/` is to be listed beside `wals/`.
    fn backups_every(&self, signs: Signs) -> Option<Duration> {
        let mut every = self.backups_every;
        if signs.is_backup_running {
            every = every.min(self.running_backup_every);
        }
        if signs.would_backup_help {
            every = every.min(self.helpful_backup_every?);
        }
        Some(every)
    }
}

/// Whether the newest state needs another backup, or the next one is about to be overdue.
pub(super) fn would_backup_help(
    latest: &Assessment,
    age_max: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> bool {
    let usable = latest.backups.iter().filter(|backup| backup.is_usable());
    let newest = usable.filter_map(|AssessedBackup { ended_at, .. }| *ended_at).max();
    let is_due = |age_max: TimeDelta| newest.is_none_or(|at| age_max - OVERDUE_SOON <= now - at);
    latest.latest_recoverable != Some(true) || age_max.is_some_and(is_due)
}

impl Agenda {
    pub(super) fn new(polling: Polling, address: &ArchiveAddress) -> Self {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        let [byte, ..] = hasher.finish().to_le_bytes();
        Self {
            polling,
            is_free: matches!(address.store, StoreAddress::Directory(_)),
            everything: None,
            wals_at: None,
            backups_at: None,
            folders_at: None,
            has_failed: false,
            head_start: HEAD_START_MAX * f64::from(byte) / f64::from(u8::MAX),
        }
    }

    /// At most one LIST of a page, but for [`Listing::Complete`] and [`Listing::Incremental`].
    pub(super) fn next(&self, complete_every: Duration, signs: Signs) -> Listing {
        if self.is_complete_due(complete_every) || signs.has_lost_wal {
            return Listing::Complete;
        }
        if self.is_free || self.has_failed {
            return Listing::Incremental;
        }
        let beat = Beat::of(self.polling);
        let Some(backups_every) = beat.backups_every(signs) else { return Listing::Incremental };
        let wals_every = match signs {
            Signs { awaits_segment: true, .. } => Duration::ZERO,
            Signs { late_every: Some(late_every), .. } => late_every.min(beat.wals_every),
            _ => beat.wals_every,
        };
        let lists = [
            (self.wals_at, wals_every, Listing::Wal),
            (self.backups_at, backups_every, Listing::Backups),
            (self.folders_at, beat.folders_every, Listing::Folders),
        ];
        let due = lists
            .into_iter()
            .filter(|(at, every, _)| at.is_none_or(|at| *every <= at.elapsed()))
            // What waited longest, so that a list due at every poll leaves room for the others.
            .min_by_key(|(at, ..)| *at);
        due.map_or(Listing::NextSegment, |(_, _, listing)| listing)
    }

    /// Notes a look that left something unread.
    pub(super) const fn note_failure(&mut self) {
        self.has_failed = true;
    }

    /// Notes a look that missed nothing.
    pub(super) fn note(&mut self, listing: Listing, began_at: Instant) {
        self.has_failed = false;
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

    fn is_complete_due(&self, every: Duration) -> bool {
        self.everything.is_none_or(|Complete { at, is_first }| {
            let head_start = if is_first { every.mul_f64(self.head_start) } else { Duration::ZERO };
            every.saturating_sub(head_start) <= at.elapsed()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::archive_id::StoreAddress;

    use super::*;

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
        Agenda::new(polling, &address)
    }

    /// What the polls of some minutes ask for, one letter each.
    async fn play(agenda: &mut Agenda, minutes: usize, signs: Signs) -> String {
        let mut asked = String::new();
        for _ in 0..minutes {
            let listing = agenda.next(DAY, signs);
            agenda.note(listing, Instant::now());
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
        let asked = play(&mut agenda(Polling::List), 23, Signs::default()).await;
        assert_eq!(asked, "Cwwwwwwwwwbwwwwwwwwwbww");
        let asked = play(&mut agenda(Polling::Head), 64, Signs::default()).await;
        let expected = "C.........wb........wb........wb........wb........wb........fwb.";
        assert_eq!(asked, expected);
        let asked = play(&mut agenda(Polling::Frugal), 600, Signs::default()).await;
        let count = |letter| asked.chars().filter(|it| *it == letter).count();
        assert_eq!(['C', 'i', 'w', 'b', 'f'].map(count), [1, 0, 9, 9, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn signs_call_for_a_list_before_its_time() {
        let late = Signs { late_every: Some(4 * MINUTE), ..Signs::default() };
        assert_eq!(play(&mut agenda(Polling::Frugal), 10, late).await, "C...w...w.");
        let awaited = Signs { awaits_segment: true, ..Signs::default() };
        let asked = play(&mut agenda(Polling::Head), 14, awaited).await;
        assert_eq!(asked, "Cwwwwwwwwwbwww");
        let running = Signs { is_backup_running: true, ..Signs::default() };
        let asked = play(&mut agenda(Polling::Frugal), 25, running).await;
        assert_eq!(asked, "C.........b.........b....");
        let asked = play(&mut agenda(Polling::List), 6, running).await;
        assert_eq!(asked, "Cwbwbw");
        let lost = Signs { has_lost_wal: true, ..Signs::default() };
        assert_eq!(play(&mut agenda(Polling::Head), 2, lost).await, "CC");
    }

    #[tokio::test(start_paused = true)]
    async fn a_backup_that_would_help_is_looked_for() {
        let broken = Signs { would_backup_help: true, ..Signs::default() };
        assert_eq!(play(&mut agenda(Polling::List), 4, broken).await, "Ciii");
        assert_eq!(play(&mut agenda(Polling::Frugal), 22, broken).await, "C.........b.........b.");
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_rarer_than_the_beat_lists_both_in_turn() {
        let mut agenda = agenda(Polling::List);
        agenda.note(Listing::Complete, Instant::now());
        let mut asked = Vec::new();
        for _ in 0..4 {
            tokio::time::advance(Duration::from_hours(1)).await;
            let listing = agenda.next(DAY, Signs::default());
            agenda.note(listing, Instant::now());
            asked.push(listing);
        }
        assert_eq!(asked, [Listing::Wal, Listing::Backups, Listing::Wal, Listing::Backups]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_is_listed_at_every_poll() {
        let store = StoreAddress::Directory("/backups".to_owned());
        let mut agenda = agenda_of(Polling::List, store);
        assert_eq!(play(&mut agenda, 4, Signs::default()).await, "Ciii");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_both_lists_are_read() {
        let mut agenda = agenda(Polling::Frugal);
        agenda.note(Listing::Complete, Instant::now());
        agenda.note_failure();
        assert_eq!(agenda.next(DAY, Signs::default()), Listing::Incremental);
        agenda.note(Listing::Incremental, Instant::now());
        assert_eq!(agenda.next(DAY, Signs::default()), Listing::NextSegment);
    }

    #[tokio::test(start_paused = true)]
    async fn complete_listings_keep_their_interval_after_a_head_start() {
        let mut agenda = agenda(Polling::List);
        let asked = play(&mut agenda, 4 * 24 * 60, Signs::default()).await;
        let at: Vec<usize> = asked.match_indices('C').map(|(at, _)| at).collect();
        let day = 24 * 60;
        assert!((day / 2..=day).contains(&at[1]), "{at:?}");
        assert_eq!([at[2] - at[1], at[3] - at[2]], [day, day], "{at:?}");
    }
}
