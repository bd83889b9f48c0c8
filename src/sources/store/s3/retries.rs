//! Tells the SDK which requests are worth another attempt, where it would decide otherwise.

use std::error::Error;

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::ClassifyRetry;
use aws_sdk_s3::config::retry::RetryAction;

use crate::sources::store::s3::failure;

/// Retries status 429, with the pause of throttling, as R2 and proxies answer when asked too often.
///
/// The SDK knows Amazon's `SlowDown`, and neither status 429 nor `TooManyRequests`.
#[derive(Debug)]
pub(super) struct RetryThrottled;

/// Does not ask again for an answer that was too large, nor look for a store again where none is.
///
/// The SDK takes every body that it could not read for one that was cut off.
#[derive(Debug)]
pub(super) struct AskOnce;

impl ClassifyRetry for RetryThrottled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let status = context.response().map(|response| response.status().as_u16());
        if status == Some(429) {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "RetryThrottled"
    }
}

impl ClassifyRetry for AskOnce {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(|answer| answer.err());
        let is_final = |error: &(dyn Error + 'static)| {
            failure::too_large(error).is_some() || failure::refused(error).is_some()
        };
        if error.is_some_and(|error| is_final(error)) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "AskOnce"
    }
}
