//! Removes what a drill has made.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::drill_id::DrillId;
use crate::execution::drills;
use crate::sources::kubernetes::drills::DrillNamespace;

/// Between two looks: a phase that is measured so is off by two seconds at most.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The pod has half an hour to end (`stopDelay` in `api/v1/cluster_types.go`), and ends within seconds,
/// since nobody is connected.
pub(super) const GONE_WITHIN: Duration = Duration::from_mins(5);

/// Deletes a cluster of a drill, and waits until everything is gone that came with it.
pub(super) async fn remove(
    namespace: &DrillNamespace,
    id: &DrillId,
    uid: &str,
    within: Duration,
) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let deleted = drills::delete_cluster(namespace, id, uid).await;
        let left = match (deleted, namespace.remains(&id.object_name()).await) {
            (Ok(()), Ok(left)) if left.is_empty() => return Ok(()),
            (Ok(()), Ok(left)) => left.join(", "),
            (Err(why), _) => why,
            (Ok(()), Err(unread)) => unread.to_string(),
        };
        if within <= began.elapsed() {
            return Err(format!("not gone after {} s: {left}", within.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
