//! Which moments a gap in the WAL costs.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Gap;
use crate::assessment::RecoveryWindow;

/// The moments between two windows that no restore reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Behind the last moment that can be restored before the gap; `None` if there is none.
    pub from: Option<DateTime<Utc>>,
    /// Before the first moment that can be restored after it; `None` if there is none, or not yet.
    pub until: Option<DateTime<Utc>>,
}

impl Loss {
    /// Windows are those of the archive that the gap is in.
    pub fn by(gap: &Gap, windows: &[RecoveryWindow]) -> Self {
        let living = windows.iter().filter(|it| it.apart_from.is_none() && it.system.is_none());
        let mut loss = Self::default();
        for window in living {
            let size = window.segment_size;
            let (Ok(first), Ok(last)) = (gap.first.number(size), gap.last.number(size)) else {
                continue;
            };
            let begins = window.path.first().and_then(|it| it.first.number(size).ok());
            if window.last.segment.number(size).is_ok_and(|end| end < first) {
                loss.from = loss.from.max(Some(window.last.at));
            } else if begins.is_some_and(|begin| last < begin) {
                let earlier = loss.until.is_none_or(|known| window.first.at < known);
                loss.until = if earlier { Some(window.first.at) } else { loss.until };
            }
        }
        // Another branch may lead past the gap, and clocks are set back: then nothing is claimed.
        let is_reached = |window: &RecoveryWindow| {
            loss.until.is_none_or(|until| window.first.at < until)
                && loss.from.is_none_or(|from| from < window.last.at)
        };
        let is_backwards = loss.length().is_some_and(|length| length <= TimeDelta::zero());
        if is_backwards || windows.iter().any(is_reached) { Self::default() } else { loss }
    }

    pub fn length(&self) -> Option<TimeDelta> {
        Some(self.until?.signed_duration_since(self.from?))
    }
}
