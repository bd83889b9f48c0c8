//! The Deployment of the Barman Cloud Plugin.

use crate::domain::cluster::Archiver;
use crate::domain::unreadable::Unreadable;
use crate::observation::Reading;
use crate::observation::cluster::PluginDeployment;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::resources::Deployment;
use crate::sources::kubernetes::resources::Kept;

/// `None` for a cluster that does not use the plugin.
pub(super) fn deployment(
    archiver: &Archiver,
    content: &Content,
) -> Option<Reading<PluginDeployment>> {
    matches!(archiver, Archiver::Plugin { .. }).then(|| find(content))
}

/// Where several are found, as during a move, the one with most pods counts.
fn find(content: &Content) -> Reading<PluginDeployment> {
    let objects = content.deployments.reading().map_err(Unreadable::clone)?;
    let deployments = objects.iter().filter_map(|(name, it)| Some((&name.name, it.as_ref().ok()?)));
    let found = deployments
        .filter(|(name, deployment)| is_plugin(name, deployment))
        .map(|(name, deployment)| {
            (deployment.status.available_replicas.unwrap_or(0), name, deployment)
        })
        .max_by_key(|(available, ..)| *available);
    let missing = PluginDeployment::Missing { namespace: content.operator_namespace.clone() };
    Ok(found.map_or(missing, |(available, name, deployment)| PluginDeployment::Found {
        name: name.to_string(),
        // As Kubernetes fills it in.
        desired: deployment.spec.replicas.unwrap_or(1),
        available,
    }))
}

/// By the labels of its manifest and of its chart, or by its image where neither was used
/// (`kubernetes/deployment.yaml`, `charts/plugin-barman-cloud`).
fn is_plugin(name: &str, deployment: &Kept<Deployment>) -> bool {
    let label = |key: &str| deployment.meta.label(key);
    let containers = &deployment.spec.template.spec.containers;
    name == "barman-cloud"
        || label("app") == Some("barman-cloud")
        || label("app.kubernetes.io/name") == Some("plugin-barman-cloud")
        || containers.iter().any(|container| is_plugin_image(&container.image))
}

/// `ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.14.0`, not its `-sidecar`.
fn is_plugin_image(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split([':', '@']).next() == Some("plugin-barman-cloud")
}
