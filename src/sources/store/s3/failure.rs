//! What a failed request means, from the answer's status and S3 error code.

use std::error::Error;
use std::fmt::Write;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;

use crate::sources::limits::STORE_TEXT_CHARS_MAX;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::error::printable;
use crate::sources::store::requests::Operation;
use crate::sources::store::s3::bounded::TooLarge;
use crate::sources::store::s3::connecting::RefusedAddress;
use crate::sources::store::s3::echo::Sent;

/// An answer that is not what was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    /// From the XML of the error; an answer to HEAD has none.
    pub(super) code: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// Where the bucket is, if the answer says so and the request was signed for elsewhere.
    pub(super) other_region: Option<&'a str>,
    /// What the answer must not repeat.
    pub(super) sent: Option<&'a Sent>,
}

/// What was signed names another region than the one that the store has.
const WRONG_REGION: &str = "AuthorizationHeaderMalformed";

/// Garage tells it in its message alone: `expected: 20260110/garage/s3/aws4_request`. Amazon and
/// `MinIO` write `expecting 'eu-west-1'`.
fn expected_region(message: &str) -> Option<&str> {
    let (_, behind) = message.rsplit_once("expect")?;
    let scope = behind.split(|it: char| it.is_whitespace() || "'\"`".contains(it));
    let mut scope = scope.filter(|it| !it.is_empty()).skip(1);
    let scope = scope.next()?;
    let region = scope.split('/').nth(1).unwrap_or(scope);
    let is_name = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    (!region.is_empty() && region.chars().all(is_name)).then_some(region)
}

/// Twice the longest that Amazon's reference lists.
const CODE_BYTES_MAX: usize = 64;

impl Refusal<'_> {
    pub(super) fn error(&self, operation: Operation) -> StoreError {
        let kind = self.kind(operation);
        let mut detail = format!("HTTP {}", self.status);
        // Where access is denied, a message explains nothing that the code does not say, and is the
        // likeliest to repeat what was sent.
        let message = self.message.filter(|_| kind != StoreErrorKind::Denied);
        let code = self.code.filter(|code| is_code(code));
        let told = [code, message].map(|text| text.filter(|text| !self.is_echo(text)));
        for part in told.into_iter().chain([self.explanation()]).flatten() {
            if !part.is_empty() {
                // Writing to a string does not fail.
                let _: std::fmt::Result = write!(detail, ", {}", told_by_store(part));
            }
        }
        let is_of_region = self.code == Some(WRONG_REGION);
        let told = is_of_region.then(|| self.message.and_then(expected_region)).flatten();
        let region = self.other_region.or(told);
        if is_of_region && region.is_none() {
            detail.push_str(", the request was signed for a different region from the store's");
        }
        if let Some(region) = region.filter(|region| !self.is_echo(region)) {
            let region = told_by_store(region);
            let _: std::fmt::Result = write!(detail, ", the bucket is in the region `{region}`");
        }
        StoreError::new(kind, detail)
    }

    fn is_echo(&self, text: &str) -> bool {
        self.sent.is_some_and(|sent| sent.is_in(text))
    }

    fn kind(&self, operation: Operation) -> StoreErrorKind {
        if self.other_region.is_some() {
            return StoreErrorKind::Denied;
        }
        if let Some(kind) = self.code.and_then(kind_of_code) {
            return kind;
        }
        match self.status {
            401 | 403 => StoreErrorKind::Denied,
            404 if operation == Operation::Head => StoreErrorKind::NoSuchKey,
            408 => StoreErrorKind::TimedOut,
            // What was asked for by its tag or its length.
            412 | 416 => StoreErrorKind::Changed,
            429 => StoreErrorKind::Throttled,
            // Amazon's `SlowDown` without the body that would say so.
            503 if operation == Operation::Head => StoreErrorKind::Throttled,
            500.. => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Malformed,
        }
    }

    fn explanation(&self) -> Option<&'static str> {
        match (self.status, self.code) {
            (200..=299, None) => Some("the content is not an answer from S3"),
            (300..=399, None) => Some("a redirect, perhaps to a proxy or a login page"),
            (_, Some("InvalidObjectState")) => Some("it must be thawed first"),
            (401 | 403, None) => None,
            (_, None) => Some("no S3 error code"),
            (_, Some(_)) => None,
        }
    }
}

/// The codes of Amazon S3 (API reference, "Error responses") and R2 that say more than the status.
fn kind_of_code(code: &str) -> Option<StoreErrorKind> {
    let kind = match code {
        // `NotFound` is what the SDK makes of a 404 to HEAD.
        "NoSuchKey" | "NotFound" => StoreErrorKind::NoSuchKey,
        "NoSuchBucket" | "InvalidBucketName" => StoreErrorKind::NoSuchBucket,
        "AccessDenied"
        | "AllAccessDisabled"
        | WRONG_REGION
        | "ExpiredRequest"
        | "ExpiredToken"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "NotEntitled"
        | "PermanentRedirect"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired"
        | "Unauthorized" => StoreErrorKind::Denied,
        "BandwidthLimitExceeded"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests" => StoreErrorKind::Throttled,
        "InvalidRange" | "PreconditionFailed" => StoreErrorKind::Changed,
        "RequestTimeout" => StoreErrorKind::TimedOut,
        // Also in the body of a 200, as Amazon answers once it has begun to.
        "InternalError" | "ServiceUnavailable" => StoreErrorKind::Unavailable,
        _ => return None,
    };
    Some(kind)
}

