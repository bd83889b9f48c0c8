//! What the content of a base backup amounts to, where it was read.

mod members;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::assessment::archive::content::members::of_members;
use crate::assessment::archive::content::members::read;
use crate::content::damage::BackupDamage;
use crate::content::members::BlockId;
use crate::content::members::RelationFile;
use crate::content::tar_check::TarReport;
use crate::domain::backup::BackupId;
use crate::domain::backup_info::BackupInfo;
use crate::domain::lsn::Lsn;
use crate::observation::content::BackupContent;
use crate::observation::content::Content;
use crate::observation::content::ContentDamage;
use crate::observation::content::TarContent;
use crate::wal::Version;

/// Without them a restore fails, or PostgreSQL does not start.
pub(super) fn fatal(content: &BackupContent, info: &BackupInfo) -> Vec<BackupDamage> {
    if let Some(told) = &content.told {
        return told.iter().filter(|damage| !is_of_pages(damage)).cloned().collect();
    }
    let mut damages: Vec<BackupDamage> = content.tars.iter().filter_map(of_tar).collect();
    let is_read = content.is_read() && content.tars.iter().all(|it| matches!(it.report, Ok(Ok(_))));
    // What a damaged or unread tar file may hold is not called missing.
    if damages.is_empty() && is_read {
        damages.extend(of_members(content, info));
    }
    damages
}

/// Whether a backup can be restored to what the server had, by its content.
pub fn is_content_right(content: &BackupContent, info: &BackupInfo) -> bool {
    damages(content, info).is_empty()
}

/// All that is wrong with a backup, by its content.
pub fn damages(content: &BackupContent, info: &BackupInfo) -> Vec<BackupDamage> {
    let mut damages = fatal(content, info);
    damages.extend(wrong_pages(content, info));
    damages
}

/// Whether a backup was read to its last byte, and all was right.
pub(super) fn is_read_whole(seen: &Content, id: &BackupId, info: &BackupInfo) -> bool {
    let is_right = |it: &BackupContent| it.is_read() && is_content_right(it, info);
    seen.whole_backups.contains(id) || seen.backups.get(id).is_some_and(is_right)
}

/// Pages that stay wrong after a recovery.
pub(super) fn wrong_pages(content: &BackupContent, info: &BackupInfo) -> Option<BackupDamage> {
    if let Some(told) = &content.told {
        return told.iter().find(|damage| is_of_pages(damage)).cloned();
    }
    // Which pages the log writes anew is not known then, and that is told.
    if content.log_unread.is_some() {
        return None;
    }
    let reports = || read(content).map(|(_, report)| report);
    let unlogged: BTreeSet<RelationFile> = reports().flat_map(|it| &it.unlogged).copied().collect();
    let wrong: BTreeMap<BlockId, Lsn> =
        reports().flat_map(|it| &it.wrong_pages).map(|(page, lsn)| (*page, *lsn)).collect();
    let (named, counted) = (wrong.len(), reports().map(|it| it.wrong_page_count).sum::<u64>());
    let left: Vec<BlockId> = wrong
        .into_iter()
        .filter(|(page, _)| !page.is_emptied(&unlogged))
        .filter(|(page, _)| !content.restored_pages.contains(page))
        .filter(|(_, lsn)| !may_be_mended(info, *lsn))
        .map(|(page, _)| page)
        .collect();
    // Of so many that not all are named, those behind are as the others.
    let beyond = counted.saturating_sub(u64::try_from(named).unwrap_or(u64::MAX));
    let count = u64::try_from(left.len()).unwrap_or(u64::MAX).saturating_add(beyond);
    (!left.is_empty()).then_some(BackupDamage::PageChecksum { first: left, count })
}

const fn is_of_pages(damage: &BackupDamage) -> bool {
    matches!(damage, BackupDamage::PageChecksum { .. })
}

/// A page that was written while it was copied may be torn, and the log holds an image of it; where that log
/// is of a version that nobody reads here, its position has to do.
fn may_be_mended(info: &BackupInfo, lsn: Lsn) -> bool {
    let major = info.server_version.and_then(|version| u16::try_from(version / 10_000).ok());
    let is_log_read = major.and_then(Version::of_major).is_some();
    !is_log_read && info.wal.is_some_and(|wal| wal.begin_lsn <= lsn && lsn <= wal.end_lsn)
}

fn of_tar(tar: &TarContent) -> Option<BackupDamage> {
    let object = || tar.name.clone();
    match tar.report.as_ref().ok()? {
        Err(ContentDamage::Truncated) => Some(BackupDamage::Truncated { object: object() }),
        Err(ContentDamage::Undecodable(why)) => {
            Some(BackupDamage::Undecodable { object: object(), why: why.clone() })
        }
        Ok(TarReport { error: Some(error), .. }) => {
            Some(BackupDamage::BadTar { object: object(), why: error.to_string() })
        }
        Ok(TarReport { is_closed: false, .. }) => {
            Some(BackupDamage::Truncated { object: object() })
        }
        Ok(TarReport { strays, no_files, .. }) => {
            let stray = strays.first.first();
            let stray = stray.map(|it| format!("a member leads out of the data directory: {it}"));
            let no_file = || no_files.first.first().map(|it| format!("{it} is no file"));
            let why = stray.or_else(no_file)?;
            Some(BackupDamage::BadTar { object: object(), why })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::unreadable::Unreadable;
    use crate::domain::unreadable::UnreadableReason;

    #[test]
    fn what_was_not_read_is_no_damage_and_what_a_job_told_is() {
        let text = "status=DONE\nbegin_offset=40\nend_offset=312\nbegin_time=2026-01-01 00:00:00+00:00\nbegin_xlog=0/6000028\n\
            begin_wal=000000010000000000000006\nend_time=2026-01-01 00:01:00+00:00\n\
            end_wal=000000010000000000000006\nend_xlog=0/6000138\nsystemid=1\ntimeline=1\n\
            tablespaces=None\nversion=150020\nxlog_segment_size=16777216\n";
        let info = BackupInfo::parse(text.as_bytes()).unwrap();
        let unread = Unreadable {
            what: "read base backup".to_owned(),
            why: "it is read again".to_owned(),
            reason: UnreadableReason::Internal,
        };
        let content = BackupContent { log_unread: Some(unread), ..BackupContent::default() };
        assert_eq!(fatal(&content, &info), []);
        assert_eq!(wrong_pages(&content, &info), None);
        let pages = BackupDamage::PageChecksum { first: Vec::new(), count: 3 };
        let cut = BackupDamage::Truncated { object: "data.tar".to_owned() };
        let told = Some(vec![cut.clone(), pages.clone()]);
        let content = BackupContent { told, ..BackupContent::default() };
        assert_eq!(fatal(&content, &info), std::slice::from_ref(&cut));
        assert_eq!(wrong_pages(&content, &info), Some(pages.clone()));
        assert_eq!(damages(&content, &info), [cut, pages]);
        let whole = BackupContent { told: Some(Vec::new()), ..BackupContent::default() };
        assert!(whole.is_read() && is_content_right(&whole, &info));
    }
}
