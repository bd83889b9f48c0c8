//! How far a Job has come, from its own status and from that of its pods.

use chrono::DateTime;
use chrono::Utc;

use crate::observation::job::JobEnd;
use crate::observation::job::JobState;
use crate::observation::job::ObservedJob;
use crate::sources::kubernetes::jobs::ARCHIVE_LABEL;
use crate::sources::kubernetes::jobs::BACKUP_LABEL;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::jobs::Job;
use crate::sources::kubernetes::resources::jobs::JobCondition;
use crate::sources::kubernetes::resources::jobs::JobPod;
use crate::sources::kubernetes::resources::jobs::Terminated;

/// On every pod of a Job, its UID (`ControllerUidLabel` in `pkg/apis/batch/types.go`): pods of one that
/// had the same name before may still be there.
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

/// What the kubelet says of a container that the kernel ended.
const OUT_OF_MEMORY: &str = "OOMKilled";

/// A job with those of the pods that are its own.
pub(super) fn observed(name: &str, job: &Kept<Job>, pods: &[&Kept<JobPod>]) -> ObservedJob {
    let is_own =
        |pod: &&&Kept<JobPod>| pod.meta.label(CONTROLLER_UID) == Some(job.meta.uid.as_str());
    let mut own: Vec<&Kept<JobPod>> = pods.iter().filter(is_own).copied().collect();
    // After a disruption there are several: the newest counts.
    own.sort_by_key(|pod| pod.meta.created_at);
    let label = |key| job.meta.label(key).unwrap_or_default().to_owned();
    ObservedJob {
        name: name.to_owned(),
        uid: job.meta.uid.clone(),
        archive: label(ARCHIVE_LABEL),
        backup: label(BACKUP_LABEL),
        state: state(job, own.last().copied()),
    }
}

fn state(job: &Kept<Job>, newest: Option<&Kept<JobPod>>) -> JobState {
    if job.meta.is_leaving {
        return JobState::Leaving;
    }
    let is_end = |it: &&JobCondition| it.is_true() && ["Complete", "Failed"].contains(&&*it.kind);
    if let Some(condition) = job.status.conditions.iter().find(is_end) {
        let at = condition.last_transition_time.as_deref().and_then(time);
        return JobState::Over { at, end: end(condition, newest) };
    }
    match newest {
        Some(pod) if pod.status.phase.as_deref() == Some("Pending") => {
            JobState::Pending { since: pod.meta.created_at }
        }
        // One that has ended is about to end its Job.
        Some(_) => JobState::Running,
        None => JobState::Pending { since: job.meta.created_at },
    }
}

