//! From a `Cluster` to the object store that it writes into.
//!
//! Follows `internal/cnpgi/operator/config/config.go` of the plugin: the `ObjectStore` is the one
//! of that name in the cluster's namespace, the server name is a parameter, even an empty one, or
//! the name of the cluster.

mod credentials;
mod named;

use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::cluster::Archiver;
use crate::domain::cluster::BARMAN_PLUGIN;
use crate::domain::destination::Declared;
use crate::domain::destination::declared_address;
use crate::domain::retention_policy::RetentionPolicy;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::observation::cluster::DeclaredStore;
use crate::observation::cluster::StoreFacts;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::content::reading_in;
use crate::sources::kubernetes::resolve::StoreCredentials;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::EnvVar;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::ObjectStoreResource;
use crate::sources::kubernetes::resources::PluginEntry;
use crate::sources::kubernetes::resources::S3Credentials;
use crate::sources::kubernetes::resources::SecretKey;
use crate::sources::kubernetes::resources::StoreConfiguration;
use crate::sources::store::s3::Authority;

/// How a cluster says where its archive is.
pub(super) struct Wiring<'a> {
    pub(super) archiver: Archiver,
    pub(super) server_name: &'a str,
    namespace: &'a str,
    source: Source<'a>,
}

enum Source<'a> {
    /// The name of an `ObjectStore`, `None` if the plugin is not told one, and the environment that
    /// the cluster gives to each container.
    Plugin(Option<&'a str>, &'a [EnvVar]),
    InTree(Declaration<'a>),
    Nothing,
}

/// A store, in an `ObjectStore` or in the `Cluster` itself.
struct Declaration<'a> {
    /// Of the `ObjectStore`; empty for one in the `Cluster`.
    name: &'a str,
    configuration: &'a StoreConfiguration,
    retention_policy: Option<&'a str>,
    /// The environment of barman-cloud: what is set in the first is not looked for in the second.
    env: [&'a [EnvVar]; 2],
}

pub(super) struct ResolvedStore {
    pub(super) declared: Reading<DeclaredStore>,
    pub(super) address: Option<ArchiveAddress>,
    pub(super) retention_policy: Option<RetentionPolicy>,
    pub(super) credentials: StoreCredentials,
    pub(super) authority: Option<Authority>,
}

/// Why a declared store is not read.
enum Unresolved {
    Elsewhere(&'static str),
    Unsupported(String),
}

impl Unresolved {
    fn declared(self, name: String) -> DeclaredStore {
        match self {
            Self::Elsewhere(why) => DeclaredStore::Elsewhere { name, why: why.to_owned() },
            Self::Unsupported(why) => DeclaredStore::Unsupported { name, why },
        }
    }
}

impl<'a> Wiring<'a> {
    pub(super) fn of(name: &'a ObjectName, cluster: &'a Kept<Cluster>) -> Self {
        let spec = &cluster.spec;
        let plugin = spec.plugins.iter().find(|it| is_enabled_barman(it));
        let is_wal_archiver = plugin.is_some_and(|it| it.is_wal_archiver.unwrap_or(false));
        let in_tree = spec.backup.as_ref().and_then(|backup| {
            let configuration = backup.barman_object_store.as_ref()?;
            let retention_policy = backup.retention_policy.as_deref();
            Some(Declaration { name: "", configuration, retention_policy, env: [&spec.env, &[]] })
        });
        let namespace = &*name.namespace;
        match (plugin, in_tree) {
            // CloudNativePG itself archives there, whatever else is called.
            (_, Some(declaration)) if !is_wal_archiver => {
                let own = declaration.configuration.server_name.as_deref();
                let server_name = own.filter(|own| !own.is_empty()).unwrap_or(&name.name);
                let source = Source::InTree(declaration);
                Self { archiver: Archiver::InTree, server_name, namespace, source }
            }
            (Some(plugin), _) => {
                let parameter = |key: &str| plugin.parameters.get(key).map(String::as_str);
                let store = parameter("barmanObjectName").filter(|name| !name.is_empty());
                Self {
                    archiver: Archiver::Plugin { is_wal_archiver },
                    server_name: parameter("serverName").unwrap_or(&name.name),
                    namespace,
                    source: Source::Plugin(store, &spec.env),
                }
            }
            (None, _) => Self {
                archiver: spec
                    .plugins
                    .iter()
                    .find(|it| is_other_archiver(it))
                    .map_or(Archiver::Nobody, |other| Archiver::OtherPlugin(other.name.clone())),
                server_name: &name.name,
                namespace,
                source: Source::Nothing,
            },
        }
    }

