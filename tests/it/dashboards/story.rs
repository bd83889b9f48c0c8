//! Thirty days of four archives, judged hour by hour by the real assessment, as a history.
//!
//! - `databases/orders` loses three segments, is repaired by a base backup next morning, and the
//!   hole ages out two weeks later.
//! - `databases/billing` lost a segment this morning: its newest state cannot be restored.
//! - `media/photos` had two failed backups in a row.
//! - `home/wiki` is healthy; its store did not answer for five hours.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::publication::metrics::Build;
use cnpg_backup_verifier::publication::metrics::Format;
use cnpg_backup_verifier::publication::metrics::RenderedMetrics;
use cnpg_backup_verifier::publication::snapshot::CheckCounts;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::publication::snapshot::WatchedArchive;
use cnpg_backup_verifier::service::own_metrics::OwnMetrics;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::requests::Operation;

use crate::dashboards::history::History;
use crate::dashboards::made_up::add_of_archive;
use crate::dashboards::made_up::add_orphans;
use crate::dashboards::made_up::add_process;
use crate::dashboards::made_up::is_made_up;
use crate::metrics;
use crate::scenarios::file::Scenario;

/// Hours of the story; hour 0 is its first.
const HOURS: i64 = 30 * 24;

/// The archives began this long before the story.
const BEFORE_HOURS: i64 = 20 * 24;

/// The story begins and ends at noon.
const NOON: i64 = 12;

/// How far apart the samples are.
pub(crate) const STEP: Duration = Duration::from_secs(3600);

pub(crate) fn end() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-01-31T12:00:00Z").unwrap().to_utc()
}

/// One archive, and what befalls it. Hours are those of the story.
pub(crate) struct Told {
    pub(crate) namespace: &'static str,
    pub(crate) cluster: &'static str,
    store: &'static str,
    pub(crate) bytes: u64,
    retention_days: i64,
    lost: &'static [i64],
    failed_days: &'static [i64],
    unread: &'static [i64],
    /// A base backup out of schedule.
    repaired: Option<i64>,
}

const TOLD: [Told; 4] = [
    Told {
        namespace: "databases",
        cluster: "orders",
        store: "r2/cnpg",
        bytes: 48_000_000_000,
        retention_days: 14,
        lost: &[12 * 24 + 9, 12 * 24 + 10, 12 * 24 + 11],
        failed_days: &[],
        unread: &[],
        repaired: Some(12 * 24 + 19),
    },
    Told {
        namespace: "databases",
        cluster: "billing",
        store: "r2/cnpg",
        bytes: 9_000_000_000,
        retention_days: 14,
        lost: &[HOURS - 5],
        failed_days: &[],
        unread: &[],
        repaired: None,
    },
    Told {
        namespace: "media",
        cluster: "photos",
        store: "r2/cnpg",
        bytes: 120_000_000_000,
        retention_days: 7,
        lost: &[],
        failed_days: &[28, 29],
        unread: &[],
        repaired: None,
    },
    Told {
        namespace: "home",
        cluster: "wiki",
        store: "minio.home/backups",
        bytes: 700_000_000,
        retention_days: 7,
        lost: &[],
        failed_days: &[],
        unread: &[200, 201, 202, 203, 204],
        repaired: None,
    },
];

/// When an hour of the story begins.
pub(crate) fn at(hour: i64) -> DateTime<Utc> {
    end() - TimeDelta::hours(HOURS - hour)
}

pub(crate) fn play() -> History {
    let build = Build { version: "0.1.0", revision: "0123456789ab", rustc: "1.95.0" };
    let mut rendered = RenderedMetrics::new(build);
    let mut history = History::default();
    let own = metrics::registered();
    let mut latest: [Option<Assessment>; 4] = [const { None }; 4];
    let mut checks = [CheckCounts::default(); 4];
    for hour in 0..=HOURS {
        let mut archives = Vec::new();
        for ((told, latest), checks) in TOLD.iter().zip(&mut latest).zip(&mut checks) {
            let mut assessment = told.assessed(hour);
            if let (true, Some(earlier)) = (assessment.observed_at.is_none(), &*latest) {
                assessment = assessment.succeeding(earlier);
            }
            *latest = Some(assessment.clone());
            for _ in 0..60 {
                checks.count(assessment.unreadable);
            }
            let object_store = told.store.to_owned();
            let assessment = Arc::new(assessment);
            archives.push(WatchedArchive {
                assessment,
                object_store: Some(object_store),
                checks: *checks,
            });
            add_of_archive(told, hour, &mut history);
        }
        work(&own, hour);
        let snapshot = Arc::new(Snapshot::new(at(hour), archives));
        let own_families = own.registry.gather();
        let scrape =
            rendered.scrape(&snapshot, at(hour), &own_families, Format::Text).into_string();
        history.scrape(at(hour), &scrape, is_made_up);
        add_process(&own, hour, &mut history);
        add_orphans(hour, &mut history);
    }
    history
}

