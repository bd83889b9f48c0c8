//! From a request to its answer: authorization, the log, and who answers.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use chrono::DateTime;
use chrono::Utc;
use http::Method;
use serde_json::Value;

use crate::kubernetes::answer::Answer;
use crate::kubernetes::answer::code;
use crate::kubernetes::call::Call;
use crate::kubernetes::call::Target;
use crate::kubernetes::delete;
use crate::kubernetes::discovery;
use crate::kubernetes::fault::Fault;
use crate::kubernetes::json::text;
use crate::kubernetes::list;
use crate::kubernetes::patch;
use crate::kubernetes::rbac;
use crate::kubernetes::requests::RequestRecord;
use crate::kubernetes::reviews;
use crate::kubernetes::state::State;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;
use crate::kubernetes::watch::Watch;
use crate::kubernetes::write;
use crate::kubernetes::write::Writer;

/// The state, as all connections share it.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under the lock")
    }
}

/// Answers a request of a known user, and writes it into the log.
pub(super) fn answer(
    shared: &Arc<Shared>,
    call: &Call,
    fault: Option<&Fault>,
) -> Result<Answer, Failure> {
    let target = Target::of(&call.method, &call.path, &call.query);
    let mut state = shared.state();
    let authorized = rbac::authorize(&state, &call.user, &target, &call.path);
    let is_allowed = authorized.is_ok();
    let mut status = 0;
    let result = match (authorized, fault) {
        (_, Some(Fault::Reset)) => Err(Failure::PageNotFound),
        (_, Some(fault)) if failure_of(fault).is_some() => {
            Err(failure_of(fault).expect("just seen"))
        }
        (Err(refused), _) => Err(refused),
        (Ok(()), _) => dispatch(shared, &mut state, call, &target),
    };
    if fault != Some(&Fault::Reset) {
        status = code(&result);
    }
    let mut record = record(call, target, status);
    record.is_allowed = is_allowed;
    state.log.add(record);
    result
}

