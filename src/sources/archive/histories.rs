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
    let text = decompress(object.codec, bzip2, bytes, limits::HISTORY_BYTES_MAX)
        .map_err(|error| HistoryDamage::Undecodable(error.to_string()))?;
    Ok(TimelineHistory::parse(timeline, &text)?)
}

fn too_many() -> Unreadable {
    Unreadable {
        what: "read the history files".to_owned(),
        why: format!("there are more than {}", limits::HISTORIES_MAX),
        reason: UnreadableReason::Internal,
    }
}
