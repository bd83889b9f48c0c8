//! A configuration keeps to its bounds and is read again when it is written out, and what is wrong
//! with one is told without a credential.
#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use cnpg_backup_verifier::config::ArchiveConfig;
use cnpg_backup_verifier::config::Config;
use cnpg_backup_verifier::config::ContentConfig;
use cnpg_backup_verifier::config::Credentials;
use cnpg_backup_verifier::config::DrillsConfig;
use cnpg_backup_verifier::config::ExpectationConfig;
use cnpg_backup_verifier::config::KubernetesEnabled;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::domain::drill_check::RightAnswer;
use cnpg_backup_verifier::domain::format::BaseBackupAgeMax;
use cnpg_backup_verifier::domain::format::LossAccepted;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::json;

const DAY: Duration = Duration::from_hours(24);
/// Stands where a password would: nobody is shown it.
const SECRET: &str = "hunter2";

fuzz_target!(|text: &str| {
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(error) => {
            let has_secret = text.contains(&format!(":{SECRET}@"));
            let is_elsewhere = text.matches(SECRET).count() != 1;
            assert!(!has_secret || is_elsewhere || !error.to_string().contains(SECRET), "{error}");
            return;
        }
    };
    check(&config);
    let written = write(&config).to_string();
    let again = Config::parse(&written);
    assert_eq!(again.as_ref(), Ok(&config), "{written}");
});

fn check(config: &Config) {
    let Config { poll_interval, full_listing_interval, kubernetes, archives, .. } = config;
    assert!((Duration::from_secs(1)..=DAY).contains(poll_interval));
    assert!((*poll_interval..=30 * DAY).contains(full_listing_interval));
    assert!(!archives.is_empty() || kubernetes.may_discover());
    assert!(kubernetes.namespaces.is_sorted_by(|one, other| one < other));
    assert!(config.object_stores.allowed.is_sorted_by(|one, other| one < other));
    assert!(!config.object_stores.allowed.iter().any(|it| it.is_refused()));
    let jobs = config.content.jobs.as_ref();
    assert!(jobs.is_none_or(|it| (1..=1_000).contains(&it.at_once)));
    assert!(jobs.is_none() || matches!(config.credentials, Credentials::Files { .. }));
    let checks = &config.drills.checks;
    assert!(
        checks.len() <= 100 && (kubernetes.may_discover() || config.drills.namespace.is_none())
    );
    assert!(!checks.iter().any(|it| it.query.contains(';') || 4_000 < it.query.len()));
    let ids: BTreeSet<&ArchiveId> = archives.iter().map(|it| &it.id).collect();
    assert_eq!(ids.len(), archives.len());
    for archive in archives {
        let folder = archive.address.folder();
        let (folder, name) = (folder.as_str(), &archive.id.server_name);
        assert!(folder.ends_with(&format!("{name}/")) && !name.contains('/'), "{folder}");
        let ExpectationConfig { base_backup_age_max, wal_age_max, uploading_grace, .. } =
            archive.expectations;
        assert!(base_backup_age_max.is_some());
        assert!(wal_age_max.is_some_and(|age| TimeDelta::zero() < age));
        assert!(uploading_grace.is_some_and(|it| it <= TimeDelta::days(1)));
    }
}

/// As JSON, which is YAML too.
fn write(config: &Config) -> Value {
    let mut credentials = json!({"from_object_store": config.kubernetes.reads_secrets});
    if let Credentials::Files { access_key_id, secret_access_key } = &config.credentials {
        credentials["access_key_id_file"] = json!(access_key_id);
        credentials["secret_access_key_file"] = json!(secret_access_key);
    }
    let allowed = config.object_stores.allowed.iter().map(ToString::to_string);
    json!({
        "listen": config.listen.to_string(),
        "poll_interval": duration(config.poll_interval),
        "polling": config.polling.code(),
        "full_listing_interval": duration(config.full_listing_interval),
        "kubernetes": {
            "enabled": match config.kubernetes.enabled {
                KubernetesEnabled::Auto => "auto",
                KubernetesEnabled::Always => "true",
                KubernetesEnabled::Never => "false",
            },
            "namespaces": config.kubernetes.namespaces,
            "operator_namespace": config.kubernetes.operator_namespace,
            "instance_metrics": config.kubernetes.instance_metrics,
            "orphans": config.kubernetes.seeks_orphans,
        },
        "credentials": credentials,
        "object_stores": {"allowed": allowed.collect::<Vec<_>>()},
        "bzip2_decoder": config.bzip2_decoder.code(),
        "segments_per_look": config.segments_per_look.map(|it| it.to_string()),
        "content": content(&config.content),
        "drills": drills(&config.drills),
        "archives": config.archives.iter().map(archive).collect::<Vec<_>>(),
        "expectations": expectations(&config.expectations),
    })
}

