//! The handle a test holds: starts the server, restarts it, ends it on drop.

use std::sync::Arc;

use tempfile::TempDir;

use crate::double::Door;
use crate::kubernetes::User;
use crate::kubernetes::admin::Admin;
use crate::kubernetes::api::Shared;
use crate::kubernetes::connection;
use crate::kubernetes::control::FaultControl;
use crate::kubernetes::crd;
use crate::kubernetes::permissions;
use crate::kubernetes::permissions::Permission;
use crate::kubernetes::permissions::PermissionUse;
use crate::kubernetes::rbac;
use crate::kubernetes::requests::RequestRecord;
use crate::kubernetes::state::State;
use crate::kubernetes::types;
use crate::tls;

/// A running API server on loopback.
pub struct ApiServer {
    door: Door,
    pub(super) ca: String,
    pub(super) shared: Arc<Shared>,
    /// Where tokens and kubeconfigs lie.
    pub(super) files: TempDir,
}

impl ApiServer {
    /// Starts a server on a free port of 127.0.0.1, in the current tokio runtime: no custom
    /// resources yet, the namespaces `default`, `kube-public` and `kube-system`, no accounts.
    ///
    /// # Errors
    ///
    /// When no port can be bound or no certificate made.
    pub async fn start() -> anyhow::Result<Self> {
        let tls::Identity { acceptor, ca } = tls::new_identity()?;
        let shared = Arc::new(Shared::new(State::new(types::built_in())));
        let files = tempfile::Builder::new().prefix("kubernetes-").tempdir()?;
        let served = Arc::clone(&shared);
        let serve = move |stream| connection::serve(stream, acceptor.clone(), Arc::clone(&served));
        let server = Self { door: Door::open(serve).await?, ca, shared, files };
        server.apply(rbac::BOOTSTRAP);
        server.shared.state().compact(None);
        Ok(server)
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.door.address())
    }

    /// The certificate of the private authority, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca
    }

    /// Reads and writes objects without a client, past RBAC and the log of requests.
    #[must_use]
    pub fn admin(&self) -> Admin<'_> {
        Admin::new(&self.shared)
    }

    /// Creates or changes every object of a YAML text of one or more documents, by server-side
    /// apply; panics with the server's message when one is refused.
    pub fn apply(&self, yaml: &str) {
        self.admin().apply(yaml);
    }

    /// What goes wrong from now on.
    #[must_use]
    pub fn faults(&self) -> FaultControl<'_> {
        FaultControl::new(&self.shared)
    }

    /// Installs the four custom resources of CloudNativePG and the Barman Cloud Plugin.
    pub fn install_all_crds(&self) {
        for (name, _) in crd::DEFINITIONS {
            self.install_crd(name);
        }
    }

    /// Installs one of the four, by name, such as `objectstores.barmancloud.cnpg.io`.
    pub fn install_crd(&self, name: &str) {
        let definition = crd::DEFINITIONS.iter().find(|(known, _)| *known == name);
        let (_, yaml) = definition.unwrap_or_else(|| panic!("no definition of {name}"));
        self.apply(yaml);
    }

    /// Removes a definition: its objects are deleted, open watches end, its paths answer 404.
    pub fn remove_crd(&self, name: &str) {
        self.admin().delete("customresourcedefinitions", "", name);
    }

    /// The requests that came with a valid token, or with none, since the start or the last reset.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.state().log.all().to_vec()
    }

    /// Those of one user.
    #[must_use]
    pub fn requests_of(&self, user: &User) -> Vec<RequestRecord> {
        let state = self.shared.state();
        state.log.all().iter().filter(|record| record.user == user.name).cloned().collect()
    }

    pub fn reset_requests(&self) {
        self.shared.state().log.clear();
    }

    /// What the user asked for, allowed or not.
    #[must_use]
    pub fn used_permissions(&self, user: &User) -> Vec<Permission> {
        permissions::used(&self.shared.state(), user)
    }

    /// What the roles of the user grant, without those of the server's own roles.
    #[must_use]
    pub fn granted_permissions(&self, user: &User) -> Vec<Permission> {
        permissions::granted(&self.shared.state(), user)
    }

    /// Both compared: what was refused, and what is granted and was not used.
    #[must_use]
    pub fn permission_use(&self, user: &User) -> PermissionUse {
        permissions::compare(&self.shared.state(), user)
    }

    /// Closes the port and all connections; the next attempt is refused.
    pub async fn stop_listening(&self) {
        self.door.close().await;
    }

    /// Opens the same port again after `stop_listening`.
    ///
    /// # Errors
    ///
    /// When somebody else took the port in between.
    pub async fn resume_listening(&self) -> anyhow::Result<()> {
        self.door.open_again().await
    }

    /// Restarts on the same port with the same authority and objects. The history is gone: who
    /// resumes an old watch gets 410 under a 200, as the watch cache has it.
    ///
    /// # Errors
    ///
    /// When somebody else took the port in between.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop_listening().await;
        {
            let mut state = self.shared.state();
            // Leases of the server itself, and endpoints, are written as it starts.
            state.revision += 1;
            state.compact(None);
        }
        self.resume_listening().await
    }
}
