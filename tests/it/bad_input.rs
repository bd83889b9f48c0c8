//! What cannot be read, or is read and wrong: a clear verdict, and the next good poll recovers.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::GapEffect;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::unreadable::UnreadableReason;
use cnpg_backup_verifier::observation::store_clock::ClockMove;
use cnpg_backup_verifier::observation::store_clock::StoreClock;
use cnpg_backup_verifier::service::clock;
use test_servers::s3::Fault;
use test_servers::s3::Operation;
use test_servers::s3::S3Server;
use test_servers::s3::Store;
use test_servers::s3::Trigger;

use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::scene::ATTEMPTS;
use crate::scene::Scene;
use crate::scene::codes;
use crate::scene::look;
use crate::scene::look_at_everything;
use crate::scene::watch_store;

#[tokio::test]
async fn an_empty_bucket_is_unrecoverable_until_something_is_in_it() {
    let mut scene = Scene::of(&MadeArchive::empty()).await;
    for _ in 0..2 {
        let empty = scene.look().await;
        assert_eq!((empty.verdict, codes(&empty)), (Verdict::Unrecoverable, vec!["archive_empty"]));
        assert!(empty.observed_at.is_some() && empty.unreadable.is_none());
    }
    MadeArchive::healthy(20).put_into(&scene.server);
    let filled = scene.poll().await;
    assert_eq!((filled.verdict, codes(&filled)), (Verdict::Recoverable, vec![]), "{filled:#?}");
}

#[tokio::test]
async fn a_prefix_with_a_typo_is_an_empty_archive_and_names_the_path() {
    let server = S3Server::start().await.unwrap();
    MadeArchive::healthy(20).put_into(&server);
    let config = MadeArchive::under("homelab").config(Some(server.endpoint_url()));
    let mut scene = Scene::watching(server, config);
    let empty = scene.look().await;
    assert_eq!((empty.verdict, codes(&empty)), (Verdict::Unrecoverable, vec!["archive_empty"]));
    let message = empty.findings[0].to_string();
    assert!(message.contains("s3://backups/homelab/pg"), "{message}");
}

#[tokio::test]
async fn a_missing_bucket_is_unknown_until_it_is_there() {
    let server = S3Server::start().await.unwrap();
    let archive = MadeArchive::healthy(20);
    let config = archive.config(Some(server.endpoint_url()));
    let mut scene = Scene::watching(server, config);
    let missing = scene.look().await;
    assert_eq!(
        (missing.verdict, codes(&missing), missing.unreadable),
        (Verdict::Unknown, vec!["store_unreachable"], Some(UnreadableReason::NotFound))
    );
    archive.put_into(&scene.server);
    assert_eq!(scene.poll().await.verdict, Verdict::Recoverable);
}

#[tokio::test]
async fn wrong_credentials_are_unknown_until_they_are_right() {
    let archive = MadeArchive::healthy(20);
    let mut scene = Scene::of(&archive).await;
    scene.server.set_credentials("another", "pair");
    for _ in 0..2 {
        let denied = scene.look().await;
        assert_eq!(
            (denied.verdict, codes(&denied), denied.unreadable),
            (Verdict::Unknown, vec!["store_denied"], Some(UnreadableReason::Auth))
        );
        assert!(denied.observed_at.is_none() && denied.windows.is_empty());
    }
    let (id, secret) = (scene.server.access_key(), scene.server.secret_key());
    scene.server.set_credentials(id, secret);
    let good = scene.poll().await;
    assert_eq!(good.verdict, Verdict::Recoverable);

    scene.server.deny_all();
    let denied = scene.poll().await;
    assert_last_values_stay(&denied, &good);
    scene.server.allow_all();
    assert_eq!(scene.poll().await.verdict, Verdict::Recoverable);
}

