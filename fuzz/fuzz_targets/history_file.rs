//! A history file survives being written again, and ancestors come before their descendants.
#![no_main]

use std::fmt::Write;

use cnpg_backup_verifier::domain::timeline::HistoryError;
use cnpg_backup_verifier::domain::timeline::TimelineHistory;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let newest = TimelineId::new(u32::MAX).unwrap();
    let Ok(history) = TimelineHistory::parse(newest, bytes) else {
        // What timelines the file names does not matter before its syntax does.
        assert!(TimelineHistory::parse(TimelineId::FIRST, bytes).is_err());
        return;
    };
    let ancestors = history.ancestors();
    let last = ancestors.last().expect("a history has ancestors").timeline;
    assert!(last < newest);
    assert!(ancestors.is_sorted_by(|older, younger| older.timeline < younger.timeline));

    let mut written = String::new();
    for ancestor in ancestors {
        assert_eq!(history.switched_at(ancestor.timeline), Some(ancestor.switched_at));
        writeln!(written, "{}\t{}\twhy", ancestor.timeline, ancestor.switched_at).unwrap();
    }
    assert_eq!(TimelineHistory::parse(newest, written.as_bytes()).as_ref(), Ok(&history));

    let child = TimelineHistory::parse(last.next(), bytes).expect("the file of the next timeline");
    assert_eq!(child.ancestors(), ancestors);
    let own = TimelineHistory::parse(last, bytes);
    assert!(matches!(own, Err(HistoryError::OutOfOrder { timeline, .. }) if timeline == last));
});
