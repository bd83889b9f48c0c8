//! Opens segments.

use crate::domain::archive_file::ArchiveFileKind;
use crate::domain::codec::Codec;
use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::observation::inventory::Inventory;
use crate::observation::probe::DamagedSegment;
use crate::observation::probe::ReplayedPart;
use crate::observation::probe::SegmentContent;
use crate::observation::probe::SegmentDamage;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;
use crate::observation::probes::Probes;
use crate::sources::archive::Collector;
use crate::sources::archive::cache::KnownBackup;
use crate::sources::decode::decoder::DecompressError;
use crate::sources::decode::object::Decoded;
use crate::sources::decode::object::Fed;
use crate::sources::decode::object::StoredContent;
use crate::sources::decode::object::decode_object;
use crate::sources::limits;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::listing::list_all;
use crate::sources::workshop::Turns;
use crate::wal::Ending;
use crate::wal::SegmentHeader;
use crate::wal::SegmentIdentity;
use crate::wal::Survey;
use crate::wal::Surveyor;

/// As much of a segment as holds its long page header (`SizeOfXLogLongPHD`).
const HEADER_BYTES: u64 = 40;

/// A segment, and how much of its content may be looked at.
#[derive(Clone, Copy)]
pub(super) struct WantedSegment<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) id: SegmentId,
    pub(super) bytes_max: u64,
}

/// Why a segment that was listed could not be opened.
pub(super) enum Unopened {
    /// It is not there any more, nor listed.
    Gone(Unreadable),
    Unread(Unreadable),
}

impl From<Unopened> for Unreadable {
    fn from(unopened: Unopened) -> Self {
        let (Unopened::Gone(unread) | Unopened::Unread(unread)) = unopened;
        unread
    }
}

impl Fed for Surveyor {
    fn feed(&mut self, piece: &[u8]) {
        Self::feed(self, piece);
    }
}

impl Collector {
    /// Forgets what was opened, as an object may have been replaced since.
    pub fn forget_probes(&mut self) {
        self.cache.probes.keep_quiet();
    }

    pub(super) async fn open_segment(
        &mut self,
        inventory: &Inventory,
        id: SegmentId,
    ) -> Result<SegmentProbe, Unopened> {
        let size = inventory.segment_size;
        let name = id.number.name(id.timeline, size);
        let what = format!("read WAL segment {name}");
        let _turn = self.turns.segment().await;
        let surveyor = Surveyor::new(SegmentIdentity {
            start: Some(id.number.start(size)),
            timeline: Some(id.timeline),
            segment_size: Some(size),
            system_identifier: None,
        })
        .asked_before(self.backups_ended_in(id, size));
        let bytes_max = limits::segment_content_bytes_max(size.bytes());
        let unopened = |error: StoreError| {
            let unread = error.unreadable(&what);
            if error.kind == StoreErrorKind::NoSuchKey {
                Unopened::Gone(unread)
            } else {
                Unopened::Unread(unread)
            }
        };
        let decoded = self.decode_segment_by(
            &self.turns,
            WantedSegment { inventory, id, bytes_max },
            surveyor,
        );
        let decoded = decoded.await;
        if let Err(error) = &decoded
            && is_overlong(inventory, id, error)
        {
            let damage = SegmentDamage::TooLarge { bytes_max };
            let damaged = DamagedSegment { damage, replayed: None, sound: None };
            return Ok(SegmentProbe::Damaged(damaged));
        }
        let (codec, Decoded { fed: surveyor, length, .. }) = decoded.map_err(unopened)?;
        let survey = surveyor.survey();
        let length = delivered(length, size);
        let replayed = length.as_ref().ok().and_then(|length| replayed(&survey, *length, size));
        let content = length.and_then(|length| content(&survey, length, size));
        let probe = match content {
            Ok(content) => SegmentProbe::Read(content),
            Err(damage) => {
                let key = self.folder.segment(name, codec);
                let confirmed = self.confirmed(&key, codec, damage);
                let damage = confirmed.await.map_err(unopened)?.map_err(|why| {
                    let (what, reason) = (what.clone(), UnreadableReason::Parse);
                    Unopened::Unread(Unreadable { what, why, reason })
                })?;
                SegmentProbe::Damaged(DamagedSegment { damage, replayed, sound: None })
            }
        };
        let backups = self.cache.backups.len();
        if limits::probes_remembered_max(backups) <= self.cache.probes.count() {
            self.cache.probes = Probes::default();
        }
        self.cache.probes.insert(id, Ok(probe.clone()));
        Ok(probe)
    }

