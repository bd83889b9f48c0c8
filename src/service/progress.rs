//! Tells on stderr how far reading has come: a bar on a terminal, a line now and then in a pipe.

use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::publication::wording::bytes;
use crate::sources::archive::verification::Mark;
use crate::sources::archive::verification::Progress;

/// It ends when this is dropped.
pub(super) struct Shown {
    telling: JoinHandle<()>,
    bar: ProgressBar,
}

/// What takes less is over before anybody reads about it.
const FIRST_AFTER: Duration = Duration::from_secs(1);
const BAR_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

const STYLE: &str = "{bar:30} {pos} of {len} objects, {msg}";

pub(super) fn show(progress: Arc<Progress>) -> Shown {
    let bar = ProgressBar::with_draw_target(None, target());
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style);
    }
    let telling = tokio::spawn(tell(progress, bar.clone()));
    Shown { telling, bar }
}

/// Shows that something goes on of which nobody knows how long it takes.
pub(super) fn wait(what: String) -> Shown {
    let bar = ProgressBar::with_draw_target(None, target());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    let telling = tokio::spawn(tell_waiting(what, bar.clone()));
    Shown { telling, bar }
}

async fn tell_waiting(what: String, bar: ProgressBar) {
    let began_at = Instant::now();
    tokio::time::sleep(FIRST_AFTER).await;
    bar.set_message(what.clone());
    loop {
        if bar.is_hidden() {
            tokio::time::sleep(LINE_EVERY).await;
            let seconds = began_at.elapsed().as_secs();
            // Nobody is left to tell that stderr is gone.
            let _ = writeln!(io::stderr(), "still {what} after {seconds} s");
        } else {
            bar.tick();
            tokio::time::sleep(BAR_EVERY).await;
        }
    }
}

/// Nothing is drawn in a pipe, nor on a terminal that can only print.
pub(super) fn target() -> ProgressDrawTarget {
    let is_dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
    if io::stderr().is_terminal() && !is_dumb {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

async fn tell(progress: Arc<Progress>, bar: ProgressBar) {
    let began_at = Instant::now();
    tokio::time::sleep(FIRST_AFTER).await;
    loop {
        let mark = progress.mark();
        let rest = rest(&mark, began_at.elapsed());
        if !bar.is_hidden() {
            bar.set_length(mark.objects);
            bar.set_position(mark.objects_read);
            bar.set_message(rest);
            tokio::time::sleep(BAR_EVERY).await;
        } else {
            let Mark { objects, objects_read, .. } = mark;
            // Nobody is left to tell that stderr is gone.
            let _ = writeln!(io::stderr(), "read {objects_read} of {objects} objects, {rest}");
            tokio::time::sleep(LINE_EVERY).await;
        }
    }
}

/// Bytes, rate and time left, by what was read so far.
fn rest(mark: &Mark, elapsed: Duration) -> String {
    let read = rate(mark.bytes_read, elapsed);
    format!("{read}{}", left(mark.objects_read, mark.objects, elapsed))
}

/// Bytes, and how many a second that is.
pub(super) fn rate(done: u64, elapsed: Duration) -> String {
    let a_second = done / elapsed.as_secs().max(1);
    format!("{} at {}/s", bytes(done), bytes(a_second))
}

/// If the rest takes as long as what was done.
pub(super) fn left(done: u64, all: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs().max(1);
    let left = seconds.saturating_mul(all.saturating_sub(done)).checked_div(done);
    let left = left.map(|left| humantime::format_duration(Duration::from_secs(left)));
    left.map_or_else(String::new, |left| format!(", about {left} left"))
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.telling.abort();
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_from_what_was_read() {
        let mark = Mark { objects: 100, objects_read: 25, bytes: 0, bytes_read: 50 << 20 };
        let told = rest(&mark, Duration::from_secs(10));
        assert_eq!(told, "50.0 MiB at 5.0 MiB/s, about 30s left");
        assert_eq!(rest(&Mark::default(), Duration::from_secs(1)), "0 B at 0 B/s");
    }
}
