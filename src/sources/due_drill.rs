//! Asks the daemon which drill is due.
//!
//! Its answer names, and decides nothing: anybody in the cluster could give it. What is restored with is
//! read of the source itself, and from where is what an `ObjectStore` of the namespace of drills says.

use std::future::poll_fn;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Body as _;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::timeout;

use crate::domain::cluster::DrillKind;
use crate::sources::limits;

/// As far as it is used; the rest is for people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DueDrill {
    pub kind: DrillKind,
    pub cnpg_namespace: String,
    pub cnpg_cluster: String,
    pub server_name: String,
    /// `None` where the archive is in no bucket.
    pub destination_path: Option<String>,
    pub seed: u64,
    pub why: String,
}

const PATH: &str = "/api/v1/drills/next";

/// The one that has been due for longest; `None` where none is.
pub async fn ask(daemon: &str) -> Result<Option<DueDrill>, String> {
    let address = format!("{}{PATH}", daemon.trim_end_matches('/'));
    let answered = timeout(limits::KUBERNETES_CALL, fetch(&address)).await;
    let seconds = limits::KUBERNETES_CALL.as_secs();
    let answer = answered.map_err(|_| format!("no answer within {seconds} s"))??;
    answer.map(|bytes| parse(&bytes)).transpose()
}

fn parse(bytes: &[u8]) -> Result<DueDrill, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("expected a drill: {error}"))
}

async fn fetch(address: &str) -> Result<Option<Vec<u8>>, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let request = Request::get(address).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| told(&error))?;
    let client = legacy::Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(|error| told(&error))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NO_CONTENT => return Ok(None),
        other => return Err(format!("HTTP {}", other.as_u16())),
    }
    let mut body = pin!(response.into_body());
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(data) = frame.map_err(|error| told(&error))?.into_data() else { continue };
        bytes.extend_from_slice(&data);
        if limits::DUE_DRILL_BYTES_MAX < bytes.len() {
            return Err(format!("more than {} bytes", limits::DUE_DRILL_BYTES_MAX));
        }
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_is_not_read() {
        let text = br#"{"kind": "full", "cnpg_namespace": "a", "cnpg_cluster": "b",
            "server_name": "c", "destination_path": "s3://d/", "seed": 7, "why": "long ago",
            "spec": {"instances": 3}}"#;
        let due = parse(text).unwrap();
        assert_eq!((due.kind, due.seed), (DrillKind::Full, 7));
        assert!(parse(b"{}").is_err() && parse(b"<html>").is_err());
    }
}
