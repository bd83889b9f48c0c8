//! Drills of three sizes: what is written down of each is what was stored and read. The forecast rests on that.

use std::fs;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Codec;
use test_servers::postgres::Postgres;

use crate::operator_drills::beside;
use crate::operator_drills::operator::Habits;
use crate::operator_drills::report;
use crate::operator_drills::stage::BUCKET;
use crate::operator_drills::stage::Stage;

/// Names a file, which then holds the three reports.
const RECORD: &str = "RECORD_DRILLS";

/// Megabytes of the base backup, and segments behind it.
const SIZES: [(u32, u32); 3] = [(8, 3), (40, 8), (120, 24)];

/// So many megabytes that hardly compress to less than half.
async fn fill(primary: &Postgres, megabytes: u32) {
    let row = "md5(random()::text) || md5(random()::text) || md5(random()::text)";
    let rows = megabytes * 8_000;
    primary.sql(&format!("INSERT INTO filled SELECT {row} FROM generate_series(1, {rows})")).await;
}

#[tokio::test]
async fn what_is_measured_is_what_was_stored_and_read() {
    let mut reports: Vec<Value> = Vec::new();
    for (megabytes, segments) in SIZES {
        let stage = Stage::after(async |primary, barman| {
            primary.sql("CREATE TABLE filled (text text)").await;
            fill(primary, megabytes).await;
            let gzip = BackupOptions { codec: Codec::Gzip, ..BackupOptions::default() };
            barman.backup(primary, &gzip).await;
            let mut names = Vec::new();
            for _ in 0..segments {
                fill(primary, 10).await;
                names.extend(primary.archive_segments(1).await);
            }
            names
        })
        .await;
        let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
        let told = report(&finished);
        assert_eq!(told["class"], "succeeded", "{finished:#?}");
        let stored = |folder: &str| -> u64 {
            let keys = stage.s3.keys(BUCKET, &format!("prod/main/{folder}/")).into_iter();
            let bytes = keys.map(|key| stage.s3.get(BUCKET, &key).unwrap().len() as u64);
            bytes.sum()
        };
        let volume = |name: &str| told["volume"][name].as_u64().unwrap();
        // Its description is read as well, and what lies before the backup is not.
        let (base, wal) = (volume("base_bytes"), volume("wal_bytes"));
        assert!(base <= stored("base") && stored("base") < base + 10_000, "{told:#}");
        assert!(wal <= stored("wals") && u64::from(segments) <= volume("wal_segments"), "{told:#}");
        assert!(stored("wals") / 2 < wal, "{told:#}");
        let phases = told["phases"].as_array().unwrap();
        assert_eq!(phases.len(), 5, "{told:#}");
        reports.push(told);
    }
    let volumes = reports.iter().map(|it| it["volume"]["base_bytes"].as_u64());
    assert!(volumes.is_sorted(), "{reports:#?}");
    if let Some(file) = std::env::var_os(RECORD) {
        fs::write(file, serde_json::to_string_pretty(&reports).unwrap() + "\n").unwrap();
    }
}
