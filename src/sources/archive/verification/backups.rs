//! Every tar file of the finished base backups, and the log that makes torn pages whole again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;

use crate::content::members::BlockId;
use crate::content::members::RelationFile;
use crate::content::tar_check::TarCheck;
use crate::content::tar_check::TarExpectation;
use crate::content::tar_check::TarReport;
use crate::domain::backup::BackupStatus;
use crate::domain::backup_info::BackupInfo;
use crate::domain::backup_info::BackupWal;
use crate::domain::codec::Bzip2;
use crate::domain::lsn::Lsn;
use crate::domain::storage_class::StorageClass;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Observation;
use crate::observation::Reading;
use crate::observation::backup::ObservedBackup;
use crate::observation::backup::TarObject;
use crate::observation::content::BackupContent;
use crate::observation::content::ContentDamage;
use crate::observation::content::TarContent;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::sources::archive::Collector;
use crate::sources::archive::probes::WantedSegment;
use crate::sources::archive::verification::Progress;
use crate::sources::archive::verification::sniff::Sniffed;
use crate::sources::decode::decoder::DecompressError;
use crate::sources::decode::object::Fed;
use crate::sources::decode::object::StoredContent;
use crate::sources::decode::object::decode_object;
use crate::sources::limits;
use crate::sources::store::error::StoreError;
use crate::sources::workshop::Turns;
use crate::wal::RecordReader;
use crate::wal::SegmentIdentity;
use crate::wal::Step;
use crate::wal::Version;

type Checked = Result<TarReport, ContentDamage>;

impl Fed for TarCheck {
    fn feed(&mut self, piece: &[u8]) {
        Self::feed(self, piece);
    }
}

impl Collector {
    /// Adds what the tar files of each finished backup hold, the newest first.
    pub(super) async fn verify_backups(&self, seen: &mut Observation, progress: &Arc<Progress>) {
        let Ok(backups) = &seen.backups else { return };
        let mut finished: Vec<(&ObservedBackup, &BackupInfo)> = backups
            .iter()
            .filter_map(|backup| Some((backup, backup.parsed_info()?)))
            .filter(|(_, info)| info.status == BackupStatus::Done && !info.is_snapshot)
            .collect();
        finished.sort_by_key(|(_, info)| std::cmp::Reverse(info.ended_at));
        let tars = finished.iter().flat_map(|(backup, _)| &backup.tars);
        let (objects, bytes) = tars.fold((0_u64, 0_u64), |(objects, bytes), tar| {
            (objects.saturating_add(1), bytes.saturating_add(tar.version.size))
        });
        progress.expect(objects, bytes);
        let archive = seen.archive.as_ref();
        for (backup, info) in finished {
            let content = self.verify_backup(backup, info, archive, progress).await;
            if content.is_read() {
                seen.content.read_at.insert(backup.id.clone(), seen.began_at);
            }
            seen.content.backups.insert(backup.id.clone(), content);
        }
    }

    /// All tar files of one finished backup.
    pub async fn verify_backup(
        &self,
        backup: &ObservedBackup,
        info: &BackupInfo,
        archive: Result<&Inventory, &Unreadable>,
        progress: &Arc<Progress>,
    ) -> BackupContent {
        let has_checksums = info.has_checksums == Some(true);
        let mut reads: Vec<BoxFuture<'_, _>> = Vec::new();
        for tar in &backup.tars {
            let expected = TarExpectation { contents: tar.contents, has_checksums };
            let read = async move {
                let report = self.read_tar(backup, tar, expected).await;
                progress.note(1, tar.version.size);
                (tar, expected, report)
            };
            reads.push(read.boxed());
        }
        let read: Vec<_> = stream::iter(reads).buffered(limits::TARS_AT_ONCE).collect().await;
        let mut content = BackupContent::default();
        for (tar, _, report) in &read {
            content.tars.push(TarContent {
                name: tar.contents.file_name(tar.piece, tar.codec),
                contents: tar.contents,
                piece: tar.piece,
                report: report.clone(),
            });
        }
        content.accuse_blank_pages();
        let suspects = content.wrong_pages();
        let version = info.server_version.and_then(|it| u16::try_from(it / 10_000).ok());
        let version = version.and_then(Version::of_major);
        let is_whole = |tar: &TarContent| matches!(&tar.report, Ok(Ok(report)) if report.is_closed);
        let is_all_whole = content.tars.iter().all(is_whole);
        let is_lacking = is_all_whole && !content.missing_catalogues().is_empty();
        let mut lost = if is_all_whole { content.relations().lost() } else { Vec::new() };
        lost.truncate(LOST_MAX);
        let is_suspect = is_lacking || !suspects.is_empty() || !lost.is_empty();
        if let (Some(wal), Some(version), true) = (info.wal, version, is_suspect) {
            let searched = match archive {
                Ok(inventory) => {
                    self.search(inventory, wal, Search::new(wal, version, suspects, lost)).await
                }
                Err(unread) => Err(unread.clone()),
            };
            match searched {
                Ok(Search { found, is_rearranged, lost, .. }) => {
                    (content.restored_pages, content.is_rearranged) = (found, is_rearranged);
                    content.lost_relations = lost;
                }
                Err(unread) => content.log_unread = Some(unread),
            }
        }
        // What is left would accuse the store: it is read once more, by the other decoder.
        for (at, (tar, expected, _)) in read.iter().enumerate() {
            let Some(told) = content.tars.get_mut(at) else { continue };
            let is_left = |report: &TarReport| {
                report.wrong_pages.keys().any(|page| !content.restored_pages.contains(page))
            };
            if matches!(&told.report, Ok(Ok(report)) if is_left(report)) {
                told.report = self.confirm_tar(backup, tar, *expected).await;
            }
        }
        content.accuse_blank_pages();
        content
    }

