//! The recovery windows of all backups together.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::LastPoint;
use crate::assessment::RecoveryWindow;
use crate::domain::moment::before;

/// Moments without a hole between them, each reachable from some backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReachableSpan {
    pub(crate) first_at: DateTime<Utc>,
    pub(crate) last: LastPoint,
}

/// Joins windows that touch; oldest first. What a copy of the server went through alone is nothing that
/// the server can be restored to, unless there is nothing else.
pub(crate) fn reachable_spans(windows: &[RecoveryWindow]) -> Vec<ReachableSpan> {
    let own = joined(windows.iter().filter(|window| !window.is_of_copy));
    if own.is_empty() { joined(windows.iter()) } else { own }
}

/// The span that ends with the newest moment that can be restored, of the living timeline unless
/// nothing leads there.
pub(crate) fn newest_span(windows: &[RecoveryWindow]) -> Option<ReachableSpan> {
    let newest = |spans: Vec<ReachableSpan>| spans.into_iter().max_by_key(|span| span.last.at);
    let living = windows.iter().filter(|window| window.apart_from.is_none());
    newest(joined(living)).or_else(|| newest(reachable_spans(windows)))
}

/// The last moment that recovery can be told to stop at: it needs a later commit to know that the moment
/// has passed.
pub(crate) fn last_choice(end: DateTime<Utc>) -> DateTime<Utc> {
    before(end, TimeDelta::microseconds(1))
}

fn joined<'a>(windows: impl Iterator<Item = &'a RecoveryWindow>) -> Vec<ReachableSpan> {
    let mut windows: Vec<&RecoveryWindow> = windows.collect();
    windows.sort_by_key(|window| window.first.at);
    let mut spans: Vec<ReachableSpan> = Vec::new();
    for window in windows {
        match spans.last_mut() {
            Some(span) if window.first.at <= span.last.at => {
                if span.last.at < window.last.at {
                    span.last = window.last;
                }
            }
            Some(_) | None => {
                spans.push(ReachableSpan { first_at: window.first.at, last: window.last });
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;

    fn window(first: i64, last: i64) -> RecoveryWindow {
        let mut window = samples::fleet(1).archives[0].assessment.windows[0].clone();
        window.first.at = DateTime::UNIX_EPOCH + TimeDelta::hours(first);
        window.last.at = DateTime::UNIX_EPOCH + TimeDelta::hours(last);
        window
    }

    #[track_caller]
    fn check(windows: &[(i64, i64)], spans: &[(i64, i64)]) {
        let windows: Vec<_> = windows.iter().map(|(first, last)| window(*first, *last)).collect();
        let hour = |at: DateTime<Utc>| (at - DateTime::UNIX_EPOCH).num_hours();
        let found: Vec<_> = reachable_spans(&windows)
            .iter()
            .map(|span| (hour(span.first_at), hour(span.last.at)))
            .collect();
        assert_eq!(found, spans);
    }

    #[test]
    fn windows_that_overlap_or_touch_are_one_span() {
        check(&[(0, 10), (5, 12), (12, 20)], &[(0, 20)]);
    }

    #[test]
    fn a_window_inside_another_changes_nothing() {
        check(&[(0, 10), (2, 3)], &[(0, 10)]);
    }

    #[test]
    fn what_only_a_copy_went_through_is_no_span() {
        let copy = RecoveryWindow { is_of_copy: true, ..window(2, 9) };
        let spans = |windows: &[RecoveryWindow]| reachable_spans(windows).len();
        let both = [window(0, 4), copy.clone()];
        assert_eq!(reachable_spans(&both), reachable_spans(&both[..1]));
        assert_eq!(spans(&[copy]), 1);
    }

    #[test]
    fn moments_that_no_backup_reaches_part_two_spans() {
        check(&[(6, 9), (0, 4)], &[(0, 4), (6, 9)]);
        check(&[], &[]);
    }
}