/// What an hour of polls asks of the stores.
fn work(own: &OwnMetrics, hour: i64) {
    let is_full_listing = hour % 6 == 0;
    let lists = 4 * 120 + if is_full_listing { 40 } else { 0 };
    (0..lists).for_each(|_| own.requests.count_sent(Operation::List));
    (0..48).for_each(|_| own.requests.count_sent(Operation::GetRange));
    for check in 0..60 {
        let millis = if is_full_listing && check == 0 { 900 } else { 60 + (hour * 7 + check) % 50 };
        own.observe_check(Duration::from_millis(millis.unsigned_abs()));
        let millis = Duration::from_millis((20 + (hour + check) % 60).unsigned_abs());
        own.requests.observe_duration(Operation::List, millis);
        own.requests.observe_duration(Operation::GetRange, 2 * millis);
    }
    if TOLD[3].unread.contains(&hour) {
        (0..60).for_each(|_| own.requests.count_error(Operation::List, StoreErrorKind::TimedOut));
    }
}

impl Told {
    fn assessed(&self, hour: i64) -> Assessment {
        let mut scenario = Scenario::parse(&self.scenario(hour), Path::new(self.cluster));
        let cluster = self.cluster.to_owned();
        scenario.subject.archive = ArchiveId {
            namespace: self.namespace.to_owned(),
            cluster: cluster.clone(),
            server_name: cluster.clone(),
        };
        scenario.subject.address = Some(ArchiveAddress {
            store: StoreAddress::S3 {
                bucket: self.store.rsplit('/').next().unwrap().to_owned(),
                endpoint_url: None,
                region: "auto".to_owned(),
            },
            prefix: self.namespace.to_owned(),
            server_name: cluster,
        });
        scenario.expectations.check_interval = Some(TimeDelta::minutes(60));
        assess(&scenario.subject, &scenario.observe(), &scenario.expectations, scenario.now)
    }

    /// What is stored at the beginning of an hour: one segment an hour, uploaded in its 40th
    /// minute; a base backup a night; neither longer than the retention asks for.
    fn scenario(&self, hour: i64) -> String {
        let mut text = format!("now {}\n", stamp(at(hour)));
        let days = self.retention_days;
        writeln!(text, "retention {days}d\nschedule 0 0 2 * * *").unwrap();
        writeln!(text, "wal_max_age 2h\nbase_backup_max_age 26h").unwrap();
        writeln!(text, "reads since {}\nreads everything", stamp(at(0))).unwrap();
        if self.unread.contains(&hour) {
            text += "unreadable archive timeout\nunreadable backups timeout\n";
        }
        let backups = self.backups(hour);
        for backup in &backups {
            let (began_at, size) =
                (at(*backup), self.bytes + 1_000_000 * (backup + 999).unsigned_abs());
            let id = began_at.format("%Y%m%dT%H%M%S");
            if self.has_failed(*backup) {
                writeln!(text, "backup {id} status FAILED tars none").unwrap();
            } else {
                let minutes =
                    i64::try_from(self.bytes / 1_500_000_000).unwrap() + 2 + backup.rem_euclid(5);
                let ended_at = stamp(began_at + TimeDelta::minutes(minutes.min(50)));
                let wal = number(*backup);
                writeln!(text, "backup {id} wal {wal} ended {ended_at} tars data.tar.bz2#{size}")
                    .unwrap();
            }
        }
        let oldest = backups.first().copied().unwrap_or(-BEFORE_HOURS);
        // A range has one line with the time of its last segment: only that one is ever asked for.
        let stored: Vec<i64> = (oldest..hour).filter(|it| !self.lost.contains(it)).collect();
        for range in stored.chunk_by(|before, after| before + 1 == *after) {
            let (first, last) = (range[0], range[range.len() - 1]);
            let uploaded_at = stamp(at(last) + TimeDelta::minutes(40));
            let range = format!("{}..{}", number(first), number(last));
            writeln!(text, "timeline 1 wal {range} uploaded {uploaded_at}").unwrap();
        }
        text
    }

    /// The hours at which the stored base backups began.
    pub(crate) fn backups(&self, hour: i64) -> Vec<i64> {
        let nightly = (-BEFORE_HOURS..hour).filter(|it| (it + NOON).rem_euclid(24) == 2);
        let mut made: Vec<i64> = nightly.chain(self.repaired.filter(|it| *it < hour)).collect();
        made.sort_unstable();
        // The newest one at the edge of the retention is still needed.
        let edge = hour - self.retention_days * 24;
        let needed = made.iter().rposition(|it| *it < edge).unwrap_or(0);
        made.split_off(needed)
    }

    pub(crate) fn has_failed(&self, hour: i64) -> bool {
        self.failed_days.contains(&((hour + NOON) / 24 - 1)) && self.repaired != Some(hour)
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The number of the segment of an hour.
fn number(hour: i64) -> String {
    format!("{:X}", hour + BEFORE_HOURS + 16)
}
