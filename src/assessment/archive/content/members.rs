//! What a base backup must hold, and whether that belongs to it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::content::control_file::ControlFile;
use crate::content::damage::BackupDamage;
use crate::content::members::RelationFile;
use crate::content::placement::Placements;
use crate::content::tar_check::BackupLabel;
use crate::content::tar_check::TarReport;
use crate::domain::backup_info::BackupInfo;
use crate::domain::object_key::TarContents;
use crate::observation::content::BackupContent;
use crate::observation::content::TarContent;

/// What was read of tar files that are whole.
pub(super) fn read(content: &BackupContent) -> impl Iterator<Item = (&TarContent, &TarReport)> {
    content.tars.iter().filter_map(|tar| Some((tar, tar.report.as_ref().ok()?.as_ref().ok()?)))
}

/// What must be there, in all tar files together.
pub(super) fn of_members(content: &BackupContent, info: &BackupInfo) -> Vec<BackupDamage> {
    let data = || read(content).filter(|(tar, _)| tar.contents == TarContents::DataDirectory);
    let mut missing = Vec::new();
    let mut damages = Vec::new();
    let version = data().find_map(|(_, report)| report.version.as_deref());
    match (version, info.server_version.map(|version| version / 10_000)) {
        (None, _) => missing.push("PG_VERSION".to_owned()),
        (Some(found), Some(expected)) if found != expected.to_string() => {
            let why = format!("PG_VERSION says {found:?}, and backup.info {expected}");
            damages.push(foreign("PG_VERSION", why));
        }
        (Some(_), _) => {}
    }
    match data().find_map(|(_, report)| report.control_file.as_ref()) {
        None => missing.push("global/pg_control".to_owned()),
        Some(Err(error)) => damages.push(foreign("global/pg_control", error.to_string())),
        Some(Ok(control)) => {
            damages.extend(of_control_file(control, info));
            missing.extend(missing_transactions(content, control, info));
        }
    }
    match data().find_map(|(_, report)| report.backup_label.as_ref()) {
        None => missing.push("backup_label".to_owned()),
        Some(label) => damages.extend(of_label(label, info)),
    }
    let misplaced: Vec<BackupDamage> = misplaced(content).into_iter().collect();
    // Of databases and catalogues that were made anew or dropped meanwhile, the log makes what is right.
    if !content.is_rearranged {
        missing.extend(content.missing_catalogues());
        // What lies in the wrong tablespace is not lost.
        if misplaced.is_empty() {
            missing.extend(content.lost_relations.iter().map(|file| file.path()));
        }
    }
    let maps = read(content).flat_map(|(_, report)| &report.wrong_maps.first);
    damages.extend(maps.map(|(path, why)| foreign(path, why.to_string())));
    missing.extend(empty_tablespaces(content));
    damages.extend(misplaced);
    damages.extend(from_later(content, info));
    missing.extend(missing_parts(content));
    if !missing.is_empty() {
        damages.insert(0, BackupDamage::MissingMembers(missing));
    }
    damages
}

fn foreign(member: &str, why: String) -> BackupDamage {
    BackupDamage::Foreign { member: member.to_owned(), why }
}

fn of_control_file(control: &ControlFile, info: &BackupInfo) -> Option<BackupDamage> {
    let found = control.system_identifier;
    if let Some(expected) = info.system_identifier.filter(|it| *it != found) {
        let why = format!("its system identifier is {found}, expected {expected}");
        return Some(foreign("global/pg_control", why));
    }
    let (begin, end) = (info.checkpoint?, info.wal?.end_lsn);
    let at = control.checkpoint;
    let why = format!("its checkpoint is {at}, expected one from {begin} to {end}");
    (at < begin || end < at).then(|| foreign("global/pg_control", why))
}

/// What recovery reads of it (`read_backup_label` in `xlogrecovery.c`).
fn of_label(label: &BackupLabel, info: &BackupInfo) -> Option<BackupDamage> {
    let wal = info.wal?;
    let mut expected = vec![format!("START WAL LOCATION: {} (file {})", wal.begin_lsn, wal.begin)];
    if let Some(checkpoint) = info.checkpoint {
        expected.push(format!("CHECKPOINT LOCATION: {checkpoint}"));
        expected.push("BACKUP METHOD: streamed".to_owned());
        let from = if info.is_from_standby { "standby" } else { "primary" };
        expected.push(format!("BACKUP FROM: {from}"));
    }
    let mut found = label.text.lines();
    expected.into_iter().find_map(|expected| {
        let found = found.next().unwrap_or_default();
        let why = || format!("it says {found:?}, expected {expected:?}");
        (found != expected).then(|| foreign("backup_label", why()))
    })
}

