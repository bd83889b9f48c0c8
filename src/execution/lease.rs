//! Lets one drill run at a time: what drills leave behind is swept by whoever holds the lease, and must
//! not be another one's living cluster.

use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ObjectMeta;
use kube::api::PostParams;
use tokio::time::timeout;

use crate::domain::drill_id::DrillId;
use crate::sources::kubernetes::drills::DrillNamespace;
use crate::sources::kubernetes::failure;
use crate::sources::limits;

const NAME: &str = "cnpg-backup-verifier-drill";

/// A runner that was killed holds it for no longer.
pub const LEASE_SECONDS: i32 = 15;

/// Three renewals may be lost before somebody else takes it.
pub const RENEWED_EVERY: Duration = Duration::from_secs(4);

/// What came of asking for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotHeld {
    /// This drill runs.
    By(String),
    Unanswered(String),
}

/// Takes the lease, or renews it.
pub async fn hold(
    namespace: &DrillNamespace,
    id: &DrillId,
    now: DateTime<Utc>,
) -> Result<(), NotHeld> {
    let api: Api<Lease> = Api::namespaced(namespace.client().clone(), namespace.name());
    let held = timeout(limits::KUBERNETES_CALL, hold_in(&api, id, now)).await;
    held.unwrap_or_else(|_| {
        let seconds = limits::KUBERNETES_CALL.as_secs();
        Err(NotHeld::Unanswered(format!("no answer within {seconds} s")))
    })
}

/// Gives it back, so that the next one need not wait.
pub async fn release(namespace: &DrillNamespace, id: &DrillId) {
    let api: Api<Lease> = Api::namespaced(namespace.client().clone(), namespace.name());
    let released = async {
        let Some(mut lease) = api.get_opt(NAME).await? else { return Ok(()) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(id.as_str()) {
            spec.holder_identity = None;
            api.replace(NAME, &PostParams::default(), &lease).await?;
        }
        Ok::<(), kube::Error>(())
    };
    if let Ok(Err(error)) = timeout(limits::KUBERNETES_CALL, released).await {
        tracing::debug!(why = failure::why(&error), "the lease was not given back");
    }
}

async fn hold_in(api: &Api<Lease>, id: &DrillId, now: DateTime<Utc>) -> Result<(), NotHeld> {
    let unanswered = |error: kube::Error| NotHeld::Unanswered(failure::why(&error));
    let Some(mut lease) = api.get_opt(NAME).await.map_err(unanswered)? else {
        let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(held_by(id, now)) };
        return api.create(&PostParams::default(), &lease).await.map(drop).map_err(lost);
    };
    if let Some(other) = holder(lease.spec.as_ref(), id, now) {
        return Err(NotHeld::By(other));
    }
    lease.spec = Some(held_by(id, now));
    // Of two who take it the server lets one: the other's version is not the newest any more.
    api.replace(NAME, &PostParams::default(), &lease).await.map(drop).map_err(lost)
}

fn lost(error: kube::Error) -> NotHeld {
    match error {
        kube::Error::Api(status) if status.code == 409 => {
            NotHeld::By("one that was faster".to_owned())
        }
        error => NotHeld::Unanswered(failure::why(&error)),
    }
}

fn held_by(id: &DrillId, now: DateTime<Utc>) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(id.as_str().to_owned()),
        lease_duration_seconds: Some(LEASE_SECONDS),
        renew_time: Timestamp::from_microsecond(now.timestamp_micros()).ok().map(MicroTime),
        ..LeaseSpec::default()
    }
}

/// Another one that holds it still.
fn holder(lease: Option<&LeaseSpec>, id: &DrillId, now: DateTime<Utc>) -> Option<String> {
    let lease = lease?;
    let other = lease.holder_identity.as_ref().filter(|it| *it != id.as_str())?;
    let renewed_at = lease.renew_time.as_ref()?.0.as_second();
    let held_for = i64::from(lease.lease_duration_seconds.unwrap_or(LEASE_SECONDS));
    let is_held = now.timestamp() < renewed_at.saturating_add(held_for);
    is_held.then(|| other.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::DrillKind;

    #[test]
    fn a_lease_is_held_until_it_was_not_renewed_for_long() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = at("2026-01-10T12:00:00Z");
        let id = |run| DrillId::new(now, DrillKind::Full, ("a", "b"), run);
        let (one, other) = (id(1), id(2));
        let lease = held_by(&one, now);
        assert_eq!(holder(Some(&lease), &one, now), None);
        let held = holder(Some(&lease), &other, at("2026-01-10T12:00:14Z"));
        assert_eq!(held.as_deref(), Some(one.as_str()));
        assert_eq!(holder(Some(&lease), &other, at("2026-01-10T12:00:15Z")), None);
        let released = LeaseSpec { holder_identity: None, ..lease };
        assert_eq!(holder(Some(&released), &other, now), None);
        assert_eq!(holder(None, &other, now), None);
    }
}
