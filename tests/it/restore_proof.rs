//! What we call reachable can be restored, and what we do not cannot: proven by restoring.

use std::time::Duration;

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::TimeDelta;
use chrono::Utc;
use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::program::check;
use crate::program::document;
use crate::program::restore_plan;

/// What PostgreSQL says before it gives up.
const ENDED_BEFORE: &str = "recovery ended before configured recovery target was reached";

/// PostgreSQL counts time in these.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);

#[tokio::test]
async fn what_a_plan_says_of_a_moment_is_what_a_restore_does() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Bzip2)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    let bzip2 = BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() };
    barman.backup(&primary, &bzip2).await;
    let mut names = Vec::new();
    for n in 0..6 {
        primary.sql(&format!("INSERT INTO kept VALUES ({n})")).await;
        names.extend(primary.archive_segments(1).await);
    }
    drop(primary);

    let [first, last] = window(&barman).await;
    assert_eq!(rows_restored_to(&barman, first).await, "0");
    // The last commit is the first one that is not replayed.
    assert_eq!(rows_restored_to(&barman, last - MOMENT).await, "5");
    assert_eq!(rows_restored_to(&barman, last).await, "6");
    is_out_of_reach(&barman, last + MOMENT, last - MOMENT).await;

    let lost = &names[3];
    s3.delete("backups", &format!("cluster/main/wals/{}/{lost}.bz2", &lost[..16]));
    let before_gap = wait_until("rclone notices", Duration::from_secs(60), async || {
        let [_, end] = window(&barman).await;
        (end < last).then_some(end)
    })
    .await;
    assert_eq!(rows_restored_to(&barman, before_gap - MOMENT).await, "2");
    is_out_of_reach(&barman, before_gap + MOMENT, before_gap - MOMENT).await;
}

/// First and last moment of the only backup's window, as `check` prints them.
async fn window(barman: &Barman) -> [DateTime<Utc>; 2] {
    let document = document(&check(barman, &["-o", "json"]).await);
    let window = &document["archives"][0]["recovery_windows"][0];
    assert_eq!(window["last"]["time_source"], "commit", "{window:#}");
    [time(&window["first"]["time"]), time(&window["last"]["time"])]
}

/// Does what the plan says, and counts.
async fn rows_restored_to(barman: &Barman, moment: DateTime<Utc>) -> String {
    let finished = restore_plan(barman, &["--to", &setting(moment), "-o", "json"]).await;
    let plan = document(&finished);
    assert_eq!((finished.code, &plan["reachable"]), (Some(0), &true.into()), "{plan:#}");
    assert_eq!(plan["recovery_target"]["target_timeline"], Value::Null);
    // Without a time, everything is replayed.
    let target_time = &plan["recovery_target"]["target_time"];
    let target_time = (!target_time.is_null()).then(|| setting(time(target_time)));
    let target = target_time.as_ref().map(|time| ("recovery_target_time", time.as_str()));
    let backup_id = plan["backup_id"].as_str().unwrap();
    let recovery = Recovery { barman, backup_id, target: target.as_slice() };
    let restored = Postgres::recover(&recovery, &Options::default()).await;
    restored.sql("SELECT count(*) FROM kept").await
}

