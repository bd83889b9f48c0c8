//! What an ordinary look sees beside the newest end of the newest timeline: whatever would cure.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::service::clock;

use crate::made_archive::MadeArchive;
use crate::polled::Polled;

/// Neither within the grace of an upload nor stale.
fn long_ago() -> DateTime<Utc> {
    clock::now() - TimeDelta::minutes(12)
}

/// Lists everything, and is not satisfied.
async fn started_broken(archive: MadeArchive, polling: Polling, verdict: Verdict) -> Polled {
    let mut polled = Polled::new(archive, polling);
    assert_eq!(polled.poll().await.verdict, verdict, "{polling:?}");
    polled.asked();
    polled
}

fn put(polled: &Polled, archive: &MadeArchive, key: &str, at: DateTime<Utc>) {
    polled.memory().put_at(key, archive.objects[key].0.clone(), at);
}

/// A failover after segment 40, long ago.
fn failed_over() -> MadeArchive {
    let mut archive = MadeArchive::healthy(40);
    archive.add_history(2, 41);
    (41..=44).for_each(|number| archive.add_segment_of(2, number));
    let of_child = |key: &str| key.contains("/00000002");
    for (key, (_, uploaded_at)) in &mut archive.objects {
        if of_child(key) {
            *uploaded_at = long_ago();
        }
    }
    archive
}

fn history_key(archive: &MadeArchive, timeline: u32) -> String {
    archive.folder().history(TimelineId::new(timeline).unwrap(), Codec::None)
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_is_refilled_is_seen_by_the_next_poll() {
    for polling in Polling::ALL {
        let whole = MadeArchive::healthy(200);
        let mut lacking = whole.clone();
        for number in 110..=112 {
            lacking.objects.remove(&whole.segment_key(1, number));
        }
        let mut polled = started_broken(lacking, polling, Verdict::Unrecoverable).await;
        assert_eq!(polled.poll().await.verdict, Verdict::Unrecoverable);
        for number in 110..=112 {
            assert_eq!(polled.poll().await.verdict, Verdict::Unrecoverable);
            put(&polled, &whole, &whole.segment_key(1, number), clock::now());
        }
        assert_eq!(polled.poll().await.verdict, Verdict::Recoverable, "{polling:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hole_in_the_past_that_is_refilled_costs_a_head_until_it_is_seen() {
    for polling in Polling::ALL {
        let whole = MadeArchive::healthy(200);
        let key = whole.segment_key(1, 50);
        let lacking = whole.clone().without_segment(50);
        let mut polled = started_broken(lacking, polling, Verdict::AtRisk).await;
        polled.poll().await;
        let asked = polled.asked();
        assert_eq!(asked.matches('W').count(), usize::from(polling == Polling::List), "{asked}");
        put(&polled, &whole, &key, clock::now());
        assert_eq!(polled.poll().await.verdict, Verdict::Recoverable, "{polling:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn late_uploads_of_the_old_primary_are_seen_by_the_next_poll() {
    for polling in Polling::ALL {
        let whole = failed_over();
        let mut lacking = whole.clone();
        for number in [38, 40] {
            lacking.objects.remove(&whole.segment_key(1, number));
        }
        let mut polled = started_broken(lacking, polling, Verdict::Unrecoverable).await;
        for number in [38, 40] {
            assert_eq!(polled.poll().await.verdict, Verdict::Unrecoverable, "{polling:?}");
            put(&polled, &whole, &whole.segment_key(1, number), clock::now());
        }
        let healed = polled.poll().await;
        assert_eq!(healed.verdict, Verdict::Recoverable, "{polling:?}: {:?}", healed.findings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_file_that_comes_after_its_segments_is_seen_by_the_next_poll() {
    for polling in Polling::ALL {
        let whole = failed_over();
        let key = history_key(&whole, 2);
        let mut lacking = whole.clone();
        lacking.objects.remove(&key);
        let mut polled = started_broken(lacking, polling, Verdict::Unrecoverable).await;
        assert_eq!(polled.poll().await.verdict, Verdict::Unrecoverable);
        put(&polled, &whole, &key, clock::now());
        assert_eq!(polled.poll().await.verdict, Verdict::Recoverable, "{polling:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_file_that_its_first_segment_overtook_is_seen_by_the_next_poll() {
    let mut archive = MadeArchive::healthy(40);
    archive.add_segment_of(2, 41);
    let mut polled = Polled::start(archive, Polling::List).await;
    assert_eq!(polled.poll_newest().await, "000000010000000000000028");
    polled.archive.add_history(2, 41);
    let key = history_key(&polled.archive, 2);
    put(&polled, &polled.archive, &key, clock::now());
    assert_eq!(polled.poll_newest().await, "000000020000000000000029");
}

#[tokio::test(start_paused = true)]
async fn a_history_file_that_is_replaced_is_seen_by_the_next_poll() {
    for polling in Polling::ALL {
        let whole = failed_over();
        let key = history_key(&whole, 2);
        let mut broken = whole.clone();
        broken.objects.get_mut(&key).unwrap().0 = "garbage in it".into();
        let mut polled = started_broken(broken, polling, Verdict::Unrecoverable).await;
        assert_eq!(polled.poll().await.verdict, Verdict::Unrecoverable);
        put(&polled, &whole, &key, clock::now());
        assert_eq!(polled.poll().await.verdict, Verdict::Recoverable, "{polling:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_segment_of_no_use_that_is_replaced_is_seen_by_the_next_poll() {
    for polling in Polling::ALL {
        let whole = MadeArchive::healthy(200);
        let key = whole.segment_key(1, 110);
        let mut broken = whole.clone();
        broken.objects.get_mut(&key).unwrap().0 = "".into();
        let mut polled = started_broken(broken, polling, Verdict::Unrecoverable).await;
        assert_eq!(polled.poll().await.verdict, Verdict::Unrecoverable);
        put(&polled, &whole, &key, clock::now());
        assert_eq!(polled.poll().await.verdict, Verdict::Recoverable, "{polling:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeline_that_lives_on_below_a_copy_is_followed() {
    for polling in Polling::ALL {
        let mut archive = MadeArchive::healthy(40);
        archive.add_history(2, 41);
        archive.add_segment_of(2, 41);
        let mut polled = Polled::new(archive, polling);
        polled.poll().await;
        polled.upload(41);
        polled.upload(42);
        let mut polls = 1;
        while polled.poll_newest().await != "00000001000000000000002A" {
            polls += 1;
            assert!(polls < 3, "{polling:?}");
        }
        polled.asked();
        polled.poll().await;
        let asked = polled.asked();
        assert!(asked.matches('h').count() <= 2, "{polling:?}: {asked}");
    }
}
