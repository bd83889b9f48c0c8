//! Under which address the page of an archive is found.

use crate::assessment::Assessment;
use crate::domain::archive_id::ArchiveId;
use crate::publication::page::ARCHIVE_PATH;
use crate::publication::page::ARCHIVES_PATH;
use crate::publication::page::FormFields;
use crate::publication::page::words::encoded;

/// Which archives are shown together: those of one cluster, or those of one full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Archives {
    OfCluster { namespace: String, cluster: String },
    Named(ArchiveId),
}

impl Archives {
    /// What is not said is empty, as it is in an archive that was named by its address alone.
    pub fn named(fields: &FormFields) -> Self {
        let field = |name| fields.get(name).cloned().unwrap_or_default();
        Self::Named(ArchiveId {
            namespace: field("namespace"),
            cluster: field("cluster"),
            server_name: field("server_name"),
        })
    }

    pub(super) fn holds(&self, assessment: &Assessment) -> bool {
        let archive = &assessment.archive;
        match self {
            Self::OfCluster { namespace, cluster } => {
                archive.namespace == *namespace && archive.cluster == *cluster
            }
            Self::Named(id) => archive == id,
        }
    }

    /// As people write it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::OfCluster { namespace, cluster } => format!("{namespace}/{cluster}"),
            Self::Named(id) => id.to_string(),
        }
    }
}

/// A path from the root, and the parameters that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) path: String,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Address {
    pub(super) fn of(archive: &ArchiveId) -> Self {
        if is_segment(&archive.namespace) && is_segment(&archive.cluster) {
            let (namespace, cluster) = (encoded(&archive.namespace), encoded(&archive.cluster));
            return Self {
                path: format!("{ARCHIVES_PATH}/{namespace}/{cluster}"),
                fields: Vec::new(),
            };
        }
        let fields = [
            ("namespace", &archive.namespace),
            ("cluster", &archive.cluster),
            ("server_name", &archive.server_name),
        ];
        let told = fields.into_iter().filter(|(_, value)| !value.is_empty());
        Self {
            path: ARCHIVE_PATH.to_owned(),
            fields: told.map(|(name, value)| (name, value.clone())).collect(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// For a link on a page from which the root is `root`.
    pub(super) fn from(&self, root: &str) -> String {
        let fields: Vec<String> =
            self.fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let question_mark = if fields.is_empty() { "" } else { "?" };
        format!("{root}{}{question_mark}{}", self.path, fields.join("&"))
    }
}

/// Browsers and proxies resolve dots, and some decode a slash.
fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(namespace: &str, cluster: &str, server_name: &str, address: &str) {
        let [namespace, cluster, server_name] =
            [namespace, cluster, server_name].map(str::to_owned);
        let archive = ArchiveId { namespace, cluster, server_name };
        assert_eq!(Address::of(&archive).from("../"), address);
    }

    #[test]
    fn a_cluster_has_a_path() {
        check("databases", "postgres", "postgres-v2", "../archives/databases/postgres");
    }

    #[test]
    fn an_archive_without_a_cluster_has_a_query() {
        check("", "", "pg main", "../archive?server_name=pg%20main");
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_address() {
        check("a", "..", "b", "../archive?namespace=a&cluster=..&server_name=b");
        check("a/b", "c", "d&e=f", "../archive?namespace=a%2Fb&cluster=c&server_name=d%26e%3Df");
        check("a", "b?c#d\"", "e", "../archives/a/b%3Fc%23d%22");
    }
}
