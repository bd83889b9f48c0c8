//! A clock that jumps while everything waits, threads that decode among it.
//!
//! A paused clock of tokio's jumps by itself, but not while a blocking task runs; and one that waits
//! for a store which waits for the clock runs for ever.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::service::clock;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::advance;
use tokio::time::sleep_until;

pub(super) struct Clock {
    idle: Arc<Notify>,
}

/// So long the event loop must have had little to do.
const WINDOW: Duration = Duration::from_millis(20);

const LITTLE: Duration = Duration::from_millis(4);

/// By so much the clock jumps then.
const JUMP: Duration = Duration::from_secs(1);

/// The time of the machine, which goes on.
#[expect(clippy::disallowed_methods, reason = "it is not to be paused")]
pub(super) fn outside() -> std::time::Instant {
    std::time::Instant::now()
}

/// A paused runtime, and its clock.
pub(super) fn runtime() -> (Runtime, Clock) {
    let started_at = outside();
    let now = move || u64::try_from(started_at.elapsed().as_micros()).unwrap();
    let (busy, woken_at) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (busy_until_park, woken_before) = (Arc::clone(&busy), Arc::clone(&woken_at));
    let is_awake = Arc::new(AtomicBool::new(true));
    let (is_parking, is_woken) = (Arc::clone(&is_awake), Arc::clone(&is_awake));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(move || {
            let since = now().saturating_sub(woken_before.load(Ordering::Relaxed));
            busy_until_park.fetch_add(since, Ordering::Relaxed);
            is_parking.store(false, Ordering::Relaxed);
        })
        .on_thread_unpark(move || {
            woken_at.store(now(), Ordering::Relaxed);
            is_woken.store(true, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    BEGAN_AT.set(None);
    let idle = Arc::new(Notify::new());
    let watched = Arc::downgrade(&idle);
    std::thread::spawn(move || {
        let mut known = 0;
        while let Some(idle) = watched.upgrade() {
            std::thread::park_timeout(WINDOW);
            let total = busy.load(Ordering::Relaxed);
            // What it does now counts only once it is done, and may be long on a busy machine.
            let is_idle = !is_awake.load(Ordering::Relaxed);
            if is_idle && u128::from(total - known) < LITTLE.as_micros() {
                idle.notify_one();
            }
            known = total;
        }
    });
    (runtime, Clock { idle })
}

thread_local! {
    static BEGAN_AT: Cell<Option<(Instant, DateTime<Utc>)>> = const { Cell::new(None) };
}

/// The time by the clock of this thread's runtime, for what talks to the stores.
pub(super) fn now() -> DateTime<Utc> {
    let began_at = BEGAN_AT.with(|it| {
        let began_at = it.get().unwrap_or_else(|| (Instant::now(), clock::now()));
        it.set(Some(began_at));
        began_at
    });
    began_at.1 + began_at.0.elapsed()
}

impl Clock {
    pub(super) async fn pass(&self, duration: Duration) {
        let end = Instant::now() + duration;
        let mut known = Instant::now();
        while Instant::now() < end {
            tokio::select! {
                () = sleep_until(end) => {}
                () = self.idle.notified() => {
                    if known == Instant::now() {
                        advance(JUMP.min(end - known)).await;
                    }
                    known = Instant::now();
                }
            }
        }
    }
}
