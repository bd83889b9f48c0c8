//! The way to the API server.
//!
//! A token file, as a pod has one, is read again by kube's client at least every minute, and so is
//! the file of the certificate authority: a rotation of either needs no restart.

use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use kube::Client;
use kube::Config;
use kube::config::InClusterError;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::config::KubeconfigError;

use crate::config::KubernetesEnabled;
use crate::sources::limits;

/// Why there is no way to Kubernetes.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no way to Kubernetes: this is not a pod, and there is no kubeconfig")]
    Nowhere,
    #[error("read {what}")]
    Kubeconfig { what: &'static str, source: KubeconfigError },
    #[error("read the pod's service account")]
    ServiceAccount(#[source] InClusterError),
    #[error("connect to Kubernetes {origin}")]
    Server { origin: &'static str, source: kube::Error },
    #[error("connect to instances")]
    Instances(#[source] kube::Error),
}

const AGENT: &str = concat!("cnpg-backup-verifier/", env!("CARGO_PKG_VERSION"));

const KUBECONFIG: &str = "the file of KUBECONFIG";
const KUBECONFIG_AT_HOME: &str = "the kubeconfig";

/// Connects with what `KUBECONFIG` names, else as a pod, else with the kubeconfig at home.
///
/// `None` where there is none of these and none is demanded. Asks the server for nothing yet.
pub(super) async fn connect(enabled: KubernetesEnabled) -> Result<Option<Client>, ConnectError> {
    let found = match enabled {
        KubernetesEnabled::Never => return Ok(None),
        KubernetesEnabled::Auto | KubernetesEnabled::Always => find().await?,
    };
    let Some((config, origin)) = found else {
        if enabled == KubernetesEnabled::Always {
            return Err(ConnectError::Nowhere);
        }
        tracing::info!("Kubernetes is not asked: this is not a pod, and there is no kubeconfig");
        return Ok(None);
    };
    tracing::info!(server = %config.cluster_url, "asking Kubernetes {origin}");
    client(config).map(Some).map_err(|source| ConnectError::Server { origin, source })
}

/// A client whose every wait has an end.
///
/// kube makes aws-lc the process's TLS provider where there is none yet, and takes the one that is
/// there otherwise; the AWS SDK brings its own. So they cannot disagree.
fn client(mut config: Config) -> kube::Result<Client> {
    // Audit logs of the API server tell clients apart by it.
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    config.connect_timeout = Some(limits::KUBERNETES_CONNECT);
    config.read_timeout = Some(limits::KUBERNETES_READ);
    // A pooled connection may have been idle for longer than a read may take.
    config.reset_reader_on_write = true;
    // The watches pause and ask again by themselves.
    config.default_retry = false;
    Client::try_from(config)
}

async fn find() -> Result<Option<(Config, &'static str)>, ConnectError> {
    let unread = |what| move |source| ConnectError::Kubeconfig { what, source };
    let options = KubeConfigOptions::default();
    if let Some(kubeconfig) = Kubeconfig::from_env().map_err(unread(KUBECONFIG))? {
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config = config.map_err(unread(KUBECONFIG))?;
        return Ok(Some((config, "as KUBECONFIG says")));
    }
    match Config::incluster() {
        Ok(config) => return Ok(Some((config, "as the pod's service account"))),
        // Elsewhere than in a pod the address of the API server is not set.
        Err(InClusterError::ReadEnvironmentVariable(_)) => {}
        Err(error) => return Err(ConnectError::ServiceAccount(error)),
    }
    let kubeconfig = match Kubeconfig::read() {
        Ok(kubeconfig) => kubeconfig,
        Err(KubeconfigError::FindPath | KubeconfigError::ReadConfig(..)) => return Ok(None),
        Err(error) => return Err(unread(KUBECONFIG_AT_HOME)(error)),
    };
    match Config::from_custom_kubeconfig(kubeconfig, &options).await {
        Ok(config) => Ok(Some((config, "as the kubeconfig says"))),
        // What is left after the last context was deleted.
        Err(KubeconfigError::CurrentContextNotSet) => Ok(None),
        Err(error) => Err(unread(KUBECONFIG_AT_HOME)(error)),
    }
}