    /// Where recovery of a backup begins in a segment.
    pub(super) fn backups_begun_in(&self, id: SegmentId, size: SegmentSize) -> Vec<Lsn> {
        let known = self.cache.backups.iter().filter_map(|it| it.backup.parsed_info()?.wal);
        let known = known.map(|wal| (wal.begin.timeline, wal.begin_lsn));
        let begun = known.chain(self.begun.iter().copied());
        let inside = begun.filter(|(timeline, lsn)| {
            *timeline == id.timeline && SegmentNumber::containing(*lsn, size) == id.number
        });
        let mut begun: Vec<Lsn> = inside.map(|(_, lsn)| lsn).collect();
        begun.sort_unstable();
        begun.dedup();
        begun
    }

    /// Where backups ended in a segment: before and behind that are two kinds of moments.
    pub(super) fn backups_ended_in(&self, id: SegmentId, size: SegmentSize) -> Vec<Lsn> {
        let wals = self.cache.backups.iter().filter_map(|it| it.backup.parsed_info()?.wal);
        let ended = wals.filter(|wal| wal.segment_size == size);
        let mut ends: Vec<Lsn> = ended
            .map(|wal| wal.end_lsn)
            .filter(|lsn| SegmentNumber::containing(*lsn, size) == id.number)
            .collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// The segment size that the newest segment tells, where no backup did and it differs from
    /// what was assumed.
    pub(super) async fn size_without_backups(
        &mut self,
        inventory: &Inventory,
    ) -> Reading<Option<SegmentSize>> {
        let has_info = |it: &KnownBackup| matches!(it.backup.info, Ok(Some(_)));
        let has_told = self.cache.backups.iter().any(has_info);
        if has_told || self.cache.segment_size == Some(inventory.segment_size) {
            return Ok(None);
        }
        let Some(newest) = self.newest_segment(inventory) else { return Ok(None) };
        let what = "read the segment size from the newest WAL segment";
        let decoded = self.decode_segment(inventory, newest, HEADER_BYTES, Vec::new());
        // What follows the header does not matter.
        let decoded = decoded.await.map_err(|error| error.unreadable(what))?;
        let header = SegmentHeader::parse(&decoded.fed).ok();
        // A damaged segment tells nothing; without a backup nothing depends on it either.
        let told = header.map(|header| header.segment_size);
        Ok(told.filter(|told| *told != inventory.segment_size))
    }

    /// Decodes the object that a restore would pick: usually compressed like the newest one, else
    /// whichever a listing shows first.
    async fn decode_segment<F: Fed>(
        &self,
        inventory: &Inventory,
        id: SegmentId,
        bytes_max: u64,
        fed: F,
    ) -> Result<Decoded<F>, StoreError> {
        let decoded = self
            .decode_segment_by(&self.turns, WantedSegment { inventory, id, bytes_max }, fed)
            .await?;
        Ok(decoded.1)
    }

    /// The same by the decoder of these turns; tells the compression by the object's name.
    pub(super) async fn decode_segment_by<F: Fed>(
        &self,
        turns: &Turns,
        wanted: WantedSegment<'_>,
        fed: F,
    ) -> Result<(Codec, Decoded<F>), StoreError> {
        let WantedSegment { inventory, id, bytes_max } = wanted;
        let size = inventory.segment_size;
        let archive = inventory.timeline(id.timeline);
        let name = id.number.name(id.timeline, size);
        let decode = async |codec, fed| {
            let key = self.folder.segment(name, codec);
            let stored_bytes_max = limits::segment_object_bytes_max(size.bytes());
            let content = StoredContent { key: &key, codec, stored_bytes_max, bytes_max };
            decode_object(self.store.as_ref(), turns, content, fed).await.map(|it| (codec, it))
        };
        let is_ambiguous = archive.is_some_and(|archive| archive.twice().contains(id.number));
        if let Some(codec) =
            archive.and_then(|archive| archive.newest_codec()).filter(|_| !is_ambiguous)
        {
            match decode(codec, fed.clone()).await {
                Err(error) if error.kind == StoreErrorKind::NoSuchKey => {}
                decoded => return decoded,
            }
        }
        let mut stored = None;
        let prefix = self.folder.segment(name, Codec::None);
        list_all(self.store.as_ref(), &prefix, None, |object| {
            let file = self.folder.archive_file(&object.key);
            let whole = file.filter(|file| file.kind == ArchiveFileKind::Segment(name));
            if stored.is_none() {
                stored = whole.map(|file| file.codec);
            }
        })
        .await?;
        let codec =
            stored.ok_or_else(|| StoreError::new(StoreErrorKind::NoSuchKey, prefix.clone()))?;
        decode(codec, fed).await
    }
}

/// Whether an object was not read since it is too long, and is what barman hands out.
fn is_overlong(inventory: &Inventory, id: SegmentId, error: &StoreError) -> bool {
    let archive = inventory.timeline(id.timeline);
    let is_misfit = archive.is_some_and(|archive| archive.misfits().contains(id.number));
    error.kind == StoreErrorKind::TooLarge && is_misfit
}

/// How long the file is that barman hands out: of an object that lacks nothing but its end, the whole segment.
pub(super) fn delivered(
    length: Result<u64, DecompressError>,
    size: SegmentSize,
) -> Result<u64, SegmentDamage> {
    match length {
        Err(DecompressError::Short { delivered }) if delivered == size.bytes() => Ok(delivered),
        length => length.map_err(undecodable),
    }
}

fn undecodable(error: DecompressError) -> SegmentDamage {
    match error {
        DecompressError::Truncated | DecompressError::Short { .. } => SegmentDamage::Truncated,
        DecompressError::Trailing => SegmentDamage::Undecodable(error.to_string()),
        DecompressError::Undecodable(why) => SegmentDamage::Undecodable(why),
        DecompressError::TooLarge { bytes_max } => SegmentDamage::TooLarge { bytes_max },
    }
}

/// What recovery replays of a segment that is not whole: one of another length it is not given, or
/// stops with an error.
pub(super) fn replayed(survey: &Survey, found: u64, size: SegmentSize) -> Option<ReplayedPart> {
    let at = match survey.ending {
        Ending::Damaged(damage) => damage.at,
        Ending::Zeros { at, .. } | Ending::Short(at) => at,
        Ending::Full | Ending::Switched | Ending::InsideRecord(_) => return None,
    };
    // What is wrong may lie in the middle of a record, of which nothing is replayed then.
    let begin = survey.header.map(|header| header.start);
    let until = survey.valid_end.or(begin).map_or(at, |end| end.min(at));
    let newest_commit_at = survey.newest_transaction_end.map(|end| end.ended_at);
    (found == size.bytes()).then_some(ReplayedPart { until, newest_commit_at })
}

/// Where the log ends before its segment does: a complete one is filled, or ends with a switch.
pub(super) const fn ends_inside(survey: &Survey) -> Option<Lsn> {
    match survey.ending {
        Ending::Zeros { at, .. } | Ending::Short(at) => Some(at),
        Ending::Full | Ending::Switched | Ending::InsideRecord(_) | Ending::Damaged(_) => None,
    }
}

pub(super) fn content(
    survey: &Survey,
    found: u64,
    size: SegmentSize,
) -> Result<SegmentContent, SegmentDamage> {
    if let Ending::Damaged(damage) = survey.ending {
        return Err(damage.into());
    }
    let expected = size.bytes();
    if found != expected {
        return Err(SegmentDamage::Length { found, expected });
    }
    let header = survey.header.ok_or(SegmentDamage::NoHeader)?;
    if let Some(at) = ends_inside(survey) {
        return Err(SegmentDamage::Ends(at));
    }
    Ok(SegmentContent {
        system_identifier: header.system_identifier,
        newest_commit_at: survey.newest_transaction_end.map(|end| end.ended_at),
        newest_before: survey
            .before
            .iter()
            .map(|(lsn, newest)| (*lsn, newest.map(|end| end.ended_at)))
            .collect(),
    })
}
