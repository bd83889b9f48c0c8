//! The way to the API server.
//!
//! A token file, as a pod has one, is read again by kube's client at least every minute, and so is
//! the file of the certificate authority: a rotation of either needs no restart.

use anyhow::Context;
use anyhow::bail;
use kube::Client;
use kube::Config;
use kube::config::InClusterError;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::config::KubeconfigError;

use crate::config::KubernetesEnabled;
use crate::sources::limits;

/// Connects with what `KUBECONFIG` names, else as a pod, else with the kubeconfig at home.
///
/// `None` where there is none of these and none is demanded. Asks the server for nothing yet.
pub(super) async fn connect(enabled: KubernetesEnabled) -> anyhow::Result<Option<Client>> {
    let found = match enabled {
        KubernetesEnabled::Never => return Ok(None),
        KubernetesEnabled::Auto | KubernetesEnabled::Always => find().await?,
    };
    let Some((config, origin)) = found else {
        if enabled == KubernetesEnabled::Always {
            bail!("no way to Kubernetes: this is no pod, and there is no kubeconfig");
        }
        tracing::info!("Kubernetes is not asked: this is no pod, and there is no kubeconfig");
        return Ok(None);
    };
    tracing::info!(server = %config.cluster_url, "asking Kubernetes {origin}");
    client(config).map(Some).with_context(|| format!("connect to Kubernetes {origin}"))
}

/// A client whose every wait has an end.
///
/// kube makes aws-lc the process's TLS provider where there is none yet, and takes the one that is
/// there otherwise; the AWS SDK brings its own. So they cannot disagree.
pub(super) fn client(mut config: Config) -> anyhow::Result<Client> {
    config.connect_timeout = Some(limits::KUBERNETES_CONNECT);
    config.read_timeout = Some(limits::KUBERNETES_READ);
    // A pooled connection may have been idle for longer than a read may take.
    config.reset_reader_on_write = true;
    // The watches pause and ask again by themselves.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

async fn find() -> anyhow::Result<Option<(Config, &'static str)>> {
    let options = KubeConfigOptions::default();
    if let Some(kubeconfig) = Kubeconfig::from_env().context("read the file of KUBECONFIG")? {
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config = config.context("read the file of KUBECONFIG")?;
        return Ok(Some((config, "as KUBECONFIG says")));
    }
    match Config::incluster() {
        Ok(config) => return Ok(Some((config, "as the pod's service account"))),
        // Elsewhere than in a pod the address of the API server is not set.
        Err(InClusterError::ReadEnvironmentVariable(_)) => {}
        Err(error) => return Err(error).context("read the pod's service account"),
    }
    let kubeconfig = match Kubeconfig::read() {
        Ok(kubeconfig) => kubeconfig,
        Err(KubeconfigError::FindPath | KubeconfigError::ReadConfig(..)) => return Ok(None),
        Err(error) => return Err(error).context("read the kubeconfig"),
    };
    match Config::from_custom_kubeconfig(kubeconfig, &options).await {
        Ok(config) => Ok(Some((config, "as the kubeconfig says"))),
        // What is left after the last context was deleted.
        Err(KubeconfigError::CurrentContextNotSet) => Ok(None),
        Err(error) => Err(error).context("read the kubeconfig"),
    }
}
