//! Watches every attempt of one call as it is sent: counts it, times it, and keeps what went wrong.
//!
//! The SDK retries; this is where each attempt can be seen.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use aws_sdk_s3::config::ConfigBag;
use aws_sdk_s3::config::Intercept;
use aws_sdk_s3::config::RuntimeComponents;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use tokio::time::Instant;

use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::requests::Operation;
use crate::sources::store::s3::bounded;
use crate::sources::store::s3::clients::Endpoint;
use crate::sources::store::s3::echo::Sent;
use crate::sources::store::s3::failure;
use crate::sources::store::s3::failure::Refusal;

/// One call to the store, in one or more attempts.
#[derive(Clone)]
pub(super) struct Attempts {
    operation: Operation,
    endpoint: Arc<Endpoint>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sent_at: Option<Instant>,
    sent: Sent,
    error: Option<StoreError>,
    /// What the store answered to a LIST.
    listing: Bytes,
}

impl Attempts {
    pub(super) fn new(operation: Operation, endpoint: &Arc<Endpoint>) -> Self {
        Self { operation, endpoint: Arc::clone(endpoint), state: Arc::default() }
    }

    /// Why the last attempt failed.
    pub(super) fn error(&self) -> Option<StoreError> {
        self.state().error.clone()
    }

    /// The answer to a LIST that went well.
    pub(super) fn take_listing(&self) -> Bytes {
        mem::take(&mut self.state().listing)
    }

    /// Counts an error that shows only in what the SDK takes for a good answer.
    pub(super) fn refuse(&self, error: StoreError) -> StoreError {
        self.endpoint.requests().count_error(self.operation, error.kind);
        error
    }

    /// A HEAD asks whether there is an object, and no is an answer. Who may not know the bucket's
    /// rules does not need to.
    fn is_answer(&self, kind: StoreErrorKind) -> bool {
        match self.operation {
            Operation::Head => kind == StoreErrorKind::NoSuchKey,
            Operation::Lifecycle => true,
            Operation::List | Operation::Get | Operation::GetRange => false,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(
        &self,
        response: Option<&HttpResponse>,
        code: Option<&str>,
        message: Option<&str>,
    ) -> StoreError {
        let Some(response) = response else {
            return StoreError::new(StoreErrorKind::Unavailable, "no answer");
        };
        let status = response.status().as_u16();
        let region = response.headers().get("x-amz-bucket-region");
        let is_refused = matches!(status, 301 | 307 | 400);
        let other_region = region.filter(|region| is_refused && *region != self.endpoint.region());
        let sent = self.state().sent.clone();
        let sent = Some(&sent);
        Refusal { status, code, message, other_region, sent }.error(self.operation)
    }

    fn failure(&self, context: &FinalizerInterceptorContextRef<'_>) -> Option<StoreError> {
        let error = context.output_or_error()?.err()?;
        if error.is_operation_error() {
            let (code, message) = metadata(context).unwrap_or_default();
            let refusal = self.refusal(context.response(), code, message);
            return Some(refusal.of(self.endpoint.address()));
        }
        let address = self.endpoint.address();
        let detail = format!("{}, at {address}", failure::text(error));
        let kind = if error.is_timeout_error()
            || error.as_connector_error().is_some_and(|error| error.is_timeout())
        {
            StoreErrorKind::TimedOut
        } else if let Some(too_large) = failure::too_large(error) {
            let status = context.response().map_or(0, |response| response.status().as_u16());
            return Some(failure::larger_than_allowed(status, too_large));
        } else if let Some(error) =
            failure::refused(error).or_else(|| failure::without_credentials(error))
        {
            return Some(error);
        } else if let Some(error) = failure::without_connection(error, address) {
            return Some(error);
        } else {
            StoreErrorKind::Unavailable
        };
        Some(StoreError::new(kind, detail))
    }
}

/// The S3 error code and message of a typed error.
fn metadata<'a>(
    context: &'a FinalizerInterceptorContextRef<'_>,
) -> Option<(Option<&'a str>, Option<&'a str>)> {
    let error = context.output_or_error()?.err()?.as_operation_error()?;
    let metadata = if let Some(error) = error.downcast_ref::<ListObjectsV2Error>() {
        error.meta()
    } else if let Some(error) = error.downcast_ref::<GetObjectError>() {
        error.meta()
    } else {
        error.downcast_ref::<HeadObjectError>()?.meta()
    };
    Some((metadata.code(), metadata.message()))
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.endpoint.requests().count_sent(self.operation);
        let mut state = self.state();
        state.sent_at = Some(Instant::now());
        state.sent = Sent::in_request(context.request());
        Ok(())
    }

    /// The SDK takes into memory whatever is not the body of an object.
    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let is_success = response.status().is_success();
        let body = mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = match self.operation {
            Operation::Get | Operation::GetRange if is_success => body,
            Operation::List if is_success => {
                let state = Arc::clone(&self.state);
                bounded::listing(body, self.endpoint.large_listings(), move |listing| {
                    state.lock().unwrap_or_else(PoisonError::into_inner).listing = listing;
                })
            }
            _ => bounded::error(body),
        };
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.endpoint.note_date(date);
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let error = self.failure(context);
        let requests = self.endpoint.requests();
        if let Some(error) = &error
            && !self.is_answer(error.kind)
        {
            requests.count_error(self.operation, error.kind);
            if error.kind == StoreErrorKind::Denied {
                self.endpoint.note_refusal();
            }
        }
        let mut state = self.state();
        if let Some(sent_at) = state.sent_at.take() {
            requests.observe_duration(self.operation, sent_at.elapsed());
        }
        state.error = error;
        Ok(())
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").field("operation", &self.operation).finish_non_exhaustive()
    }
}
