//! The right to run the only drill of a namespace.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::process;

use anyhow::bail;
use chrono::DateTime;
use chrono::Utc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::config::DrillConfig;
use crate::domain::drill_id::DrillId;
use crate::execution::lease;
use crate::execution::lease::NotHeld;
use crate::service::clock;
use crate::sources::kubernetes::drills::DrillNamespace;

/// Of a run that begins now: who holds the lease, and what its objects are called.
pub(super) fn new_id(config: &DrillConfig, began_at: DateTime<Utc>) -> DrillId {
    let scope = config.chosen.scope.as_ref();
    let namespace = scope.map_or("", |it| it.namespace.as_str());
    let cluster = scope.and_then(|it| it.cluster.as_deref()).unwrap_or_default();
    let run = RandomState::new().hash_one(process::id());
    DrillId::new(began_at, config.kind, (namespace, cluster), run)
}

/// The right to run the only drill of a namespace, renewed until it is given back.
pub(super) struct Seat {
    id: DrillId,
    renewing: JoinHandle<()>,
}

impl Seat {
    pub(super) async fn take(namespace: &DrillNamespace, id: &DrillId) -> anyhow::Result<Self> {
        match lease::hold(namespace, id, clock::now()).await {
            Ok(()) => {}
            Err(NotHeld::By(other)) => {
                bail!(
                    "the drill {other} is running in {}; only one runs at a time",
                    namespace.name()
                );
            }
            Err(NotHeld::Unanswered(why)) => bail!("take the lease of drills: {why}"),
        }
        let (namespace, own) = (namespace.clone(), id.clone());
        let renewing = tokio::spawn(async move {
            loop {
                sleep(lease::RENEWED_EVERY).await;
                if let Err(not_held) = lease::hold(&namespace, &own, clock::now()).await {
                    tracing::warn!(?not_held, "the lease of drills was not renewed");
                }
            }
        });
        Ok(Self { id: id.clone(), renewing })
    }

    pub(super) async fn give_back(self, namespace: &DrillNamespace) {
        self.renewing.abort();
        lease::release(namespace, &self.id).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}