/// Answers a request of the test itself, which is neither refused by RBAC nor logged.
pub(super) fn answer_unlogged(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Failure> {
    let target = Target::of(&call.method, &call.path, &call.query);
    dispatch(shared, &mut shared.state(), call, &target)
}

fn failure_of(fault: &Fault) -> Option<Failure> {
    match fault {
        Fault::TooManyRequests { retry_after_seconds } => {
            Some(Failure::too_many_requests(*retry_after_seconds))
        }
        Fault::InternalError => {
            let message = "Internal error occurred: etcdserver: request timed out";
            Some(Failure::new(500, "InternalError", message))
        }
        Fault::Unavailable => {
            let message = "the server is currently unable to handle the request";
            Some(Failure::new(503, "ServiceUnavailable", message))
        }
        // `checkRequest` in `plugin/pkg/admission/resourcequota/controller.go`.
        Fault::OverQuota => {
            let what = "exceeded quota: few, requested: count/jobs.batch=1, \
                        used: count/jobs.batch=0, limited: count/jobs.batch=0";
            Some(Failure::forbidden("batch", "jobs", "one", what))
        }
        // `ToStatusErr` in `plugin/webhook/errors/statuserror.go` of apiserver.
        Fault::WebhookDenies => {
            let what =
                "admission webhook \"policy.example.com\" denied the request: not on Mondays";
            Some(Failure::new(403, "Forbidden", what))
        }
        // `ErrCallingWebhook` in `plugin/webhook/generic/webhook.go` of apiserver.
        Fault::WebhookAway => {
            let what = "Internal error occurred: failed calling webhook \"vcluster.cnpg.io\": failed to \
                        call webhook: Post \"https://cnpg-webhook-service.cnpg-system.svc:443/\": dial \
                        tcp 10.43.0.7:443: connect: connection refused";
            Some(Failure::new(500, "InternalError", what))
        }
        Fault::Expired => Some(Failure::expired("The resourceVersion is too old")),
        Fault::BadGateway => Some(Failure::new(502, "", "")),
        Fault::Slow(_) | Fault::CutBody | Fault::Reset => None,
    }
}

fn dispatch(
    shared: &Arc<Shared>,
    state: &mut State,
    call: &Call,
    target: &Target,
) -> Result<Answer, Failure> {
    if let Some(answer) = discovery::answer(state, call) {
        return Ok(answer);
    }
    if !target.is_resource() || target.is_too_long {
        return Err(Failure::PageNotFound);
    }
    if let Some(answer) = reviews::answer(state, call, target) {
        return answer;
    }
    let kind = find_type(state, target)?;
    let has_name = call.path.trim_end_matches('/').ends_with(&target.name)
        && !target.name.is_empty()
        && !matches!(target.verb, "list" | "watch" | "deletecollection" | "create");
    if kind.namespaced && target.namespace.is_empty() && has_name {
        return Err(Failure::PageNotFound);
    }
    if !kind.namespaced && kind.plural != "namespaces" && !target.namespace.is_empty() {
        return Err(Failure::PageNotFound);
    }
    let now = now();
    let writer = Writer { state, kind: &kind, call, target, now };
    match (target.verb, target.subresource.as_str()) {
        ("list", "") => list::list(writer.state, &kind, target, &call.query),
        ("watch", "") => {
            let watch = Watch::open(shared, writer.state, &kind, target, &call.query)?;
            Ok(Answer::Watch(Box::new(watch)))
        }
        ("get", "log") => {
            let pod = find(writer.state, &kind, target)?;
            let container = call.query.get("container").unwrap_or_default();
            let has_node = !text(&pod, "/spec/nodeName").is_empty();
            match writer.state.log_of(target, container) {
                // Without a node there is nobody to ask, and the answer is empty.
                Err(_) if !has_node => Ok(Answer::Text("".into())),
                log => log.map(|text| Answer::Text(text.into())),
            }
        }
        ("get", _) => {
            let object = find(writer.state, &kind, target)?;
            Ok(Answer::ok(Value::clone(&object)))
        }
        ("create", "") if target.name.is_empty() => write::create(writer),
        ("update", _) => write::replace(writer),
        ("patch", _) => patch::patch(writer),
        ("delete", "") => delete::delete(writer),
        ("deletecollection", "") => delete::delete_collection(writer),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// The object that a target names.
pub(super) fn find(
    state: &State,
    kind: &ResourceType,
    target: &Target,
) -> Result<Arc<Value>, Failure> {
    let namespace = if kind.namespaced { target.namespace.as_str() } else { "" };
    let found = state.get(kind, namespace, &target.name);
    found.ok_or_else(|| Failure::not_found(&kind.group, &kind.plural, &target.name))
}

fn find_type(state: &State, target: &Target) -> Result<Arc<ResourceType>, Failure> {
    let kind = state.find_type(&target.group, &target.resource).ok_or(Failure::PageNotFound)?;
    let knows_subresource = match target.subresource.as_str() {
        "" => true,
        "status" => kind.has_status,
        "log" => kind.is("", "pods"),
        _ => false,
    };
    if kind.version == target.version && knows_subresource {
        Ok(kind)
    } else {
        Err(Failure::PageNotFound)
    }
}

fn record(call: &Call, target: Target, status: u16) -> RequestRecord {
    let Target { verb, group, version, resource, subresource, namespace, name, .. } = target;
    let user_agent = call.header("user-agent").to_owned();
    let query = call.query.as_sent();
    RequestRecord {
        user: call.user.name.clone(),
        verb: verb.to_owned(),
        group,
        version,
        resource,
        subresource,
        namespace,
        name,
        uri: if query.is_empty() { call.path.clone() } else { format!("{}?{query}", call.path) },
        user_agent,
        is_allowed: false,
        status,
    }
}

/// Whether a method changes nothing.
pub(super) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

#[expect(clippy::disallowed_methods, reason = "a server stamps what it stores")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}
