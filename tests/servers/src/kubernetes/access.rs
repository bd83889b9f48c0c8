//! Access for clients: tokens, kubeconfigs, and the files that a pod finds.

use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::kubernetes::ApiServer;
use crate::kubernetes::User;

impl ApiServer {
    /// A new token of a service account, beside those that it has. The account need not exist:
    /// RBAC looks at the name only.
    #[must_use]
    pub fn create_service_account_token(&self, namespace: &str, name: &str) -> String {
        self.create_token(&User::service_account(namespace, name))
    }

    /// A new token of any user.
    #[must_use]
    pub fn create_token(&self, user: &User) -> String {
        self.shared.state().tokens.issue(user.clone())
    }

    /// Ends one token: 401 from now on.
    pub fn revoke_token(&self, token: &str) {
        self.shared.state().tokens.revoke(token);
    }

    /// Ends all tokens of a user; the files keep the last one.
    pub fn revoke_tokens_of(&self, user: &User) {
        self.shared.state().tokens.revoke_all_of(user);
    }

    /// Ends all tokens of a user, and writes a new one into the user's files, as the kubelet does.
    pub fn rotate_token(&self, user: &User) {
        self.revoke_tokens_of(user);
        self.write_token(user);
    }

    /// A kubeconfig that reads the user's token from a file. Every call gives the same file.
    #[must_use]
    pub fn kubeconfig(&self, user: &User) -> PathBuf {
        let directory = self.in_cluster_files(user);
        let token = directory.join("token");
        let credentials = format!("tokenFile: {}", token.display());
        let path = directory.join("kubeconfig");
        self.write_kubeconfig(&path, &credentials);
        path
    }

    /// A kubeconfig that carries a token itself.
    #[must_use]
    pub fn kubeconfig_with_token(&self, token: &str) -> PathBuf {
        let path = self.files.path().join(format!("kubeconfig-{token}"));
        self.write_kubeconfig(&path, &format!("token: {token}"));
        path
    }

    /// The directory that a pod of the user finds at `/var/run/secrets/kubernetes.io/serviceaccount`:
    /// `token`, `ca.crt` and `namespace`.
    #[must_use]
    pub fn in_cluster_files(&self, user: &User) -> PathBuf {
        let directory = self.directory_of(user);
        if !directory.exists() {
            std::fs::create_dir(&directory).expect("a directory of our own");
            let namespace = user.as_service_account().map_or("default", |(namespace, _)| namespace);
            write(&directory.join("ca.crt"), &self.ca);
            write(&directory.join("namespace"), namespace);
            self.write_token(user);
        }
        directory
    }

    fn directory_of(&self, user: &User) -> PathBuf {
        self.files.path().join(user.name.replace(':', "-"))
    }

    /// Replaces the file in one step, so that nobody reads half a token.
    fn write_token(&self, user: &User) {
        let directory = self.directory_of(user);
        let token = self.create_token(user);
        write(&directory.join("token.new"), &token);
        std::fs::rename(directory.join("token.new"), directory.join("token"))
            .expect("a file of our own");
    }

    fn write_kubeconfig(&self, path: &Path, credentials: &str) {
        let authority = BASE64_STANDARD.encode(&self.ca);
        let url = self.url();
        let text = format!(
            "apiVersion: v1
kind: Config
current-context: test
contexts:
  - name: test
    context: {{cluster: test, user: test, namespace: default}}
clusters:
  - name: test
    cluster:
      server: {url}
      certificate-authority-data: {authority}
users:
  - name: test
    user:
      {credentials}
"
        );
        write(path, &text);
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
