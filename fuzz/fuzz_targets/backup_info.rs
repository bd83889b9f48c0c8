//! What is read of a `backup.info` agrees with itself and survives being written again, and an archive
//! of this one backup is judged by the WAL that lies beside it.
#![no_main]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fmt::Write;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::Latest;
use cnpg_backup_verifier::assessment::RecoveryWindow;
use cnpg_backup_verifier::assessment::Subject;
use cnpg_backup_verifier::assessment::WalStretch;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::expectations::Expectations;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::backup::BackupStatus;
use cnpg_backup_verifier::domain::backup_info::BackupInfo;
use cnpg_backup_verifier::domain::backup_info::BackupWal;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::domain::object_key::ServerFolder;
use cnpg_backup_verifier::domain::object_key::TarContents;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::domain::segment::SegmentName;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::observation::Observation;
use cnpg_backup_verifier::observation::backup::ObservedBackup;
use cnpg_backup_verifier::observation::backup::ObservedInfo;
use cnpg_backup_verifier::observation::backup::TarObject;
use cnpg_backup_verifier::observation::fold::Fold;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::probes::Probes;
use cnpg_backup_verifier::observation::store_clock::StoreClock;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(info) = BackupInfo::parse(bytes) else { return };
    if info.status == BackupStatus::Done {
        assert!(info.wal.is_some() && info.system_identifier.is_some());
        assert!(info.began_at.is_some() && info.ended_at.is_some());
    }
    if let Some(wal) = &info.wal {
        check(wal);
    }
    let written = write(&info);
    assert_eq!(BackupInfo::parse(written.as_bytes()).as_ref(), Ok(&info), "{written}");

    let around = info.wal.map(|wal| segments(&wal)).unwrap_or_default();
    let mut archives = vec![around.clone(), BTreeSet::new()];
    archives.extend(around.iter().map(|lost| {
        around.iter().filter(|segment| *segment != lost).copied().collect::<BTreeSet<_>>()
    }));
    for listed in archives {
        for age in [TimeDelta::minutes(5), TimeDelta::days(3)] {
            judge(&info, &listed, age);
        }
    }
});

/// Enough for a few to be lost one at a time.
const SEGMENTS_MAX: u64 = 8;

/// The WAL of a backup with a segment before it and one after it; of a long one only its ends. The
/// later ones lie on the timeline that it ended on.
fn segments(wal: &BackupWal) -> BTreeSet<SegmentName> {
    let (size, first, last) = (wal.segment_size, wal.first_required, wal.last_required);
    let timeline = |number| if number < last { wal.begin.timeline } else { wal.end.timeline };
    let mut numbers: BTreeSet<SegmentNumber> = first.previous().into_iter().collect();
    let count = (last.value() - first.value()).min(SEGMENTS_MAX);
    numbers.extend((0..count).map(|it| SegmentNumber::new(first.value() + it)));
    numbers.extend([last, last.next()]);
    let names = numbers.into_iter().map(|number| (number, number.name(timeline(number), size)));
    names.filter(|(number, name)| name.number(size) == Ok(*number)).map(|(_, name)| name).collect()
}

/// An archive of this one backup and these segments, so long after the backup ended.
fn judge(info: &BackupInfo, listed: &BTreeSet<SegmentName>, age: TimeDelta) {
    let ended_at = info.ended_at.unwrap_or(DateTime::UNIX_EPOCH);
    let Some(now) = ended_at.checked_add_signed(age) else { return };
    let assessment = assess(&subject(), &archive(info, listed, ended_at), &expectations(), now);
    let is_listed = |number: SegmentNumber, wal: &BackupWal| {
        let timelines = [wal.begin.timeline, wal.end.timeline];
        timelines.iter().any(|it| listed.contains(&number.name(*it, wal.segment_size)))
    };
    let is_whole = |wal: &BackupWal| {
        let numbers = wal.first_required.value()..=wal.last_required.value();
        // The first that is not listed ends it: there may be billions.
        numbers.map(SegmentNumber::new).all(|number| is_listed(number, wal))
    };
    let wal = info.wal.filter(|_| {
        info.status == BackupStatus::Done && !info.is_snapshot && info.parent.is_none()
    });
    let Some(wal) = wal.filter(is_whole) else {
        assert!(assessment.windows.is_empty(), "{listed:?} {assessment:?}");
        assert!(Verdict::AtRisk < assessment.verdict, "{listed:?} {assessment:?}");
        return;
    };
    for window in assessment.windows.iter() {
        check_window(window, info, &wal, listed);
    }
    // All that was archived after it is there.
    let is_last_listed = is_listed(wal.last_required.next(), &wal);
    if wal.begin.timeline == wal.end.timeline && is_last_listed {
        check_reached(&assessment, &wal);
    }
}

