//! LIST: pages of one consistent state, and what their tokens and versions mean.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::answer::Answer;
use crate::kubernetes::call::Query;
use crate::kubernetes::call::Target;
use crate::kubernetes::cause::Cause;
use crate::kubernetes::json::key_of;
use crate::kubernetes::selector::Selector;
use crate::kubernetes::state::State;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

/// The message for a continue token whose version is forgotten (`storage/continue.go` and
/// `etcd3/errors.go`).
const EXPIRED_TOKEN: &str = "The provided continue parameter is too old to display a consistent \
    list result. You can start a new list without the continue parameter, or use the continue \
    token in this response to retrieve the remainder of the results. Continuing with the provided \
    token results in an inconsistent list - objects that were created, modified, or deleted \
    between the time the first chunk was returned and now may show up in the list.";

/// Answers a list of one namespace or, without one, of all.
pub(super) fn list(
    state: &State,
    kind: &ResourceType,
    target: &Target,
    query: &Query,
) -> Result<Answer, Failure> {
    check_options(query)?;
    let selector = Selector::parse(kind, query.get("labelSelector"), query.get("fieldSelector"))?;
    let page = Page::of(state, kind, query)?;
    let objects = state.table(kind).at(page.revision);
    let in_scope = |namespace: &str| {
        target.namespace.is_empty() || !kind.namespaced || namespace == target.namespace
    };
    let mut selected = objects
        .iter()
        .filter(|((namespace, _), _)| in_scope(namespace))
        .filter(|(key, _)| page.after.as_ref().is_none_or(|after| after < key))
        .map(|(_, object)| object)
        .filter(|object| selector.matches(object))
        .peekable();
    let mut items = Vec::new();
    while items.len() < page.limit
        && let Some(object) = selected.next()
    {
        items.push(Value::clone(object));
    }
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if selected.peek().is_some()
        && let Some(last) = items.last()
    {
        metadata["continue"] = json!(token(Some(page.revision), &key_of(last)));
        if selector.is_everything() {
            metadata["remainingItemCount"] = json!(selected.count());
        }
    }
    Ok(Answer::ok(json!({
        "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
        "metadata": metadata, "items": items,
    })))
}

/// Where a page begins, how long it is, and which state it shows.
struct Page {
    revision: u64,
    limit: usize,
    after: Option<(String, String)>,
}

impl Page {
    fn of(state: &State, kind: &ResourceType, query: &Query) -> Result<Self, Failure> {
        let limit = query.number("limit").filter(|limit| *limit > 0);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let asked = version(query)?;
        if let Some(token) = query.get("continue") {
            if asked.is_some_and(|asked| asked != 0) {
                let message = "specifying resource version is not allowed when using continue";
                return Err(Failure::bad_request(message));
            }
            let (revision, after) = read_token(token)?;
            let Some(revision) = revision else {
                return Ok(Self { revision: state.revision, limit, after: Some(after) });
            };
            if revision < state.table(kind).oldest {
                return Err(expired_token(&after));
            }
            return Ok(Self { revision, limit, after: Some(after) });
        }
        if let Some(asked) = asked
            && asked > state.revision
        {
            return Err(Failure::timeout_too_large(asked, state.revision));
        }
        let is_exact = query.get("resourceVersionMatch") == Some("Exact")
            || (query.get("resourceVersionMatch").is_none() && limit < usize::MAX);
        match asked {
            // The watch cache answers with all that it has.
            Some(0) => Ok(Self { revision: state.revision, limit: usize::MAX, after: None }),
            Some(asked) if is_exact => {
                if asked < state.table(kind).oldest {
                    let message = format!(
                        "The resourceVersion for the provided list is too old: \
                                           {asked}"
                    );
                    return Err(Failure::expired(message));
                }
                Ok(Self { revision: asked, limit, after: None })
            }
            Some(_) | None => Ok(Self { revision: state.revision, limit, after: None }),
        }
    }
}

/// The `resourceVersion` of a request, if it has one.
pub(super) fn version(query: &Query) -> Result<Option<u64>, Failure> {
    query
        .get("resourceVersion")
        .map(|text| {
            text.parse().map_err(|_| {
                let value = json!(text);
                let cause = Cause::invalid("resourceVersion", &value, "invalid resource version");
                Failure::invalid("meta.k8s.io", "ListOptions", "", &[cause])
            })
        })
        .transpose()
}

/// `ValidateListOptions` for a list (`apis/meta/internalversion/validation`).
fn check_options(query: &Query) -> Result<(), Failure> {
    let mut causes = Vec::new();
    let mut forbid = |field: &str, detail: &str| causes.push(Cause::forbidden(field, detail));
    if let Some(matching) = query.get("resourceVersionMatch") {
        if query.get("resourceVersion").is_none() {
            let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            forbid("resourceVersionMatch", detail);
        }
        if query.get("continue").is_some() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            forbid("resourceVersionMatch", detail);
        }
        if matching == "Exact" && query.get("resourceVersion") == Some("0") {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            forbid("resourceVersionMatch", detail);
        }
    }
    if query.get("sendInitialEvents").is_some() {
        forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
    }
    refuse_options(&causes)
}

/// Refuses list options that have faults.
pub(super) fn refuse_options(causes: &[Cause]) -> Result<(), Failure> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid("meta.k8s.io", "ListOptions", "", causes))
}

/// Without a version, the rest of the list is that of whatever state there is by then.
fn token(revision: Option<u64>, after: &(String, String)) -> String {
    let token = json!({ "v": "meta.k8s.io/v1", "rv": revision, "start": after });
    BASE64_URL_SAFE_NO_PAD.encode(token.to_string())
}

fn read_token(token: &str) -> Result<(Option<u64>, (String, String)), Failure> {
    let read = || {
        let token = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let token: Value = serde_json::from_slice(&token).ok()?;
        let after = (token["start"][0].as_str()?, token["start"][1].as_str()?);
        Some((token["rv"].as_u64(), (after.0.to_owned(), after.1.to_owned())))
    };
    let refused = || Failure::bad_request(format!("continue key is not valid: {token:?}"));
    read().ok_or_else(refused)
}

fn expired_token(after: &(String, String)) -> Failure {
    let mut failure = Failure::expired(EXPIRED_TOKEN);
    if let Failure::Status { status, .. } = &mut failure {
        status["metadata"]["continue"] = json!(token(None, after));
    }
    failure
}
