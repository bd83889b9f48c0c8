//! WATCH: lines of JSON as they come, from a version on or after a first list.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use hyper::body::Frame;
use serde_json::Value;
use serde_json::json;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tokio::time::sleep_until;

use crate::kubernetes::api::Shared;
use crate::kubernetes::call::Query;
use crate::kubernetes::call::Target;
use crate::kubernetes::cause::Cause;
use crate::kubernetes::fault::Faults;
use crate::kubernetes::fault::WatchBreak;
use crate::kubernetes::list;
use crate::kubernetes::selector::Selector;
use crate::kubernetes::state::State;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;
use crate::kubernetes::watch_event::Scope;
use crate::kubernetes::watch_event::line;

/// How long a watch lasts that does not say it (`--min-request-timeout` of the API server).
const TIMEOUT_SECONDS: u64 = 1800;

/// An open watch.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    news: Receiver<u64>,
    scope: Scope,
    /// The version up to which everything was sent.
    position: u64,
    lines: VecDeque<Bytes>,
    end: Option<End>,
    sends_bookmarks: bool,
    bookmark_at: Instant,
    ends_at: Instant,
    /// How many orders to break watches were given before this one began.
    breaks_seen: usize,
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// The last chunk, as when the time is up.
    Whole,
    /// The connection ends within the body.
    Torn,
}

impl Watch {
    pub(super) fn open(
        shared: &Arc<Shared>,
        state: &State,
        kind: &Arc<ResourceType>,
        target: &Target,
        query: &Query,
    ) -> Result<Self, Failure> {
        check_options(query, &state.faults)?;
        let (labels, fields) = (query.get("labelSelector"), query.get("fieldSelector"));
        let scope = Scope {
            kind: Arc::clone(kind),
            namespace: if kind.namespaced { target.namespace.clone() } else { String::new() },
            selector: Selector::parse(kind, labels, fields)?,
        };
        let version = list::version(query)?.unwrap_or(0);
        let seconds = query.number("timeoutSeconds").filter(|seconds| *seconds > 0);
        let now = Instant::now();
        let mut watch = Self {
            shared: Arc::clone(shared),
            news: state.listen(),
            scope,
            position: state.revision,
            lines: VecDeque::new(),
            end: None,
            sends_bookmarks: query.is_true("allowWatchBookmarks"),
            bookmark_at: now + state.faults.bookmark_interval,
            ends_at: now + Duration::from_secs(seconds.unwrap_or(TIMEOUT_SECONDS)),
            breaks_seen: state.faults.breaks.len(),
        };
        let streams_list = query.is_true("sendInitialEvents");
        if streams_list && version > state.revision {
            return Err(Failure::timeout_too_large(version, state.revision));
        }
        if streams_list || (version == 0 && query.get("sendInitialEvents").is_none()) {
            watch.send_present(state);
        } else if version > 0 {
            watch.position = version;
            let oldest = state.table(kind).oldest;
            if version < oldest {
                watch.expire(version, oldest);
            }
        }
        if streams_list && watch.sends_bookmarks {
            watch.send_bookmark(state.revision, &json!({ "k8s.io/initial-events-end": "true" }));
        }
        Ok(watch)
    }