fn check_window(
    window: &RecoveryWindow,
    info: &BackupInfo,
    wal: &BackupWal,
    listed: &BTreeSet<SegmentName>,
) {
    assert_eq!(window.first.lsn, wal.end_lsn);
    // Others may commit while the backup ends, and their times overtake its own by no more than that.
    let late = window.first.at.signed_duration_since(info.ended_at.unwrap());
    assert!((TimeDelta::zero()..=TimeDelta::minutes(1)).contains(&late), "{window:?}");
    assert!(window.first.at <= window.last.at, "{window:?}");
    assert!(window.first.lsn <= window.last.lsn, "{window:?}");
    let number = |name: SegmentName| name.number(wal.segment_size).unwrap();
    let mut next = wal.first_required;
    for WalStretch { first, last, count } in &window.path {
        assert_eq!(number(*first), next, "a hole in {window:?}");
        assert!(*count <= listed.len() as u64, "{window:?}");
        for it in next.value()..=number(*last).value() {
            let name = SegmentNumber::new(it).name(first.timeline, wal.segment_size);
            assert!(listed.contains(&name), "{name} was never archived: {window:?}");
        }
        next = number(*last).next();
    }
    assert!(wal.last_required < next, "{window:?}");
    assert_eq!(Some(window.last.segment), window.path.last().map(|it| it.last), "{window:?}");
}

fn check_reached(assessment: &Assessment, wal: &BackupWal) {
    assert_eq!(assessment.latest, Latest::Reached, "{wal:?} {assessment:?}");
    assert_eq!(assessment.windows.len(), 1, "{wal:?} {assessment:?}");
    let newest = assessment.newest_segment.map(|newest| newest.name);
    assert_eq!(newest, Some(assessment.windows[0].last.segment), "{assessment:?}");
}

fn archive(
    info: &BackupInfo,
    listed: &BTreeSet<SegmentName>,
    uploaded_at: DateTime<Utc>,
) -> Observation {
    let folder = ServerFolder::new("", "pg");
    let size = info.wal.map_or(SegmentSize::DEFAULT, |wal| wal.segment_size);
    let mut fold = Fold::complete(size, &folder);
    let keys: BTreeSet<String> =
        listed.iter().map(|name| folder.segment(*name, Codec::Bzip2)).collect();
    for key in keys {
        fold.add(&ListedObject {
            key,
            version: ObjectVersion::new("", 200),
            uploaded_at,
            class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
        });
    }
    let tablespaces = info.tablespaces.iter().map(|it| TarContents::Tablespace(it.oid));
    let contents = tablespaces.chain([TarContents::DataDirectory]);
    let tars = contents.map(|contents| TarObject {
        class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
        contents,
        piece: 0,
        codec: Codec::None,
        version: ObjectVersion::new("", 10_240),
    });
    let backup = ObservedBackup {
        id: BackupId::parse("20260801T020000").unwrap(),
        info: Ok(Some(ObservedInfo { uploaded_at, content: Ok(info.clone()) })),
        keep: Ok(None),
        tars: tars.collect(),
        last_uploaded_at: uploaded_at,
    };
    Observation {
        began_at: uploaded_at,
        store_clock: StoreClock::default(),
        fully_listed_at: None,
        head_trouble: None,
        expiry_rules: None,
        backups: Ok(vec![backup]),
        archive: Ok(fold.finish()),
        surroundings: None,
        histories: BTreeMap::new(),
        probes: Probes::default(),
        content: Default::default(),
        cluster: None,
        orphan: None,
    }
}

