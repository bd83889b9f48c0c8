//! `/livez`, `/healthz` and `/readyz`, in the words that Kubernetes' own components use.

use std::fmt::Write as _;

use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::StatusCode;

use crate::service::health::Part;
use crate::service::http::Published;

pub(super) async fn live(
    State(published): State<Published>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    answer("livez", &published.health.liveness(), query.as_deref())
}

pub(super) async fn ready(
    State(published): State<Published>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    answer("readyz", &published.health.readiness(), query.as_deref())
}

/// Lists the parts if the query is `verbose`, with whatever value, or if one of them fails.
fn answer(name: &str, parts: &[Part], query: Option<&str>) -> (StatusCode, String) {
    let is_ok = parts.iter().all(|part| part.problem.is_none());
    let keys = query.unwrap_or_default().split('&').map(|pair| pair.split('=').next());
    let is_verbose = keys.flatten().any(|key| key == "verbose");
    if is_ok && !is_verbose {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let mut text = String::new();
    for part in parts {
        match &part.problem {
            None => writeln!(text, "[+]{} ok", part.name),
            Some(problem) => writeln!(text, "[-]{} failed: {problem}", part.name),
        }
        .unwrap_or_default();
    }
    let outcome = if is_ok { "passed" } else { "failed" };
    writeln!(text, "{name} check {outcome}").unwrap_or_default();
    let code = if is_ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, text)
}