    /// The body of the answer.
    pub(super) fn into_frames(self) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send {
        stream::unfold(self, |mut watch| async move {
            let frame = watch.next().await?;
            Some((frame.map(Frame::data), watch))
        })
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(Ok(line));
            }
            match self.end {
                Some(End::Whole) => return None,
                Some(End::Torn) => {
                    // What was written so far leaves before the connection does.
                    tokio::task::yield_now().await;
                    return Some(Err(io::Error::other("the watch is torn")));
                }
                None => {}
            }
            let is_silent = self.look();
            if !self.lines.is_empty() || self.end.is_some() {
                continue;
            }
            let wake_at = if self.sends_bookmarks {
                self.bookmark_at.min(self.ends_at)
            } else {
                self.ends_at
            };
            tokio::select! {
                // The state lives as long as this watch, so there can always be news.
                _ = self.news.changed() => {}
                () = sleep_until(wake_at), if !is_silent => {}
            }
        }
    }

    /// Takes what there is to send; returns whether the watch has been silenced.
    fn look(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let state = shared.state();
        let orders = state.faults.breaks.get(self.breaks_seen..).unwrap_or(&[]);
        let plural = &self.scope.kind.plural;
        let order = orders.iter().find(|order| order.concerns(plural)).map(|order| order.how);
        self.breaks_seen = state.faults.breaks.len();
        if let Some(how) = order {
            self.break_off(how, &state);
            return false;
        }
        if state.faults.is_silent(plural) {
            return true;
        }
        let history = &state.table(&self.scope.kind).history;
        let first = history.partition_point(|change| change.revision <= self.position);
        for change in history.iter().skip(first) {
            if let Some(line) = self.scope.line(change) {
                self.lines.push_back(line);
            }
        }
        self.position = self.position.max(state.revision);
        let now = Instant::now();
        if !state.is_installed(&self.scope.kind) {
            self.end = Some(End::Whole);
        } else if now >= self.ends_at {
            if self.sends_bookmarks {
                self.send_bookmark(state.revision, &Value::Null);
            }
            self.end = Some(End::Whole);
        } else if self.sends_bookmarks && now >= self.bookmark_at {
            self.send_bookmark(state.revision, &Value::Null);
            self.bookmark_at = now + state.faults.bookmark_interval;
        }
        false
    }

    fn break_off(&mut self, how: WatchBreak, state: &State) {
        match how {
            WatchBreak::End => self.end = Some(End::Whole),
            WatchBreak::Torn => self.end = Some(End::Torn),
            WatchBreak::TornInLine => {
                let objects = state.table(&self.scope.kind).objects.values().next();
                let line = line("MODIFIED", objects.map_or(&json!({ "metadata": {} }), |o| &**o));
                self.lines.push_back(line.slice(..line.len() / 2));
                self.end = Some(End::Torn);
            }
            WatchBreak::Expired => self.expire(self.position, state.revision),
        }
    }

    fn send_present(&mut self, state: &State) {
        for ((namespace, _), object) in &state.table(&self.scope.kind).objects {
            if self.scope.contains(namespace) && self.scope.selector.matches(object) {
                self.lines.push_back(line("ADDED", object));
            }
        }
    }

    fn send_bookmark(&mut self, revision: u64, annotations: &Value) {
        let kind = &self.scope.kind;
        let mut metadata =
            json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
        if annotations.is_object() {
            metadata["annotations"] = annotations.clone();
        }
        let object = json!({
            "kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata,
        });
        self.lines.push_back(line("BOOKMARK", &object));
    }

    /// Says 410 under a 200, as the watch cache does, and ends.
    fn expire(&mut self, asked: u64, oldest: u64) {
        let message = format!("too old resource version: {asked} ({oldest})");
        if let Failure::Status { status, .. } = Failure::expired(message) {
            self.lines.push_back(line("ERROR", &status));
        }
        self.end = Some(End::Whole);
    }
}

/// `validateWatchOptions` (`apis/meta/internalversion/validation`).
fn check_options(query: &Query, faults: &Faults) -> Result<(), Failure> {
    let mut causes = Vec::new();
    let mut forbid = |field: &str, detail: &str| causes.push(Cause::forbidden(field, detail));
    let matching = query.get("resourceVersionMatch");
    if query.get("sendInitialEvents").is_some() {
        if matching != Some("NotOlderThan") {
            let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            forbid("resourceVersionMatch", detail);
        }
        if !faults.has_streaming_lists {
            let detail = "sendInitialEvents is forbidden for watch unless the WatchList feature \
                          gate is enabled";
            forbid("sendInitialEvents", detail);
        }
    } else if matching.is_some() {
        let detail =
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        forbid("resourceVersionMatch", detail);
    }
    list::refuse_options(&causes)
}
