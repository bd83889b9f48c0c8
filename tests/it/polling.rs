//! What the tiers of polling ask of the store, and when they see what.

use chrono::TimeDelta;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::TimeSource;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::pace::Pace;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::requests::Operation as Counted;
use test_servers::s3::Fault;
use test_servers::s3::Operation;
use test_servers::s3::Trigger;

use crate::made_archive::MadeArchive;
use crate::polled::HeadAnswer;
use crate::polled::Polled;
use crate::scene::Scene;
use crate::scene::codes;

const TIERS: [Polling; 2] = [Polling::Head, Polling::Frugal];

#[tokio::test]
async fn an_unchanged_archive_costs_one_head_a_poll() {
    for polling in TIERS {
        let archive = MadeArchive::healthy(40);
        let mut scene = Scene::of(&archive).await;
        scene.restart_polling(archive.config(Some(scene.server.endpoint_url())), polling);
        let first = scene.poll().await;
        scene.server.reset_requests();
        let before = scene.requests.sent(Counted::Head);
        for _ in 0..10 {
            let polled = scene.poll().await;
            assert_eq!((polled.verdict, &polled.windows), (first.verdict, &first.windows));
        }
        let (requests, log) = (scene.server.requests(), scene.server.request_log());
        assert_eq!((requests.of(Operation::Head), requests.total()), (10, 10), "{log:#?}");
        assert_eq!(scene.requests.sent(Counted::Head) - before, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_tier_lists_the_backups_in_place_of_the_wal_every_ten_minutes() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::List).await;
    assert_eq!(polled.play(21).await, "W W W W W W W W W Bh W W W W W W W W W Bh W");
}

#[tokio::test(start_paused = true)]
async fn a_look_at_the_backups_sees_new_segments_and_leaves_most_of_many_to_the_next() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::List).await;
    polled.play(9).await;
    polled.upload(41);
    // Until a LIST has shown what a HEAD did, it does not count.
    assert_eq!(polled.poll_newest().await, "000000010000000000000028");
    assert_eq!(polled.asked(), "Bhh");
    assert_eq!(polled.poll_newest().await, "000000010000000000000029");
    assert_eq!(polled.asked(), "Wg");
    polled.play(8).await;
    (42..=101).for_each(|number| polled.upload(number));
    assert_eq!(polled.poll_newest().await, "000000010000000000000035");
    assert_eq!(polled.asked(), "Bhhhhhhhhhhhhg");
    assert_eq!(polled.poll_newest().await, "000000010000000000000065");
    assert_eq!(polled.asked(), "Wg");
}