/// What began while the backup was taken is in the log; how much that is, a later checkpoint does not tell.
fn missing_transactions(
    content: &BackupContent,
    control: &ControlFile,
    info: &BackupInfo,
) -> Vec<String> {
    if info.checkpoint != Some(control.checkpoint) || control.major.is_none() {
        return Vec::new();
    }
    let is_there =
        |file: &_| read(content).any(|(_, report)| report.transaction_files.contains(file));
    let missing = control.transactions.files().into_iter().filter(|file| !is_there(file));
    missing.take(PARTS_NAMED_MAX).map(|(log, number)| log.path(number)).collect()
}

/// A tablespace holds a folder of the server's version at least (`create_tablespace_directories` in
/// `tablespace.c`).
fn empty_tablespaces(content: &BackupContent) -> Vec<String> {
    let mut members: BTreeMap<u32, u64> = BTreeMap::new();
    for (tar, report) in read(content) {
        if let TarContents::Tablespace(oid) = tar.contents {
            let count = members.entry(oid).or_default();
            *count = count.saturating_add(report.members);
        }
    }
    let empty = members.into_iter().filter(|(_, count)| *count == 0);
    empty.map(|(oid, _)| format!("pg_tblspc/{oid}/PG_*")).collect()
}

/// Tar files of tablespaces that are in each other's place.
fn misplaced(content: &BackupContent) -> Option<BackupDamage> {
    let mut all = Placements::default();
    read(content).for_each(|(_, report)| all.add(&report.placements));
    let (file, tablespace) = all.misplaced()?;
    let why = format!("by the catalogue of its database it belongs to tablespace {tablespace}");
    Some(foreign(&file.path(), why))
}

/// No page was written behind the end of a backup that it belongs to: the log of it has to be on the disk first.
fn from_later(content: &BackupContent, info: &BackupInfo) -> Option<BackupDamage> {
    let pages = read(content).filter_map(|(_, report)| report.newest_page);
    let (page, at) = pages.max_by_key(|(_, at)| *at)?;
    let end = info.wal?.end_lsn;
    let (path, block) = page.place();
    let why = format!("block {block} was written at {at}, behind the end of the backup at {end}");
    (end < at).then(|| foreign(&path, why))
}

/// A relation's later file is of no use without those of a whole gigabyte before it.
fn missing_parts(content: &BackupContent) -> Vec<String> {
    let reports = || read(content).map(|(_, report)| report);
    let full: BTreeSet<&RelationFile> = reports().flat_map(|it| &it.full_files).collect();
    let later = reports().flat_map(|it| &it.later_files);
    let before = later.filter_map(|file| {
        let segment = file.segment.checked_sub(1)?;
        Some(RelationFile { segment, ..*file })
    });
    let lost: BTreeSet<RelationFile> = before.filter(|file| !full.contains(file)).collect();
    lost.into_iter().take(PARTS_NAMED_MAX).map(|file| file.path()).collect()
}

