//! The form of these manifests that is often copied, and what is wrong with it: each mistake is
//! refused by a check here, so that it cannot come back.

use cnpg_backup_verifier::domain::schedule::Schedule;
use serde_json::Value;
use serde_json::json;

use crate::deploy::backups;
use crate::deploy::flux;
use crate::deploy::manifests;
use crate::deploy::manifests::Object;
use crate::deploy::schemas;

#[tokio::test]
async fn a_server_name_in_the_object_store_is_refused() {
    let problems = problems_with("/spec/configuration", "serverName", json!("postgres-main")).await;
    assert!(problems.iter().any(|problem| problem.contains("'serverName' plugin parameter")));
}

#[tokio::test]
async fn a_retention_policy_inside_the_configuration_is_refused() {
    let problems = problems_with("/spec/configuration", "retentionPolicy", json!("30d")).await;
    assert!(problems.iter().any(|problem| problem.contains("retentionPolicy")), "{problems:?}");
}

#[tokio::test]
async fn a_log_level_among_the_arguments_of_the_sidecar_is_refused() {
    let arguments = json!(["--log-level=debug"]);
    let pointer = "/spec/instanceSidecarConfiguration";
    let problems = problems_with(pointer, "additionalContainerArgs", arguments).await;
    assert!(problems.iter().any(|problem| problem.contains("logLevel")), "{problems:?}");
}

#[tokio::test]
async fn a_chart_that_nobody_publishes_is_refused() {
    let release = manifests::one(flux::PLUGIN, "HelmRelease").await;
    assert_eq!(flux::published_chart(&release), Ok("0.14.0"));
    let copied = [
        ("cnpg-plugin-barman-cloud", "0.10.0"),
        ("cnpg-plugin-barman-cloud", "0.7.1"),
        ("plugin-barman-cloud", "0.10.0"),
        ("plugin-barman-cloud", "v0.7.1"),
    ];
    for (chart, version) in copied {
        let mut release = release.clone();
        release.value["spec"]["chart"]["spec"]["chart"] = json!(chart);
        release.value["spec"]["chart"]["spec"]["version"] = json!(version);
        assert!(flux::published_chart(&release).is_err(), "{chart} {version}");
    }
}

#[test]
fn a_schedule_of_five_fields_is_not_daily() {
    assert_eq!(backups::is_daily("0 0 0 * * *"), Ok(()));
    assert_eq!(backups::is_daily("0 30 2 * * *"), Ok(()));
    // As copied, and as CloudNativePG reads it: every hour.
    assert!(Schedule::parse("0 0 * * *").is_ok());
    assert!(backups::is_daily("0 0 * * *").is_err());
    assert!(backups::is_daily("0 0 0 * * 0").is_err());
    assert!(backups::is_daily("0 0 0,12 * * *").is_err());
}

/// What is wrong with our `ObjectStore` with one more field.
async fn problems_with(pointer: &str, name: &str, field: Value) -> Vec<String> {
    let store = manifests::one(backups::OBJECT_STORE, "ObjectStore").await;
    let mut copied: Object = store.clone();
    copied.value.pointer_mut(pointer).unwrap()[name] = field;
    let [ours, copied] =
        <[Vec<String>; 2]>::try_from(schemas::problems(&[store, copied]).await).unwrap();
    assert!(ours.is_empty(), "{ours:?}");
    assert!(!copied.is_empty());
    copied
}