#[tokio::test(start_paused = true)]
async fn a_stray_timeline_does_not_draw_polls_away() {
    let mut archive = MadeArchive::healthy(40);
    archive.add_segment_of(0x50, 60);
    // Too old to have overtaken its history file.
    let stray = archive.segment_key(0x50, 60);
    archive.objects.get_mut(&stray).unwrap().1 -= TimeDelta::minutes(20);
    for polling in Polling::ALL {
        let mut polled = Polled::new(archive.clone(), polling);
        assert_eq!(polled.poll().await.verdict, Verdict::AtRisk);
        polled.upload(41);
        assert_eq!(polled.poll_newest().await, "000000010000000000000029");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_reads_further_back_than_a_poll_and_as_far_as_it_is_told() {
    // 70 holes leave 140 ends of windows to open.
    let mut archive = MadeArchive::empty();
    for backup in 0..70 {
        let first = 6 * backup + 1;
        for number in (first..first + 6).filter(|it| *it != first + 3) {
            let uploaded_at = archive.minutes_ago(421 - number);
            archive.add_segment(number, uploaded_at);
        }
        let ended_at = archive.minutes_ago(420 - first);
        archive.add_backup(ended_at, first, first + 1);
    }
    for (segments_per_look, opened) in [(None, 140), (Some(10), 10), (Some(139), 139)] {
        let pace = Pace::once().opening(segments_per_look);
        let mut polled = Polled::at(archive.clone(), pace);
        polled.poll().await;
        assert_eq!(polled.asked().matches('g').count(), 70 + opened, "{segments_per_look:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_windows_some_are_opened_at_each_poll_and_the_rest_ends_at_an_upload() {
    let mut archive = MadeArchive::empty();
    for backup in 0..70 {
        let first = 6 * backup + 1;
        let uploaded_at = |number| archive.minutes_ago(421 - number);
        let times: Vec<_> = (first..first + 6).map(|it| (it, uploaded_at(it))).collect();
        for (number, at) in times.into_iter().filter(|(number, _)| *number != first + 3) {
            archive.add_segment(number, at);
        }
        let ended_at = archive.minutes_ago(420 - first);
        archive.add_backup(ended_at, first, first + 1);
    }
    let mut polled = Polled::new(archive, Polling::List);
    let exact = |assessment: &Assessment| {
        let windows = assessment.windows.iter();
        windows.filter(|it| it.last.source == TimeSource::Commit).count()
    };
    let first = polled.poll().await;
    // Each begins and ends behind a hole, so both ends of it are opened.
    assert_eq!((first.windows.len(), exact(&first)), (70, 32));
    assert_eq!(first.windows[69].last.source, TimeSource::Commit);
    assert_eq!(polled.asked().matches('g').count(), 70 + 64);
    let second = polled.poll().await;
    assert_eq!((exact(&second), second.verdict), (64, first.verdict));
    assert!(second.observed_at.is_some() && first.observed_at.is_some());
    assert_eq!(polled.asked().matches('g').count(), 64);
    let third = polled.poll().await;
    assert_eq!(exact(&third), 70);
    assert_eq!(polled.asked().matches('g').count(), 12);
    polled.poll().await;
    assert_eq!(polled.asked().matches('g').count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_repairs_is_seen_by_the_next_poll() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::List).await;
    assert!(polled.memory().remove(&polled.archive.segment_key(1, 35)));
    assert_eq!(polled.list_everything().await.verdict, Verdict::Unrecoverable);
    polled.asked();
    assert_eq!(polled.play(3).await, "BW BW BW");
    polled.back_up(38, 39);
    assert_eq!(polled.poll().await.verdict, Verdict::AtRisk);
    assert_eq!(polled.asked(), "BgWgg");
    assert_eq!(polled.play(2).await, "W W");
}

#[tokio::test(start_paused = true)]
async fn a_running_backup_is_looked_for_every_other_poll() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::List).await;
    let id = clock::now().format("%Y%m%dT%H%M%S");
    let tar = polled.archive.key(&format!("base/{id}/data.tar.bz2"));
    polled.memory().put_at(tar, "part", clock::now());
    assert_eq!(polled.play(14).await, "W W W W W W W W W Bh W Bh W Bh");
}

#[tokio::test(start_paused = true)]
async fn no_poll_lists_more_than_one_page() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    let asked = polled.play(24 * 60 / 2).await;
    assert!(asked.starts_with("h h h h h h h h h W Bh h h h h h h h h W Bh"), "{asked}");
    let lists = |poll: &str| poll.matches(['W', 'B']).count();
    assert!(asked.split(' ').all(|poll| lists(poll) <= 1), "{asked}");
    // Ten minutes for each of two, and the folders every hour.
    assert!((138..=146).contains(&(lists(&asked) - 11)), "{}", lists(&asked));

    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Frugal).await;
    let asked = polled.play(24 * 60 / 2).await;
    assert!(asked.split(' ').all(|poll| lists(poll) <= 1), "{asked}");
    assert!((22..=25).contains(&lists(&asked)), "{}", lists(&asked));
}

#[tokio::test(start_paused = true)]
async fn a_new_segment_is_seen_at_the_next_poll() {
    for polling in TIERS {
        let mut polled = Polled::start(MadeArchive::healthy(40), polling).await;
        polled.upload(41);
        assert_eq!(polled.poll_newest().await, "000000010000000000000029");
        // The first that a HEAD shows is looked for in a LIST, and so it is trusted.
        assert_eq!(polled.asked(), "hhWg");
        polled.upload(42);
        assert_eq!(polled.poll_newest().await, "00000001000000000000002A");
        assert_eq!(polled.asked(), "hhg");
    }
}

