//! Answers, before they are bytes.

use std::borrow::Cow;

use serde_json::Value;

use crate::kubernetes::status::Failure;
use crate::kubernetes::watch::Watch;

/// What a request is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    Json {
        code: u16,
        body: Value,
        /// Each becomes a `Warning` header.
        warnings: Vec<String>,
    },
    Text(Cow<'static, str>),
    Watch(Box<Watch>),
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self::Json { code: 200, body, warnings: Vec::new() }
    }

    pub(super) fn created(body: Value) -> Self {
        Self::Json { code: 201, body, warnings: Vec::new() }
    }

    pub(super) fn with_warnings(mut self, more: Vec<String>) -> Self {
        if let Self::Json { warnings, .. } = &mut self {
            warnings.extend(more);
        }
        self
    }
}

/// The HTTP status of a result.
pub(super) fn code(result: &Result<Answer, Failure>) -> u16 {
    match result {
        Ok(Answer::Json { code, .. }) => *code,
        Ok(Answer::Text(_) | Answer::Watch(_)) => 200,
        Err(failure) => failure.code(),
    }
}