/// Enough to see what is wrong.
const PARTS_NAMED_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::catalogues::Catalogues;
    use crate::content::members::BlockId;
    use crate::content::members::Folder;
    use crate::content::relation_map::RelationMapError;
    use crate::content::transactions::TransactionLog;
    use crate::content::transactions::TransactionLog::Ends;
    use crate::content::transactions::Transactions;
    use crate::domain::lsn::Lsn;

    const LABEL: &str = "START WAL LOCATION: 0/6000028 (file 000000010000000000000006)\n\
        CHECKPOINT LOCATION: 0/6000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n\
        START TIME: 2026-01-01 00:00:00 UTC\nLABEL: Barman backup cloud\nSTART TIMELINE: 1\n";

    fn info() -> BackupInfo {
        let label = LABEL.replace('\n', "\\n");
        let text = format!(
            "backup_label='{label}'\nstatus=DONE\nbegin_offset=40\nend_offset=312\n\
             begin_time=2026-01-01 00:00:00+00:00\nbegin_xlog=0/6000028\n\
             begin_wal=000000010000000000000006\nend_time=2026-01-01 00:01:00+00:00\n\
             end_wal=000000010000000000000006\nend_xlog=0/6000138\nsystemid=1\ntimeline=1\n\
             tablespaces=None\nversion=150020\nxlog_segment_size=16777216\n"
        );
        BackupInfo::parse(text.as_bytes()).unwrap()
    }

    fn whole() -> TarReport {
        let control = ControlFile {
            system_identifier: 1,
            major: Some(15),
            checkpoint: Lsn::new(0x0600_0060),
            transactions: Transactions {
                oldest: 716,
                next: 1_048_577,
                oldest_group: 1,
                next_group: 1,
                next_member: 0,
            },
        };
        let mut catalogues = Catalogues::default();
        catalogues.note_map(Folder::GLOBAL, []);
        TarReport {
            is_closed: true,
            control_file: Some(Ok(control)),
            version: Some("15".to_owned()),
            backup_label: Some(BackupLabel { text: LABEL.to_owned(), is_last: true }),
            catalogues,
            transaction_files: [(Ends, 0), (Ends, 1), (TransactionLog::Offsets, 0)].into(),
            newest_page: Some((page(), Lsn::new(0x0600_0138))),
            ..TarReport::default()
        }
    }

    fn page() -> BlockId {
        let path = "base/5/16384";
        let file = RelationFile::of(TarContents::DataDirectory, path).unwrap();
        BlockId { file, block: 7 }
    }

    /// In words.
    fn told(change: impl FnOnce(&mut TarReport)) -> Vec<String> {
        let mut report = whole();
        change(&mut report);
        let tar = TarContent {
            name: "data.tar".to_owned(),
            contents: TarContents::DataDirectory,
            piece: 0,
            report: Ok(Ok(report)),
        };
        let content = BackupContent { tars: vec![tar], ..BackupContent::default() };
        of_members(&content, &info()).iter().map(ToString::to_string).collect()
    }

    fn with_label(from: &str, to: &str) -> Vec<String> {
        told(|report| {
            let text = LABEL.replace(from, to);
            report.backup_label = Some(BackupLabel { text, is_last: true });
        })
    }

    fn with_control(change: impl FnOnce(&mut ControlFile)) -> Vec<String> {
        told(|report| {
            if let Some(Ok(control)) = &mut report.control_file {
                change(control);
            }
        })
    }

    #[test]
    fn nothing_is_said_of_a_whole_backup() {
        assert!(told(|_| {}).is_empty());
    }

    #[test]
    fn a_label_is_held_to_what_recovery_reads_of_it() {
        for (from, to) in [
            ("0/6000028 (", "0/6000029 ("),
            ("CHECKPOINT LOCATION: 0/6000060", "CHECKPOINT LOCATION: 1/6000060"),
            ("METHOD: streamed", "METHOD: streamex"),
            ("FROM: primary", "FROM: standby"),
        ] {
            let told = with_label(from, to);
            assert!(told.len() == 1 && told[0].starts_with("backup_label is not"), "{told:?}");
        }
        // Nobody reads these.
        assert!(with_label("LABEL: Barman", "LABEL: Batman").is_empty());
        assert!(with_label("START TIME: 2", "START TIME: 3").is_empty());
    }

    #[test]
    fn a_control_file_is_of_the_time_of_the_backup() {
        for at in [0x0600_0028, 0x0600_0200] {
            let told = with_control(|control| control.checkpoint = Lsn::new(at));
            assert!(told[0].contains("expected one from 0/6000060 to 0/6000138"), "{told:?}");
        }
        // A standby, and a primary while it was copied, may have got on.
        let moved = |control: &mut ControlFile| control.checkpoint = Lsn::new(0x0600_0100);
        assert!(with_control(moved).is_empty());
    }

    #[test]
    fn what_tells_how_transactions_ended_is_missed() {
        let told = told(|it| it.transaction_files.retain(|file| *file != (Ends, 1)));
        assert_eq!(told, ["it lacks pg_xact/0001"]);
        // How far they had come when the backup began is not known any more.
        let moved = with_control(|control| {
            control.checkpoint = Lsn::new(0x0600_0100);
            control.transactions.next = 9_000_000;
        });
        assert!(moved.is_empty(), "{moved:?}");
    }

    #[test]
    fn maps_of_relations_are_there_and_whole() {
        let none = told(|it| it.catalogues = Catalogues::default());
        assert_eq!(none, ["it lacks global/pg_filenode.map"]);
        let told = told(|it| {
            let wrong = ("base/5/pg_filenode.map".to_owned(), RelationMapError::Checksum);
            it.wrong_maps.first.push(wrong);
        });
        let expected = "base/5/pg_filenode.map is not what it should be: its checksum is wrong";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn a_tablespace_without_anything_is_missed() {
        let empty = TarContent {
            name: "16384.tar".to_owned(),
            contents: TarContents::Tablespace(16_384),
            piece: 0,
            report: Ok(Ok(TarReport { is_closed: true, ..TarReport::default() })),
        };
        let mut content = BackupContent { tars: vec![empty.clone()], ..BackupContent::default() };
        assert_eq!(empty_tablespaces(&content), ["pg_tblspc/16384/PG_*"]);
        let rest = TarReport { members: 2, ..TarReport::default() };
        content.tars.push(TarContent { piece: 1, report: Ok(Ok(rest)), ..empty });
        assert!(empty_tablespaces(&content).is_empty());
    }

    #[test]
    fn a_page_from_behind_the_end_is_of_another_backup() {
        let told = told(|it| it.newest_page = Some((page(), Lsn::new(0x0600_0140))));
        let why = "block 7 was written at 0/6000140, behind the end of the backup at 0/6000138";
        assert_eq!(told, [format!("base/5/16384 is not what it should be: {why}")]);
    }
}
