//! One HTTP request at a time, to what the tests started on loopback.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Response {
    /// The value of a header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body, which must be JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}

/// Gets `http://HOST:PORT/PATH`; panics when the server does not answer in time.
pub async fn get(url: &str) -> Response {
    send(url, &Method::GET, &[]).await
}

/// Sends a request without a body.
pub async fn send(url: &str, method: &Method, headers: &[(&str, &str)]) -> Response {
    try_send(url, method, headers).await.unwrap_or_else(|error| panic!("{url}: {error:#}"))
}

/// Sends a request to a server that may not answer.
///
/// # Errors
///
/// When the connection is refused or cut, or when the answer takes more than a minute.
pub async fn try_send(
    url: &str,
    method: &Method,
    headers: &[(&str, &str)],
) -> anyhow::Result<Response> {
    timeout(LIMIT, exchange(url, method, headers, Bytes::new())).await?
}

/// Sends a JSON document.
///
/// # Errors
///
/// Those of [`try_send`].
pub async fn try_send_json(
    url: &str,
    method: &Method,
    document: &serde_json::Value,
) -> anyhow::Result<Response> {
    let headers = [("content-type", "application/json")];
    let body = Bytes::from(document.to_string());
    timeout(LIMIT, exchange(url, method, &headers, body)).await?
}

async fn exchange(
    url: &str,
    method: &Method,
    headers: &[(&str, &str)],
    body: Bytes,
) -> anyhow::Result<Response> {
    let uri: http::Uri = url.parse()?;
    let authority = uri.authority().expect("an absolute address").as_str();
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// For one answer of a server on this machine.
const LIMIT: Duration = Duration::from_secs(60);
