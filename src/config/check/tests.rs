use std::fs;

use chrono::TimeDelta;
use insta::assert_snapshot;

use super::*;
use crate::config::arguments::FileArguments;
use crate::domain::format::BaseBackupAgeMax;

const CONFIG: &str = "
archives:
  - {namespace: a, cluster: one, destination_path: s3://cnpg/}
  - {namespace: a, cluster: two, server_name: two-1, destination_path: s3://cnpg/}
  - {namespace: a, cluster: two, server_name: two-2, destination_path: s3://cnpg/, retention_policy: 30d}
";

fn read(arguments: &CheckArguments) -> Result<CheckConfig, ConfigError> {
    CheckConfig::read_with(arguments, Overrides::default())
}

/// Reads with [`CONFIG`] as the file.
fn read_config(mut arguments: CheckArguments) -> Result<CheckConfig, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, CONFIG).unwrap();
    arguments.file = FileArguments { config: Some(path) };
    read(&arguments)
}

fn of_archive(archive: &str) -> CheckArguments {
    let archive = Some(archive.to_owned());
    let selection = SelectionArguments { archive, ..SelectionArguments::default() };
    CheckArguments { selection, ..CheckArguments::default() }
}

/// As [`read_config`], where the configuration says that nothing else can be known.
fn read_without_kubernetes(mut arguments: CheckArguments) -> Result<CheckConfig, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, format!("kubernetes: {{enabled: false}}\n{CONFIG}")).unwrap();
    arguments.file = FileArguments { config: Some(path) };
    read(&arguments)
}

fn of_cluster(namespace: &str, cluster: &str) -> CheckArguments {
    let selection = SelectionArguments {
        namespace: Some(namespace.to_owned()),
        cluster: Some(cluster.to_owned()),
        ..SelectionArguments::default()
    };
    CheckArguments { selection, ..CheckArguments::default() }
}

fn server_names(config: &CheckConfig) -> Vec<&str> {
    config.chosen.archives.iter().map(|archive| archive.id.server_name.as_str()).collect()
}

#[test]
fn an_archive_by_its_address_needs_no_configuration() {
    for (text, address) in [
        ("s3://cnpg/main", "s3://cnpg/main"),
        ("s3://cnpg/a/b/main/", "s3://cnpg/a/b/main"),
        ("file:///mnt/copy/main", "file:///mnt/copy/main"),
    ] {
        let config = read(&of_archive(text)).unwrap();
        let [archive] = config.chosen.archives.as_slice() else { panic!("{text}: {config:?}") };
        assert_eq!(archive.address.to_string(), address);
        assert_eq!(archive.id.to_string(), "main");
        assert_eq!(archive.expectations, ExpectationConfig::default());
        assert_eq!(archive.retention_policy, None);
    }
}

#[test]
fn an_archive_by_its_address_is_held_to_flags_only() {
    let mut arguments = of_archive("s3://cnpg/main");
    arguments.expectations.wal_max_age = Some("5m".to_owned());
    arguments.expectations.retention = Some("4w".to_owned());
    let config = read_config(arguments).unwrap();
    let [archive] = config.chosen.archives.as_slice() else { panic!("{config:?}") };
    let expected = ExpectationConfig {
        wal_age_max: Some(TimeDelta::minutes(5)),
        ..ExpectationConfig::default()
    };
    assert_eq!(archive.expectations, expected);
    assert_eq!(archive.retention_policy, RetentionPolicy::parse("4w"));
}

