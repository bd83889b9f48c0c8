//! Who asks: users, service accounts and their bearer tokens.

use std::collections::BTreeMap;

use crate::kubernetes::status::Failure;

/// An authenticated user, as RBAC sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

impl User {
    /// A member of `system:masters`, to whom everything is allowed.
    #[must_use]
    pub fn admin() -> Self {
        let groups = ["system:masters", "system:authenticated"].map(str::to_owned).to_vec();
        Self { name: "kubernetes-admin".to_owned(), groups }
    }

    /// A service account, with the groups that its tokens carry.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
        }
    }

    /// Who comes without a token.
    pub(super) fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
        }
    }

    /// Namespace and name of a service account.
    #[must_use]
    pub fn as_service_account(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix("system:serviceaccount:")?.split_once(':')
    }

    /// The user of an `Authorization` header.
    pub(super) fn of_header(header: &str, tokens: &Tokens) -> Result<Self, Failure> {
        // An empty token counts as none (`request/bearertoken/bearertoken.go`).
        let token = header.strip_prefix("Bearer").unwrap_or("").trim();
        if token.is_empty() {
            return Ok(Self::anonymous());
        }
        tokens.users.get(token).cloned().ok_or_else(Failure::unauthorized)
    }
}

/// The tokens that are valid now.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    users: BTreeMap<String, User>,
    issued: u64,
}

impl Tokens {
    /// A new token beside those that the user has.
    pub(super) fn issue(&mut self, user: User) -> String {
        self.issued += 1;
        let token = format!("{}.{}.token", user.name.replace(':', "-"), self.issued);
        self.users.insert(token.clone(), user);
        token
    }

    /// Ends one token.
    pub(super) fn revoke(&mut self, token: &str) {
        self.users.remove(token);
    }

    /// Ends all tokens of a user.
    pub(super) fn revoke_all_of(&mut self, user: &User) {
        self.users.retain(|_, known| known.name != user.name);
    }
}
