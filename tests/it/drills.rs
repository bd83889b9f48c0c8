//! Restores on this machine: what is promised is restored, to the byte, and nothing is left behind.

mod back;
mod encodings;
mod failures;
mod harm;
mod kept;
mod killed;
mod marked;
mod room;
mod small_disk;
mod stories;

use std::env;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::process::run;
use test_servers::rclone::Rclone;

use crate::drills::stories::Story;
use crate::drills::stories::one_of;
use crate::program::document;
use crate::program::of_archive;
use crate::storm::dice::Dice;

/// A base backup of megabytes, a few segments, and a server that starts and stops.
const LIMIT: Duration = Duration::from_secs(180);

/// `drill --local` on an archive, below this directory.
async fn drill(barman: &Barman, root: &Path, arguments: &[&str]) -> Finished {
    let mut command = of_archive("drill", barman, arguments);
    command.arg("--local").arg(root);
    run(command, LIMIT).await
}

/// The report of one that succeeded.
async fn succeed(barman: &Barman, root: &Path, arguments: &[&str]) -> Value {
    let finished = drill(barman, root, &[arguments, &["-o", "json"]].concat()).await;
    let report = document(&finished);
    assert_eq!((finished.code, &report["class"]), (Some(0), &"succeeded".into()), "{finished:#?}");
    assert_eq!(report["predicted"]["lsn"], report["reached"]["lsn"], "{report:#}");
    assert_eq!(entries(root), 0, "{report:#}");
    report
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn a_drill_ends_where_the_log_foretells_and_leaves_nothing() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Bzip2)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    let bzip2 = BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() };
    let id = barman.backup(&primary, &bzip2).await;
    for n in 0..6 {
        primary.sql(&format!("INSERT INTO kept VALUES ({n})")).await;
        primary.archive_segments(1).await;
    }
    drop(primary);
    let root = Account::own().temporary_directory();

    let full = succeed(&barman, root.path(), &["--kind", "full"]).await;
    assert_eq!(full["backup_id"], id.as_str());
    let pitr = succeed(&barman, root.path(), &["--seed", "4"]).await;
    let times = [&pitr["target"]["time"], &full["reached"]["last_transaction_at"]];
    let [target, newest] =
        times.map(|it| it.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    assert!(target < newest, "{pitr:#}");
    let again = succeed(&barman, root.path(), &["--seed", "4"]).await;
    assert_eq!(again["target"], pitr["target"]);
    let thorough = succeed(&barman, root.path(), &["--kind", "full", "--dump", "--amcheck"]).await;
    let names: Vec<&str> = thorough["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["databases", "pg_dumpall", "pg_amcheck"]);
}

/// How many drills are run at least, and from which seed on.
const DRILLS: &str = "BACKUP_VERIFIER_DRILLS";
const SEED: &str = "BACKUP_VERIFIER_DRILLS_SEED";

#[expect(clippy::disallowed_methods, reason = "there is no configuration of tests")]
fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// `make drills` runs more of them. A failure names its seed, and what the server lived through.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "somebody may wait for an hour")]
async fn what_is_promised_of_any_archive_is_restored_to_the_byte() {
    let (wanted, mut seed) = (number(DRILLS, 8), number(SEED, 100));
    let mut done = 0;
    while done < wanted {
        done += drill_all_of(seed).await;
        seed += 1;
    }
    println!("{done} drills agree with what was foretold");
}

/// To the newest state, and to moments that are drawn. Tells how many there were to drill.
async fn drill_all_of(seed: u64) -> u64 {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let mut dice = Dice::new(seed);
    let story = Story::make(&s3, &barman, &mut dice).await;
    // So long the server remembers what was deleted behind its back.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let root = Account::own().temporary_directory();
    let programs = story.release.program("postgres");
    let programs = programs.parent().unwrap().to_str().unwrap().to_owned();
    let mut done = 0;
    let seeds = [0, 1, 3].map(|it| (seed * 4 + it).to_string());
    let kinds = [("full", seeds[0].as_str()), ("pitr", &seeds[1]), ("pitr", &seeds[2])];
    for (kind, drawn) in kinds {
        let arguments = ["--kind", kind, "--seed", drawn, "--postgres", &programs, "-o", "json"];
        let finished = drill(&barman, root.path(), &arguments).await;
        let told = || format!("seed {seed}: {:#?}\n{finished:#?}", story.told);
        assert_eq!(entries(root.path()), 0, "{}", told());
        if finished.stdout.starts_with("nothing can be restored in a drill") {
            assert_eq!(finished.code, Some(2), "{}", told());
            continue;
        }
        let report: Value =
            serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", told()));
        if report["class"] == "tablespace_missing" && story.has_later_tablespace {
            continue;
        }
        assert_eq!(report["class"], "succeeded", "{}", told());
        assert_eq!(report["predicted"], report["reached"], "{}", told());
        done += 1;
    }
    for _ in 0..story.marks.len().min(2) {
        let mark = one_of(&mut dice, &story.marks);
        done += u64::from(marked::restore_to(&barman, &story, &mark).await);
    }
    done
}
