//! The real router on a real connection, showing whatever the test wants.

use std::sync::Arc;

use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::health::Health;
use cnpg_backup_verifier::service::health::Progress;
use cnpg_backup_verifier::service::http::Published;
use cnpg_backup_verifier::service::http::router;
use cnpg_backup_verifier::service::http::serve;
use cnpg_backup_verifier::service::shutdown::Shutdown;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) struct Stage {
    address: String,
    health: Health,
    snapshots: watch::Sender<Arc<Snapshot>>,
    server: JoinHandle<()>,
    _stop: watch::Sender<bool>,
}

impl Stage {
    pub(super) async fn begin() -> Self {
        let (stop, mut requested) = Shutdown::channel();
        let health = Health::new(requested.clone());
        let (snapshots, receiver) = watch::channel(Arc::new(Snapshot::empty(clock::now())));
        let router = router(Published::new(receiver, health.clone(), Registry::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server =
            tokio::spawn(async move { serve(listener, router, requested.requested()).await });
        Self { address, health, snapshots, server, _stop: stop }
    }

    pub(super) fn show(&mut self, snapshot: Snapshot) {
        self.snapshots.send_replace(Arc::new(snapshot));
        self.health.reached(Progress::Read);
    }

    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}
