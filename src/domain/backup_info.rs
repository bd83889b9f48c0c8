//! Barman's `backup.info`: what a base backup says about itself.

mod fields;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::backup_info::fields::InfoFields;
use crate::domain::backup_info::fields::parse_number;
use crate::domain::backup_info::fields::parse_tablespaces;
use crate::domain::backup_info::fields::parse_text;
use crate::domain::backup_info::fields::parse_time;
use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentName;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;

/// The fields that say whether and how a backup can be restored.
///
/// Several fields of the file are constants in a cloud backup (`server_name=cloud`,
/// `compression=None`, `size=None`) and are left out on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupInfo {
    pub status: BackupStatus,
    pub began_at: Option<DateTime<Utc>>,
    /// Taken before the last WAL is archived and the last part uploaded; a failed backup can
    /// have one.
    pub ended_at: Option<DateTime<Utc>>,
    /// What the plugin calls it, such as `backup-20261122000000`.
    pub backup_name: Option<Box<str>>,
    pub system_identifier: Option<u64>,
    /// `server_version_num`, such as 150020.
    pub server_version: Option<u32>,
    /// Each has a tar file of its own.
    pub tablespaces: Box<[Tablespace]>,
    /// Whether its pages have checksums; `None` where it says neither `on` nor `off`, as while they are
    /// being switched.
    pub has_checksums: Option<bool>,
    pub is_from_standby: bool,
    /// Where recovery begins to read, as `backup_label` says: the checkpoint that opened the backup.
    pub checkpoint: Option<Lsn>,
    /// The data lies in volume snapshots, not in tar files.
    pub is_snapshot: bool,
    /// It holds only what changed since this other one.
    pub parent: Option<BackupId>,
    pub error: Option<String>,
    /// Always there when `status` is `DONE`.
    pub wal: Option<BackupWal>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tablespace {
    pub name: Box<str>,
    pub oid: u32,
}