#[tokio::test]
async fn an_unreadable_backup_info_is_a_finding_and_no_usable_backup() {
    let garbage: [&[u8]; 6] =
        [b"", b"\xFF\xD8\xFF\xE0\0\x10JFIF", b"status=DONE\n", b"status", b"{}", &[b'='; 70_000]];
    for content in garbage {
        let mut archive = MadeArchive::healthy(20);
        let id = archive.add_backup(archive.minutes_ago(5), 15, 16);
        archive.add(&format!("base/{id}/backup.info"), content, archive.minutes_ago(5));
        let mut scene = Scene::of(&archive).await;
        let read = scene.look().await;
        let shown = String::from_utf8_lossy(&content[..content.len().min(20)]).into_owned();
        assert_eq!(read.verdict, Verdict::AtRisk, "{shown}: {read:#?}");
        let code = codes(&read);
        assert_eq!(code, ["backup_info_unreadable"], "{shown}: {read:#?}");
        let backup = read.backups.iter().find(|it| it.id.as_str() == id).unwrap();
        assert!(!backup.is_usable(), "{shown}");
    }
}

/// Larger than any that barman writes: not read, so nothing is known of the backup.
#[tokio::test]
async fn a_backup_info_of_megabytes_is_not_read() {
    let mut archive = MadeArchive::healthy(20);
    let id = archive.add_backup(archive.minutes_ago(5), 15, 16);
    archive.add(&format!("base/{id}/backup.info"), vec![b'='; 2 << 20], archive.minutes_ago(5));
    let read = Scene::of(&archive).await.look().await;
    assert_ne!(read.verdict, Verdict::Recoverable);
    assert!(read.observed_at.is_none(), "{read:#?}");
}

#[tokio::test]
async fn hostile_keys_are_strays_that_change_nothing() {
    let mut archive = MadeArchive::under("a+b %25/\u{fc}\u{1f4be}");
    archive.add_healthy(20);
    archive.add_history(2, 15);
    (15..=21).for_each(|number| archive.add_segment_of(2, number));
    let mut scene = Scene::of(&archive).await;
    let clean = scene.look().await;
    assert_eq!((clean.verdict, codes(&clean)), (Verdict::Recoverable, vec![]), "{clean:#?}");

    let hostile = [
        "\u{1}\u{2}\t\n\r\u{1f}\u{7f}",
        "a+b%2Bc%zz%",
        "\u{1f4a9}\u{202e}\u{feff}",
        "&lt;</Key>]]><!--\"'",
        "../../../etc/passwd",
        "/leading//double/",
        " ",
        "000000010000000000000003.bz2.exe",
        "00000001000000000000000G.bz2",
        "\u{10ffff}",
    ];
    for name in hostile {
        for place in ["wals", "wals/0000000100000000", "base", "base/20260101T000000x"] {
            archive.add(&format!("{place}/{name}"), "stray", archive.now);
        }
    }
    // A key has at most 1024 bytes.
    archive.add(&format!("wals/{}", "\u{e9}".repeat(480)), "stray", archive.now);
    archive.put_into(&scene.server);
    for assessment in [scene.look().await, scene.poll().await] {
        assert_eq!(assessment.verdict, Verdict::Recoverable, "{:#?}", assessment.findings);
        assert_eq!(assessment.windows, clean.windows);
        assert_eq!(assessment.backups, clean.backups);
        assert_eq!(assessment.gaps, clean.gaps);
    }
}

/// As many as a debug build lists in seconds; the release bench lists a million.
#[tokio::test]
async fn one_missing_key_of_very_many_is_found() {
    const KEYS: u64 = 200_000;
    const MISSING: u64 = KEYS / 2;
    let mut archive = MadeArchive::empty();
    archive.add_backup(archive.minutes_ago(180), 2, 3);
    // These will be opened; the others only have a name.
    let opened = [3, MISSING - 1].map(|it| archive.add_segment(it, archive.minutes_ago(120)));
    let mut scene = Scene::of(&archive).await;
    let uploaded_at = archive.minutes_ago(120);
    let numbers = (1..=KEYS).filter(|number| *number != MISSING);
    let keys = numbers.map(|number| archive.segment_key(1, number));
    let rest = keys.filter(|key| !opened.contains(key)).map(|key| (key, 300, uploaded_at));
    scene.server.put_many_synthetic(BUCKET, rest);

    let read = scene.look().await;
    assert_eq!(
        (read.verdict, codes(&read)),
        (Verdict::Unrecoverable, vec!["wal_gap", "wal_stale"]),
        "{:#?}",
        read.findings
    );
    assert_eq!(read.totals.wal_objects, KEYS - 1);
    let key_of_gap = archive.segment_key(1, MISSING);
    assert!(key_of_gap.contains(&read.gaps[0].first.to_string()), "{:#?}", read.gaps);
    assert_eq!((read.gaps.len(), read.gaps[0].count), (1, 1));
    let newest = read.newest_segment.unwrap().name.to_string();
    assert!(archive.segment_key(1, KEYS).contains(&newest), "{newest}");
}

