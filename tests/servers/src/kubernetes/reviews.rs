//! Resources that are asked and never stored: tokens of service accounts, and "may I".

use chrono::SecondsFormat;
use chrono::TimeDelta;
use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::answer::Answer;
use crate::kubernetes::api::now;
use crate::kubernetes::call::Call;
use crate::kubernetes::call::Target;
use crate::kubernetes::identity::User;
use crate::kubernetes::json::text;
use crate::kubernetes::rbac;
use crate::kubernetes::state::State;
use crate::kubernetes::status::Failure;

/// Answers such a request; `None` for all others.
pub(super) fn answer(
    state: &mut State,
    call: &Call,
    target: &Target,
) -> Option<Result<Answer, Failure>> {
    let is_post = call.method == Method::POST;
    match (&*target.group, &*target.resource, &*target.subresource) {
        ("", "serviceaccounts", "token") if is_post => Some(issue_token(state, call, target)),
        ("authorization.k8s.io", "selfsubjectaccessreviews", "") if is_post => {
            Some(review_own_access(state, call))
        }
        _ => None,
    }
}

/// `TokenRequest`, as `kubectl create token` sends it.
fn issue_token(state: &mut State, call: &Call, target: &Target) -> Result<Answer, Failure> {
    let kind = state.find_type("", "serviceaccounts").expect("a kind of Kubernetes");
    if state.get(&kind, &target.namespace, &target.name).is_none() {
        return Err(Failure::not_found("", "serviceaccounts", &target.name));
    }
    let mut request = read(call)?;
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
    let expires_at = now() + TimeDelta::seconds(seconds);
    let user = User::service_account(&target.namespace, &target.name);
    request["status"] = json!({
        "token": state.tokens.issue(user),
        "expirationTimestamp": expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    Ok(Answer::created(request))
}

/// `SelfSubjectAccessReview`, as `kubectl auth can-i` sends it.
fn review_own_access(state: &State, call: &Call) -> Result<Answer, Failure> {
    let mut review = read(call)?;
    let asked = &review["spec"]["resourceAttributes"];
    let part = |name: &str| text(asked, &format!("/{name}")).to_owned();
    const VERBS: [&str; 8] =
        ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    let verb = VERBS.into_iter().find(|verb| *verb == part("verb")).unwrap_or("");
    let target = Target {
        verb,
        group: part("group"),
        version: part("version"),
        resource: part("resource"),
        subresource: part("subresource"),
        namespace: part("namespace"),
        name: part("name"),
        is_too_long: false,
    };
    let is_allowed = rbac::is_allowed(state, &call.user, &target, "");
    review["status"] = json!({ "allowed": is_allowed });
    Ok(Answer::created(review))
}

fn read(call: &Call) -> Result<Value, Failure> {
    if call.header("content-type").contains("protobuf") {
        return Err(Failure::unsupported_media_type("application/json"));
    }
    serde_json::from_slice(&call.body).map_err(|error| Failure::bad_request(error.to_string()))
}
