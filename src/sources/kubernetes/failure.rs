//! What an answer of the API server that is not the wanted one means.

use std::error::Error;

use kube::core::Status;
use kube::runtime::watcher;

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;

/// Why something could not be asked.
pub(super) fn unreadable(what: String, error: &kube::Error) -> Unreadable {
    let why = why(error);
    let reason = match error {
        kube::Error::Api(status) => reason(status),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => UnreadableReason::Parse,
        kube::Error::Auth(_) => UnreadableReason::Auth,
        _ if is_timeout(error) || why.contains("timed out") => UnreadableReason::Timeout,
        _ => UnreadableReason::Internal,
    };
    Unreadable { what, why, reason }
}

/// What the server said, or else the error with its causes.
pub fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => said(status),
        _ => chain(error),
    }
}

/// Why a list or watch broke off.
pub(super) fn of_watch(objects: &str, error: &watcher::Error) -> Unreadable {
    match error {
        watcher::Error::InitialListFailed(error) => unreadable(format!("list {objects}"), error),
        watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            unreadable(format!("watch {objects}"), error)
        }
        watcher::Error::WatchError(status) => Unreadable {
            what: format!("watch {objects}"),
            why: said(status),
            reason: reason(status),
        },
        watcher::Error::NoResourceVersion => Unreadable {
            what: format!("list {objects}"),
            why: "the answer has no resource version".to_owned(),
            reason: UnreadableReason::Parse,
        },
    }
}

/// The status that the server answered with, if it answered.
pub(super) fn status(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

fn reason(status: &Status) -> UnreadableReason {
    match status.code {
        401 | 403 => UnreadableReason::Auth,
        404 => UnreadableReason::NotFound,
        408 | 504 => UnreadableReason::Timeout,
        429 => UnreadableReason::Throttled,
        _ => UnreadableReason::Internal,
    }
}

fn said(status: &Status) -> String {
    let message: String = status.message.chars().filter(|it| !it.is_control()).take(300).collect();
    match message.as_str() {
        "" => format!("HTTP {}", status.code),
        message => format!("HTTP {}, {message}", status.code),
    }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The error with its causes; each is told once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let detail = error.to_string();
        if !text.contains(&detail) {
            text = format!("{text}: {detail}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_status_gives_the_reason() {
        for (code, reason) in [
            (401, UnreadableReason::Auth),
            (403, UnreadableReason::Auth),
            (404, UnreadableReason::NotFound),
            (429, UnreadableReason::Throttled),
            (500, UnreadableReason::Internal),
            (504, UnreadableReason::Timeout),
        ] {
            let status = Status::failure("backups is forbidden\n", "").with_code(code);
            let error = watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()));
            let unreadable = of_watch("backups", &error);
            assert_eq!(unreadable.reason, reason, "{code}");
            let told = format!("list backups: HTTP {code}, backups is forbidden");
            assert_eq!(unreadable.to_string(), told);
        }
    }

    #[test]
    fn a_wait_without_answer_is_a_timeout() {
        let silence = std::io::Error::from(std::io::ErrorKind::TimedOut);
        let error = kube::Error::Service(Box::new(silence));
        assert_eq!(unreadable(String::new(), &error).reason, UnreadableReason::Timeout);
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = kube::Error::Service(Box::new(refused));
        assert_eq!(unreadable(String::new(), &error).reason, UnreadableReason::Internal);
    }
}