/// The WAL between the start and the end of a backup, all of which a restore needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupWal {
    pub segment_size: SegmentSize,
    pub begin: SegmentName,
    pub end: SegmentName,
    pub begin_lsn: Lsn,
    pub end_lsn: Lsn,
    pub first_required: SegmentNumber,
    /// The segment before `end` when the backup stopped exactly on a segment's boundary: barman
    /// divides the stop position and so names the next one (`end_offset=0`).
    pub last_required: SegmentNumber,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupInfoError {
    #[error("it is not text")]
    NotText,
    #[error("line {0} has no \"=\"")]
    Syntax(usize),
    #[error("{} missing: {}", if .0.len() == 1 { "a field is" } else { "fields are" }, .0.join(", "))]
    Missing(Vec<&'static str>),
    #[error("{field}={value:?} is not {expected}")]
    Invalid { field: &'static str, value: String, expected: &'static str },
    #[error("{0} and {1} contradict each other")]
    Contradiction(&'static str, &'static str),
}

impl BackupInfo {
    pub fn parse(bytes: &[u8]) -> Result<Self, BackupInfoError> {
        let fields = InfoFields::parse(bytes)?;
        let status = fields.required("status", "a backup status", BackupStatus::parse)?;
        let is_done = status == BackupStatus::Done;
        if is_done {
            fields.demand(&DONE_FIELDS)?;
        }
        let label = fields.optional("backup_label", "a string", parse_text)?;
        Ok(Self {
            status,
            began_at: fields.optional("begin_time", "a time", parse_time)?,
            ended_at: fields.optional("end_time", "a time", parse_time)?,
            backup_name: fields.value("backup_name").map(Into::into),
            system_identifier: fields.optional("systemid", "a number", parse_number)?,
            server_version: fields.optional("version", "a number", parse_number)?,
            tablespaces: fields
                .optional("tablespaces", "a list of tablespaces", parse_tablespaces)?
                .unwrap_or_default(),
            has_checksums: fields.value("data_checksums").and_then(|text| match text {
                "on" => Some(true),
                "off" => Some(false),
                _ => None,
            }),
            checkpoint: label.as_deref().and_then(checkpoint_of),
            is_from_standby: label
                .is_some_and(|label| label.lines().any(|line| line == "BACKUP FROM: standby")),
            is_snapshot: fields.value("snapshots_info").is_some(),
            parent: fields.optional("parent_backup_id", "the id of a backup", |text| {
                BackupId::parse(text.trim_matches(['\'', '"'])).ok()
            })?,
            error: fields.value("error").map(str::to_owned),
            wal: if is_done {
                Some(BackupWal::parse(&fields)?)
            } else {
                // Only a finished backup is held to its bounds.
                BackupWal::parse(&fields).ok()
            },
        })
    }
}

/// What a restore of a finished backup cannot do without. `tablespaces` may be `None`, but a file
/// that was cut off before it would hide tablespaces, so the line must be there.
const DONE_FIELDS: [&str; 5] = ["begin_time", "end_time", "systemid", "tablespaces", "timeline"];

const WAL_FIELDS: [&str; 7] = [
    "begin_wal",
    "end_wal",
    "begin_xlog",
    "end_xlog",
    "end_offset",
    "timeline",
    "xlog_segment_size",
];

impl BackupWal {
    fn parse(fields: &InfoFields<'_>) -> Result<Self, BackupInfoError> {
        fields.demand(&WAL_FIELDS)?;
        let segment_size = fields.required("xlog_segment_size", "a segment size", |text| {
            parse_number(text).and_then(SegmentSize::new)
        })?;
        let segment = |field| {
            fields.required(field, "a segment name of this segment size", |text| {
                let name = SegmentName::parse(text).ok()?;
                Some((name, name.number(segment_size).ok()?))
            })
        };
        let (begin, first_required) = segment("begin_wal")?;
        let (end, end_number) = segment("end_wal")?;
        let begin_lsn = fields.required("begin_xlog", "an LSN", |text| text.parse::<Lsn>().ok())?;
        let end_lsn = fields.required("end_xlog", "an LSN", |text| text.parse::<Lsn>().ok())?;
        let end_offset = fields.required("end_offset", "a number", parse_number::<u64>)?;
        let timeline = fields
            .required("timeline", "a timeline", |text| TimelineId::new(parse_number(text)?))?;

        if SegmentNumber::containing(begin_lsn, segment_size) != first_required {
            return Err(BackupInfoError::Contradiction("begin_wal", "begin_xlog"));
        }
        if begin.timeline != timeline {
            return Err(BackupInfoError::Contradiction("begin_wal", "timeline"));
        }
        if SegmentNumber::containing(end_lsn, segment_size) != end_number {
            return Err(BackupInfoError::Contradiction("end_wal", "end_xlog"));
        }
        if end_offset != end_lsn.value() % segment_size.bytes() {
            return Err(BackupInfoError::Contradiction("end_offset", "end_xlog"));
        }
        let last_required = if end_offset == 0 { end_number.previous() } else { Some(end_number) };
        match last_required {
            Some(last_required) if begin_lsn < end_lsn => Ok(Self {
                segment_size,
                begin,
                end,
                begin_lsn,
                end_lsn,
                first_required,
                last_required,
            }),
            _ => Err(BackupInfoError::Contradiction("begin_xlog", "end_xlog")),
        }
    }
}

fn checkpoint_of(label: &str) -> Option<Lsn> {
    let mut lines = label.lines();
    lines.find_map(|line| line.strip_prefix("CHECKPOINT LOCATION: "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As barman 3.19.1 wrote it for PostgreSQL 15, paths shortened.
    const DONE: &str = "\
backup_label='START WAL LOCATION: 0/6000028 (file 000000010000000000000006)\\nCHECKPOINT LOCATION: 0/6000060\\nBACKUP METHOD: streamed\\nBACKUP FROM: primary\\nSTART TIME: 2026-11-22 11:10:51 UTC\\nLABEL: Barman backup cloud 20261122T111050\\nSTART TIMELINE: 1\\n'
backup_name=backup-20261122000000
begin_offset=40
begin_time=2026-11-22 11:10:50.948912+00:00
begin_wal=000000010000000000000006
begin_xlog=0/6000028
compression=None
copy_stats={'total_time': 9.97, 'number_of_workers': 2}
end_offset=312
end_time=2026-11-22 11:10:56.397232+00:00
end_wal=000000010000000000000006
end_xlog=0/6000138
error=None
server_name=cloud
size=None
status=DONE
systemid=7710951340492910721
tablespaces=[('ts1', 16384, '/srv/ts1')]
timeline=1
version=150020
xlog_segment_size=16777216
";

    fn parse(text: &str) -> Result<BackupInfo, BackupInfoError> {
        BackupInfo::parse(text.as_bytes())
    }

    #[test]
    fn a_finished_backup_is_read() {
        let info = parse(DONE).unwrap();
        assert_eq!(info.status, BackupStatus::Done);
        assert_eq!(info.ended_at.unwrap().to_rfc3339(), "2026-11-22T11:10:56.397232+00:00");
        assert_eq!(info.system_identifier, Some(7_710_951_340_492_910_721));
        let tablespace = Tablespace { name: "ts1".into(), oid: 16384 };
        assert_eq!(*info.tablespaces, [tablespace]);
        assert!(!info.is_from_standby);
        let wal = info.wal.unwrap();
        assert_eq!((wal.first_required.value(), wal.last_required.value()), (6, 6));
        assert_eq!(wal.end_lsn.to_string(), "0/6000138");
    }

    #[test]
    fn a_stop_on_a_boundary_does_not_need_the_segment_it_names() {
        let text = DONE
            .replace("end_offset=312", "end_offset=0")
            .replace("end_wal=000000010000000000000006", "end_wal=00000001000000000000000F")
            .replace("end_xlog=0/6000138", "end_xlog=0/F000000");
        assert_eq!(parse(&text).unwrap().wal.unwrap().last_required.value(), 14);
    }

    #[test]
    fn times_come_without_a_fraction_with_offsets_and_naive() {
        for (time, utc) in [
            ("2026-11-22 11:10:56+00:00", "2026-11-22T11:10:56+00:00"),
            ("2026-11-22 11:10:56.5+02:00", "2026-11-22T09:10:56.500+00:00"),
            ("2026-11-22 11:10:56", "2026-11-22T11:10:56+00:00"),
            ("Sun Nov 22 11:10:56 2026", "2026-11-22T11:10:56+00:00"),
        ] {
            let text = DONE.replace("2026-11-22 11:10:56.397232+00:00", time);
            assert_eq!(parse(&text).unwrap().ended_at.unwrap().to_rfc3339(), utc, "{time}");
        }
    }

    #[test]
    fn a_running_backup_has_no_end() {
        let info = parse("begin_time=2026-11-22 11:10:50+00:00\nend_time=None\nstatus=STARTED\n");
        let info = info.unwrap();
        assert_eq!((info.status, info.ended_at, info.wal), (BackupStatus::Started, None, None));
    }

    #[test]
    fn a_failed_backup_can_have_an_end() {
        let info = parse(&DONE.replace("status=DONE", "status=FAILED")).unwrap();
        assert_eq!(info.status, BackupStatus::Failed);
        assert!(info.ended_at.is_some());
    }

    #[test]
    fn a_finished_backup_that_was_cut_anywhere_is_refused() {
        let is_whole = DONE.len() - 1;
        for end in 0..is_whole {
            assert!(parse(&DONE[..end]).is_err(), "cut at {end}: {:?}", &DONE[..end]);
        }
    }

    #[test]
    fn each_missing_field_is_named() {
        let text = DONE.replace("end_time", "x").replace("timeline", "y");
        assert_eq!(parse(&text), Err(BackupInfoError::Missing(vec!["end_time", "timeline"])));
    }

    #[test]
    fn fields_that_contradict_each_other_are_refused() {
        let text = DONE.replace("begin_xlog=0/6000028", "begin_xlog=0/7000028");
        assert_eq!(parse(&text), Err(BackupInfoError::Contradiction("begin_wal", "begin_xlog")));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(BackupInfo::parse(&[0x42, 0x5A, 0x68, 0xFF]), Err(BackupInfoError::NotText));
        assert_eq!(parse("HTTP/1.1 200 OK\n"), Err(BackupInfoError::Syntax(1)));
        assert_eq!(parse(""), Err(BackupInfoError::Missing(vec!["status"])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _: Result<BackupInfo, BackupInfoError> = BackupInfo::parse(&bytes);
        }

        #[test]
        fn a_damaged_file_is_read_or_refused(at in 0..DONE.len(), byte: u8) {
            let mut bytes = DONE.as_bytes().to_vec();
            bytes[at] = byte;
            let _: Result<BackupInfo, BackupInfoError> = BackupInfo::parse(&bytes);
        }
    }
}