fn subject() -> Subject {
    let [namespace, cluster, server_name] = ["databases", "pg", "pg"].map(str::to_owned);
    Subject { archive: ArchiveId { namespace, cluster, server_name }, address: None }
}

fn expectations() -> Expectations {
    Expectations {
        base_backup_age_max: Some(TimeDelta::hours(26)),
        wal_age_max: Some(TimeDelta::minutes(15)),
        uploading_grace: TimeDelta::minutes(10),
        retention: Some(TimeDelta::days(30)),
        ..Expectations::default()
    }
}

fn check(wal: &BackupWal) {
    let containing = |lsn| SegmentNumber::containing(lsn, wal.segment_size);
    let last_byte = Lsn::new(wal.end_lsn.value() - 1);
    assert!(wal.begin_lsn < wal.end_lsn, "{wal:?}");
    assert!(wal.first_required <= wal.last_required, "{wal:?}");
    assert_eq!(containing(wal.begin_lsn), wal.first_required, "{wal:?}");
    assert_eq!(containing(last_byte), wal.last_required, "{wal:?}");
    assert_eq!(wal.begin.number(wal.segment_size), Ok(wal.first_required), "{wal:?}");
    assert_eq!(wal.end.number(wal.segment_size), Ok(containing(wal.end_lsn)), "{wal:?}");
}

/// As Barman would write it, in another order.
fn write(info: &BackupInfo) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<&dyn Display>| match value {
        Some(value) => writeln!(text, "{name}={value}").unwrap(),
        None => writeln!(text, "{name}=None").unwrap(),
    };
    let tablespaces = info.tablespaces.iter();
    let tablespaces: Vec<String> =
        tablespaces.map(|it| format!("('{}', {}, '/srv')", literal(&it.name), it.oid)).collect();
    line("status", Some(&info.status.code()));
    line("tablespaces", Some(&format!("[{}]", tablespaces.join(", "))));
    line("begin_time", info.began_at.map(written_time).as_ref().map(|it| it as &dyn Display));
    line("end_time", info.ended_at.map(written_time).as_ref().map(|it| it as &dyn Display));
    line("systemid", info.system_identifier.as_ref().map(|it| it as &dyn Display));
    line("version", info.server_version.as_ref().map(|it| it as &dyn Display));
    line("error", info.error.as_ref().map(|it| it as &dyn Display));
    line("backup_name", info.backup_name.as_ref().map(|it| it as &dyn Display));
    line("parent_backup_id", info.parent.as_ref().map(|it| it as &dyn Display));
    let has_checksums = info.has_checksums.map(|it| if it { "on" } else { "off" });
    line("data_checksums", has_checksums.as_ref().map(|it| it as &dyn Display));
    let checkpoint = info.checkpoint.map(|it| format!("CHECKPOINT LOCATION: {it}\\n"));
    let standby = info.is_from_standby.then(|| "BACKUP FROM: standby\\n".to_owned());
    if checkpoint.is_some() || standby.is_some() {
        let label = [checkpoint, standby].into_iter().flatten().collect::<String>();
        line("backup_label", Some(&format!("'{label}'")));
    }
    if info.is_snapshot {
        line("snapshots_info", Some(&"{}"));
    }
    if let Some(wal) = &info.wal {
        line("timeline", Some(&wal.begin.timeline));
        line("xlog_segment_size", Some(&wal.segment_size.bytes()));
        line("begin_wal", Some(&wal.begin));
        line("begin_xlog", Some(&wal.begin_lsn));
        line("end_wal", Some(&wal.end));
        line("end_xlog", Some(&wal.end_lsn));
        line("end_offset", Some(&(wal.end_lsn.value() % wal.segment_size.bytes())));
    }
    text
}

/// What stands between the quotes.
fn literal(text: &str) -> String {
    let escaped = |it: char| match it {
        '\0'..=' ' | '\'' | '\\' | '\u{7f}'..='\u{ff}' => format!("\\x{:02x}", it as u32),
        _ => it.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// `str(datetime)` in Python.
fn written_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.f%:z").to_string()
}
