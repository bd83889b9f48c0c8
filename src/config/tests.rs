mod credentials;
mod drills;
mod jobs;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use chrono::TimeDelta;
use insta::assert_snapshot;

use super::*;
use crate::config::arguments::FileArguments;
use crate::config::environment::ENVIRONMENT_PREFIX;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::ArchiveId;
use crate::domain::archive_id::StoreAddress;
use crate::domain::cluster::DrillKind;
use crate::domain::codec::Bzip2;
use crate::domain::destination;
use crate::domain::format::BaseBackupAgeMax;
use crate::domain::format::LossAccepted;
use crate::domain::retention_policy::RetentionPolicy;
use crate::domain::schedule::Schedule;

const ARCHIVE: &str = "
archives:
  - {namespace: databases, cluster: postgres, destination_path: s3://cnpg/}
";

fn read(text: &str) -> Result<Config, ConfigError> {
    read_with(text, &[], None)
}

fn read_with(
    text: &str,
    variables: &[(&str, &str)],
    listen: Option<&str>,
) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, text).unwrap();
    let config = Config::read_with(&arguments(Some(path), listen), overrides(variables));
    config.map_err(|ConfigError(problems)| {
        let place = format!("{}/", directory.path().display());
        let shorten = |it: ConfigProblem| ConfigProblem { key: it.key.replace(&place, ""), ..it };
        ConfigError(problems.into_iter().map(shorten).collect())
    })
}

fn arguments(config: Option<PathBuf>, listen: Option<&str>) -> RunArguments {
    RunArguments { file: FileArguments { config }, listen: listen.map(str::to_owned) }
}

fn overrides(variables: &[(&str, &str)]) -> Overrides {
    let full =
        |(name, text): &(&str, &str)| (format!("{ENVIRONMENT_PREFIX}{name}"), (*text).to_owned());
    Overrides::from_variables(variables.iter().map(full))
}

