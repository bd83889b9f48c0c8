//! Every call of a reading fails once, in every way: the verdict never improves.

use std::sync::Arc;

use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::service::watched::Watched;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::failing::Failing;
use cnpg_backup_verifier::sources::store::memory::MemoryStore;

use crate::made_archive::MadeArchive;
use crate::scene::codes;
use crate::scene::look;
use crate::scene::look_at_everything;
use crate::scene::watch_store;

/// Archives in each verdict, with everything that is opened: histories, an annotation, a foreign
/// backup, a damaged segment.
fn archives() -> Vec<(&'static str, MadeArchive, Verdict)> {
    let mut promoted = MadeArchive::healthy(20);
    promoted.add_history(2, 15);
    (15..=25).for_each(|number| promoted.add_segment_of(2, number));

    let mut kept = MadeArchive::healthy(20);
    let id = kept.add_backup(kept.minutes_ago(16), 4, 5);
    kept.add(&format!("base/{id}/annotations/keep"), "standalone", kept.now);

    let mut only = MadeArchive::healthy(20);
    let oldest = only.objects.keys().find(|key| key.ends_with("backup.info")).unwrap();
    let oldest = oldest.trim_end_matches("backup.info").to_owned();
    only.objects.retain(|key, _| !key.starts_with(&oldest));

    let mut garbage = MadeArchive::healthy(20);
    let id = garbage.add_backup(garbage.minutes_ago(5), 15, 16);
    garbage.add(&format!("base/{id}/backup.info"), "garbage", garbage.now);

    let mut damaged = MadeArchive::healthy(20);
    let newest = damaged.add_segment(20, damaged.now);
    damaged.objects.insert(newest, ("no bzip2".into(), damaged.now));

    vec![
        ("healthy", MadeArchive::healthy(20), Verdict::Recoverable),
        ("promoted", promoted, Verdict::Recoverable),
        ("kept", kept, Verdict::Recoverable),
        ("one backup", only, Verdict::Recoverable),
        ("hole", MadeArchive::healthy(40).without_segment(10), Verdict::AtRisk),
        ("garbage", garbage, Verdict::AtRisk),
        ("damaged", damaged, Verdict::Unrecoverable),
        ("gap", MadeArchive::healthy(60).without_segment(40), Verdict::Unrecoverable),
        ("empty", MadeArchive::empty(), Verdict::Unrecoverable),
    ]
}

/// What is gone, what is refused, and what is neither: nothing else is told apart.
const KINDS: [StoreErrorKind; 4] = [
    StoreErrorKind::NoSuchKey,
    StoreErrorKind::NoSuchBucket,
    StoreErrorKind::Denied,
    StoreErrorKind::TimedOut,
];

struct Case {
    store: Arc<Failing<MemoryStore>>,
    watched: Watched,
}

impl Case {
    fn of(archive: &MadeArchive) -> Self {
        let store = Arc::new(Failing::new(archive.in_memory()));
        let watched = watch_store(archive.config(None), store.clone());
        Self { store, watched }
    }

    async fn look(&mut self) -> Arc<Assessment> {
        look_at_everything(&mut self.watched).await
    }

    async fn poll(&mut self) -> Arc<Assessment> {
        look(&mut self.watched).await
    }
}

#[tokio::test]
async fn a_cold_start_that_fails_at_any_call_never_looks_better() {
    for (name, archive, verdict) in archives() {
        let mut case = Case::of(&archive);
        let whole = case.look().await;
        assert_eq!(whole.verdict, verdict, "{name}: {whole:#?}");
        for nth in 1..=case.store.calls() {
            for kind in KINDS {
                let mut case = Case::of(&archive);
                case.store.fail_nth(None, nth, StoreError::new(kind, "on purpose"));
                let failed = case.look().await;
                assert_not_better(&failed, &whole, &format!("{name}, call {nth}, {kind:?}"));
                let again = case.look().await;
                assert_same(&again, &whole, &format!("{name}, call {nth}, {kind:?}"));
            }
        }
    }
}

