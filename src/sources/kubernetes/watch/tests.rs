use std::collections::VecDeque;
use std::convert::Infallible;

use hyper::Request;
use hyper::Response;
use kube::client::Body;
use serde_json::Value;
use serde_json::json;
use tower::service_fn;

use super::*;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::ObjectStoreResource;

/// An API server that answers what it is told, and then nothing more.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(&request.uri().to_string()).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, uri: &str) -> Response<Body> {
        lock(&self.asked).push(uri.to_owned());
        let answer = lock(&self.answers).pop_front();
        let Some((status, text)) = answer else { return std::future::pending().await };
        Response::builder().status(status).body(Body::from(text.into_bytes())).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }

    fn then(&self, status: u16, text: String) {
        lock(&self.answers).push_back((status, text));
    }
}

fn cluster(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": name, "namespace": "databases", "resourceVersion": "5"},
        "spec": spec,
    })
}

fn list(items: &[Value]) -> (u16, String) {
    let list = json!({"kind": "ClusterList", "metadata": {"resourceVersion": "7"}, "items": items});
    (200, list.to_string())
}

fn events(events: &[(&str, Value)]) -> (u16, String) {
    let lines = events
        .iter()
        .map(|(kind, object)| format!("{}\n", json!({"type": kind, "object": object})));
    (200, lines.collect())
}

fn refusal(code: u16) -> (u16, String) {
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"});
    (code, status.to_string())
}

struct Watched<K: Kind> {
    server: Server,
    feed: Feed<K>,
    changes: watch::Receiver<u64>,
    _tasks: JoinSet<()>,
}

fn watch_at<K: Kind>(server: Server, wanted: Wanted) -> Watched<K> {
    let (sender, changes) = watch::channel(0);
    let mut tasks = JoinSet::new();
    let feed = Feed::start(&server.client(), wanted, sender, &mut tasks);
    Watched { server, feed, changes, _tasks: tasks }
}

impl<K: Kind> Watched<K> {
    /// Waits for this; the clock is paused, so that it costs no time.
    async fn until(&mut self, what: impl Fn(&Scope<K>) -> bool) -> Scope<K> {
        let waited = tokio::time::timeout(Duration::from_hours(1), async {
            loop {
                let scope = self.feed.scope(Instant::now());
                if what(&scope) {
                    return scope;
                }
                tokio::select! {
                    changed = self.changes.changed() => changed.unwrap(),
                    // What was seen grows old without any change.
                    () = tokio::time::sleep(Duration::from_secs(30)) => {}
                }
            }
        });
        waited.await.unwrap()
    }
}

