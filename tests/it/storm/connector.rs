//! Lets the SDK reach servers in this process without a socket: a clock that is paused jumps while
//! a socket waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpClient;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use test_servers::s3::S3Server;
use tokio::time::timeout;

/// Servers by the `HOST:PORT` of their endpoints.
#[derive(Clone, Debug)]
pub(super) struct InProcess {
    pub(super) servers: Arc<BTreeMap<String, S3Server>>,
}

#[derive(Debug)]
struct Connector {
    servers: Arc<BTreeMap<String, S3Server>>,
    read_timeout: Option<Duration>,
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let servers = Arc::clone(&self.servers);
        SharedHttpConnector::new(Connector { servers, read_timeout: settings.read_timeout() })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = request.try_into_http1x().unwrap();
        let host = request.uri().authority().unwrap().to_string();
        let stream = self.servers[&host].connect();
        *request.uri_mut() = request.uri().path_and_query().unwrap().to_string().parse().unwrap();
        request.headers_mut().insert(HOST, host.parse().unwrap());
        let limit = self.read_timeout.unwrap_or(Duration::MAX);
        HttpConnectorFuture::new(async move {
            let sent = timeout(limit, async {
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender.send_request(request).await
            });
            match sent.await {
                Ok(Ok(response)) => {
                    let response = response.map(SdkBody::from_body_1_x);
                    Ok(HttpResponse::try_from(response).unwrap())
                }
                Ok(Err(error)) => Err(ConnectorError::io(error.into())),
                Err(late) => Err(ConnectorError::timeout(late.into())),
            }
        })
    }
}
