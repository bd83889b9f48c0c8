//! The log of requests, as an audit log would have it.

/// One request that came with a valid identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// The name of the user.
    pub user: String,
    /// The verb of RBAC: `get`, `list`, `watch`, `create`, …
    pub verb: String,
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    /// The plural; empty for a path that is no resource.
    pub resource: String,
    pub subresource: String,
    /// Empty at the scope of the cluster.
    pub namespace: String,
    pub name: String,
    /// Path and query, as sent.
    pub uri: String,
    pub user_agent: String,
    /// Whether RBAC allows it.
    pub is_allowed: bool,
    /// The HTTP status of the answer; 0 when a fault left the request without one.
    pub status: u16,
}

/// The last requests, bounded.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    records: Vec<RequestRecord>,
}

/// Enough for any test.
const RECORDS_MAX: usize = 100_000;

impl RequestLog {
    pub(super) fn add(&mut self, record: RequestRecord) {
        assert!(self.records.len() < RECORDS_MAX, "a client runs wild: {record:?}");
        self.records.push(record);
    }

    pub(super) fn all(&self) -> &[RequestRecord] {
        &self.records
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
    }
}