fn end(condition: &JobCondition, newest: Option<&Kept<JobPod>>) -> JobEnd {
    let reason = |text: &Option<String>| text.clone().filter(|it| !it.is_empty());
    let of_job = || {
        let reason = reason(&condition.reason).unwrap_or_else(|| condition.kind.clone());
        format!("the Job says {reason}")
    };
    let Some(pod) = newest else { return JobEnd::NoPod(of_job()) };
    let Some(Terminated { exit_code, reason: why, message }) = pod.status.terminated() else {
        let of_pod = reason(&pod.status.reason).map(|reason| format!("the pod says {reason}"));
        return match of_pod {
            Some(of_pod) => JobEnd::Silent(of_pod),
            None => JobEnd::NoPod(of_job()),
        };
    };
    if why.as_deref() == Some(OUT_OF_MEMORY) {
        return JobEnd::OutOfMemory;
    }
    match reason(message) {
        Some(message) => JobEnd::Told(message),
        None => {
            let why = reason(&pod.status.reason).or_else(|| reason(why)).unwrap_or_default();
            JobEnd::Silent(format!("exit code {exit_code} {why}").trim_end().to_owned())
        }
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use kube::core::DeserializeGuard;
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::sources::kubernetes::content::keep;
    use crate::sources::kubernetes::resources::Kind;
    use crate::sources::kubernetes::resources::Object;
    use crate::sources::kubernetes::resources::Words;

    fn kept<K: Kind<Kept = Kept<K>>>(object: &Value) -> Kept<K> {
        let object: DeserializeGuard<Object<K>> = serde_json::from_value(object.clone()).unwrap();
        Kept::clone(&keep(object, &mut Words::default()).1.unwrap())
    }

    /// Of a Job of minute 0 with this status, and of its pods with these, one a minute.
    fn state_of(status: Value, pods: &[Value]) -> JobState {
        let job = json!({
            "metadata": {
                "name": "one", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {ARCHIVE_LABEL: "a", BACKUP_LABEL: "b"},
            },
            "spec": {}, "status": status,
        });
        let pods = pods.iter().enumerate().map(|(minute, status)| {
            let created_at = format!("2026-01-01T00:{minute:02}:00Z");
            let labels = json!({CONTROLLER_UID: "u"});
            let metadata = json!({"name": "p", "creationTimestamp": created_at, "labels": labels});
            kept(&json!({"metadata": metadata, "spec": {}, "status": status}))
        });
        let pods: Vec<Kept<JobPod>> = pods.collect();
        let stranger = kept(&json!({"metadata": {"name": "q", "labels": {CONTROLLER_UID: "v"}},
            "spec": {}, "status": {"phase": "Running"}}));
        let pods: Vec<&Kept<JobPod>> = pods.iter().chain([&stranger]).collect();
        let seen = observed("one", &kept(&job), &pods);
        assert_eq!((&*seen.uid, &*seen.archive, &*seen.backup), ("u", "a", "b"));
        seen.state
    }

    fn terminated(state: Value) -> Value {
        json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": state}}]})
    }

    fn over(kind: &str) -> Value {
        let condition = json!({"type": kind, "status": "True", "reason": "R",
            "lastTransitionTime": "2026-01-01T01:00:00Z"});
        json!({"conditions": [{"type": "Suspended", "status": "False"}, condition]})
    }

    #[test]
    fn a_job_without_a_pod_that_runs_is_pending() {
        let minute = |minute: u32| format!("2026-01-01T00:{minute:02}:00Z").parse().ok();
        let since = |since| JobState::Pending { since };
        assert_eq!(state_of(json!({}), &[]), since(minute(0)));
        let pending = json!({"phase": "Pending"});
        assert_eq!(
            state_of(json!({"active": 1}), std::slice::from_ref(&pending)),
            since(minute(0))
        );
        // The pod before it was evicted.
        let evicted = json!({"phase": "Failed", "reason": "Evicted"});
        assert_eq!(state_of(json!({"active": 1}), &[evicted, pending]), since(minute(1)));
        assert_eq!(state_of(json!(null), &[json!({"phase": "Running"})]), JobState::Running);
    }

    #[test]
    fn a_job_is_over_when_it_is_complete_or_failed() {
        let end = |kind: &str, pods: &[Value]| match state_of(over(kind), pods) {
            JobState::Over { at: Some(_), end } => end,
            other => panic!("{other:?}"),
        };
        let told = terminated(json!({"exitCode": 0, "message": "{}", "reason": "Completed"}));
        assert_eq!(end("Complete", std::slice::from_ref(&told)), JobEnd::Told("{}".to_owned()));
        assert_eq!(end("Failed", &[told]), JobEnd::Told("{}".to_owned()));
        let killed = terminated(json!({"exitCode": 137, "reason": "OOMKilled", "message": "x"}));
        assert_eq!(end("Failed", &[killed]), JobEnd::OutOfMemory);
        let silent = terminated(json!({"exitCode": 137, "reason": "Error", "message": ""}));
        assert_eq!(end("Failed", &[silent]), JobEnd::Silent("exit code 137 Error".to_owned()));
        let late = json!({"phase": "Failed", "reason": "DeadlineExceeded"});
        let why = "the pod says DeadlineExceeded".to_owned();
        assert_eq!(end("Failed", &[late]), JobEnd::Silent(why));
        for pods in [vec![], vec![json!({"phase": "Running"})]] {
            assert_eq!(end("Failed", &pods), JobEnd::NoPod("the Job says R".to_owned()));
        }
    }
}
