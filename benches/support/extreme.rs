//! Archives that hardly exist: a thousand backups, and ten thousand holes or a thousand timelines.

use std::fmt::Write;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::backup_info::BackupInfo;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::object_key::ServerFolder;
use cnpg_backup_verifier::domain::object_key::TarContents;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::timeline::TimelineHistory;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::observation::Observation;
use cnpg_backup_verifier::observation::backup::ObservedBackup;
use cnpg_backup_verifier::observation::backup::ObservedInfo;
use cnpg_backup_verifier::observation::backup::TarObject;
use cnpg_backup_verifier::observation::fold::Fold;
use cnpg_backup_verifier::observation::inventory::Inventory;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::probes::Probes;
use cnpg_backup_verifier::observation::store_clock::StoreClock;

use crate::synthetic::Synthetic;

const BACKUPS: u64 = 1_000;
const HOLES: u64 = 10_000;
const TIMELINES: u32 = 1_000;

/// From one hole or one switch to the next.
const APART: u64 = 10;

/// A hole every ten segments, and backups that each begin behind another one.
pub(crate) fn holes() -> Observation {
    let numbers = (0..HOLES * APART).filter(|number| number % APART != APART / 2);
    let objects = numbers.map(|number| object(TimelineId::FIRST, number));
    let inventory = fold(objects);
    let backups =
        (0..BACKUPS).map(|it| backup(it, TimelineId::FIRST, it * HOLES / BACKUPS * APART));
    observation(inventory, backups.collect(), Vec::new())
}

/// A switch every ten segments, and a backup on each timeline.
pub(crate) fn timelines() -> Observation {
    let ids: Vec<TimelineId> = (1..=TIMELINES).filter_map(TimelineId::new).collect();
    let begin = |timeline: TimelineId| u64::from(timeline.value()) * APART;
    let segments =
        ids.iter().flat_map(|it| (begin(*it)..begin(*it) + APART).map(|number| (*it, number)));
    let mut histories = Vec::new();
    let mut lines = String::new();
    let mut objects: Vec<ListedObject> = segments.map(|(it, number)| object(it, number)).collect();
    for pair in ids.windows(2) {
        let [parent, child] = [pair[0], pair[1]];
        let at = SegmentNumber::new(begin(child)).start(SegmentSize::DEFAULT);
        writeln!(lines, "{parent}\t{}\tno recovery target specified", at.saturating_add(0x100))
            .unwrap();
        histories.push(TimelineHistory::parse(child, lines.as_bytes()).unwrap());
        let key = folder().history(child, Codec::None);
        objects.push(ListedObject { key, ..object(child, begin(child)) });
    }
    let backups = (0..).zip(&ids).map(|(index, it)| backup(index, *it, begin(*it) + 2)).collect();
    observation(fold(objects), backups, histories)
}

pub(crate) fn now() -> DateTime<Utc> {
    Synthetic::new(1, 0).now()
}

fn folder() -> ServerFolder {
    Synthetic::new(1, 0).folder()
}

fn fold(objects: impl IntoIterator<Item = ListedObject>) -> Inventory {
    let folder = folder();
    let mut fold = Fold::complete(SegmentSize::DEFAULT, &folder);
    objects.into_iter().for_each(|object| fold.add(&object));
    fold.finish()
}

fn object(timeline: TimelineId, number: u64) -> ListedObject {
    let name = SegmentNumber::new(number).name(timeline, SegmentSize::DEFAULT);
    let before = TimeDelta::seconds(200_000 - i64::try_from(number).unwrap());
    let uploaded_at = now() - before;
    ListedObject {
        key: folder().segment(name, Codec::Bzip2),
        version: ObjectVersion::new("\"e\"", 5_000_000),
        class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
        uploaded_at,
    }
}

fn backup(index: u64, timeline: TimelineId, first: u64) -> ObservedBackup {
    let size = SegmentSize::DEFAULT;
    let began_at = now() - TimeDelta::hours(i64::try_from(BACKUPS - index).unwrap());
    let first = SegmentNumber::new(first);
    let info = format!(
        "begin_time={0}\nend_time={0}\nstatus=DONE\nerror=None\nsystemid=7000000000000000001\n\
         tablespaces=None\nversion=160004\nbackup_label='BACKUP FROM: primary\\n'\n\
         begin_wal={1}\nbegin_xlog={2}\nend_wal={1}\nend_xlog={3}\nend_offset=312\n\
         timeline={timeline}\nxlog_segment_size={4}\n",
        began_at.format("%Y-%m-%d %H:%M:%S%:z"),
        first.name(timeline, size),
        first.start(size).saturating_add(0x28),
        first.start(size).saturating_add(0x138),
        size.bytes(),
    );
    let content = BackupInfo::parse(info.as_bytes());
    ObservedBackup {
        id: BackupId::parse(&began_at.format("%Y%m%dT%H%M%S").to_string()).unwrap(),
        info: Ok(Some(ObservedInfo { uploaded_at: began_at, content })),
        keep: Ok(None),
        tars: vec![TarObject {
            class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
            contents: TarContents::DataDirectory,
            piece: 0,
            codec: Codec::Bzip2,
            version: ObjectVersion::new("\"e\"", 4_000_000_000),
        }],
        last_uploaded_at: began_at,
    }
}

fn observation(
    inventory: Inventory,
    backups: Vec<ObservedBackup>,
    histories: Vec<TimelineHistory>,
) -> Observation {
    Observation {
        began_at: now(),
        store_clock: StoreClock::default(),
        fully_listed_at: None,
        head_trouble: None,
        expiry_rules: None,
        backups: Ok(backups),
        archive: Ok(inventory),
        surroundings: None,
        histories: histories.into_iter().map(|it| (it.timeline, Ok(Ok(it)))).collect(),
        probes: Probes::default(),
        content: Default::default(),
        cluster: None,
        orphan: None,
    }
}
