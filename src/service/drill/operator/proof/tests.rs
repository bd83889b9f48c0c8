use super::*;

fn lsn(text: &str) -> Lsn {
    text.parse().unwrap()
}

fn timeline(id: u32) -> TimelineId {
    TimelineId::new(id).unwrap()
}

/// Of segments of 16 MiB, from timeline 1 to 2.
fn promise(stop: Stop) -> Promise {
    let end = RecoveryEnd {
        system_identifier: Some(7),
        timeline: 2,
        lsn: lsn("0/7000000"),
        last_transaction_at: None,
    };
    Promise {
        system_identifier: Some(7),
        stop,
        end,
        foretold: None,
        last_segment_begins: lsn("0/6000000"),
        follows: timeline(2),
        backups_timeline: timeline(1),
    }
}

fn judged(promise: &Promise, history: &str) -> Result<(), DrillClass> {
    let told = RecoveryTold {
        system_identifier: 7,
        timeline: timeline(3),
        history: history.to_owned(),
        version: String::new(),
    };
    let (end, written) = Promise::reached(&told).unwrap();
    promise.judge(&end, &written).map_err(|failure| failure.class)
}

const FORK: &str = "1\t0/5000000\tno recovery target specified\n";

fn newest(at: &str) -> String {
    format!("{FORK}2\t{at}\tno recovery target specified\n")
}

#[test]
fn the_newest_state_is_reached_when_the_last_segment_was_read() {
    let promise = promise(Stop::Never);
    for at in ["0/7000000", "0/6FFFFD8", "0/9000000"] {
        assert_eq!(judged(&promise, &newest(at)), Ok(()), "{at}");
    }
    for at in ["0/6000000", "0/5000028"] {
        assert_eq!(judged(&promise, &newest(at)), Err(DrillClass::StoppedEarly), "{at}");
    }
}

#[test]
fn another_timeline_than_promised_is_told() {
    let mut promise = promise(Stop::Never);
    let dropped = "1\t0/8000000\tno recovery target specified\n";
    assert_eq!(judged(&promise, dropped), Err(DrillClass::WrongTimeline));
    let explained = |promise: &Promise, class: DrillClass, version: &str| {
        promise.explained(Failure::new(class, "why"), OperatorVersion::parse(version)).class
    };
    let wrong = DrillClass::WrongTimeline;
    assert_eq!(explained(&promise, wrong, "1.28.1"), DrillClass::OperatorDropsTimelines);
    assert_eq!(explained(&promise, wrong, "1.28.4"), wrong);
    assert_eq!(explained(&promise, wrong, "a build"), wrong);
    assert_eq!(explained(&promise, DrillClass::Oom, "1.28.1"), DrillClass::Oom);
    let on_one = Promise { backups_timeline: promise.follows, ..promise.clone() };
    assert_eq!(explained(&on_one, wrong, "1.28.1"), wrong);
    promise.system_identifier = Some(8);
    assert_eq!(judged(&promise, &newest("0/7000000")), Err(DrillClass::BackupNotFound));
}

#[test]
fn a_moment_is_reached_when_recovery_stopped_at_it() {
    let promise = promise(Stop::At("2026-01-10T12:00:00Z".parse().unwrap()));
    let ended = |reason: &str| judged(&promise, &format!("{FORK}2\t0/6500000\t{reason}\n"));
    assert_eq!(ended("before 2026-01-10 12:00:00.5+00"), Ok(()));
    assert_eq!(ended("before 2026-01-10 11:59:59+00"), Err(DrillClass::TargetNotReached));
    assert_eq!(ended("no recovery target specified"), Err(DrillClass::TargetNotReached));
    let promise = Promise { stop: Stop::Lsn(lsn("0/6000000")), ..promise };
    assert_eq!(judged(&promise, &format!("{FORK}2\t0/6000028\tafter LSN 0/6000000\n")), Ok(()));
}

#[test]
fn what_the_log_foretells_is_held_to_the_byte() {
    let at = |text: &str| RecoveryEnd {
        system_identifier: Some(7),
        timeline: 2,
        lsn: lsn(text),
        last_transaction_at: None,
    };
    let stop = Stop::At("2026-01-10T12:00:00Z".parse().unwrap());
    let moment = Promise { foretold: Some(at("0/6500000")), ..promise(stop) };
    let ended = |at: &str| format!("{FORK}2\t{at}\tbefore 2026-01-10 12:00:00.5+00\n");
    assert_eq!(judged(&moment, &ended("0/6500000")), Ok(()));
    for other in ["0/64FFFF8", "0/6500028"] {
        assert_eq!(judged(&moment, &ended(other)), Err(DrillClass::StoppedEarly), "{other}");
    }
    assert_eq!(moment.predicted(Some(&at("0/6400000"))), Some(at("0/6500000")));
    let newest_state = Promise { foretold: Some(at("0/6800000")), ..promise(Stop::Never) };
    assert_eq!(judged(&newest_state, &newest("0/6700000")), Err(DrillClass::StoppedEarly));
    // More was archived since.
    assert_eq!(judged(&newest_state, &newest("0/7000000")), Ok(()));
    assert_eq!(newest_state.predicted(Some(&at("0/7000000"))), None);
    assert_eq!(newest_state.predicted(Some(&at("0/6800000"))), Some(at("0/6800000")));
}

#[test]
fn an_end_before_the_switch_lies_on_the_ancestor() {
    let told = RecoveryTold {
        system_identifier: 7,
        timeline: timeline(3),
        history: format!("{FORK}2\t0/4000028\tbefore 2026-01-10 12:00:00+00\n"),
        version: String::new(),
    };
    let (end, _) = Promise::reached(&told).unwrap();
    assert_eq!((end.timeline, end.lsn), (1, lsn("0/4000028")));
    let told = RecoveryTold { history: "\n".to_owned(), ..told };
    assert_eq!(Promise::reached(&told), None);
}

#[test]
fn what_was_promised_to_the_byte_is_written_down() {
    let promise = promise(Stop::Never);
    let reached = |at: &str| RecoveryEnd { lsn: lsn(at), ..promise.end.clone() };
    assert_eq!(promise.predicted(Some(&reached("0/7000000"))), Some(promise.end.clone()));
    assert_eq!(promise.predicted(Some(&reached("0/5000000"))), Some(promise.end.clone()));
    assert_eq!(promise.predicted(None), Some(promise.end.clone()));
    for other in ["0/6500000", "0/7000028"] {
        assert_eq!(promise.predicted(Some(&reached(other))), None, "{other}");
    }
}