    pub(super) fn resolve(&self, content: &Content) -> ResolvedStore {
        match &self.source {
            Source::Nothing => ResolvedStore::without_address(Ok(DeclaredStore::Undeclared)),
            Source::Plugin(None, _) => ResolvedStore::without_address(Ok(DeclaredStore::Unnamed)),
            Source::InTree(declaration) => self.resolve_declaration(declaration, content),
            Source::Plugin(Some(name), env) => match self.object_store(name, content) {
                Ok(Some(store)) => {
                    self.resolve_declaration(&declaration(name, store, env), content)
                }
                Ok(None) => {
                    ResolvedStore::without_address(Ok(DeclaredStore::Missing((*name).to_owned())))
                }
                Err(unread) => ResolvedStore::without_address(Err(unread)),
            },
        }
    }

    /// What the store names of Secrets, if it was found.
    pub(super) fn secret_keys<'b>(&'b self, content: &'b Content) -> Vec<&'b SecretKey> {
        let Some(configuration) = self.configuration(content) else { return Vec::new() };
        let of_credentials = configuration.s3_credentials.iter().flat_map(|credentials| {
            let S3Credentials { access_key_id, secret_access_key, session_token, region, .. } =
                credentials;
            [access_key_id, secret_access_key, session_token, region].into_iter().flatten()
        });
        of_credentials.chain(&configuration.endpoint_ca).collect()
    }

    fn configuration<'b>(&'b self, content: &'b Content) -> Option<&'b StoreConfiguration> {
        match &self.source {
            Source::Nothing | Source::Plugin(None, _) => None,
            Source::InTree(declaration) => Some(declaration.configuration),
            Source::Plugin(Some(name), _) => {
                Some(&self.object_store(name, content).ok()??.spec.configuration)
            }
        }
    }

    fn object_store<'b>(
        &self,
        name: &str,
        content: &'b Content,
    ) -> Reading<Option<&'b Kept<ObjectStoreResource>>> {
        let objects = reading_in(&content.stores, self.namespace)?;
        let name = ObjectName { namespace: self.namespace.into(), name: name.into() };
        match objects.get(&name) {
            None => Ok(None),
            Some(Ok(store)) => Ok(Some(store)),
            Some(Err(why)) => Err(Unreadable {
                what: format!("read the ObjectStore {name}"),
                why: why.to_string(),
                reason: UnreadableReason::Parse,
            }),
        }
    }

    fn resolve_declaration(&self, declared: &Declaration<'_>, content: &Content) -> ResolvedStore {
        let secrets = content.secrets.as_ref();
        let found = credentials::look(declared.configuration, self.namespace, secrets);
        let address = match declared.address(self.server_name, found.region.as_deref()) {
            Ok(address) => address,
            Err(unresolved) => {
                let declared = unresolved.declared(declared.name.to_owned());
                return ResolvedStore::without_address(Ok(declared));
            }
        };
        let facts = StoreFacts {
            name: declared.name.to_owned(),
            destination_path: address.destination_path(),
            has_retention_policy: declared.retention_policy.is_some_and(|it| !it.is_empty()),
            is_r2: is_r2(&address),
            has_checksum_env: declared.has_checksum_env(),
            credentials_problem: found.problem,
        };
        ResolvedStore {
            declared: Ok(DeclaredStore::Found(facts)),
            address: Some(address),
            retention_policy: declared.retention_policy.and_then(RetentionPolicy::parse),
            credentials: found.credentials,
            authority: found.authority,
        }
    }
}

