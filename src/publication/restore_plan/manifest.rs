//! The recovery `Cluster` as YAML, for people to read and to apply.

use serde::Serialize;
use serde_saphyr::ser_options;

use crate::assessment::Assessment;
use crate::assessment::plan::Restore;
use crate::assessment::plan::Stop;
use crate::domain::cluster::Instance;
use crate::domain::cluster::Storage;
use crate::domain::recovery_cluster::Bootstrap;
use crate::domain::recovery_cluster::ExternalCluster;
use crate::domain::recovery_cluster::Metadata;
use crate::domain::recovery_cluster::Plugin;
use crate::domain::recovery_cluster::Postgresql;
use crate::domain::recovery_cluster::Recovery;
use crate::domain::recovery_cluster::RecoveryCluster;
use crate::domain::recovery_cluster::RecoveryTarget;
use crate::domain::recovery_cluster::Spec;
use crate::domain::recovery_cluster::Stay;
use crate::domain::recovery_cluster::Tablespace;
use crate::publication::restore_plan::parameters;

/// Stands where something is not known. In capitals, which no name in Kubernetes may have.
struct Blank {
    word: &'static str,
    what: &'static str,
}

const NAMESPACE: Blank = Blank { word: "NAMESPACE", what: "where the ObjectStore is" };
const OBJECT_STORE: Blank = Blank {
    word: "OBJECT_STORE",
    what: "the ObjectStore of the source; make one of its barmanObjectStore if it has none",
};
const MAJOR: Blank = Blank { word: "MAJOR", what: "the major version of the source's PostgreSQL" };
const TABLESPACE_SIZE: Blank =
    Blank { word: "TABLESPACE_SIZE", what: "at least that of the tablespace's volume" };
const SIZE: Blank = Blank { word: "SIZE", what: "at least that of the source's volume" };

const ADVICE: &str = "\
# Raise instances once you have checked the data. Name database, owner and secret in recovery if
# they differ from \"app\". The new cluster archives under a server name of its own; for a drill,
# leave plugins out.
";

impl Blank {
    fn is_size(&self) -> bool {
        [SIZE.word, TABLESPACE_SIZE.word].contains(&self.word)
    }
}

/// What stands where something is not known.
pub(super) enum Filling<'a> {
    /// Words in capitals.
    Blanks,
    /// The store that the same bundle has, and sizes that are guessed.
    Bundle { store: &'a str, size: String },
}

/// A `Cluster`, and what was left open in it.
pub(super) struct Filled {
    pub(super) manifest: RecoveryCluster,
    blanks: Vec<&'static Blank>,
    /// Whether some size is a guess.
    pub(super) has_guess: bool,
}

impl Filled {
    /// As YAML, with what there is to be done to it before.
    pub(super) fn text(&self) -> String {
        let mut text = ADVICE.to_owned();
        for Blank { word, what } in &self.blanks {
            text += &format!("# Replace {word}: {what}.\n");
        }
        text + &yaml(&self.manifest)
    }
}

impl Filling<'_> {
    fn fill(&self, blank: &Blank) -> Option<&str> {
        match self {
            Self::Blanks => None,
            Self::Bundle { store, .. } if blank.word == OBJECT_STORE.word => Some(store),
            Self::Bundle { size, .. } if blank.is_size() => Some(size),
            Self::Bundle { .. } => None,
        }
    }
}

pub(super) fn render(assessment: &Assessment, restore: &Restore) -> String {
    cluster(assessment, restore, Filling::Blanks).text()
}

/// As people write it, whatever the length of a name.
pub(in crate::publication) fn yaml(object: &impl Serialize) -> String {
    let options = ser_options! { compact_list_indent: false, prefer_block_scalars: false };
    // Only types that YAML has no form for are refused, and there is none in it.
    serde_saphyr::to_string_with_options(object, options)
        .unwrap_or_else(|error| format!("# {error}\n"))
}

