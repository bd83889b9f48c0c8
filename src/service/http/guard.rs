//! What holds for every answer: bounds on the request, and headers for browsers.

use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use tokio::time::timeout;

/// Refuses a request that carries much, ends one that takes long, and forbids browsers whatever
/// the page does not need.
pub(super) async fn bound(request: Request, next: Next) -> Response {
    let is_small = request.body().size_hint().upper().is_some_and(|size| size <= BODY_BYTES_MAX);
    let mut response = if is_small {
        timeout(REQUEST_TIME_MAX, next.run(request)).await.unwrap_or_else(|_| {
            (StatusCode::SERVICE_UNAVAILABLE, "the answer took too long\n").into_response()
        })
    } else {
        (StatusCode::PAYLOAD_TOO_LARGE, "send no body\n").into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// No request of ours has a body; some clients send an empty document with every one.
const BODY_BYTES_MAX: u64 = 1 << 10;

/// Answers are made from memory in milliseconds; a scraper gives up after 10 s.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// The page loads its style sheet and its icon, asks only us, and runs nothing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