/// Three pages of WAL; the lists of a complete reading are, in this order: base, page 1, folders,
/// page 2, page 3, base again.
fn three_pages() -> MadeArchive {
    let mut archive = MadeArchive::empty();
    let first = archive.add_segment(1, archive.now);
    let (content, _) = archive.objects[&first].clone();
    for number in 2..2500 {
        let key = archive.segment_key(1, number);
        archive.objects.insert(key, (content.clone(), archive.minutes_ago(100)));
    }
    archive.add_segment(2500, archive.now);
    // Where the backups end, they are opened.
    for number in [3, 1501] {
        archive.add_segment(number, archive.minutes_ago(100));
    }
    archive.add_backup(archive.minutes_ago(99), 2, 3);
    archive.add_backup(archive.minutes_ago(50), 1500, 1501);
    archive
}

const LISTS_OF_THREE_PAGES: u64 = 6;

fn faults() -> Vec<Fault> {
    let region = || "eu-west-1".to_owned();
    vec![
        Fault::SlowDown,
        Fault::TooManyRequests,
        Fault::InternalError,
        Fault::Unauthorized,
        Fault::AccessDenied,
        Fault::RequestTimeTooSkewed,
        Fault::NoSuchKey,
        Fault::PermanentRedirect { region: region() },
        Fault::AuthorizationHeaderMalformed { region: region() },
        Fault::RedirectToLogin,
        Fault::HtmlPage,
        Fault::EmptyBody,
        Fault::Gateway { status: 502 },
        Fault::CutBody,
        Fault::XmlCutAtStart,
        Fault::XmlCutInTag,
        Fault::XmlCutBetweenElements,
        Fault::Slow(Duration::from_secs(5)),
        Fault::Reset,
    ]
}

/// The nth list from now fails at every attempt.
fn fail_list(server: &S3Server, nth: u64, fault: &Fault) {
    for _ in 0..ATTEMPTS {
        server.inject(Trigger::nth(Operation::List, nth), fault.clone());
    }
}

fn assert_last_values_stay(failed: &Assessment, good: &Assessment) {
    assert_eq!(failed.verdict, Verdict::Unknown, "{failed:#?}");
    assert!(failed.unreadable.is_some());
    let code = codes(failed);
    assert!(code.contains(&"store_unreachable") || code.contains(&"store_denied"), "{code:?}");
    assert_eq!(failed.observed_at, good.observed_at);
    assert_eq!(failed.windows, good.windows);
    assert_eq!(failed.gaps, good.gaps);
    assert_eq!(failed.backups, good.backups);
    assert_eq!(failed.newest_segment, good.newest_segment);
    assert_eq!(failed.totals, good.totals);
    assert_eq!(failed.latest, good.latest);
}

#[tokio::test]
async fn a_listing_that_breaks_on_page_three_is_unknown_and_never_a_shorter_archive() {
    let archive = three_pages();
    let mut scene = Scene::of(&archive).await;
    scene.server.reset_requests();
    let good = scene.look().await;
    assert_eq!((good.verdict, codes(&good)), (Verdict::Recoverable, vec![]), "{good:#?}");
    let lists = scene.server.requests().of(Operation::List);
    assert_eq!(lists, LISTS_OF_THREE_PAGES, "{:#?}", scene.server.request_log());
    let mut good = good;
    for fault in faults() {
        fail_list(&scene.server, 5, &fault);
        let failed = scene.look().await;
        assert_last_values_stay(&failed, &good);
        scene.server.clear_faults();
        let again = scene.poll().await;
        assert_eq!((again.verdict, codes(&again)), (Verdict::Recoverable, vec![]), "{fault:?}");
        assert_eq!(again.windows, good.windows, "{fault:?}");
        assert!(good.observed_at < again.observed_at, "{fault:?}");
        good = again;
        if failed.unreadable == Some(UnreadableReason::Throttled) {
            // A server that throttled is remembered by its address, and asked slowly.
            scene = Scene::of(&archive).await;
            good = scene.look().await;
        }
    }
}

