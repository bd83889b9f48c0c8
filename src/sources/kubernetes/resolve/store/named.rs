//! Every archive that a `Cluster` names, whether it writes it or only reads it.

use crate::domain::cluster::Archiver;
use crate::domain::cluster::BARMAN_PLUGIN;
use crate::sources::kubernetes::resolve::store::Declaration;
use crate::sources::kubernetes::resolve::store::Source;
use crate::sources::kubernetes::resolve::store::Wiring;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::ExternalCluster;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::PluginEntry;

impl<'a> Wiring<'a> {
    /// What it archives to, would with the plugin enabled, and does beside the plugin.
    pub(in crate::sources::kubernetes::resolve) fn written(
        name: &'a ObjectName,
        cluster: &'a Kept<Cluster>,
    ) -> Vec<Self> {
        let spec = &cluster.spec;
        let plugins = spec.plugins.iter().filter(|it| it.name == BARMAN_PLUGIN);
        let by_plugin = plugins.map(|plugin| {
            let server_name = parameter(plugin, "serverName").unwrap_or(&name.name);
            Self::of_plugin(plugin, server_name, name, cluster)
        });
        let in_tree = spec.backup.as_ref().and_then(|backup| backup.barman_object_store.as_ref());
        let in_tree = in_tree.map(|configuration| {
            let own = configuration.server_name.as_deref().filter(|own| !own.is_empty());
            let source = Source::InTree(Declaration {
                name: "",
                configuration,
                retention_policy: None,
                env: [&spec.env, &[]],
            });
            Self::at(source, own.unwrap_or(&name.name), name)
        });
        by_plugin.chain(in_tree).collect()
    }

    /// What it recovers from or follows. Without a server name the plugin takes the cluster's
    /// (`NewFromCluster` in `internal/cnpgi/operator/config/config.go`), the operator the external
    /// cluster's (`GetServerName` in `api/v1/cluster_funcs.go`); either name counts for both.
    pub(in crate::sources::kubernetes::resolve) fn read(
        name: &'a ObjectName,
        cluster: &'a Kept<Cluster>,
    ) -> Vec<Self> {
        let mut found = Vec::new();
        for external in &cluster.spec.external_clusters {
            let ExternalCluster { name: own, plugin, barman_object_store } = external;
            if let Some(plugin) = plugin.as_ref().filter(|it| it.name == BARMAN_PLUGIN) {
                let told = parameter(plugin, "serverName").filter(|told| !told.is_empty());
                for server_name in names(told, own, name) {
                    found.push(Self::of_plugin(plugin, server_name, name, cluster));
                }
            }
            if let Some(configuration) = barman_object_store {
                let told = configuration.server_name.as_deref().filter(|told| !told.is_empty());
                for server_name in names(told, own, name) {
                    let env: [&[_]; 2] = [&cluster.spec.env, &[]];
                    let declaration =
                        Declaration { name: "", configuration, retention_policy: None, env };
                    found.push(Self::at(Source::InTree(declaration), server_name, name));
                }
            }
        }
        found
    }

    /// The place below which an `ObjectStore` has its servers, as long as no cluster uses it.
    pub(in crate::sources::kubernetes::resolve) fn unused(store: &'a ObjectName) -> Self {
        Self::at(Source::Plugin(Some(&store.name), &[]), "", store)
    }

    fn of_plugin(
        plugin: &'a PluginEntry,
        server_name: &'a str,
        name: &'a ObjectName,
        cluster: &'a Kept<Cluster>,
    ) -> Self {
        let store = parameter(plugin, "barmanObjectName").filter(|store| !store.is_empty());
        Self::at(Source::Plugin(store, &cluster.spec.env), server_name, name)
    }

    fn at(source: Source<'a>, server_name: &'a str, name: &'a ObjectName) -> Self {
        let archiver = match source {
            Source::Plugin(..) => Archiver::Plugin { is_wal_archiver: false },
            Source::InTree(_) => Archiver::InTree,
            Source::Nothing => Archiver::Nobody,
        };
        Self { archiver, server_name, namespace: &name.namespace, source }
    }

    /// Of the `ObjectStore`, unless it is in the `Cluster` itself.
    pub(in crate::sources::kubernetes::resolve) fn object_store_name(&self) -> Option<&'a str> {
        match self.source {
            Source::Plugin(name, _) => name,
            Source::InTree(_) | Source::Nothing => None,
        }
    }
}

fn parameter<'a>(plugin: &'a PluginEntry, key: &str) -> Option<&'a str> {
    plugin.parameters.get(key).map(String::as_str)
}

fn names<'a>(told: Option<&'a str>, external: &'a str, cluster: &'a ObjectName) -> Vec<&'a str> {
    told.map_or_else(|| vec![external, &*cluster.name], |told| vec![told])
}
