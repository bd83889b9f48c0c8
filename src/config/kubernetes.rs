//! Whether Kubernetes is asked which clusters there are, and for what of them.

use crate::config::format;
use crate::config::reader::Section;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::IS_TRUE;

/// What is asked of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesConfig {
    pub enabled: KubernetesEnabled,
    /// Empty means all.
    pub namespaces: Vec<String>,
    /// Where CloudNativePG and the plugin run.
    pub operator_namespace: String,
    /// Whether primaries are asked for their metrics, which needs to read pods.
    pub instance_metrics: bool,
    /// `orphans`: whether archives are looked for that no cluster names.
    pub seeks_orphans: bool,
    /// `credentials.from_object_store`: whether the Secrets that an `ObjectStore` names are read,
    /// and win over the credentials of the configuration there.
    pub reads_secrets: bool,
    /// `drills.namespace`: where the results of restore drills are; `None` reads none.
    pub drill_namespace: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KubernetesEnabled {
    /// If the process runs in a pod or finds a kubeconfig.
    #[default]
    Auto,
    /// It is an error if there is no way to Kubernetes.
    Always,
    Never,
}

impl Default for KubernetesConfig {
    fn default() -> Self {
        Self {
            enabled: KubernetesEnabled::default(),
            namespaces: Vec::new(),
            operator_namespace: OPERATOR_NAMESPACE.to_owned(),
            instance_metrics: false,
            seeks_orphans: true,
            reads_secrets: false,
            drill_namespace: None,
        }
    }
}

impl KubernetesConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let enabled = section.word("enabled", &ENABLED);
        let mut namespaces = section.texts("namespaces", &format::NAME);
        namespaces.sort();
        namespaces.dedup();
        let operator_namespace = section.text("operator_namespace", &format::NAME);
        let instance_metrics = section.word("instance_metrics", &IS_TRUE);
        let seeks_orphans = section.word("orphans", &IS_TRUE);
        Self {
            enabled: enabled.unwrap_or(default.enabled),
            namespaces,
            operator_namespace: operator_namespace.unwrap_or(default.operator_namespace),
            instance_metrics: instance_metrics.unwrap_or(default.instance_metrics),
            seeks_orphans: seeks_orphans.unwrap_or(default.seeks_orphans),
            reads_secrets: default.reads_secrets,
            drill_namespace: default.drill_namespace,
        }
    }

    /// Reads the one setting that stands among the credentials.
    pub(super) fn read_from_credentials(&mut self, section: &mut Section<'_>) {
        const KEY: &str = "from_object_store";
        self.reads_secrets = section.word(KEY, &IS_TRUE).unwrap_or(false);
        if self.reads_secrets && !self.may_discover() {
            section.note::<()>(KEY, "false, since kubernetes.enabled is false", "true");
        }
    }

    /// For a command that is told everything by flags.
    pub(super) fn never() -> Self {
        Self { enabled: KubernetesEnabled::Never, ..Self::default() }
    }

    /// Whether archives may come to light that the configuration does not name.
    pub fn may_discover(&self) -> bool {
        self.enabled != KubernetesEnabled::Never
    }
}

/// Where CloudNativePG's manifests and its chart's documentation install it.
const OPERATOR_NAMESPACE: &str = "cnpg-system";

const ENABLED: Format<KubernetesEnabled> = Format {
    expected: "auto, true or false",
    parse: |text| match text {
        "auto" => Ok(KubernetesEnabled::Auto),
        "true" => Ok(KubernetesEnabled::Always),
        "false" => Ok(KubernetesEnabled::Never),
        _ => Err(Flaw::Mismatch),
    },
};
