//! The recovery `Cluster` in the plugin's form.
//!
//! The backup is always named: left to itself, CloudNativePG picks one by its end time, and a
//! failed backup can have one.

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::Utc;

use crate::assessment::plan::Restore;
use crate::domain::archive_id::ArchiveId;

/// Where a name is not known, an upper-case word says what belongs there.
pub(super) fn render(archive: &ArchiveId, restore: &Restore, major: Option<u32>) -> String {
    let namespace = or_word(&archive.namespace, "NAMESPACE");
    let source = or_word(&archive.cluster, &archive.server_name);
    let name = format!("{source}-restored");
    let major = major.map_or_else(|| "MAJOR".to_owned(), |major| major.to_string());
    let mut target = format!("        backupID: {}\n", quoted(restore.backup_id().as_str()));
    if let Some(stop_at) = restore.stop_at {
        target += &format!("        targetTime: {}\n", quoted(&target_time(stop_at)));
    }
    if let Some(timeline) = restore.target_timeline() {
        target += &format!("        targetTLI: {}\n", quoted(&timeline.to_string()));
    }
    format!(
        "\
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: {name}
  namespace: {namespace}
spec:
  instances: 1 # more when you have looked at the data
  # The same major version as the source.
  imageName: ghcr.io/cloudnative-pg/postgresql:{major}
  storage:
    size: 10Gi # at least as large as the source's
  bootstrap:
    recovery:
      source: origin
      # Name database, owner and secret if they differ from \"app\".
      recoveryTarget:
{target}  externalClusters:
    - name: origin
      plugin:
        name: barman-cloud.cloudnative-pg.io
        parameters:
          barmanObjectName: OBJECT_STORE # the ObjectStore of the source, in this namespace
          serverName: {server_name}
  # The new cluster archives under a server name of its own. For a drill, leave this out.
  plugins:
    - name: barman-cloud.cloudnative-pg.io
      isWALArchiver: true
      parameters:
        barmanObjectName: OBJECT_STORE
        serverName: {new_server_name}
",
        name = quoted(&name),
        namespace = quoted(namespace),
        server_name = quoted(&archive.server_name),
        new_server_name = quoted(&format!("{}-restored", archive.server_name)),
    )
}

/// With a numeric offset: CloudNativePG hands the text on as it is in some versions, and
/// PostgreSQL refuses a `Z` in `recovery_target_time`.
fn target_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

fn or_word<'a>(name: &'a str, word: &'a str) -> &'a str {
    if name.is_empty() { word } else { name }
}

/// A YAML string, whatever it holds: JSON is YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