/// The plan refuses the moment and names another, and PostgreSQL refuses it too.
async fn is_out_of_reach(barman: &Barman, moment: DateTime<Utc>, nearest: DateTime<Utc>) {
    let setting = setting(moment);
    let finished = restore_plan(barman, &["--to", &setting, "-o", "json"]).await;
    let plan = document(&finished);
    assert_eq!((finished.code, &plan["reachable"]), (Some(2), &false.into()), "{plan:#}");
    assert_eq!(time(&plan["nearest_before"]), nearest, "{plan:#}");
    let backups = barman.backups().await;
    let backup_id = backups[0]["backup_id"].as_str().unwrap();
    let target = [("recovery_target_time", setting.as_str())];
    let recovery = Recovery { barman, backup_id, target: &target };
    let log = Postgres::recover_in_vain(&recovery, &Options::default()).await;
    assert!(log.contains(ENDED_BEFORE), "{setting}: {log}");
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// While PostgreSQL reads its configuration it knows offsets, and no zone by name, not even `Z`.
fn setting(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// Transactions go on while the backup ends, and so before and after its `end_time`.
#[tokio::test]
async fn the_first_moment_of_a_window_is_restored_though_others_wrote_while_the_backup_ended() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    primary
        .sql(
            "CREATE PROCEDURE work(until timestamptz) LANGUAGE plpgsql AS $$ BEGIN \
                 WHILE clock_timestamp() < until LOOP INSERT INTO kept VALUES (1); COMMIT; \
                 END LOOP; END $$",
        )
        .await;
    let bzip2 = BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() };
    let work = "CALL work(clock_timestamp() + interval '6 seconds')";
    let writers = futures::future::join3(primary.sql(work), primary.sql(work), primary.sql(work));
    tokio::join!(writers, barman.backup(&primary, &bzip2));
    primary.archive_segments(1).await;
    primary.sql("INSERT INTO kept VALUES (2)").await;
    primary.archive_segments(1).await;
    drop(primary);

    let [first, _] = window(&barman).await;
    let rows: u64 = rows_restored_to(&barman, first).await.parse().unwrap();
    assert!(0 < rows, "{first}");
}

/// PostgreSQL reads ahead from version 15 on.
#[tokio::test]
async fn an_empty_object_behind_the_target_is_passed_by_the_plan_alone() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    let bzip2 = BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() };
    barman.backup(&primary, &bzip2).await;
    let mut names = Vec::new();
    for n in 0..6 {
        primary.sql(&format!("INSERT INTO kept VALUES ({n})")).await;
        names.extend(primary.archive_segments(1).await);
    }
    drop(primary);
    let lost = &names[4];
    let object = format!("cluster/main/wals/{}/{lost}.gz", &lost[..16]);
    std::fs::write(s3.path("backups", &object), "").unwrap();

    let [_, last] = window(&barman).await;
    let moment = setting(last - MOMENT);
    let plan = document(&restore_plan(&barman, &["--to", &moment, "-o", "json"]).await);
    assert_eq!(plan["parameters"]["recovery_prefetch"], "off", "{plan:#}");
    let backup_id = plan["backup_id"].as_str().unwrap();
    let target = [("recovery_target_time", moment.as_str())];
    let recovery = Recovery { barman: &barman, backup_id, target: &target };
    let log = Postgres::recover_in_vain(&recovery, &Options::default()).await;
    assert!(log.contains("wrong size"), "{log}");
    let told = Options::default().with_setting("recovery_prefetch", "off");
    let restored = Postgres::recover(&recovery, &told).await;
    assert_eq!(restored.sql("SELECT count(*) FROM kept").await, "3");
}

/// PostgreSQL is given the segment, and replays it up to the first bad record.
#[tokio::test]
async fn a_damaged_segment_is_replayed_up_to_its_first_bad_record() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::None)).await;
    primary.sql("CREATE TABLE kept (n int, filler text)").await;
    let gzip = BackupOptions { codec: Codec::Gzip, ..BackupOptions::default() };
    barman.backup(&primary, &gzip).await;
    primary.sql("INSERT INTO kept VALUES (1)").await;
    primary.archive_segments(1).await;
    for statement in [
        "INSERT INTO kept VALUES (2)",
        "INSERT INTO kept VALUES (3)",
        "INSERT INTO kept VALUES (4, repeat('x', 200))",
        "INSERT INTO kept VALUES (5)",
    ] {
        primary.sql(statement).await;
    }
    let names = primary.archive_segments(1).await;
    drop(primary);
    let object = format!("cluster/main/wals/{}/{}", &names[0][..16], names[0]);
    let path = s3.path("backups", &object);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(200).position(|it| it == [b'x'; 200]).unwrap();
    bytes[at + 100] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let checked = document(&check(&barman, &["-o", "json"]).await);
    let last = &checked["archives"][0]["recovery_windows"][0]["last"];
    assert_eq!(last["segment"], names[0].as_str(), "{checked:#}");
    let [_, last] = window(&barman).await;
    assert_eq!(rows_restored_to(&barman, last - MOMENT).await, "2");
    is_out_of_reach(&barman, last + MOMENT, last - MOMENT).await;
}
