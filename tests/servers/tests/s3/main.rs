//! The S3 server as Amazon's SDK sees it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod faults;
mod listing;
mod objects;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::BehaviorVersion;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use test_servers::s3::S3Server;

const BUCKET: &str = "backups";

async fn server_with(keys: &[&str]) -> S3Server {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    for &key in keys {
        server.put(BUCKET, key, format!("content of {key}"));
    }
    server
}

/// A client that never retries, so that every fault is seen.
fn client(server: &S3Server) -> Client {
    client_with_keys(server, server.access_key(), server.secret_key())
}

fn client_with_keys(server: &S3Server, access_key: &str, secret_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("auto"))
        .endpoint_url(server.endpoint_url())
        .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// The HTTP status and the S3 code of an error; 0 without an answer, the text without a code.
fn told<E>(error: &SdkError<E>) -> (u16, String)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.code().map_or_else(|| DisplayErrorContext(error).to_string(), str::to_owned);
    (status, code)
}
