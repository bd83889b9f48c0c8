//! Ways a store fails, and when.
//!
//! What a fault looks like on the wire is written in `answer`.

use std::time::Duration;

use chrono::TimeDelta;

use crate::double::Turns;
use crate::s3::operation::Operation;

/// One way to answer wrongly. On HEAD, answers have no body, as on the real thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503 `SlowDown`: Amazon's throttling.
    SlowDown,
    /// 429 `TooManyRequests`: R2's throttling.
    TooManyRequests,
    /// 500 `InternalError`.
    InternalError,
    /// 200 with the XML of `InternalError`, as Amazon answers when it began to answer too early.
    LateError,
    /// 401 `Unauthorized`: R2's answer to a deleted token.
    Unauthorized,
    /// 403 `AccessDenied`.
    AccessDenied,
    /// 403 `RequestTimeTooSkewed`.
    RequestTimeTooSkewed,
    /// 404 `NoSuchKey`.
    NoSuchKey,
    /// 301 `PermanentRedirect`: the bucket is in another region.
    PermanentRedirect { region: String },
    /// 400 `AuthorizationHeaderMalformed`: the request was signed for another region.
    AuthorizationHeaderMalformed { region: String },
    /// 302 to a login page, which this server serves as HTML.
    RedirectToLogin,
    /// 200 with an HTML page, as from a captive portal.
    HtmlPage,
    /// 200 with nothing in it.
    EmptyBody,
    /// A status with an HTML body that no store wrote, as from a proxy.
    Gateway { status: u16 },
    /// The right headers and half of the body, then the connection ends.
    CutBody,
    /// The right headers and so many bytes of the body, then the connection ends.
    CutBodyAt(usize),
    /// 200 and XML that ends after `</Name>`, with a fitting `Content-Length`.
    XmlCutAtStart,
    /// 200 and XML that ends within a tag, with a fitting `Content-Length`.
    XmlCutInTag,
    /// 200 and XML that ends after a whole `</Contents>`, with a fitting `Content-Length`.
    XmlCutBetweenElements,
    /// This status with a body of so many bytes of space, whose length is not announced.
    LargeBody { status: u16, bytes: u64 },
    /// This status with a body that comes byte by byte and never ends.
    Drip { status: u16 },
    /// The right answer, but late.
    Slow(Duration),
    /// The connection is reset instead of an answer.
    Reset,
    /// No answer; when the weather clears up, the connection is reset.
    Hang,
    /// The right headers but for a `Content-Length` that fits half of the body, and that half.
    HalfBody,
    /// The right answer, but for a `Date` that is off by this much.
    WrongDate(TimeDelta),
    /// The right answer, with the headers of an object that Amazon has moved to an archive tier.
    ArchiveTier,
    /// To a listing, the answer of the last `S3Server::remember`; else the right one.
    StaleList,
}

/// Which requests meet a fault.
#[derive(Clone, Debug)]
pub struct Trigger {
    operation: Option<Operation>,
    key_part: Option<String>,
    pub(super) turns: Turns,
}

impl Trigger {
    /// The next `times` requests for the operation, or for any with `None`.
    pub fn next(operation: impl Into<Option<Operation>>, times: u64) -> Self {
        Self { operation: operation.into(), key_part: None, turns: Turns::next(times) }
    }

    /// The `nth` request from now, counted from one; those before it are answered well.
    pub fn nth(operation: impl Into<Option<Operation>>, nth: u64) -> Self {
        Self { turns: Turns::nth(nth), ..Self::next(operation, 1) }
    }

    /// Every request from now on.
    pub fn always(operation: impl Into<Option<Operation>>) -> Self {
        Self::next(operation, u64::MAX)
    }

    /// Narrows the trigger to objects whose key contains this text.
    #[must_use]
    pub fn on_key(mut self, part: impl Into<String>) -> Self {
        self.key_part = Some(part.into());
        self
    }

    pub(super) fn fits(&self, operation: Operation, key: &str) -> bool {
        self.operation.is_none_or(|wanted| wanted == operation)
            && self.key_part.as_ref().is_none_or(|part| key.contains(part.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::double::Plan;

    #[test]
    fn a_trigger_fires_on_its_requests_only() {
        let mut plan = Plan::default();
        let second = Trigger::nth(Operation::List, 2);
        plan.add(second.turns, second, Fault::SlowDown);
        let of_info = Trigger::next(None, 1).on_key("backup.info");
        plan.add(of_info.turns, of_info, Fault::AccessDenied);
        let mut take = |operation, key| plan.take(|trigger: &Trigger| trigger.fits(operation, key));
        let seen = [
            take(Operation::List, ""),
            take(Operation::Get, "main/data.tar"),
            take(Operation::List, ""),
            take(Operation::List, ""),
            take(Operation::Get, "main/backup.info"),
            take(Operation::Get, "main/backup.info"),
        ];
        let expected = [None, None, Some(Fault::SlowDown), None, Some(Fault::AccessDenied), None];
        assert_eq!(seen, expected);
        assert_eq!(plan.len(), 0);
    }
}
