//! The history files below `wals/`.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::domain::codec::Bzip2;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::HistoryDamage;
use crate::observation::ObservedHistory;
use crate::observation::inventory::HistoryObject;
use crate::observation::inventory::Inventory;
use crate::sources::archive::Collector;
use crate::sources::archive::cache::KnownHistory;
use crate::sources::archive::cache::is_same;
use crate::sources::decode::decoder::DecompressError;
use crate::sources::decode::decoder::decode;
use crate::sources::decode::decoder::decompress;
use crate::sources::limits;
use crate::sources::store::object_store::read_listed;

impl Collector {
    pub(super) async fn read_histories(
        &mut self,
        inventory: &Inventory,
    ) -> BTreeMap<TimelineId, ObservedHistory> {
        self.cache.histories.retain(|timeline, _| inventory.histories.contains_key(timeline));
        let mut histories = BTreeMap::new();
        for (&timeline, object) in &inventory.histories {
            if histories.len() == limits::HISTORIES_MAX {
                histories.insert(timeline, Err(too_many()));
                break;
            }
            histories.insert(timeline, self.read_history(timeline, object).await);
        }
        histories
    }

    async fn read_history(
        &mut self,
        timeline: TimelineId,
        object: &HistoryObject,
    ) -> ObservedHistory {
        if let Some(known) = self.cache.histories.get(&timeline)
            && is_same(known.version, &object.version)
        {
            return Ok(known.content.clone());
        }
        let key = self.folder.history(timeline, object.codec);
        let (store, bytes_max) = (self.store.as_ref(), limits::HISTORY_BYTES_MAX);
        let read = read_listed(store, &key, &object.version, bytes_max).await;
        let bytes = read.map_err(|error| {
            error.unreadable(&format!("read the history file of timeline {timeline}"))
        })?;
        let content = parse(timeline, object, self.turns.bzip2(), &bytes);
        let known = KnownHistory { version: object.version.digest(), content: content.clone() };
        self.cache.histories.insert(timeline, known);
        Ok(content)
    }
}

fn parse(
    timeline: TimelineId,
    object: &HistoryObject,
    bzip2: Bzip2,
    bytes: &Bytes,
) -> Result<TimelineHistory, HistoryDamage> {
    if bytes.is_empty() && object.codec.delivers_nothing_as_empty() {
        return Ok(TimelineHistory::parse(timeline, &[])?);
    }
    let mut text = Vec::new();
    let end = decode(object.codec, bzip2, &**bytes, limits::HISTORY_BYTES_MAX, |piece| {
        text.extend_from_slice(piece);
    });
    match end {
        Ok(_) => {}
        // barman hands out what there is, which may be all of it but a checksum.
        Err(DecompressError::Short { .. }) => {}
        Err(_) => {
            text = decompress(object.codec, bzip2, bytes, limits::HISTORY_BYTES_MAX)
                .map_err(|error| HistoryDamage::Undecodable(error.to_string()))?;
        }
    }
    Ok(TimelineHistory::parse(timeline, &text)?)
}

fn too_many() -> Unreadable {
    Unreadable {
        what: "read the history files".to_owned(),
        why: format!("there are more than {}", limits::HISTORIES_MAX),
        reason: UnreadableReason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codec::Codec;
    use crate::domain::object_version::ObjectVersion;

    /// Cut by a byte, this loses no line.
    #[test]
    fn of_a_history_that_was_cut_what_barman_hands_out_counts() {
        let text = b"1\t0/45000100\tno recovery target specified\n".repeat(3);
        let timeline = TimelineId::new(2).unwrap();
        let parse = |codec, bytes: &[u8]| {
            let version = ObjectVersion::new("", bytes.len() as u64);
            let object =
                HistoryObject { codec, version, uploaded_at: chrono::DateTime::UNIX_EPOCH };
            parse(timeline, &object, Bzip2::Fast, &Bytes::copy_from_slice(bytes))
        };
        let whole = zstd::encode_all(&b"1\t0/45000100\tx\n"[..], 4).unwrap();
        let expected = parse(Codec::Zstd, &whole);
        assert!(expected.is_ok());
        // The decoder wants an end that PostgreSQL never sees.
        let mut open = zstd::stream::Encoder::new(Vec::new(), 4).unwrap();
        std::io::Write::write_all(&mut open, b"1\t0/45000100\tx\n").unwrap();
        std::io::Write::flush(&mut open).unwrap();
        let flushed = open.get_ref().clone();
        assert_eq!(parse(Codec::Zstd, &flushed), expected);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        std::io::Write::write_all(&mut gzip, &text).unwrap();
        let gzip = gzip.finish().unwrap();
        let cut = parse(Codec::Gzip, &gzip[..gzip.len() - 1]);
        assert!(matches!(cut, Err(HistoryDamage::Undecodable(_))), "{cut:?}");
    }
}