#[tokio::test(start_paused = true)]
async fn many_new_segments_are_listed_instead() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    (41..=70).for_each(|number| polled.upload(number));
    assert_eq!(polled.poll_newest().await, "000000010000000000000046");
    assert_eq!(polled.asked(), "hhhhhhhhhhhhWg");
    (71..=100).for_each(|number| polled.upload(number));
    assert_eq!(polled.poll_newest().await, "000000010000000000000064");
    assert_eq!(polled.asked(), "Wg");
}

#[tokio::test(start_paused = true)]
async fn a_new_timeline_is_seen_within_ten_minutes() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    polled.archive.add_history(2, 41);
    polled.archive.add_segment_of(2, 41);
    for (key, (content, uploaded_at)) in polled.archive.objects.clone() {
        polled.memory().put_at(key, content, uploaded_at);
    }
    let mut polls = 1;
    while polled.poll_newest().await != "000000020000000000000029" {
        polls += 1;
    }
    assert_eq!(polls, 10);
}

#[tokio::test(start_paused = true)]
async fn late_wal_is_looked_for_before_it_is_stale() {
    // Late after seven and a half minutes, stale after fifteen.
    let mut archive = MadeArchive::empty();
    archive.now -= TimeDelta::minutes(10);
    archive.add_healthy(40);
    let mut polled = Polled::start(archive, Polling::Frugal).await;
    assert_eq!(polled.play(9).await, "h h h W h h h W h");
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_was_overtaken_is_awaited_at_every_poll() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    polled.upload(42);
    polled.upload(43);
    assert_eq!(polled.play(13).await, "h h h h h h h h h W Bh W W");
    polled.upload(41);
    assert_eq!(polled.poll_newest().await, "00000001000000000000002B");
    assert_eq!(polled.play(2).await.split(' ').next_back(), Some("h"));
}

