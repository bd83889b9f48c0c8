//! What the requests to object stores would cost in a month, at their pace so far.

use std::time::Duration;

use tokio::time::Instant;

/// Counts from when every archive was read once: the first complete listings are no measure of a
/// month.
#[derive(Debug, Default)]
pub(super) struct Spending {
    since: Option<(Instant, f64)>,
}

/// As price lists have it.
const MONTH: Duration = Duration::from_hours(30 * 24);

impl Spending {
    /// Takes the dollars spent so far; tells those of a month from the second time on.
    pub(super) fn monthly(&mut self, dollars: f64) -> Option<f64> {
        let now = Instant::now();
        let (since, before) = *self.since.get_or_insert((now, dollars));
        let elapsed = now.duration_since(since);
        let spent = dollars - before;
        (!elapsed.is_zero()).then(|| spent * MONTH.as_secs_f64() / elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_month_is_told_from_what_came_after_the_first_readings() {
        let mut spending = Spending::default();
        assert_eq!(spending.monthly(7.0), None);
        tokio::time::advance(MONTH / 10).await;
        assert_eq!(spending.monthly(8.0), Some(10.0));
        tokio::time::advance(MONTH / 10).await;
        assert_eq!(spending.monthly(8.0), Some(5.0));
    }
}