    async fn read_tar(
        &self,
        backup: &ObservedBackup,
        tar: &TarObject,
        expected: TarExpectation,
    ) -> Reading<Checked> {
        let what = || format!("read {} of backup {}", name_of(tar), backup.id);
        if tar.class == StorageClass::Frozen {
            let why = "it must be thawed first".to_owned();
            return Err(Unreadable { what: what(), why, reason: UnreadableReason::Internal });
        }
        let read = self.check_tar(backup, tar, expected, &self.turns).await;
        match read.map_err(|error| error.unreadable(&what()))? {
            Ok(report) if report.error.is_none() && report.is_closed => Ok(Ok(report)),
            Ok(_) | Err(_) => self.confirm_tar(backup, tar, expected).await,
        }
    }

    /// By the reference decoder; damage only of what the store really holds.
    async fn confirm_tar(
        &self,
        backup: &ObservedBackup,
        tar: &TarObject,
        expected: TarExpectation,
    ) -> Reading<Checked> {
        let what = format!("read {} of backup {}", name_of(tar), backup.id);
        let unread = |error: StoreError| error.unreadable(&what);
        let refused = |why: String| {
            Err(Unreadable { what: what.clone(), why, reason: UnreadableReason::Parse })
        };
        let by_reference = self.turns.decoding_by(Bzip2::Reference);
        let checked = self.check_tar(backup, tar, expected, &by_reference).await;
        let checked = checked.map_err(unread)?;
        let key = self.tar_key(backup, tar);
        if !self.is_stored_so(&key).await.map_err(unread)? {
            return refused("the store does not return the same bytes twice".to_owned());
        }
        match self.sniff(&key).await.map_err(unread)? {
            Some(Sniffed::Encrypted(how)) => refused(format!("it is encrypted with {how}")),
            Some(Sniffed::Compressed(found)) if found != tar.codec && checked.is_err() => {
                let (named, found) = (tar.codec.label(), found.label());
                let why = format!("it is named as {named}, but its content begins as {found} does");
                Ok(Err(ContentDamage::Undecodable(why)))
            }
            Some(Sniffed::Compressed(_)) | None => Ok(checked),
        }
    }

    async fn check_tar(
        &self,
        backup: &ObservedBackup,
        tar: &TarObject,
        expected: TarExpectation,
        turns: &Turns,
    ) -> Result<Checked, StoreError> {
        let key = self.tar_key(backup, tar);
        let content = StoredContent {
            key: &key,
            codec: tar.codec,
            stored_bytes_max: u64::MAX,
            bytes_max: limits::TAR_BYTES_MAX,
        };
        let check = TarCheck::new(expected);
        let decoded = decode_object(self.store.as_ref(), turns, content, check).await?;
        let report = decoded.fed.report();
        Ok(match decoded.length {
            Ok(_) => Ok(report),
            // What lies behind the end of the tar file is not decoded by a restore.
            Err(
                DecompressError::Truncated
                | DecompressError::Short { .. }
                | DecompressError::Trailing,
            ) if report.is_closed => Ok(report),
            Err(DecompressError::Truncated | DecompressError::Short { .. }) => {
                Err(ContentDamage::Truncated)
            }
            Err(
                error @ (DecompressError::Trailing
                | DecompressError::Undecodable(_)
                | DecompressError::TooLarge { .. }),
            ) => Err(ContentDamage::Undecodable(error.to_string())),
        })
    }