fn content(content: &ContentConfig) -> Value {
    // Left out, it leaves out what is billed by the read as well.
    let cadence = content
        .reads_infrequent_backups
        .then(|| content.base_backups_every.map_or_else(|| "never".to_owned(), duration));
    json!({
        "wal": content.wal.to_string(),
        "base_backups": {
            "cadence": cadence,
            "run_as": if content.jobs.is_some() { "job" } else { "process" },
        },
        "jobs": content.jobs.as_ref().map(|jobs| json!({
            "pod": jobs.pod,
            "at_once": jobs.at_once.to_string(),
            "priority_class": jobs.priority_class,
            "queue": jobs.queue,
        })),
        "bytes_per_second_max": format!("{} B", content.bytes_per_second_max),
        "bytes_per_month_max": content.bytes_per_month_max.map(|it| format!("{it} B")),
        "ledger": content.ledger,
    })
}

fn drills(drills: &DrillsConfig) -> Value {
    let cadence = |every: Option<TimeDelta>| every.map_or_else(|| "never".to_owned(), delta);
    let checks = drills.checks.iter().map(|check| {
        let cluster = check.cluster.as_ref().map(ToString::to_string);
        let mut written = json!({
            "name": check.name,
            "cluster": cluster,
            "database": check.database,
            "query": check.query,
        });
        match &check.answer {
            RightAnswer::Text(text) => written["expected"] = json!(text),
            RightAnswer::Age(age_max) => written["max_age"] = json!(delta(*age_max)),
        }
        written
    });
    json!({
        "namespace": drills.namespace,
        "pitr": {"cadence": cadence(drills.pitr_every)},
        "full": {"cadence": cadence(drills.full_every)},
        "recovery_time_objective": delta(drills.recovery_time_objective),
        "checks": checks.collect::<Vec<_>>(),
    })
}

fn archive(archive: &ArchiveConfig) -> Value {
    let mut written = json!({
        "namespace": archive.id.namespace,
        "cluster": archive.id.cluster,
        "server_name": archive.id.server_name,
        "destination_path": archive.address.destination_path(),
        "retention_policy": archive.retention_policy.as_ref().map(ToString::to_string),
        "schedule": archive.schedule.as_ref().map(ToString::to_string),
        "expectations": expectations(&archive.expectations),
    });
    if let StoreAddress::S3 { endpoint_url, region, .. } = &archive.address.store {
        written["endpoint_url"] = json!(endpoint_url);
        written["region"] = json!(region);
    }
    written
}

fn expectations(expected: &ExpectationConfig) -> Value {
    let ExpectationConfig { base_backup_age_max, wal_age_max, uploading_grace, .. } = *expected;
    let mut written = json!({
        "base_backup_max_age": base_backup_age_max.map(|age| match age {
            BaseBackupAgeMax::FromSchedule => "auto".to_owned(),
            BaseBackupAgeMax::Exactly(age) => delta(age),
        }),
        "wal_max_age": wal_age_max.map(delta),
        "uploading_grace": uploading_grace.map(delta),
    });
    if let Some(accepted) = expected.acknowledge_gap_before {
        written["acknowledge_gap_before"] = json!(match accepted {
            LossAccepted::Before(moment) => moment.to_rfc3339(),
            LossAccepted::OlderThan(age) => delta(age),
        });
    }
    written
}

fn delta(delta: TimeDelta) -> String {
    duration(delta.to_std().unwrap())
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