fn problems(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// Two files that can stand for credentials.
fn credential_files(directory: &Path) -> (PathBuf, PathBuf) {
    let files = ["ACCESS_KEY_ID", "ACCESS_SECRET_KEY"].map(|name| directory.join(name));
    files.iter().for_each(|file| fs::write(file, "text").unwrap());
    files.into()
}

#[test]
fn everything_has_a_default() {
    let config = read(ARCHIVE).unwrap();
    let archive = ArchiveConfig {
        id: ArchiveId {
            namespace: "databases".to_owned(),
            cluster: "postgres".to_owned(),
            server_name: "postgres".to_owned(),
        },
        address: ArchiveAddress {
            store: StoreAddress::S3 {
                bucket: "cnpg".to_owned(),
                endpoint_url: None,
                region: "auto".to_owned(),
            },
            prefix: String::new(),
            server_name: "postgres".to_owned(),
        },
        retention_policy: None,
        schedule: None,
        expectations: ExpectationConfig::DEFAULT,
    };
    let expected = Config {
        listen: "0.0.0.0:8080".parse().unwrap(),
        poll_interval: Duration::from_secs(60),
        polling: Polling::List,
        full_listing_interval: Duration::from_hours(6),
        kubernetes: KubernetesConfig {
            enabled: KubernetesEnabled::Auto,
            namespaces: vec![],
            operator_namespace: "cnpg-system".to_owned(),
            instance_metrics: false,
            seeks_orphans: true,
            reads_secrets: false,
            drill_namespace: None,
        },
        credentials: Credentials::DefaultChain,
        object_stores: ObjectStoresConfig::default(),
        bzip2_decoder: Bzip2::Fast,
        content: ContentConfig::default(),
        drills: DrillsConfig::default(),
        segments_per_look: None,
        archives: vec![archive],
        expectations: ExpectationConfig::DEFAULT,
    };
    assert_eq!(config, expected);
}

#[test]
fn a_text_is_read_as_a_file_of_it() {
    assert_eq!(Config::parse(ARCHIVE), read(ARCHIVE));
    let told = |error: ConfigError| error.to_string().replace("the configuration", "config.yaml");
    for wrong in ["listen: 1\npoll: {}", "kubernetes: {enabled: false}", "{", "- a"] {
        let (text, file) = (Config::parse(wrong).unwrap_err(), read(wrong).unwrap_err());
        assert_eq!(told(text), told(file));
    }
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (access_key_id, secret_access_key) = credential_files(directory.path());
    let text = EXAMPLE.replace("/run/secrets/r2", directory.path().to_str().unwrap());
    let config = read(&text).unwrap();

    let archive = ArchiveConfig {
        id: ArchiveId {
            namespace: "databases".to_owned(),
            cluster: "postgres".to_owned(),
            server_name: "postgres-main".to_owned(),
        },
        address: ArchiveAddress {
            store: StoreAddress::S3 {
                bucket: "cnpg".to_owned(),
                endpoint_url: Some("http://127.0.0.1:9000".to_owned()),
                region: "auto".to_owned(),
            },
            prefix: String::new(),
            server_name: "postgres-main".to_owned(),
        },
        retention_policy: RetentionPolicy::parse("30d"),
        schedule: Schedule::parse("0 0 0 * * *").ok(),
        expectations: ExpectationConfig::DEFAULT,
    };
    assert_eq!(config.archives, [archive]);
    assert_eq!(config.credentials, Credentials::Files { access_key_id, secret_access_key });
    assert_eq!(config.expectations, ExpectationConfig::DEFAULT);
}

const EXAMPLE: &str = r#"
listen: 0.0.0.0:8080
poll_interval: 60s            # incremental listing
full_listing_interval: 6h     # finds what was deleted later
kubernetes:
  enabled: auto               # auto: in-cluster or a kubeconfig; true; false
  namespaces: []              # empty = all
credentials:                  # for object stores; default chain when absent
  access_key_id_file: /run/secrets/r2/ACCESS_KEY_ID
  secret_access_key_file: /run/secrets/r2/ACCESS_SECRET_KEY
  from_object_store: false    # opt in: read the Secret that the ObjectStore names
archives:                     # archives named by hand, with or without Kubernetes
  - namespace: databases
    cluster: postgres
    server_name: postgres-main
    destination_path: s3://cnpg/
    endpoint_url: http://127.0.0.1:9000
    region: auto
    retention_policy: 30d
    schedule: "0 0 0 * * *"
expectations:                 # defaults; per archive and by annotation on the Cluster
  base_backup_max_age: auto   # from the schedule: interval + grace
  wal_max_age: 15m
  uploading_grace: 10m        # a hole at the tail may still be in flight
"#;

#[test]
fn an_archive_takes_from_the_defaults_what_it_does_not_say() {
    let text = format!(
        "expectations: {{wal_max_age: 1h, uploading_grace: 5m}}
{ARCHIVE}    expectations: {{base_backup_max_age: 26h, wal_max_age: 2h, acknowledge_gap_before: 2026-01-10T12:00:00+01:00}}
"
    );
    let text = text.replace(
        "  - {namespace: databases, cluster: postgres, destination_path: s3://cnpg/}",
        "  - namespace: databases\n    cluster: postgres\n    destination_path: s3://cnpg/",
    );
    let expectations = read(&text).unwrap().archives[0].expectations;
    assert_eq!(
        expectations,
        ExpectationConfig {
            base_backup_age_max: Some(BaseBackupAgeMax::Exactly(TimeDelta::hours(26))),
            wal_age_max: Some(TimeDelta::hours(2)),
            uploading_grace: Some(TimeDelta::minutes(5)),
            acknowledge_gap_before: "2026-01-10T11:00:00Z".parse().ok().map(LossAccepted::Before),
        }
    );
}

#[test]
fn endpoints_that_may_be_asked_are_servers_and_not_link_local() {
    let named = |config: Config| {
        config.object_stores.allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let text = "object_stores: {allowed: [https://s3.example.com/, http://minio:9000]}";
    let config = read(&format!("{ARCHIVE}{text}\n")).unwrap();
    assert_snapshot!(named(config), @"http://minio:9000 https://s3.example.com");
    let variable = ("OBJECT_STORES_ALLOWED", "https://a.example, https://b.example:8443");
    let config = read_with(ARCHIVE, &[variable], None).unwrap();
    assert_snapshot!(named(config), @"https://a.example https://b.example:8443");
    let text = "object_stores: {allowed: [s3.example.com, http://0xA9FEA9FE, https://a/b]}";
    assert_eq!(problems(&format!("{ARCHIVE}{text}\n")).lines().count(), 3);
}

#[test]
fn the_decoder_of_bzip2_is_the_fast_one_or_the_reference() {
    let decoder = |text: &str| read(&format!("{ARCHIVE}{text}\n")).map(|it| it.bzip2_decoder);
    assert_eq!(decoder("bzip2_decoder: fast"), Ok(Bzip2::Fast));
    assert_eq!(decoder("bzip2_decoder: reference"), Ok(Bzip2::Reference));
    let config = read_with(ARCHIVE, &[("BZIP2_DECODER", "reference")], None).unwrap();
    assert_eq!(config.bzip2_decoder, Bzip2::Reference);
    let problems = problems(&format!("{ARCHIVE}bzip2_decoder: slow\n"));
    assert_snapshot!(problems, @r#"bzip2_decoder: expected fast or reference, found "slow""#);
}

#[test]
fn a_count_needs_no_quotes() {
    let count = |text: &str| {
        let config = read(&format!("{ARCHIVE}segments_per_look: {text}\n"));
        config.map(|it| it.segments_per_look)
    };
    assert_eq!(count("128"), Ok(Some(128)));
    assert_eq!(count("\"128\""), Ok(Some(128)));
    let variable = ("SEGMENTS_PER_LOOK", "7");
    let config = read_with(&format!("{ARCHIVE}segments_per_look: 128\n"), &[variable], None);
    assert_eq!(config.map(|it| it.segments_per_look), Ok(Some(7)));
    for wrong in ["0", "-1", "1.5", "100001", "many", "true", "[1]"] {
        let problems = problems(&format!("{ARCHIVE}segments_per_look: {wrong}\n"));
        assert!(problems.starts_with("segments_per_look: expected a number from 1"), "{problems}");
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let text = format!("listen: 127.0.0.1:1\nexpectations: {{wal_max_age: 1h}}\n{ARCHIVE}");
    let variables = [("LISTEN", "127.0.0.1:2"), ("EXPECTATIONS_WAL_MAX_AGE", "2h")];

    let config = read_with(&text, &variables, None).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.archives[0].expectations.wal_age_max, Some(TimeDelta::hours(2)));

    let config = read_with(&text, &variables, Some("127.0.0.1:3")).unwrap();
    assert_eq!(config.listen.port(), 3);
}

#[test]
fn a_section_with_nothing_in_it_is_absent() {
    let text = format!("credentials:\nexpectations:\nlisten:\n{ARCHIVE}");
    assert_eq!(read(&text), read(ARCHIVE));
}

#[test]
fn all_problems_are_told_at_once() {
    let text = r#"
listen: 8080
poll_intervall: 60s
poll_interval: 10ms
full_listing_interval: 6 hours ago
full_listing_interval: 7h
kubernetes: {enabled: maybe, namespaces: [databases, {a: b}], operator_namespace: a/b}
credentials: [a, b]
archives:
  - namespace: databases
    cluster: 42
    destination_path: s3:/cnpg
    endpoint_url: http://key:hunter2@127.0.0.1:9000
    retention_policy: 30 days
    schedule: "0 0 0 * *  * * *"
    expectations: {acknowledge_gap_before: yesterday, wal_age: 5m}
  - {namespace: a, cluster: b, destination_path: s3://c/}
  - {namespace: a, cluster: b, destination_path: s3://d/}
  - {namespace: a/b, server_name: "..", destination_path: file:///c, region: auto}
  - just text
expectations: {wal_max_age: 15, uploading_grace: 2d, base_backup_max_age: never}
content: {wal: always, base_backups: {cadence: now}, bytes_per_second_max: 1, ledger: here}
"#;
    assert_snapshot!(problems(text), @r#"
    listen: expected an address and a port, such as 0.0.0.0:8080, found a number without unit or quotes
    poll_interval: expected a duration with its unit from 1s to 1d, such as 60s, found "10ms"
    full_listing_interval: expected a duration with its unit from 1s to 30d, such as 6h, found "6 hours ago"
    kubernetes.enabled: expected auto, true or false, found "maybe"
    kubernetes.namespaces[1]: expected a name of letters, digits, dots, dashes and underscores, found a mapping
    kubernetes.operator_namespace: expected a name of letters, digits, dots, dashes and underscores, found "a/b"
    credentials: expected a mapping, found a list
    content.base_backups.cadence: expected daily, weekly, monthly, never, or a duration with its unit from 1h to 365d, found "now"
    content.wal: expected true or false, found "always"
    content.bytes_per_second_max: expected an amount of at least 1 MiB with its unit, such as 32MiB, found a number without unit or quotes
    content.ledger: expected the absolute path of a file, found "here"
    expectations.base_backup_max_age: expected auto or a duration with its unit from 1s to 3650d, such as 26h, found "never"
    expectations.wal_max_age: expected a duration with its unit from 1s to 3650d, such as 15m, found a number without unit or quotes
    expectations.uploading_grace: expected a duration with its unit from 0s to 1d, such as 10m, found "2d"
    archives[0].cluster: expected a name of letters, digits, dots, dashes and underscores, found a number without unit or quotes
    archives[0].destination_path: expected s3://BUCKET/PREFIX/ or file:///DIRECTORY, found "s3:/cnpg"
    archives[0].endpoint_url: expected an http or https address without user, password and query, such as https://s3.example.com, found an address that may hold credentials, not shown
    archives[0].retention_policy: expected a count of days, weeks or months of at most a hundred years, such as 30d, 4w or 6m, found "30 days"
    archives[0].schedule: expected a schedule with six fields as in a ScheduledBackup, such as "0 0 0 * * *", found the schedule "0 0 0 * *  * * *" has 8 fields, expected second, minute, hour, day of month, month and day of week, of which only the last may be left out
    archives[0].expectations.acknowledge_gap_before: expected a moment as in RFC 3339, such as 2026-01-10T12:00:00Z, or an age with its unit, such as 30d, found "yesterday"
    archives[0].expectations.wal_age: expected one of acknowledge_gap_before, base_backup_max_age, wal_max_age, uploading_grace, found an unknown key
    archives[2].server_name: expected a different one from archives[1] with the same namespace and cluster, found "b"
    archives[3].namespace: expected a name of letters, digits, dots, dashes and underscores, found "a/b"
    archives[3].cluster: expected a name of letters, digits, dots, dashes and underscores, found nothing
    archives[3].server_name: expected the name of one folder, found ".."
    archives[3].region: expected nothing, since the archive is a directory, found a value
    archives[4]: expected a mapping, found a text
    poll_intervall: expected one of listen, poll_interval, polling, full_listing_interval, segments_per_look, kubernetes, credentials, object_stores, bzip2_decoder, content, drills, expectations, archives, found an unknown key
    full_listing_interval: expected this key once, found it again
    "#);
}

#[test]
fn problems_name_the_variable_or_the_flag_they_came_from() {
    let variables =
        [("POLL_INTERVAL", "60"), ("WAL_MAX_AGE", "1h"), ("KUBERNETES_NAMESPACES", "a,/")];
    let error = read_with(ARCHIVE, &variables, Some("localhost")).unwrap_err();
    assert_snapshot!(error, @r#"
    --listen: expected an address and a port, such as 0.0.0.0:8080, found "localhost"
    CNPG_BACKUP_VERIFIER_POLL_INTERVAL: expected a duration with its unit from 1s to 1d, such as 60s, found "60"
    CNPG_BACKUP_VERIFIER_KUBERNETES_NAMESPACES: expected a name of letters, digits, dots, dashes and underscores, found "/"
    CNPG_BACKUP_VERIFIER_WAL_MAX_AGE: expected the variable of a setting, such as CNPG_BACKUP_VERIFIER_POLL_INTERVAL, found an unknown name
    "#);
}

#[test]
fn a_syntax_error_tells_its_place_and_no_text_around_it() {
    for text in [
        "listen: [1, 2\npoll_interval: hunter2",
        "a: *hunter2",
        "a: b: c",
        "a: \"hunter2",
        "a: 1\n---\nb: 2",
        "? [hunter2]\n: b",
        "a: !!binary hunter2?",
        "~: hunter2",
    ] {
        let told = problems(text);
        assert!(told.starts_with("config.yaml line "), "{text:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{text:?}: {told}");
        assert!(text.starts_with("a: *") || !told.contains("hunter2"), "{text:?}: {told}");
    }
    assert_snapshot!(problems("listen: [1, 2\npoll_interval: 60s"), @"config.yaml line 2 column 14: expected a YAML document, found illegal placement of ':' indicator");
}

#[test]
fn a_document_that_is_no_mapping_is_a_problem() {
    assert_snapshot!(problems("- a\n- b"), @"the configuration: expected a mapping, found a list");
}

#[test]
fn without_archives_and_without_kubernetes_there_is_nothing_to_watch() {
    let never = overrides(&[("KUBERNETES_ENABLED", "false")]);
    let nothing = Config::read_with(&arguments(None, None), never).unwrap_err();
    assert_eq!(nothing.to_string(), problems("kubernetes: {enabled: false}"));
    assert_eq!(nothing.to_string(), problems("kubernetes: {enabled: false}\narchives: []"));
    assert_snapshot!(nothing, @"archives: expected at least one archive, since kubernetes.enabled is false, found nothing");
    for may_discover in ["", "archives: []", "kubernetes: {enabled: true}"] {
        assert_eq!(read(may_discover).unwrap().archives, [], "{may_discover}");
    }
}

#[test]
fn kubernetes_is_asked_for_what_the_configuration_says() {
    let text = "
kubernetes:
  enabled: true
  namespaces: [b, a, b]
  operator_namespace: operators
  instance_metrics: true
  orphans: false
credentials: {from_object_store: true}
";
    let config = read(text).unwrap();
    let expected = KubernetesConfig {
        enabled: KubernetesEnabled::Always,
        namespaces: vec!["a".to_owned(), "b".to_owned()],
        operator_namespace: "operators".to_owned(),
        instance_metrics: true,
        seeks_orphans: false,
        reads_secrets: true,
        drill_namespace: None,
    };
    assert_eq!(config.kubernetes, expected);

    let variables = [
        ("KUBERNETES_ENABLED", "auto"),
        ("KUBERNETES_NAMESPACES", "c, d"),
        ("KUBERNETES_OPERATOR_NAMESPACE", "cnpg"),
        ("KUBERNETES_INSTANCE_METRICS", "false"),
        ("KUBERNETES_ORPHANS", "true"),
        ("CREDENTIALS_FROM_OBJECT_STORE", "false"),
    ];
    let config = read_with(text, &variables, None).unwrap();
    let expected = KubernetesConfig {
        enabled: KubernetesEnabled::Auto,
        namespaces: vec!["c".to_owned(), "d".to_owned()],
        operator_namespace: "cnpg".to_owned(),
        instance_metrics: false,
        seeks_orphans: true,
        reads_secrets: false,
        drill_namespace: None,
    };
    assert_eq!(config.kubernetes, expected);
}

#[test]
fn secrets_cannot_be_read_where_kubernetes_is_never_asked() {
    let text = format!(
        "kubernetes: {{enabled: false}}\ncredentials: {{from_object_store: true}}\n{ARCHIVE}"
    );
    assert_snapshot!(problems(&text), @"credentials.from_object_store: expected false, since kubernetes.enabled is false, found true");
}

#[test]
fn a_file_that_cannot_be_read_hides_no_other_problem() {
    let arguments = arguments(Some("/nowhere/config.yaml".into()), Some("localhost"));
    let error = Config::read_with(&arguments, overrides(&[])).unwrap_err();
    assert_snapshot!(error, @r#"
    /nowhere/config.yaml: expected a readable file of at most 1 MiB, found No such file or directory (os error 2)
    --listen: expected an address and a port, such as 0.0.0.0:8080, found "localhost"
    "#);
}

#[test]
fn a_huge_file_is_refused() {
    let comment = "# a line of a file that somebody took for a configuration\n";
    assert_snapshot!(problems(&comment.repeat(20_000)), @"config.yaml: expected a readable file of at most 1 MiB, found a larger one");
}

#[test]
fn a_full_listing_is_not_due_more_often_than_a_poll() {
    let text = format!("poll_interval: 1h\nfull_listing_interval: 30m\n{ARCHIVE}");
    assert_snapshot!(problems(&text), @"full_listing_interval: expected a duration not shorter than poll_interval, found 30m");
    let config = read(&format!("poll_interval: 12h\n{ARCHIVE}")).unwrap();
    assert_eq!(config.full_listing_interval, Duration::from_hours(12));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(key in "(listen|archives|kubernetes|[a-z]{1,3})", text in ".{0,40}") {
        let mut reader = SettingReader::new(overrides(&[("EXPECTATIONS_WAL_MAX_AGE", &text)]));
        let document = Node::parse(&format!("{key}: {text}"), "text").ok();
        Config::read_document(&mut reader, document.as_ref(), Archives::Optional);
        reader.flag("--archive", Some(&text), &destination::ARCHIVE);
        reader.flag("--archive", Some(&format!("s3://{text}")), &destination::ARCHIVE);
        reader.flag("--endpoint-url", Some(&format!("http://{text}")), &destination::ENDPOINT_URL);
    }
}