impl ResolvedStore {
    fn without_address(declared: Reading<DeclaredStore>) -> Self {
        Self {
            declared,
            address: None,
            retention_policy: None,
            credentials: StoreCredentials::Configured,
            authority: None,
        }
    }
}

/// The plugin gives its container what the cluster gives to PostgreSQL's, and of its own configuration
/// only what that does not set (`reconcilePodSpec` in `internal/cnpgi/operator/lifecycle.go`).
fn declaration<'a>(
    name: &'a str,
    store: &'a Kept<ObjectStoreResource>,
    env: &'a [EnvVar],
) -> Declaration<'a> {
    let spec = &store.spec;
    let sidecar = spec.instance_sidecar_configuration.as_ref();
    Declaration {
        name,
        configuration: &spec.configuration,
        retention_policy: spec.retention_policy.as_deref(),
        env: [env, sidecar.map_or(&[], |sidecar| &sidecar.env)],
    }
}

impl Declaration<'_> {
    /// Or why it cannot be read here.
    fn address(
        &self,
        server_name: &str,
        region: Option<&str>,
    ) -> Result<ArchiveAddress, Unresolved> {
        if self.configuration.azure_credentials.is_some() {
            return Err(Unresolved::Elsewhere("it is in Azure Blob Storage"));
        }
        if self.configuration.google_credentials.is_some() {
            return Err(Unresolved::Elsewhere("it is in Google Cloud Storage"));
        }
        let endpoint_url = self.configuration.endpoint_url.as_deref().filter(|it| !it.is_empty());
        // As boto3 takes them; barman-cloud passes an endpoint on only if it is told one.
        let endpoint_url = match endpoint_url {
            Some(url) => Some(url),
            None => match self.variable("AWS_ENDPOINT_URL_S3")? {
                Some(url) => Some(url),
                None => self.variable("AWS_ENDPOINT_URL")?,
            },
        };
        let region = match region {
            Some(region) => Some(region),
            None => self.variable("AWS_DEFAULT_REGION")?,
        };
        let destination_path = &self.configuration.destination_path;
        let declared = Declared { destination_path, endpoint_url, region, server_name };
        declared_address(declared).map_err(|error| Unresolved::Unsupported(error.to_string()))
    }

    fn named(&self, name: &str) -> Option<&EnvVar> {
        self.env.iter().copied().flatten().find(|it| it.name == name)
    }

    /// A variable that is not empty. One that comes from elsewhere is not known here.
    fn variable(&self, name: &str) -> Result<Option<&str>, Unresolved> {
        let Some(variable) = self.named(name) else { return Ok(None) };
        if variable.value_from.is_some() {
            return Err(Unresolved::Unsupported(format!(
                "its environment takes {name} from a reference; name the archive in the \
                 configuration"
            )));
        }
        Ok(variable.value.as_deref().filter(|value| !value.is_empty()))
    }

    /// What the plugin's documentation asks for with S3 look-alikes (`web/docs/object_stores.md`).
    fn has_checksum_env(&self) -> bool {
        let names = ["AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"];
        names.iter().all(|name| {
            let value = self.named(name).and_then(|it| it.value.as_deref());
            value.is_some_and(|value| value.eq_ignore_ascii_case("when_required"))
        })
    }
}

fn is_enabled_barman(plugin: &PluginEntry) -> bool {
    plugin.name == BARMAN_PLUGIN && plugin.enabled.unwrap_or(true)
}

fn is_other_archiver(plugin: &PluginEntry) -> bool {
    let is_archiver = plugin.is_wal_archiver.unwrap_or(false) && plugin.enabled.unwrap_or(true);
    is_archiver && plugin.name != BARMAN_PLUGIN
}

/// `<account>.r2.cloudflarestorage.com`, or with a jurisdiction: `<account>.eu.r2…`.
fn is_r2(address: &ArchiveAddress) -> bool {
    let StoreAddress::S3 { endpoint_url: Some(url), .. } = &address.store else { return false };
    let url = url::Url::parse(url);
    let host = url.as_ref().ok().and_then(|url| url.host_str());
    host.is_some_and(|host| host.ends_with(".r2.cloudflarestorage.com"))
}
