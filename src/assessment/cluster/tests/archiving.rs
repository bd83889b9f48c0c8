//! Whether WAL comes out of the cluster, and why not.

use super::*;

fn archiving(ready: u64, last_archived: u64, minutes_ago: i64) -> WalArchiving {
    WalArchiving {
        pod: "postgres-1".to_owned(),
        ready_segments: Some(ready),
        last_archived: Some(last_archived),
        last_archived_at: Some(now() - TimeDelta::minutes(minutes_ago)),
        last_failed_at: None,
    }
}

#[test]
fn silence_is_explained() {
    type Change = fn(&mut Example);
    let cases: [(Change, Option<Silence>); 6] = [
        (|_| {}, None),
        (|it| it.cluster.activity.is_hibernated = true, Some(Silence::Hibernated)),
        (|it| it.cluster.activity.is_fenced = true, Some(Silence::Fenced)),
        (|it| it.cluster.activity.is_replica = true, Some(Silence::Replica)),
        (
            |it| it.cluster.activity.phase = Some("Switchover in progress".to_owned()),
            Some(Silence::Busy("Switchover in progress".to_owned())),
        ),
        (
            |it| it.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A0, 60))),
            Some(Silence::Idle),
        ),
    ];
    for (change, expected) in cases {
        let mut example = Example::healthy();
        change(&mut example);
        assert_eq!(example.judge().0.silence, expected);
    }
    // A switchover that lasts for hours explains nothing.
    let mut example = Example::healthy();
    example.cluster.activity.phase = Some("Switchover in progress".to_owned());
    example.newest.as_mut().unwrap().stored_at = Some(now() - TimeDelta::hours(2));
    assert_eq!(example.judge().0.silence, None);
}

#[test]
fn a_backlog_that_does_not_move_is_urgent() {
    let mut example = Example::healthy();
    example.newest.as_mut().unwrap().stored_at = Some(now() - TimeDelta::minutes(40));
    example.cluster.wal_archiving = Some(Ok(archiving(7, 0x1_0000_00A0, 40)));
    let (_, findings) = example.judge();
    assert_eq!(findings[0].code(), FindingCode::ArchiverStuck);
    assert_eq!(findings[0].severity(), Severity::Critical);
    // That the archive cannot tell when its newest segment came excuses nothing.
    example.newest.as_mut().unwrap().stored_at = None;
    assert_eq!(example.codes(), [FindingCode::ArchiverStuck]);
    example.cluster.wal_archiving = Some(Ok(archiving(7, 0x1_0000_00A0, 1)));
    assert_eq!(example.codes(), []);
}

#[test]
fn failing_archiving_is_told_by_the_condition_alone() {
    let mut example = Example::healthy();
    let since = now() - TimeDelta::hours(1);
    example.cluster.activity.archiving_fails = Some((since, "exit status 1".to_owned()));
    // A segment came within the patience.
    assert_eq!(example.codes(), []);
    // One that was on its way when archiving began to fail is no sign that it works.
    example.newest.as_mut().unwrap().stored_at = Some(since + TimeDelta::seconds(5));
    assert_eq!(example.codes(), [FindingCode::ArchiverStuck]);
    example.newest.as_mut().unwrap().stored_at = Some(since - TimeDelta::minutes(1));
    assert_eq!(example.codes(), [FindingCode::ArchiverStuck]);
}

#[test]
fn archived_but_not_stored_is_urgent() {
    let mut example = Example::healthy();
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A3, 60)));
    assert_eq!(example.codes(), [FindingCode::WalNotStored]);
    assert_eq!(
        example.sentence(),
        "postgres-1 archived WAL up to 00000001000000A3 at 2026-01-10T11:00:00Z, but the newest \
         stored segment is 0000000100000001000000A0"
    );
    // It may be on its way.
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A3, 5)));
    assert_eq!(example.codes(), []);
    // A history file was archived last: its name ends up in the upper half.
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x7_0000_0000, 60)));
    assert_eq!(example.codes(), []);
    // An archive that could not be listed proves nothing.
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A3, 60)));
    example.backups = None;
    assert_eq!(example.codes(), []);
}
