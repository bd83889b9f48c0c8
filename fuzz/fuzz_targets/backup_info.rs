//! What is read of a `backup.info` agrees with itself and survives being written again.
#![no_main]

use std::fmt::Display;
use std::fmt::Write;

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::domain::backup::BackupStatus;
use cnpg_backup_verifier::domain::backup_info::BackupInfo;
use cnpg_backup_verifier::domain::backup_info::BackupWal;
use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
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
});

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
    let tablespaces: Vec<String> =
        info.tablespaces.iter().map(|oid| format!("('it\\'s', {oid}, '/srv')")).collect();
    line("status", Some(&info.status.code()));
    line("tablespaces", Some(&format!("[{}]", tablespaces.join(", "))));
    line("begin_time", info.began_at.map(written_time).as_ref().map(|it| it as &dyn Display));
    line("end_time", info.ended_at.map(written_time).as_ref().map(|it| it as &dyn Display));
    line("systemid", info.system_identifier.as_ref().map(|it| it as &dyn Display));
    line("version", info.server_version.as_ref().map(|it| it as &dyn Display));
    line("error", info.error.as_ref().map(|it| it as &dyn Display));
    if info.is_from_standby {
        line("backup_label", Some(&"'START TIMELINE: 1\\nBACKUP FROM: standby\\n'"));
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

/// `str(datetime)` in Python.
fn written_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.f%:z").to_string()
}