pub(super) fn cluster(assessment: &Assessment, restore: &Restore, filling: Filling<'_>) -> Filled {
    let mut blanks: Vec<&'static Blank> = Vec::new();
    let mut has_guess = false;
    let mut or_blank = |known: Option<&str>, blank: &'static Blank| {
        let filled = if known.is_none() { filling.fill(blank) } else { None };
        has_guess |= filled.is_some() && blank.is_size();
        let text = known.or(filled).unwrap_or_else(|| {
            blanks.push(blank);
            blank.word
        });
        text.to_owned()
    };
    let archive = &assessment.archive;
    let state = assessment.cluster.as_ref();
    let source = if archive.cluster.is_empty() { &archive.server_name } else { &archive.cluster };
    let namespace = (!archive.namespace.is_empty()).then_some(archive.namespace.as_str());
    let namespace = match (&filling, namespace) {
        // The one that `kubectl` uses.
        (Filling::Bundle { .. }, None) => None,
        _ => Some(or_blank(namespace, &NAMESPACE)),
    };
    let store = state.and_then(|state| state.object_store.as_deref());
    let store = or_blank(store, &OBJECT_STORE);
    let unknown = Instance::default();
    let instance = state.map_or(&unknown, |state| &state.instance);
    let major = assessment.totals.postgres_major;
    let image_name = if let Some(image) = instance.image_of(major) {
        image.to_owned()
    } else {
        let major = major.map(|major| major.to_string());
        format!("ghcr.io/cloudnative-pg/postgresql:{}", or_blank(major.as_deref(), &MAJOR))
    };
    let storage = instance
        .storage
        .clone()
        .unwrap_or_else(|| Storage { size: or_blank(None, &SIZE), storage_class: None });
    let mut tablespace = |name: &str| {
        let declared = instance.tablespaces.iter().find(|it| it.name == name);
        let storage = declared.and_then(|it| it.storage.clone());
        let storage = storage.unwrap_or_else(|| Storage {
            size: or_blank(None, &TABLESPACE_SIZE),
            storage_class: None,
        });
        Tablespace { name: name.to_owned(), storage }
    };
    let backup = assessment.backups.iter().find(|it| it.id == *restore.backup_id());
    let tablespaces = backup.iter().flat_map(|it| &it.tablespaces);
    let tablespaces: Vec<Tablespace> = tablespaces.map(|name| tablespace(name)).collect();
    blanks.dedup_by_key(|blank| blank.word);
    let origin = Plugin::reading(store.clone(), archive.server_name.clone());
    let metadata = Metadata { name: restored_name(source), namespace, ..Metadata::default() };
    let recovery_target = target(restore);
    let spec = Spec {
        instances: 1,
        image_name,
        storage,
        wal_storage: instance.wal_storage.clone(),
        tablespaces,
        postgresql: Postgresql {
            parameters: parameters(assessment, restore),
            ..Postgresql::default()
        },
        bootstrap: Bootstrap { recovery: Recovery { source: ORIGIN.to_owned(), recovery_target } },
        external_clusters: [ExternalCluster { name: ORIGIN.to_owned(), plugin: origin }],
        plugins: vec![Plugin::archiving(store, format!("{}-restored", archive.server_name))],
        stay: Stay::default(),
    };
    Filled { manifest: RecoveryCluster::new(metadata, spec), blanks, has_guess }
}

/// What recovery is told.
pub(in crate::publication) fn target(restore: &Restore) -> RecoveryTarget {
    RecoveryTarget {
        backup_id: restore.backup_id().clone(),
        time: restore.stop_at(),
        lsn: restore.stop_at_lsn(),
        name: restore.stop_at_name().map(str::to_owned),
        is_immediate: (restore.stop == Stop::Consistent).then_some(true),
        timeline: restore.target_timeline(),
    }
}

const ORIGIN: &str = "origin";

const RESTORED: &str = "-restored";

/// A cluster's name is a DNS label that begins with a letter (RFC 1035) of at most 50 characters
/// (`validateName` in CloudNativePG's `cluster_webhook.go`), whatever a server may be called.
fn restored_name(source: &str) -> String {
    const LENGTH_MAX: usize = 50;
    let is_allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = source.chars().map(|c| c.to_ascii_lowercase());
    let label: String = label.map(|c| if is_allowed(&c) { c } else { '-' }).collect();
    let label = label.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let label = if label.is_empty() { "cluster" } else { label };
    let end = label.len().min(LENGTH_MAX.saturating_sub(RESTORED.len()));
    let label = label.get(..end).unwrap_or(label).trim_end_matches('-');
    format!("{label}{RESTORED}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_a_label_whatever_the_server_is_called() {
        for (source, name) in [
            ("postgres-main", "postgres-main-restored"),
            ("Prod_DB.main", "prod-db-main-restored"),
            ("17-eu", "eu-restored"),
            ("__", "cluster-restored"),
            ("größe", "gr--e-restored"),
        ] {
            assert_eq!(restored_name(source), name);
        }
        let long = restored_name(&"a".repeat(200));
        assert_eq!((long.len(), long.ends_with("a-restored")), (50, true));
    }
}