#[tokio::test]
async fn a_later_reading_that_fails_at_any_call_keeps_the_last_values() {
    for (name, archive, _) in archives() {
        for is_complete in [true, false] {
            let mut case = Case::of(&archive);
            let whole = case.look().await;
            let before = case.store.calls();
            if is_complete {
                case.look().await
            } else {
                case.poll().await
            };
            for nth in 1..=case.store.calls() - before {
                for kind in [StoreErrorKind::NoSuchKey, StoreErrorKind::TimedOut] {
                    let mut case = Case::of(&archive);
                    case.look().await;
                    case.store.fail_nth(None, nth, StoreError::new(kind, "on purpose"));
                    let failed = if is_complete { case.look().await } else { case.poll().await };
                    let what = format!("{name}, complete {is_complete}, call {nth}, {kind:?}");
                    assert_not_better(&failed, &whole, &what);
                    let is_cleared = failed.verdict < whole.verdict;
                    assert!(!is_cleared || failed.verdict == Verdict::Unknown, "{what}");
                    assert_eq!(failed.windows.len(), whole.windows.len(), "{what}: {failed:#?}");
                    assert_eq!(failed.backups.len(), whole.backups.len(), "{what}: {failed:#?}");
                    assert_eq!(failed.gaps, whole.gaps, "{what}: {failed:#?}");
                    let again = case.poll().await;
                    assert_same(&again, &whole, &what);
                }
            }
        }
    }
}

/// What lies around it may show that the address is wrong, and nothing is lost.
#[tokio::test]
async fn an_empty_archive_of_which_the_surroundings_are_unread_is_unknown() {
    let archive = MadeArchive::empty();
    let mut case = Case::of(&archive);
    assert_eq!(case.look().await.verdict, Verdict::Unrecoverable);
    for nth in 1..=case.store.calls() {
        let mut case = Case::of(&archive);
        case.store.fail_nth(None, nth, StoreError::new(StoreErrorKind::TimedOut, "on purpose"));
        let failed = case.look().await;
        assert_eq!(failed.verdict, Verdict::Unknown, "call {nth}: {failed:#?}");
        assert_eq!(case.poll().await.verdict, Verdict::Unrecoverable, "call {nth}");
    }
}

#[tokio::test]
async fn a_store_that_answers_nothing_any_more_is_unknown_whatever_it_held() {
    for (name, archive, _) in archives() {
        for kind in StoreErrorKind::OF_REQUESTS {
            let mut case = Case::of(&archive);
            let whole = case.look().await;
            case.store.fail_always(None, StoreError::new(kind, "on purpose"));
            for failed in [case.poll().await, case.look().await] {
                assert_eq!(failed.verdict, Verdict::Unknown, "{name}, {kind:?}: {failed:#?}");
                assert_eq!(failed.windows, whole.windows, "{name}, {kind:?}");
                assert_eq!(failed.observed_at, whole.observed_at, "{name}, {kind:?}");
            }
            case.store.heal();
            let again = case.poll().await;
            assert_same(&again, &whole, name);
        }
    }
}

/// What was not read makes the verdict unknown or leaves it as bad as it is, and is said.
fn assert_not_better(failed: &Assessment, whole: &Assessment, what: &str) {
    if failed.unreadable.is_none() {
        // Another call gave the same answer.
        assert_same(failed, whole, what);
        return;
    }
    assert!(whole.verdict <= failed.verdict || is_doubtful(failed), "{what}: {failed:#?}");
    assert_ne!(failed.verdict, Verdict::Recoverable, "{what}: {failed:#?}");
    let is_certain = failed.verdict == Verdict::Unrecoverable;
    assert!(!is_certain || whole.verdict == failed.verdict, "{what}: {failed:#?}");
    let said = codes(failed);
    let codes_of_stores = ["store_unreachable", "store_denied", "endpoint_not_allowed"];
    let is_said = codes_of_stores.iter().any(|code| said.contains(code));
    assert!(is_said, "{what}: {failed:#?}");
}

/// A segment that could not be opened counts as one that is stored, which is not all that well.
fn is_doubtful(failed: &Assessment) -> bool {
    let is_unopened = || {
        let mut unread = failed.findings.iter().map(ToString::to_string);
        unread.any(|it| it.contains("read WAL segment"))
    };
    failed.verdict == Verdict::Unknown || (failed.verdict == Verdict::AtRisk && is_unopened())
}

fn assert_same(found: &Assessment, whole: &Assessment, what: &str) {
    assert_eq!(found.verdict, whole.verdict, "{what}: {found:#?}");
    assert_eq!(codes(found), codes(whole), "{what}: {found:#?}");
    assert_eq!(found.windows, whole.windows, "{what}");
    assert_eq!(found.gaps, whole.gaps, "{what}");
    assert_eq!(found.backups, whole.backups, "{what}");
    assert!(found.observed_at.is_some(), "{what}");
}