    pub(in crate::sources::archive) fn tar_key(
        &self,
        backup: &ObservedBackup,
        tar: &TarObject,
    ) -> String {
        format!("{}{}/{}", self.folder.base(), backup.id, name_of(tar))
    }

    /// What of the pages the backup's own log writes whole: it is replayed before anybody may look, and
    /// holds an image of each page that changed while it was copied.
    async fn search(
        &self,
        inventory: &Inventory,
        wal: BackupWal,
        mut search: Search,
    ) -> Reading<Search> {
        let mut number = wal.first_required;
        loop {
            let on = |timeline| {
                let archive = inventory.timeline(timeline);
                archive.is_some_and(|archive| archive.segments().contains(number))
            };
            let timelines = [wal.begin.timeline, wal.end.timeline];
            let timeline = timelines.into_iter().find(|it| on(*it)).unwrap_or(wal.begin.timeline);
            let id = SegmentId { timeline, number };
            let what = || {
                let name = number.name(timeline, inventory.segment_size);
                format!("read WAL segment {name}")
            };
            search.reader.follow(timeline);
            let bytes_max = limits::segment_content_bytes_max(inventory.segment_size.bytes());
            let _turn = self.turns.segment().await;
            let wanted = WantedSegment { inventory, id, bytes_max };
            let decoded = self.decode_segment_by(&self.turns, wanted, search).await;
            let (_, decoded) = decoded.map_err(|error| error.unreadable(&what()))?;
            search = decoded.fed;
            if number == wal.last_required {
                return Ok(search);
            }
            number = number.next();
        }
    }
}

fn name_of(tar: &TarObject) -> String {
    tar.contents.file_name(tar.piece, tar.codec)
}

/// Looks for images of pages in the log.
#[derive(Clone)]
struct Search {
    reader: RecordReader,
    version: Version,
    /// Only these records are replayed before the backup is consistent.
    within: Range<Lsn>,
    wanted: Arc<BTreeSet<BlockId>>,
    found: BTreeSet<BlockId>,
    is_rearranged: bool,
    /// Relations without a file, as far as the log does not make or remove it.
    lost: Vec<RelationFile>,
}

/// Enough to see what is wrong.
const LOST_MAX: usize = 20;

impl Search {
    fn new(
        wal: BackupWal,
        version: Version,
        suspects: BTreeSet<BlockId>,
        lost: Vec<RelationFile>,
    ) -> Self {
        Self {
            reader: RecordReader::new(SegmentIdentity::default()).beginning_at(wal.begin_lsn),
            version,
            within: wal.begin_lsn..wal.end_lsn,
            wanted: Arc::new(suspects),
            found: BTreeSet::new(),
            is_rearranged: false,
            lost,
        }
    }
}

impl Fed for Search {
    fn feed(&mut self, mut piece: &[u8]) {
        while let Ok(Step::Record(record)) = self.reader.step(&mut piece) {
            if !self.within.contains(&record.start) {
                continue;
            }
            self.is_rearranged |= record.header.rearranges();
            self.lost.retain(|file| {
                let RelationFile { tablespace, database, relation, .. } = *file;
                !record.removes_many() && !record.names(tablespace, database, relation)
            });
            record.restored_blocks(self.version, |reference| {
                let page = BlockId::of_reference(reference);
                self.found.extend(page.filter(|page| self.wanted.contains(page)));
            });
        }
    }
}

impl BackupContent {
    /// All pages with a wrong checksum, but for those of relations that are emptied anyway.
    fn wrong_pages(&self) -> BTreeSet<BlockId> {
        let reports = || self.tars.iter().filter_map(|tar| tar.report.as_ref().ok()?.as_ref().ok());
        let unlogged = reports().flat_map(|report| &report.unlogged).copied().collect();
        let is_logged = |page: &&BlockId| !page.is_emptied(&unlogged);
        reports().flat_map(|report| report.wrong_pages.keys()).filter(is_logged).copied().collect()
    }
}
