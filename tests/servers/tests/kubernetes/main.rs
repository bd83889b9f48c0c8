//! The API server as real clients see it: the `kube` crate and `kubectl`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod access;
mod definitions;
mod discovery;
mod events;
mod faults;
mod kubectl;
mod lists;
mod permissions;
mod watcher;
mod watches;
mod writes;

use std::path::Path;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::core::ApiResource;
use kube::core::DynamicObject;
use kube::core::GroupVersionKind;
use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::User;

/// A server with all custom resources and a namespace.
async fn server() -> ApiServer {
    let server = ApiServer::start().await.unwrap();
    server.install_all_crds();
    server.apply("{apiVersion: v1, kind: Namespace, metadata: {name: databases}}");
    server
}

/// A client that never repeats a request, so that every fault is seen.
async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

async fn admin(server: &ApiServer) -> Client {
    client(&server.kubeconfig(&User::admin())).await
}

fn api(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let group = if kind == "ObjectStore" { "barmancloud.cnpg.io" } else { "postgresql.cnpg.io" };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

fn cluster(name: &str) -> Value {
    json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": { "name": name, "namespace": "databases" }, "spec": { "instances": 1 },
    })
}

fn config_map(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "databases", "labels": labels },
    })
}

/// Sends a request whose answer is wanted in JSON, whatever its status: status, headers, body.
async fn send(
    client: &Client,
    method: &str,
    path: &str,
    body: Value,
) -> (u16, http::HeaderMap, Value) {
    send_as(client, method, path, "application/json", body).await
}

async fn send_as(
    client: &Client,
    method: &str,
    path: &str,
    content_type: &str,
    body: Value,
) -> (u16, http::HeaderMap, Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type)
        .body(kube::client::Body::from(body))
        .unwrap();
    let response = client.send(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect_bytes().await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::String(text));
    (head.status.as_u16(), head.headers, body)
}

/// The lines of an open watch.
struct Lines {
    body: kube::client::Body,
    rest: String,
}

impl Lines {
    async fn open(client: &Client, path: &str) -> Self {
        let request = Request::get(path).body(kube::client::Body::empty()).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Self { body: response.into_body(), rest: String::new() }
    }

    /// The next line; `None` at a good end, an error where the body is torn.
    async fn next(&mut self) -> Result<Option<Value>, String> {
        loop {
            if let Some((line, rest)) = self.rest.split_once('\n') {
                let line = serde_json::from_str(line).map_err(|error| error.to_string())?;
                self.rest = rest.to_owned();
                return Ok(Some(line));
            }
            let frame = tokio::time::timeout(LIMIT, self.body.frame()).await.unwrap();
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(frame)) => {
                    self.rest.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap()));
                }
            }
        }
    }

    /// Type, name and version of the next event.
    async fn event(&mut self) -> (String, String, u64) {
        let event = self.next().await.unwrap().unwrap();
        let text =
            |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
        let version = text("/object/metadata/resourceVersion").parse().unwrap_or(0);
        (text("/type"), text("/object/metadata/name"), version)
    }
}

/// For one event of a watch on this machine.
const LIMIT: Duration = Duration::from_secs(30);
