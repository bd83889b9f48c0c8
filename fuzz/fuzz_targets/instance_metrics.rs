//! What is read of an instance's metrics is possible, and is read again when it is written out.
#![no_main]

use std::fmt::Write;

use chrono::DateTime;
use chrono::Datelike;
use chrono::Utc;
use cnpg_backup_verifier::observation::cluster::WalArchiving;
use cnpg_backup_verifier::sources::kubernetes::instance_metrics::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = read(text);
    for at in [found.last_archived_at, found.last_failed_at].into_iter().flatten() {
        assert!((1970..=9999).contains(&at.year()), "{at}");
    }
    // A history file fills the upper half alone.
    assert!(found.last_archived.is_none_or(|number| number & 0xFFFF_FFFF != 0), "{found:?}");
    let written = write(&found);
    assert_eq!(read(&written), found, "{written}");
    // What others say beside it does not matter.
    let beside =
        format!("# HELP x {text}\ncnpg_collector_up 1\n{written}go_info{{v=\"}} 9\"}} 1\n");
    if !text.contains(['\n', '\r']) {
        assert_eq!(read(&beside), found, "{beside}");
    }
});

/// As CloudNativePG's exporter would, in another order.
fn write(found: &WalArchiving) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        writeln!(text, "cnpg_{name} {}", value.unwrap_or_else(|| "-1".to_owned())).unwrap();
    };
    line("pg_stat_archiver_last_failed_time", found.last_failed_at.map(seconds));
    line("pg_stat_archiver_last_archived_time", found.last_archived_at.map(seconds));
    let number = found.last_archived.map(|it| it.to_string());
    line("pg_stat_archiver_last_archived_wal_start_lsn", number);
    let ready = found.ready_segments.map(|it| it.to_string());
    line("collector_pg_wal_archive_status{value=\"ready\"}", ready);
    text
}

fn seconds(at: DateTime<Utc>) -> String {
    format!("{}.{:03}", at.timestamp(), at.timestamp_subsec_millis())
}