fn names<K: Kind>(scope: &Scope<K>) -> Vec<&str> {
    scope.last.as_deref().into_iter().flatten().map(|(name, _)| &*name.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_and_its_watch_are_kept_together() {
    let plain = json!({});
    let server = Server::new([
        list(&[cluster("a", &plain), cluster("b", &plain)]),
        events(&[
            ("ADDED", cluster("c", &plain)),
            ("DELETED", cluster("a", &plain)),
            (
                "BOOKMARK",
                json!({"metadata": {"resourceVersion": "9"}, "kind": "Cluster", "apiVersion": "v1"}),
            ),
        ]),
    ]);
    let mut watched = watch_at::<Cluster>(server, Wanted::default());
    let first = watched.feed.scope(Instant::now());
    assert!(!watched.feed.has_looked());
    assert_eq!(first.reading().unwrap_err().reason, UnreadableReason::Timeout);

    let scope = watched.until(|scope| names(scope) == ["b", "c"]).await;
    assert!(scope.reading().is_ok() && watched.feed.has_looked());
    // The end of a watch is no failure; the next one goes on from where it was.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = watched.server.asked();
    assert_eq!(asked.len(), 3, "{asked:#?}");
    assert!(
        asked[2].contains("watch=true") && asked[2].contains("resourceVersion=9"),
        "{asked:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_does_not_parse_stays_in_its_place() {
    let server = Server::new([
        list(&[cluster("a", &json!({})), cluster("b", &json!({"plugins": 3}))]),
        events(&[("MODIFIED", cluster("a", &json!({"plugins": 3})))]),
    ]);
    let mut watched = watch_at::<Cluster>(server, Wanted::default());
    let is_bad = |scope: &Scope<Cluster>| {
        scope.last.as_deref().is_some_and(|objects| objects.values().all(Result::is_err))
    };
    assert_eq!(names(&watched.until(is_bad).await), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_is_served_for_five_minutes_and_kept() {
    let answers = [list(&[cluster("a", &json!({}))])];
    let failures = (0..40).map(|_| refusal(503));
    let mut watched =
        watch_at::<Cluster>(Server::new(answers.into_iter().chain(failures)), Wanted::default());
    let began_at = Instant::now();
    let stale = watched.until(|scope| scope.unread.is_some() && scope.last.is_some()).await;
    assert!(limits::KUBERNETES_STALE <= began_at.elapsed(), "{:?}", began_at.elapsed());
    assert_eq!(names(&stale), ["a"]);
    assert_eq!(stale.reading().unwrap_err().reason, UnreadableReason::Internal);

    watched.server.answers.lock().unwrap().clear();
    let (status, text) = list(&[cluster("b", &json!({}))]);
    watched.server.then(status, text);
    let back = watched.until(|scope| scope.unread.is_none()).await;
    assert_eq!(names(&back), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_at_once_and_never_an_empty_list() {
    for (code, reason) in [(401, UnreadableReason::Auth), (403, UnreadableReason::Auth)] {
        let mut watched = watch_at::<Cluster>(Server::new([refusal(code)]), Wanted::default());
        let scope = watched.until(|_| true).await;
        assert!(scope.reading().is_err());
        let scope = watched
            .until(|scope| scope.unread.as_ref().is_some_and(|unread| unread.reason == reason))
            .await;
        assert!(scope.last.is_none(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_does_not_exist_is_noticed_when_it_appears() {
    let missing = || (404, "404 page not found\n".to_owned());
    let optional = Wanted { is_optional: true, ..Wanted::default() };
    let mut clusters = watch_at::<Cluster>(Server::new([missing()]), optional);
    let none = clusters.until(|scope| scope.reading().is_ok()).await;
    assert_eq!(names(&none), [""; 0]);

    let mut stores =
        watch_at::<ObjectStoreResource>(Server::new((0..20).map(|_| missing())), Wanted::default());
    let has_reason = |scope: &Scope<ObjectStoreResource>| {
        scope.unread.as_ref().is_some_and(|it| it.reason == UnreadableReason::NotFound)
    };
    stores.until(has_reason).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    stores.server.answers.lock().unwrap().clear();
    let store = json!({
        "metadata": {"name": "store", "namespace": "databases", "resourceVersion": "5"},
        "spec": {"configuration": {"destinationPath": "s3://bucket"}},
    });
    let (status, text) = list(&[store]);
    stores.server.then(status, text);
    let began_at = Instant::now();
    assert_eq!(names(&stores.until(|scope| scope.reading().is_ok()).await), ["store"]);
    assert!(began_at.elapsed() <= Duration::from_mins(1), "{:?}", began_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_too_old_leads_to_a_new_list_and_is_no_failure() {
    let gone = json!({"kind": "Status", "status": "Failure", "code": 410, "message": "too old", "reason": "Expired"});
    for too_old in [events(&[("ERROR", gone)]), refusal(410)] {
        let server = Server::new([
            list(&[cluster("a", &json!({}))]),
            too_old,
            list(&[cluster("b", &json!({}))]),
        ]);
        let mut watched = watch_at::<Cluster>(server, Wanted::default());
        watched.until(|scope| names(scope) == ["b"] && scope.unread.is_none()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_wanted_namespace_is_asked() {
    let wanted = Wanted { namespace: Some("databases".to_owned()), ..Wanted::default() };
    let mut watched = watch_at::<Cluster>(Server::new([list(&[])]), wanted);
    let scope = watched.until(|scope| scope.reading().is_ok()).await;
    assert!(scope.covers("databases") && !scope.covers("other"));
    let asked = watched.server.asked();
    assert!(
        asked[0].starts_with("/apis/postgresql.cnpg.io/v1/namespaces/databases/clusters?"),
        "{asked:?}"
    );
}
