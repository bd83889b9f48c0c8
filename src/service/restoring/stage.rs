//! Tells on stderr how far a restore is: phase, bytes, rate and time left.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::publication::wording::bytes;
use crate::restore::recovery::Step;
use crate::service::progress::left;
use crate::service::progress::rate;
use crate::service::progress::target;
use crate::sources::store::metered::BytesRead;

/// It ends when this is dropped.
pub(super) struct Stage {
    now: Arc<Mutex<Now>>,
    telling: JoinHandle<()>,
    bar: ProgressBar,
}

/// The phase, since when, and how much of it was done before.
#[derive(Clone, Copy)]
struct Now {
    step: Step,
    since: Instant,
}

const BAR_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Stage {
    pub(super) fn show(read: Arc<BytesRead>, base_bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(None, target());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let now = Arc::new(Mutex::new(Now { step: Step::Base, since: Instant::now() }));
        let told = (Arc::clone(&now), bar.clone());
        let telling = tokio::spawn(async move {
            let (now, bar) = told;
            loop {
                let every = if bar.is_hidden() { LINE_EVERY } else { BAR_EVERY };
                tokio::time::sleep(every).await;
                let now = *now.lock().unwrap_or_else(PoisonError::into_inner);
                let text = sentence(now.step, now.since.elapsed(), &read, base_bytes);
                if bar.is_hidden() {
                    // Nobody is left to tell that stderr is gone.
                    let _ = writeln!(io::stderr(), "{text}");
                } else {
                    bar.set_message(text);
                    bar.tick();
                }
            }
        });
        Self { now, telling, bar }
    }

    pub(super) fn enter(&self, step: Step) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::discriminant(&now.step) != std::mem::discriminant(&step) {
            now.since = Instant::now();
        }
        now.step = step;
    }
}

fn sentence(step: Step, elapsed: Duration, read: &BytesRead, base_bytes: u64) -> String {
    match step {
        Step::Base => {
            let done = read.base();
            let (rate, rest) = (rate(done, elapsed), left(done, base_bytes, elapsed));
            format!("restoring the base backup of {}: {rate}{rest}", bytes(base_bytes))
        }
        Step::Replay(segments, of) => {
            let (rate, rest) = (rate(read.wal(), elapsed), left(segments, of, elapsed));
            format!("replaying WAL: {segments} of at most {of} segments, {rate}{rest}")
        }
        Step::Promote => "ending the recovery".to_owned(),
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.telling.abort();
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_bytes_rate_and_time_left_are_told() {
        let read = BytesRead::default();
        read.note_base(50 << 20);
        let elapsed = Duration::from_secs(10);
        assert_eq!(
            sentence(Step::Base, elapsed, &read, 200 << 20),
            "restoring the base backup of 200.0 MiB: 50.0 MiB at 5.0 MiB/s, about 30s left"
        );
        assert_eq!(
            sentence(Step::Replay(5, 20), elapsed, &read, 0),
            "replaying WAL: 5 of at most 20 segments, 0 B at 0 B/s, about 30s left"
        );
        assert_eq!(
            sentence(Step::Replay(0, 20), elapsed, &read, 0),
            "replaying WAL: 0 of at most 20 segments, 0 B at 0 B/s"
        );
    }
}