#[test]
fn a_namespace_alone_means_all_its_clusters() {
    let within = |namespace: &str| {
        let selection = SelectionArguments {
            namespace: Some(namespace.to_owned()),
            ..SelectionArguments::default()
        };
        CheckArguments { selection, ..CheckArguments::default() }
    };
    let selected = |arguments| read_config(arguments).unwrap();
    assert_eq!(server_names(&selected(within("a"))), ["one", "two-1", "two-2"]);
    assert_snapshot!(read_without_kubernetes(within("b")).unwrap_err(), @r#"--namespace: expected a cluster of the configuration: a/one, a/two (two-1), a/two (two-2), found "b""#);
}

#[test]
fn a_cluster_may_have_several_archives() {
    let selected = |arguments| read_config(arguments).unwrap();
    assert_eq!(server_names(&selected(of_cluster("a", "one"))), ["one"]);
    assert_eq!(server_names(&selected(of_cluster("a", "two"))), ["two-1", "two-2"]);
    let all = selected(CheckArguments::default());
    assert_eq!(server_names(&all), ["one", "two-1", "two-2"]);
}

#[test]
fn flags_win_over_the_configuration() {
    let mut arguments = of_cluster("a", "two");
    arguments.expectations = ExpectationArguments {
        base_backup_max_age: Some("26h".to_owned()),
        retention: Some("1w".to_owned()),
        ..ExpectationArguments::default()
    };
    for archive in read_config(arguments).unwrap().chosen.archives {
        let expectations = archive.expectations;
        assert_eq!(expectations.wal_age_max, ExpectationConfig::DEFAULT.wal_age_max);
        let age_max = BaseBackupAgeMax::Exactly(TimeDelta::hours(26));
        assert_eq!(expectations.base_backup_age_max, Some(age_max));
        assert_eq!(archive.retention_policy, RetentionPolicy::parse("1w"));
    }
}

#[test]
fn wrong_selections_are_told_at_once() {
    let mut arguments = of_archive("file:///mnt/main");
    arguments.selection.endpoint_url = Some("localhost:9000".to_owned());
    arguments.selection.region = Some("auto".to_owned());
    arguments.expectations = ExpectationArguments {
        wal_max_age: Some("5".to_owned()),
        base_backup_max_age: Some("auto".to_owned()),
        uploading_grace: Some("-1s".to_owned()),
        retention: Some("forever".to_owned()),
    };
    assert_snapshot!(read(&arguments).unwrap_err(), @r#"
    --wal-max-age: expected a duration with its unit from 1s to 3650d, such as 15m, found "5"
    --base-backup-max-age: expected a duration with its unit from 1s to 3650d, such as 26h, found "auto", though --archive names no schedule
    --uploading-grace: expected a duration with its unit from 0s to 1d, such as 10m, found "-1s"
    --retention: expected a count of days, weeks or months of at most a hundred years, such as 30d, 4w or 6m, found "forever"
    --endpoint-url: expected an http or https address without user, password and query, such as https://s3.example.com, found "localhost:9000"
    --endpoint-url: expected nothing, since the archive is a directory, found a value
    --region: expected nothing, since the archive is a directory, found a value
    "#);
    assert_snapshot!(read(&of_archive("cnpg")).unwrap_err(), @r#"--archive: expected s3://BUCKET/PREFIX/SERVER_NAME or file:///DIRECTORY/SERVER_NAME, found "cnpg""#);
    assert_snapshot!(read_without_kubernetes(of_cluster("b", "one")).unwrap_err(), @r#"--namespace --cluster: expected a cluster of the configuration: a/one, a/two (two-1), a/two (two-2), found "b/one""#);
    let never = Overrides::from_variables([(
        "CNPG_BACKUP_VERIFIER_KUBERNETES_ENABLED".to_owned(),
        "false".to_owned(),
    )]);
    let error = CheckConfig::read_with(&CheckArguments::default(), never).unwrap_err();
    assert_snapshot!(error, @"archives: expected at least one archive, or --archive, since kubernetes.enabled is false, found nothing");
}

#[test]
fn a_cluster_that_the_configuration_lacks_may_be_known_to_kubernetes() {
    let chosen = read_config(of_cluster("b", "one")).unwrap().chosen;
    assert_eq!(chosen.archives, []);
    assert_eq!(chosen.scope.unwrap().to_string(), "b/one");
    assert!(chosen.kubernetes.may_discover());

    let chosen = read(&CheckArguments::default()).unwrap().chosen;
    assert_eq!((chosen.archives, chosen.scope), (vec![], None));
    assert_eq!(chosen.expectations, ExpectationConfig::DEFAULT);
}

#[test]
fn an_archive_by_its_address_never_asks_kubernetes() {
    let chosen = read_config(of_archive("s3://cnpg/main")).unwrap().chosen;
    assert!(!chosen.kubernetes.may_discover());
}
