use std::convert::Infallible;
use std::time::Duration;

use hyper::Request;
use hyper::Response;
use kube::client::Body;
use serde_json::json;
use tower::service_fn;

use super::*;

/// An API server with one Secret: how often it was read, and what it answers.
#[derive(Clone)]
struct Server(Arc<Mutex<(usize, u16, String)>>);

impl Server {
    fn with(key: &str) -> Self {
        let server = Self(Arc::new(Mutex::new((0, 200, String::new()))));
        server.rotate(key);
        server
    }

    fn rotate(&self, key: &str) {
        let data = |text: &str| serde_json::to_value(k8s_openapi::ByteString(text.into())).unwrap();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "r2", "namespace": "databases"},
            "data": {"id": data(key), "secret": data("hunter2\n"), "odd": data("two\nlines")},
        });
        self.answer(200, secret.to_string());
    }

    fn answer(&self, status: u16, text: String) {
        let mut state = self.0.lock().unwrap();
        (state.1, state.2) = (status, text);
    }

    fn refuse(&self, code: u16) {
        let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"});
        self.answer(code, status.to_string());
    }

    fn reads(&self) -> usize {
        self.0.lock().unwrap().0
    }

    fn secrets(&self) -> Secrets {
        let server = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            assert_eq!(request.uri().path(), "/api/v1/namespaces/databases/secrets/r2");
            assert_eq!(request.method(), "GET");
            let mut state = server.0.lock().unwrap();
            state.0 += 1;
            let answer = Response::builder().status(state.1);
            let answer = answer.body(Body::from(state.2.clone().into_bytes())).unwrap();
            async { Ok::<_, Infallible>(answer) }
        });
        Secrets::new(Client::new(service, "default"))
    }
}

fn key(key: &str) -> SecretKey {
    SecretKey { name: "r2".to_owned(), key: key.to_owned() }
}

fn store_keys(secrets: &Secrets, secret: &str) -> StoreKeys {
    let keys = SecretKeys {
        namespace: "databases".to_owned(),
        access_key_id: key("id"),
        secret_access_key: key(secret),
        session_token: None,
    };
    StoreKeys { keys, secrets: secrets.clone() }
}

async fn id(keys: &StoreKeys) -> Result<String, String> {
    keys.keys().await.map(|keys| keys.access_key_id)
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_read_again_after_a_minute() {
    let server = Server::with("old");
    let keys = store_keys(&server.secrets(), "secret");
    assert_eq!(id(&keys).await.unwrap(), "old");
    server.rotate("new");
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(id(&keys).await.unwrap(), "old");
    assert_eq!(server.reads(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(id(&keys).await.unwrap(), "new");
    assert_eq!(server.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_store_makes_it_read_at_once_but_not_for_each_request() {
    let server = Server::with("old");
    let keys = store_keys(&server.secrets(), "secret");
    assert_eq!(id(&keys).await.unwrap(), "old");
    tokio::time::advance(Duration::from_secs(10)).await;
    server.rotate("new");
    keys.note_refusal();
    assert_eq!(id(&keys).await.unwrap(), "new");
    keys.note_refusal();
    keys.note_refusal();
    assert_eq!(id(&keys).await.unwrap(), "new");
    assert_eq!(server.reads(), 2);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(id(&keys).await.unwrap(), "new");
    assert_eq!(server.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_secret_is_told_without_its_values() {
    let server = Server::with("old");
    let secrets = server.secrets();
    let missing = store_keys(&secrets, "no").keys().await.err().unwrap();
    assert_eq!(missing, "the Secret databases/r2: it has no key \"no\"");
    let odd = store_keys(&secrets, "odd").keys().await.err().unwrap();
    assert!(!odd.contains("two"), "{odd}");
    for (code, word) in [(403, "HTTP 403"), (404, "HTTP 404")] {
        tokio::time::advance(Duration::from_secs(60)).await;
        server.refuse(code);
        let denied = id(&store_keys(&secrets, "secret")).await.unwrap_err();
        assert!(
            denied.starts_with("read the Secret databases/r2: ") && denied.contains(word),
            "{denied}"
        );
    }
    assert!(!format!("{:?}", store_keys(&secrets, "secret")).contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_down_the_last_keys_are_used() {
    let server = Server::with("old");
    let secrets = server.secrets();
    let keys = store_keys(&secrets, "secret");
    assert_eq!(id(&keys).await.unwrap(), "old");
    tokio::time::advance(Duration::from_secs(60)).await;
    server.refuse(500);
    assert_eq!(id(&keys).await.unwrap(), "old");

    // Nobody names it any more.
    secrets.read_all(BTreeSet::new()).await;
    assert!(id(&keys).await.is_err());
}

#[test]
fn stores_with_the_same_keys_share_a_client() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _guard = runtime.enter();
    let secrets = Server::with("old").secrets();
    let asked =
        |secret| crate::sources::store::s3::Asked::new(Arc::new(store_keys(&secrets, secret)));
    assert_eq!(asked("secret"), asked("secret"));
    assert_ne!(asked("secret"), asked("odd"));
}
