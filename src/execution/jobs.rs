//! Creates and deletes the Jobs that read base backups, in the namespace of this program.

use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::DeleteParams;
use kube::api::PostParams;
use kube::api::Preconditions;
use tokio::time::timeout;

use crate::execution::job::JobOrder;
use crate::execution::job::Mold;
use crate::sources::kubernetes::failure;
use crate::sources::kubernetes::jobs::Jobs;
use crate::sources::limits;

/// Why there is no Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCreated {
    /// By quota, by rights, or by whoever admits objects: it would be refused again.
    Refused(String),
    /// It may be possible soon.
    Unanswered(String),
}

/// That there is one already is as good: its name says what it reads.
pub async fn create(jobs: &Jobs, mold: &Mold, order: JobOrder) -> Result<(), NotCreated> {
    let api = Api::default_namespaced(jobs.client().clone());
    let (parameters, job) = (PostParams::default(), order.job(mold));
    match timeout(limits::KUBERNETES_CALL, api.create(&parameters, &job)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.is_already_exists() => Ok(()),
        Ok(Err(error)) if is_refusal(&error) => Err(NotCreated::Refused(failure::why(&error))),
        Ok(Err(error)) => Err(NotCreated::Unanswered(failure::why(&error))),
        Err(_) => Err(NotCreated::Unanswered(no_answer())),
    }
}

/// Deletes this Job and its pods, and none that has come in its place. What cannot be deleted now is
/// deleted later, or by Kubernetes an hour after its end.
pub async fn delete(jobs: &Jobs, name: &str, uid: &str) {
    let api: Api<Job> = Api::default_namespaced(jobs.client().clone());
    let this = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let parameters = DeleteParams::background().preconditions(this);
    let why = match timeout(limits::KUBERNETES_CALL, api.delete(name, &parameters)).await {
        Ok(Ok(_)) => return,
        // It is gone, or another one has its name.
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => return,
        Ok(Err(error)) => failure::why(&error),
        Err(_) => no_answer(),
    };
    tracing::debug!(job = name, why, "a Job was not deleted");
}

/// Quotas and missing rights are 403, webhooks answer as they like.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 401 | 403 | 404 | 422))
}

fn no_answer() -> String {
    format!("no answer within {} s", limits::KUBERNETES_CALL.as_secs())
}
