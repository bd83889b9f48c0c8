//! The Deployment of CloudNativePG itself.

use crate::domain::operator_version::OperatorVersion;
use crate::sources::kubernetes::content::Content;

/// `None` where it cannot be told. Where several run, as during a move, the oldest counts.
pub(super) fn version(content: &Content) -> Option<OperatorVersion> {
    let objects = content.deployments.reading().ok()?;
    let deployments = objects.values().filter_map(|it| it.as_deref().ok());
    let containers = deployments.flat_map(|it| &it.spec.template.spec.containers);
    containers.filter_map(|container| OperatorVersion::of_image(&container.image)).min()
}
