//! An archive that lies where clusters archive, and that no `Cluster` names.

use crate::domain::cluster::ClusterId;

/// Where it was found, and who left it there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphan {
    /// The `ObjectStore` below which it lies; `None` for a store that a `Cluster` holds itself.
    pub object_store: Option<String>,
    /// The `Cluster` that named it, if it was seen to go.
    pub left_by: Option<ClusterId>,
}
