//! Recognises in what a server says the request that it answers.
//!
//! Some servers repeat what they were sent, to explain why they refuse it.

use std::fmt;

use aws_sdk_s3::config::http::HttpRequest;

/// What a signed request shows of who sent it, in lower case. Never printed.
#[derive(Clone, Default)]
pub(super) struct Sent {
    parts: Vec<String>,
}

/// Names of what belongs to a request and to no explanation of S3's, in lower case.
const WORDS_OF_REQUESTS: [&str; 6] =
    ["authorization", "x-amz-", "aws4-hmac-sha256", "credential=", "signature=", "bearer "];

/// So much of a session token tells that one is repeated.
const TOKEN_CHARS: usize = 16;

impl Sent {
    pub(super) fn in_request(request: &HttpRequest) -> Self {
        let header = |name| request.headers().get(name).unwrap_or_default();
        let mut sent = Self::in_authorization(header("authorization"));
        let token = header("x-amz-security-token").chars().take(TOKEN_CHARS).collect::<String>();
        sent.add(&token);
        sent
    }

    /// `AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/s3/aws4_request, SignedHeaders=..., Signature=...`
    pub(super) fn in_authorization(header: &str) -> Self {
        let mut sent = Self::default();
        let after = |name| header.split_once(name).map_or("", |(_, rest)| rest);
        let id = after("Credential=").split('/').next();
        let signature = after("Signature=").split(',').next();
        for part in [id, signature].into_iter().flatten() {
            sent.add(part);
        }
        sent
    }

    /// Whether this may repeat what was sent, or tells of it at length.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let is_in = |part: &str| text.contains(part);
        WORDS_OF_REQUESTS.into_iter().any(is_in) || self.parts.iter().any(|part| is_in(part))
    }

    fn add(&mut self, part: &str) {
        if !part.is_empty() {
            self.parts.push(part.to_ascii_lowercase());
        }
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Sent {
        Sent::in_authorization(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260110/auto/s3/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6",
        )
    }

    #[test]
    fn what_repeats_the_request_is_recognised() {
        for echo in [
            "no user AKIDEXAMPLE",
            "no user akidexample",
            "expected 0, got 5D672D79C15B13162D9279B0855CFBA6",
            "bad header Authorization: AWS4-HMAC-SHA256 Credential=other",
            "GET /b?list-type=2&X-Amz-Signature=00",
            "the canonical request was GET / host:a x-amz-date:20260110T000000Z",
        ] {
            assert!(sent().is_in(echo), "{echo}");
        }
        assert!(!sent().is_in("The specified bucket does not exist"));
    }

    #[test]
    fn what_was_sent_is_never_printed() {
        assert_eq!(format!("{:?}", sent()), "Sent");
    }

    #[test]
    fn a_session_token_is_recognised_by_its_beginning() {
        let mut request = HttpRequest::empty();
        request.headers_mut().insert("x-amz-security-token", "IQoJb3JpZ2luX2VjEJr//////////wEa");
        let sent = Sent::in_request(&request);
        assert!(sent.is_in("the token IQoJb3JpZ2luX2VjEJr... has expired"));
        assert!(!sent.is_in("the token has expired"));
    }

    #[test]
    fn a_request_without_a_signature_is_in_no_text() {
        assert!(!Sent::in_request(&HttpRequest::empty()).is_in("anything"));
    }
}
