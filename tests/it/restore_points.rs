//! A plan to a restore point leads where PostgreSQL stops that is told its name.

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::rclone::Rclone;

use crate::program::document;
use crate::program::restore_plan;

#[tokio::test]
async fn a_restore_point_is_planned_from_a_backup_that_is_consistent_before_it() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    primary
        .sql(
            "CREATE PROCEDURE name_while(until timestamptz) LANGUAGE plpgsql AS $$ BEGIN \
                 WHILE clock_timestamp() < until LOOP PERFORM pg_create_restore_point('during'); \
                 COMMIT; PERFORM pg_sleep(0.02); END LOOP; END $$",
        )
        .await;
    let bzip2 = BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() };
    let first = barman.backup(&primary, &bzip2).await;
    for name in ["once", "twice", "twice"] {
        primary.sql("INSERT INTO kept VALUES (1)").await;
        primary.sql(&format!("SELECT pg_create_restore_point('{name}')")).await;
    }
    primary.archive_segments(1).await;
    let naming = primary.sql("CALL name_while(clock_timestamp() + interval '6 seconds')");
    let (second, _) = tokio::join!(barman.backup(&primary, &bzip2), naming);
    primary.sql("INSERT INTO kept VALUES (1)").await;
    primary.sql("SELECT pg_create_restore_point('größer')").await;
    primary.sql("INSERT INTO kept VALUES (1)").await;
    primary.archive_segments(1).await;
    drop(primary);

    for (name, backup_id, rows) in [
        ("once", &first, "1"),
        ("twice", &first, "2"),
        ("during", &first, "3"),
        ("größer", &second, "4"),
    ] {
        let plan = plan(&barman, &["--name", name]).await;
        assert_eq!(
            (&plan["reachable"], &plan["backup_id"]),
            (&true.into(), &Value::from(&**backup_id))
        );
        assert_eq!(plan["recovery_target"]["target_name"], name);
        assert!(plan["manifest"].as_str().unwrap().contains(&format!("targetName: {name}")));
        let target = [("recovery_target_name", name)];
        let recovery = Recovery { barman: &barman, backup_id, target: &target };
        let restored = Postgres::recover(&recovery, &Options::default()).await;
        assert_eq!(restored.sql("SELECT count(*) FROM kept").await, rows, "{name}");
    }

    let refused = plan(&barman, &["--name", "during", "--backup", &second]).await;
    assert_eq!(refused["reachable"], false, "{refused:#}");
    assert!(refused["reason"].as_str().unwrap().contains("before the end of every backup"));
    let target = [("recovery_target_name", "during")];
    let recovery = Recovery { barman: &barman, backup_id: &second, target: &target };
    let log = Postgres::recover_in_vain(&recovery, &Options::default()).await;
    assert!(log.contains("before consistent recovery point"), "{log}");

    let unknown = plan(&barman, &["--name", "never"]).await;
    assert!(
        unknown["reason"].as_str().unwrap().ends_with("has no restore point never"),
        "{unknown:#}"
    );
    let limited = plan(&barman, &["--name", "never", "--segments-per-look", "1"]).await;
    assert_eq!(limited["reachable"], Value::Null);
    assert!(limited["reason"].as_str().unwrap().contains("--segments-per-look"), "{limited:#}");
}

async fn plan(barman: &Barman, arguments: &[&str]) -> Value {
    document(&restore_plan(barman, &[arguments, &["-o", "json"]].concat()).await)
}