#[tokio::test]
async fn a_fault_in_any_list_of_a_cold_start_is_unknown_and_never_empty() {
    let archive = MadeArchive::healthy(20);
    for fault in faults() {
        // A server that throttled is remembered by its address, and asked slowly.
        let mut scene = Scene::of(&archive).await;
        for nth in 1..=3 {
            scene.restart(archive.config(Some(scene.server.endpoint_url())));
            fail_list(&scene.server, nth, &fault);
            let failed = scene.look().await;
            let case = format!("{fault:?} at list {nth}: {failed:#?}");
            assert_eq!(failed.verdict, Verdict::Unknown, "{case}");
            assert!(failed.observed_at.is_none() && failed.windows.is_empty(), "{case}");
            assert!(!codes(&failed).contains(&"archive_empty"), "{case}");
            scene.server.clear_faults();
            assert_eq!(scene.poll().await.verdict, Verdict::Recoverable, "{case}");
        }
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_never_makes_the_verdict_better() {
    let mut archive = MadeArchive::healthy(20);
    archive.add_history(2, 15);
    (15..=21).for_each(|number| archive.add_segment_of(2, number));
    let is_of_lists = |fault: &Fault| format!("{fault:?}").starts_with("XmlCut");
    for fault in faults().into_iter().filter(|fault| !is_of_lists(fault)) {
        let mut scene = Scene::of(&archive).await;
        for part in ["backup.info", ".history", "000000020000000000000015"] {
            scene.restart(archive.config(Some(scene.server.endpoint_url())));
            scene.server.inject(Trigger::always(Operation::Get).on_key(part), fault.clone());
            let failed = scene.look().await;
            let case = format!("{fault:?} for {part}: {failed:#?}");
            assert!(failed.verdict != Verdict::Recoverable, "{case}");
            assert!(failed.verdict != Verdict::Unrecoverable, "{case}");
            scene.server.clear_faults();
            let good = scene.poll().await;
            assert_eq!((good.verdict, codes(&good)), (Verdict::Recoverable, vec![]), "{case}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_gone_and_back_is_unknown_meanwhile() {
    let mut scene = Scene::of(&MadeArchive::healthy(20)).await;
    let good = scene.look().await;
    scene.server.stop_listening().await;
    for failed in [scene.poll().await, scene.look().await] {
        assert_last_values_stay(&failed, &good);
    }
    scene.server.resume_listening().await.unwrap();
    assert_eq!(scene.poll().await.verdict, Verdict::Recoverable);
}

/// What retention does to the older backup of [`three_pages`], in barman's order.
fn enforce_retention(store: &Store, base: &str, wal: &[String]) {
    for object in ["data.tar.bz2", "backup.info"] {
        store.delete(BUCKET, &format!("{base}/{object}"));
    }
    wal.iter().for_each(|key| store.delete(BUCKET, key));
}

#[tokio::test]
async fn retention_that_deletes_while_we_list_is_no_gap() {
    let archive = three_pages();
    let older = archive.objects.keys().find(|key| key.ends_with("backup.info")).unwrap();
    let base = older.trim_end_matches("/backup.info").to_owned();
    let wal: Vec<String> = (1..1500).map(|number| archive.segment_key(1, number)).collect();
    let cold = (1..=LISTS_OF_THREE_PAGES).map(|page| (page, true));
    let warm = [2, 4].map(|page| (page, false));
    for (page, is_cold) in cold.chain(warm) {
        let mut scene = Scene::of(&archive).await;
        if !is_cold {
            assert_eq!(scene.look().await.verdict, Verdict::Recoverable);
        }
        let (base, wal) = (base.clone(), wal.clone());
        scene.server.on_list_page(page, move |store| enforce_retention(store, &base, &wal));
        let (during, after) = (scene.look().await, scene.look().await);
        assert_eq!(after.backups.len(), 1);
        for assessment in [during, after] {
            let case = format!("after page {page}, cold {is_cold}: {assessment:#?}");
            assert_eq!(codes(&assessment), Vec::<&str>::new(), "{case}");
            assert_eq!(assessment.verdict, Verdict::Recoverable, "{case}");
        }
    }
}

/// Retention would have deleted the backup before its WAL.
#[tokio::test]
async fn a_segment_that_is_gone_when_it_is_opened_is_missing_at_once() {
    let archive = three_pages();
    let mut scene = Scene::of(&archive).await;
    let lost = archive.segment_key(1, 3);
    scene.server.on_list_page(LISTS_OF_THREE_PAGES, move |store| store.delete(BUCKET, &lost));
    for assessment in [scene.look().await, scene.look().await] {
        assert_eq!(assessment.verdict, Verdict::AtRisk, "{assessment:#?}");
        assert!(codes(&assessment).contains(&"backup_incomplete"), "{assessment:#?}");
    }
}

#[tokio::test]
async fn retention_between_two_polls_is_no_gap() {
    let archive = three_pages();
    let older = archive.objects.keys().find(|key| key.ends_with("backup.info")).unwrap();
    let base = older.trim_end_matches("/backup.info").to_owned();
    let wal: Vec<String> = (1..1500).map(|number| archive.segment_key(1, number)).collect();
    let mut scene = Scene::of(&archive).await;
    scene.look().await;
    // Page 1 of an incremental poll is base, page 2 is WAL.
    scene.server.on_list_page(1, move |store| enforce_retention(store, &base, &wal));
    for assessment in [scene.poll().await, scene.poll().await, scene.look().await] {
        assert_eq!(codes(&assessment), Vec::<&str>::new(), "{assessment:#?}");
        assert_eq!(assessment.verdict, Verdict::Recoverable, "{assessment:#?}");
    }
}

#[tokio::test]
async fn a_segment_that_arrives_late_and_lower_is_found_by_a_poll() {
    let mut archive = MadeArchive::healthy(95);
    for number in [97, 98, 100] {
        archive.add_segment(number, archive.now);
    }
    let mut scene = Scene::of(&archive).await;
    let newest = |assessment: &Assessment| {
        let name = assessment.newest_segment.unwrap().name.to_string();
        u64::from_str_radix(&name[16..], 16).unwrap()
    };
    // A hole at the tail may still be uploading and alarms nobody.
    let first = scene.look().await;
    assert_eq!((first.verdict, codes(&first)), (Verdict::Recoverable, vec![]), "{first:#?}");
    assert_eq!((newest(&first), first.gaps.len()), (95, 0));
    for (late, reached) in [(99, 95), (96, 100)] {
        let key = archive.add_segment(late, clock::now());
        scene.server.put(BUCKET, key.clone(), archive.objects[&key].0.clone());
        scene.server.reset_requests();
        let polled = scene.poll().await;
        assert_eq!((polled.verdict, newest(&polled)), (Verdict::Recoverable, reached));
        let log = scene.server.request_log();
        assert!(log.iter().any(|line| line.contains("start-after=")), "{log:#?}");
    }
}

#[tokio::test]
async fn a_deleted_segment_is_noticed_by_the_next_complete_listing_although_it_is_young() {
    let archive = MadeArchive::healthy(20);
    let mut scene = Scene::of(&archive).await;
    assert_eq!(scene.look().await.verdict, Verdict::Recoverable);
    scene.server.delete(BUCKET, &archive.segment_key(1, 18));
    for _ in 0..2 {
        let lost = scene.look().await;
        assert_eq!((lost.verdict, codes(&lost)), (Verdict::Unrecoverable, vec!["wal_gap"]));
        assert_eq!(lost.gaps[0].effect, GapEffect::StopsRecovery);
        assert_eq!(lost.windows[0].last.segment.to_string(), "000000010000000000000011");
    }
    // Whoever sees the archive for the first time cannot know that it was there.
    scene.restart(archive.config(Some(scene.server.endpoint_url())));
    assert_eq!(scene.look().await.verdict, Verdict::Recoverable);

    let key = archive.segment_key(1, 18);
    scene.server.put(BUCKET, key.clone(), archive.objects[&key].0.clone());
    assert_eq!(scene.poll().await.verdict, Verdict::Recoverable);
}

/// Stores refuse requests that are a quarter of an hour off, so theirs cannot be more.
#[tokio::test]
async fn a_clock_of_the_store_that_is_minutes_off_is_told_and_changes_nothing() {
    for offset in [TimeDelta::minutes(12), TimeDelta::minutes(-12)] {
        let server = S3Server::start().await.unwrap();
        server.set_clock_offset(offset);
        // An upload may be missing for ten minutes, by the store's own clock.
        let archive = shifted(offset).without_segment(19);
        archive.put_into(&server);
        let config = archive.config(Some(server.endpoint_url()));
        let mut scene = Scene::watching(server, config);
        for assessment in [scene.look().await, scene.poll().await] {
            let found = (assessment.verdict, codes(&assessment));
            let expected = (Verdict::Recoverable, vec!["clock_skew"]);
            assert_eq!(found, expected, "{offset}: {assessment:#?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_refuses_our_clock_is_unknown_until_the_clocks_agree() {
    let mut scene = Scene::of(&MadeArchive::healthy(20)).await;
    let good = scene.look().await;
    scene.server.inject(Trigger::always(None), Fault::RequestTimeTooSkewed);
    let refused = scene.poll().await;
    assert_last_values_stay(&refused, &good);
    let said = refused.findings[0].to_string();
    assert!(said.contains("RequestTimeTooSkewed"), "{said}");
    scene.server.clear_faults();
    assert_eq!(scene.poll().await.verdict, Verdict::Recoverable);
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_told_and_changes_nothing() {
    for offset in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let archive = shifted(offset).without_segment(19);
        let store = archive.in_memory();
        store.set_clock(StoreClock { ahead: Some(offset), ..StoreClock::default() });
        let mut watched = watch_store(archive.config(None), Arc::new(store));
        let assessment = look(&mut watched).await;
        let found = (assessment.verdict, codes(&assessment));
        let expected = (Verdict::Recoverable, vec!["clock_skew"]);
        assert_eq!(found, expected, "{offset}: {assessment:#?}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_loses_nothing_and_is_not_believed_for_a_while() {
    for offset in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let archive = MadeArchive::healthy(20);
        let store = Arc::new(archive.in_memory());
        let mut watched = watch_store(archive.config(None), store.clone());
        let good = look(&mut watched).await;
        let jumped_ago = |minutes| {
            let moved = Some(ClockMove { by: offset, ago: TimeDelta::minutes(minutes) });
            store.set_clock(StoreClock { ahead: Some(offset), shown: None, moved });
        };
        jumped_ago(1);
        for jumped in [look(&mut watched).await, look_at_everything(&mut watched).await] {
            let found = (jumped.verdict, codes(&jumped));
            assert_eq!(found, (Verdict::AtRisk, vec!["clock_unreliable"]), "{offset}");
            assert_eq!((&jumped.windows, &jumped.gaps), (&good.windows, &good.gaps));
            assert_eq!(jumped.wal_uploaded_at(), None);
        }
        if TimeDelta::zero() < offset {
            jumped_ago(16);
            // By a clock an hour ahead, the newest WAL is an hour old, until the next comes.
            let stale = look(&mut watched).await;
            assert_eq!(codes(&stale), ["wal_stale", "clock_skew"]);
            let uploaded_at = clock::now() + offset;
            let mut archive = archive.clone();
            let key = archive.add_segment(21, uploaded_at);
            store.put_at(key.clone(), archive.objects[&key].0.clone(), uploaded_at);
            let settled = look(&mut watched).await;
            assert_eq!(settled.verdict, Verdict::Recoverable, "{settled:#?}");
            assert_eq!(codes(&settled), ["clock_skew"]);
        }
    }
}

/// As a store would have stamped it whose clock is that far ahead.
fn shifted(offset: TimeDelta) -> MadeArchive {
    let mut archive = MadeArchive::healthy(20);
    for (_, uploaded_at) in archive.objects.values_mut() {
        *uploaded_at += offset;
    }
    archive
}

#[tokio::test]
async fn nothing_that_is_said_of_a_failure_holds_a_credential() {
    let archive = MadeArchive::empty();
    for fault in faults() {
        let mut scene = Scene::of(&archive).await;
        fail_list(&scene.server, 1, &fault);
        let said = format!("{:#?}", scene.look().await);
        for secret in [scene.server.access_key(), scene.server.secret_key(), "X-Amz-Signature"] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}
