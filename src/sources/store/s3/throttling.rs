//! Lets the SDK retry what R2 and proxies answer when asked too often.
//!
//! The SDK knows Amazon's `SlowDown`, and neither status 429 nor `TooManyRequests`.

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::ClassifyRetry;
use aws_sdk_s3::config::retry::RetryAction;

/// Retries status 429, with the pause of throttling.
#[derive(Debug)]
pub(super) struct RetryThrottled;

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
