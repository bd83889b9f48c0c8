//! What one archive's collector remembers. Losing it costs requests, never truth.

use std::collections::BTreeMap;

use crate::domain::backup::BackupId;
use crate::domain::backup::Keep;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::backup::ObservedInfo;
use crate::observation::inventory::Inventory;
use crate::observation::inventory::ListedObject;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;

#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) inventory: Option<Inventory>,
    pub(super) segment_size: Option<SegmentSize>,
    pub(super) infos: BTreeMap<BackupId, Version<ObservedInfo>>,
    pub(super) keeps: BTreeMap<BackupId, Version<Keep>>,
    pub(super) histories: BTreeMap<TimelineId, Version<Result<TimelineHistory, HistoryDamage>>>,
    pub(super) probes: BTreeMap<SegmentId, SegmentProbe>,
}

/// What was read of an object, and of which version of it.
#[derive(Debug)]
pub(super) struct Version<T> {
    etag: String,
    size: u64,
    content: T,
}

impl<T> Version<T> {
    pub(super) fn new(object: &ListedObject, content: T) -> Self {
        Self { etag: object.etag.clone(), size: object.size, content }
    }

    /// The content, if the object is still the same. One without an entity tag is never.
    pub(super) fn of(&self, object: &ListedObject) -> Option<&T> {
        let is_same = !object.etag.is_empty() && self.etag == object.etag;
        (is_same && self.size == object.size).then_some(&self.content)
    }
}
