//! The logs of a recovery, while they are written.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::domain::unreadable::UnreadableReason;
use crate::observation::recovery::PodState;
use crate::observation::recovery::SeenRecovery;
use crate::observation::recovery_log::RecoveryLog;
use crate::sources::kubernetes::drills::DrillNamespace;

/// The one that restores and its sidecar, in which Barman runs (`internal/cnpgi/operator/lifecycle.go` of
/// the plugin).
const CONTAINERS: [&str; 2] = ["full-recovery", "plugin-barman-cloud"];

/// More than a drill takes.
const SINCE_THE_BEGINNING: i64 = 7 * 24 * 3600;

/// What was read of each container.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// In the order of the pods.
    of: BTreeMap<(usize, &'static str), RecoveryLog>,
    read_at: Option<Instant>,
    is_forbidden: bool,
}

impl Logs {
    pub(super) async fn read(&mut self, namespace: &DrillNamespace, seen: &SeenRecovery) {
        let since = self.read_at.map_or(SINCE_THE_BEGINNING, |at| {
            // Clocks and rounding; what was read before is known by its time.
            i64::try_from(at.elapsed().as_secs()).unwrap_or(SINCE_THE_BEGINNING).saturating_add(5)
        });
        let mut is_any_read = false;
        for (number, pod) in seen.pods.iter().enumerate() {
            if self.is_forbidden || matches!(pod.state, PodState::Pending(_)) {
                continue;
            }
            for container in CONTAINERS {
                let known = self.of.entry((number, container)).or_default();
                let since = if known.is_empty() { SINCE_THE_BEGINNING } else { since };
                match namespace.log(&pod.name, container, since).await {
                    Ok(lines) => {
                        known.feed(&lines);
                        is_any_read = true;
                    }
                    Err(unread) if unread.reason == UnreadableReason::Auth => {
                        tracing::warn!(%unread, "without logs the phases of a drill are not known");
                        self.is_forbidden = true;
                        break;
                    }
                    // A container that has not begun has none.
                    Err(unread) => tracing::debug!(%unread, "no log"),
                }
            }
        }
        if is_any_read {
            self.read_at = Some(Instant::now());
        }
    }

    /// As one.
    pub(super) fn all(&self) -> RecoveryLog {
        self.of.values().fold(RecoveryLog::default(), RecoveryLog::followed_by)
    }
}