/// The limit that a body went over.
pub(super) fn too_large(error: &(dyn Error + 'static)) -> Option<TooLarge> {
    chain(error).find_map(|it| it.downcast_ref::<TooLarge>()).copied()
}

/// The name that leads to where no store is.
pub(super) fn refused(error: &(dyn Error + 'static)) -> Option<StoreError> {
    let refused = chain(error).find_map(|it| it.downcast_ref::<RefusedAddress>())?;
    Some(StoreError::new(StoreErrorKind::NotAllowed, refused.to_string()))
}

/// Why there is no connection to this address, where one cause among many says it.
pub(super) fn without_connection(
    error: &(dyn Error + 'static),
    endpoint: &str,
) -> Option<StoreError> {
    chain(error).find_map(|it| {
        if it.is::<ResolveDnsError>() {
            let detail = format!("DNS knows no such host: {endpoint}");
            return Some(StoreError::new(StoreErrorKind::NoSuchHost, detail));
        }
        match it.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => {
                let detail = format!("nothing listens at {endpoint}");
                Some(StoreError::new(StoreErrorKind::ConnectionRefused, detail))
            }
            Some(io) => wrapped(io).find_map(|it| without_tls(it.downcast_ref()?, endpoint)),
            None => without_tls(it.downcast_ref()?, endpoint),
        }
    })
}

/// What an I/O error wraps, which is no source of it; another I/O error, mostly.
fn wrapped(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(within(error), |it| within(it.downcast_ref()?))
}

fn within(error: &io::Error) -> Option<&(dyn Error + 'static)> {
    Some(error.get_ref()?)
}

fn without_tls(error: &rustls::Error, endpoint: &str) -> Option<StoreError> {
    match error {
        rustls::Error::InvalidCertificate(why) => {
            let detail = format!("{endpoint} shows one that fails with {why}");
            Some(StoreError::new(StoreErrorKind::Untrusted, detail))
        }
        rustls::Error::InvalidMessage(_) => {
            let detail = format!("{endpoint} does not speak TLS; perhaps it is an http address");
            Some(StoreError::new(StoreErrorKind::Unavailable, detail))
        }
        _ => None,
    }
}

pub(super) fn larger_than_allowed(status: u16, limit: TooLarge) -> StoreError {
    StoreError::new(StoreErrorKind::TooLarge, format!("HTTP {status}, {limit}"))
}

/// Where the credentials of a machine that has none of its own are looked for last. That nothing answers
/// there, or refuses, is what most people meet who have forgotten to set any.
const OF_THE_MACHINE: &str = "IMDS";

const NO_CREDENTIALS: &str = "no credentials: there are none in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, profile files, \
     web identity, or the metadata of container and instance";

/// A request that could not be signed, because there is nothing to sign it with.
pub(super) fn without_credentials(error: &(dyn Error + 'static)) -> Option<StoreError> {
    let detail = match chain(error).find_map(|it| it.downcast_ref::<CredentialsError>())? {
        CredentialsError::CredentialsNotLoaded(_) => NO_CREDENTIALS.to_owned(),
        other => {
            let why = other.source().map(text).unwrap_or_default();
            if why.contains(OF_THE_MACHINE) {
                format!("{NO_CREDENTIALS} ({why})")
            } else {
                format!("no credentials: {why}")
            }
        }
    };
    Some(StoreError::new(StoreErrorKind::Denied, detail))
}

/// The error with its causes, each once.
pub(super) fn text(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in chain(error) {
        let cause = told_by_store(&cause.to_string());
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// One line of bounded length, whatever the server sent.
fn told_by_store(text: &str) -> String {
    printable(text, STORE_TEXT_CHARS_MAX)
}

/// All codes of S3 are words such as `NoSuchKey`, with a dot between two of them at most.
fn is_code(text: &str) -> bool {
    text.len() <= CODE_BYTES_MAX && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_says_more_than_the_status() {
        let check = |operation, status, code, expected| {
            let refusal = Refusal { status, code, ..Refusal::default() };
            assert_eq!(refusal.error(operation).kind, expected, "{status} {code:?}");
        };
        check(Operation::Get, 404, Some("NoSuchKey"), StoreErrorKind::NoSuchKey);
        check(Operation::Get, 404, Some("NoSuchBucket"), StoreErrorKind::NoSuchBucket);
        check(Operation::Head, 404, None, StoreErrorKind::NoSuchKey);
        check(Operation::Get, 404, None, StoreErrorKind::Malformed);
        check(Operation::List, 404, None, StoreErrorKind::Malformed);
        check(Operation::Head, 403, None, StoreErrorKind::Denied);
        check(Operation::Get, 400, Some("ExpiredToken"), StoreErrorKind::Denied);
        check(Operation::Get, 503, Some("SlowDown"), StoreErrorKind::Throttled);
        check(Operation::Get, 503, None, StoreErrorKind::Unavailable);
        check(Operation::Head, 503, None, StoreErrorKind::Throttled);
        check(Operation::Get, 429, None, StoreErrorKind::Throttled);
        check(Operation::List, 200, Some("InternalError"), StoreErrorKind::Unavailable);
        check(Operation::Get, 502, None, StoreErrorKind::Unavailable);
        check(Operation::Get, 412, Some("PreconditionFailed"), StoreErrorKind::Changed);
        check(Operation::GetRange, 416, None, StoreErrorKind::Changed);
        check(Operation::Get, 302, None, StoreErrorKind::Malformed);
        check(Operation::List, 200, None, StoreErrorKind::Malformed);
        check(Operation::List, 400, Some("InvalidArgument"), StoreErrorKind::Malformed);
    }

    #[test]
    fn a_denial_names_the_region_and_not_the_key() {
        let refusal = Refusal {
            status: 400,
            code: Some("AuthorizationHeaderMalformed"),
            message: Some("the Credential AKIDEXAMPLE is malformed"),
            other_region: Some("eu-west-1"),
            sent: None,
        };
        assert_eq!(
            refusal.error(Operation::List).to_string(),
            "access denied: HTTP 400, AuthorizationHeaderMalformed, \
             the bucket is in the region `eu-west-1`"
        );
    }

    #[test]
    fn a_region_that_only_the_message_names_is_told() {
        let detail = |message| {
            let code = Some(WRONG_REGION);
            Refusal { status: 400, code, message, ..Refusal::default() }.error(Operation::List)
        };
        let garage = "Authorization header malformed, unexpected scope: \
                      20260110/us-east-1/s3/aws4_request, expected: 20260110/garage/s3/aws4_request";
        let amazon = "the region 'us-east-1' is wrong; expecting 'eu-west-1'";
        for (message, expected) in [
            (Some(garage), "the bucket is in the region `garage`"),
            (Some(amazon), "the bucket is in the region `eu-west-1`"),
            (None, "the request was signed for a different region from the store's"),
            (Some("expected"), "the request was signed for a different region from the store's"),
        ] {
            let expected = format!("HTTP 400, {WRONG_REGION}, {expected}");
            assert_eq!(detail(message).detail, expected, "{message:?}");
        }
    }

    #[test]
    fn a_lack_of_credentials_is_a_denial_that_says_so() {
        let check = |error: CredentialsError, expected: &str| {
            let found = without_credentials(&error).unwrap();
            assert_eq!(found, StoreError::new(StoreErrorKind::Denied, expected));
        };
        check(CredentialsError::not_loaded_no_source(), NO_CREDENTIALS);
        let unread = CredentialsError::provider_error("read the key file `/a`: not found");
        check(unread, "no credentials: read the key file `/a`: not found");
        assert_eq!(without_credentials(&std::fmt::Error), None);
    }

    #[test]
    fn where_credentials_were_looked_for_is_said_though_the_machine_s_metadata_fails() {
        let refused = "failed to load IMDS session token: request forbidden";
        let error = CredentialsError::provider_error(refused);
        let found = without_credentials(&error).unwrap().detail;
        assert!(found.contains("AWS_ACCESS_KEY_ID"), "{found}");
        assert!(found.ends_with(&format!("({refused})")), "{found}");
    }

    #[test]
    fn what_a_server_says_stays_on_one_line() {
        let long = "\u{e9}\n".repeat(STORE_TEXT_CHARS_MAX);
        let refusal =
            Refusal { status: 400, code: Some("Odd"), message: Some(&long), ..Refusal::default() };
        let expected = format!("HTTP 400, Odd, {}", "\u{e9} ".repeat(STORE_TEXT_CHARS_MAX / 2));
        assert_eq!(refusal.error(Operation::Get).detail, expected);
    }

    #[test]
    fn of_an_answer_that_may_repeat_the_request_only_the_code_is_shown() {
        let sent = Sent::in_authorization("Credential=AKIDEXAMPLE/20260110, Signature=5d672d79");
        let check = |code, message, expected: &str| {
            let (code, message) = (Some(code), Some(message));
            let refusal =
                Refusal { status: 400, code, message, sent: Some(&sent), ..Refusal::default() };
            assert_eq!(refusal.error(Operation::Get).detail, expected);
        };
        check("InvalidArgument", "max-keys", "HTTP 400, InvalidArgument, max-keys");
        check("InvalidArgument", "you are AKIDEXAMPLE", "HTTP 400, InvalidArgument");
        check("InvalidArgument", "\u{7}5D672D79", "HTTP 400, InvalidArgument");
        check("InvalidArgument", "?X-Amz-Credential=x", "HTTP 400, InvalidArgument");
        check("AKIDEXAMPLE", "a", "HTTP 400, a");
        check("<script>alert(1)</script>", "a", "HTTP 400, a");
        check("A\u{202e}B", "a\u{202e}b\u{1b}[2Jc", "HTTP 400, ab [2Jc");
        check(&"A".repeat(65), "a", "HTTP 400, a");
    }
}
