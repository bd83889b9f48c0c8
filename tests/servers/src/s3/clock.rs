//! The server's clock, which can be made to lie.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

/// The wall clock plus an offset; stamps uploads and the `Date` header.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    pub(super) fn set_offset(&self, offset: TimeDelta) {
        self.offset_ms.store(offset.num_milliseconds(), Ordering::Relaxed);
    }

    #[expect(clippy::disallowed_methods, reason = "a server stamps what it receives")]
    pub(super) fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    /// The form of `Date` in RFC 9110, section 5.6.7.
    pub(super) fn http_date(&self, off_by: TimeDelta) -> String {
        (self.now() + off_by).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
}
