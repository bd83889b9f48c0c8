//! A receiver of Alertmanager's notifications on loopback, which keeps what it was sent.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::double::Door;
use crate::process::wait_until;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Webhook {
    door: Door,
    received: Received,
}

type Received = Arc<Mutex<Vec<serde_json::Value>>>;

impl Webhook {
    pub async fn start() -> Self {
        let received = Received::default();
        let kept = Arc::clone(&received);
        let door = Door::open(move |stream| serve(stream, Arc::clone(&kept))).await;
        Self { door: door.expect("a free port"), received }
    }

    /// Where notifications are to be sent.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.door.address())
    }

    /// Every alert of every notification so far, in the order of arrival, with its `status`.
    #[must_use]
    pub fn alerts(&self) -> Vec<serde_json::Value> {
        let received = self.received.lock().expect("nobody panics with it");
        let alerts = received.iter().filter_map(|notification| notification["alerts"].as_array());
        alerts.flatten().cloned().collect()
    }

    /// Waits until an alert is accepted, and returns it.
    pub async fn alert_when(
        &self,
        what: &str,
        within: Duration,
        accept: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        wait_until(what, within, async || self.alerts().into_iter().find(|alert| accept(alert)))
            .await
    }
}

async fn serve(stream: TcpStream, received: Received) {
    let service = service_fn(move |request| keep(request, Arc::clone(&received)));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Alertmanager sends again what was torn.
    drop(connection.await);
}

/// Refuses what is not JSON: Alertmanager then tells so in its log.
async fn keep(
    request: Request<Incoming>,
    received: Received,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    match body.map(|body| serde_json::from_slice(&body)) {
        Ok(Ok(notification)) => {
            received.lock().expect("nobody panics with it").push(notification);
        }
        Ok(Err(_)) | Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}