#[tokio::test(start_paused = true)]
async fn wal_that_a_backup_needs_is_missed_within_the_hour() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    let lost = polled.archive.segment_key(1, 2);
    assert!(polled.memory().remove(&lost));
    let mut polls = 1;
    while polled.poll().await.verdict == Verdict::Recoverable {
        polls += 1;
    }
    assert!(polls <= 62, "{polls}");
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_seen_within_the_beat_of_its_tier() {
    for (polling, polls_max) in [(Polling::List, 10), (Polling::Head, 11), (Polling::Frugal, 61)] {
        let mut polled = Polled::start(MadeArchive::healthy(40), polling).await;
        polled.back_up(38, 39);
        let mut polls = 1;
        while polled.poll().await.windows.len() < 3 {
            polls += 1;
        }
        assert!(polls <= polls_max, "{polling:?}: {polls}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_everything_that_is_cheap_is_read() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Frugal).await;
    polled.store.inner.fail_always(None, denied());
    assert_eq!(polled.poll().await.verdict, Verdict::Unknown);
    polled.store.inner.heal();
    polled.asked();
    assert_eq!(polled.poll().await.verdict, Verdict::Recoverable);
    assert_eq!(polled.asked(), "BW");
    assert_eq!(polled.play(2).await, "h h");
}

const NEWEST: &str = "000000010000000000000028";

#[tokio::test(start_paused = true)]
async fn a_store_that_says_yes_to_every_head_invents_no_segment() {
    for answer in [HeadAnswer::Yes, HeadAnswer::YesTo("000000010000000000000029")] {
        let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
        polled.store.answer_head_with(answer);
        for _ in 0..3 {
            let polled = polled.poll().await;
            assert_eq!(polled.newest_segment.unwrap().name.to_string(), NEWEST);
            assert_eq!(
                (polled.verdict, codes(&polled)),
                (Verdict::Recoverable, vec!["head_unusable"])
            );
        }
        let asked = polled.asked();
        assert!(asked.ends_with("hWWW"), "{asked}");
        // For good, although the store has come to its senses.
        polled.store.answer_head_with(HeadAnswer::Truth);
        assert_eq!(polled.play(3).await, "W W W");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_to_say_yes_to_every_head_invents_no_segment_either() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    polled.upload(41);
    polled.poll().await;
    polled.asked();
    polled.store.answer_head_with(HeadAnswer::Yes);
    for _ in 0..2 {
        assert_eq!(polled.poll_newest().await, "000000010000000000000029");
    }
    assert_eq!(polled.asked(), "hhhhhhhhhhhhWW");
}

/// Beside the LIST of `base/` there is no room for another.
#[tokio::test(start_paused = true)]
async fn what_a_head_invents_while_the_backups_are_listed_is_never_seen() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::List).await;
    polled.play(9).await;
    polled.store.answer_head_with(HeadAnswer::Yes);
    for _ in 0..12 {
        assert_eq!(polled.poll_newest().await, NEWEST);
    }
    assert_eq!(polled.asked(), "BhhhhhhhhhhhhWWWWWWWWWBW");
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_no_later_list_shows_is_taken_back() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    polled.upload(41);
    polled.poll().await;
    // One of its answers is wrong; trusted once, it counts until the next LIST.
    polled.store.answer_head_with(HeadAnswer::YesTo("00000001000000000000002A"));
    assert_eq!(polled.poll_newest().await, "00000001000000000000002A");
    polled.store.answer_head_with(HeadAnswer::Truth);
    let listed = polled.list_everything().await;
    assert_eq!(listed.newest_segment.unwrap().name.to_string(), "000000010000000000000029");
    // What was never listed has not vanished.
    assert_eq!(listed.verdict, Verdict::Recoverable);
    assert_eq!(codes(&listed), ["head_unusable"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_head_flips_no_verdict_and_is_not_sent_again() {
    for (kind, asked) in [
        (StoreErrorKind::Denied, "hW W W W W"),
        (StoreErrorKind::Malformed, "hW W W W W"),
        // Three in a row are no hiccup.
        (StoreErrorKind::Unavailable, "hW hW hW W W"),
    ] {
        let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
        polled.store.answer_head_with(HeadAnswer::Refusal(kind));
        let mut played = Vec::new();
        for _ in 0..5 {
            assert_eq!(polled.poll().await.verdict, Verdict::Recoverable);
            played.push(polled.asked());
        }
        assert_eq!(played.join(" "), asked);
        let last = polled.poll().await;
        assert_eq!(codes(&last), ["head_unusable"], "{kind}");
    }
}

#[tokio::test]
async fn a_proxy_that_lets_no_head_pass_flips_no_verdict() {
    for fault in [Fault::AccessDenied, Fault::Gateway { status: 405 }] {
        let archive = MadeArchive::healthy(40);
        let mut scene = Scene::of(&archive).await;
        let config = archive.config(Some(scene.server.endpoint_url()));
        scene.restart_polling(config, Polling::Head);
        scene.poll().await;
        scene.server.inject(Trigger::always(Operation::Head), fault.clone());
        for _ in 0..3 {
            let polled = scene.poll().await;
            let found = (polled.verdict, polled.observed_at == Some(polled.checked_at));
            assert_eq!(found, (Verdict::Recoverable, true), "{fault:?}");
        }
        assert_eq!(scene.server.requests().of(Operation::Head), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_to_a_head_is_not_asked_for_more() {
    for kind in [StoreErrorKind::TimedOut, StoreErrorKind::Throttled] {
        let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
        polled.store.answer_head_with(HeadAnswer::Refusal(kind));
        assert_eq!(polled.poll().await.verdict, Verdict::Unknown);
        assert_eq!(polled.asked(), "h");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_segment_is_not_vouched_for_by_a_head_that_says_yes_to_everything() {
    let mut polled = Polled::start(MadeArchive::healthy(40), Polling::Head).await;
    assert!(polled.memory().remove(&polled.archive.segment_key(1, 2)));
    polled.store.answer_head_with(HeadAnswer::Yes);
    let mut polls = 1;
    while polled.poll().await.verdict == Verdict::Recoverable {
        polls += 1;
    }
    assert!(polls <= 62, "{polls}");
}

fn denied() -> StoreError {
    StoreError::new(StoreErrorKind::Denied, "on purpose")
}
