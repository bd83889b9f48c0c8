//! An archive on the S3 server in this process, and what watches it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::config::ArchiveConfig;
use cnpg_backup_verifier::config::Credentials;
use cnpg_backup_verifier::config::ObjectStoresConfig;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::service::archive_spec::ArchiveSpec;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::pace::Pace;
use cnpg_backup_verifier::service::watched::Watched;
use cnpg_backup_verifier::sources::archive::Listing;
use cnpg_backup_verifier::sources::limits::Patience;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use cnpg_backup_verifier::sources::store::opening::Stores;
use cnpg_backup_verifier::sources::store::requests::Requests;
use cnpg_backup_verifier::sources::store::s3::S3Clients;
use prometheus::Registry;
use tempfile::TempDir;
use test_servers::s3::S3Server;

use crate::made_archive::MadeArchive;

/// Gives up soon, after one retry, but not on a machine that is merely busy.
const IMPATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_millis(1500),
    next_byte: Duration::from_secs(2),
    attempt: Duration::from_secs(4),
    call: Duration::from_secs(20),
    attempts_max: ATTEMPTS,
    pause_first: Duration::from_millis(1),
    pause_max: Duration::from_millis(1),
    bytes_per_second_min: 1 << 20,
};

/// How often a request is sent before the call fails.
pub(crate) const ATTEMPTS: u32 = 2;

pub(crate) struct Scene {
    pub(crate) server: S3Server,
    pub(crate) watched: Watched,
    pub(crate) requests: Requests,
    credentials: KeyFiles,
}

/// The files that credentials are read from.
pub(crate) struct KeyFiles {
    pub(crate) folder: TempDir,
}

impl Scene {
    /// Stores the archive and watches it.
    pub(crate) async fn of(archive: &MadeArchive) -> Self {
        let server = S3Server::start().await.unwrap();
        archive.put_into(&server);
        let config = archive.config(Some(server.endpoint_url()));
        Self::watching(server, config)
    }

    pub(crate) fn watching(server: S3Server, config: ArchiveConfig) -> Self {
        let credentials = KeyFiles::of(&server);
        let requests = Requests::register(&Registry::new()).unwrap();
        let watched = watch(config, Polling::List, &credentials, &requests);
        Self { server, watched, requests, credentials }
    }

    /// Watches the same anew, as after a restart.
    pub(crate) fn restart(&mut self, config: ArchiveConfig) {
        self.restart_polling(config, Polling::List);
    }

    pub(crate) fn restart_polling(&mut self, config: ArchiveConfig, polling: Polling) {
        self.watched = watch(config, polling, &self.credentials, &self.requests);
    }

    /// Lists everything.
    pub(crate) async fn look(&mut self) -> Arc<Assessment> {
        look_at_everything(&mut self.watched).await
    }

    /// Lists what is new.
    pub(crate) async fn poll(&mut self) -> Arc<Assessment> {
        look(&mut self.watched).await
    }
}

fn watch(
    config: ArchiveConfig,
    polling: Polling,
    credentials: &KeyFiles,
    requests: &Requests,
) -> Watched {
    let clients = S3Clients::new(clock::now, requests.clone()).with_patience(IMPATIENCE);
    let (credentials, allowed) = (credentials.config(), ObjectStoresConfig::default());
    let stores = Stores::new(clients, &credentials, allowed, Bzip2::default());
    Watched::new(ArchiveSpec::from(config), &stores, pace(polling, Duration::MAX))
}

/// Watches an archive in a store that is open already, and lists everything only when it is told.
pub(crate) fn watch_store(config: ArchiveConfig, store: Arc<dyn ObjectStore>) -> Watched {
    watch_store_at(config, store, pace(Polling::List, Duration::MAX))
}

pub(crate) fn watch_store_at(
    config: ArchiveConfig,
    store: Arc<dyn ObjectStore>,
    pace: Pace,
) -> Watched {
    let stores = Stores::opened_by(move |_, _| Arc::clone(&store));
    Watched::new(ArchiveSpec::from(config), &stores, pace)
}

pub(crate) fn pace(polling: Polling, complete_every: Duration) -> Pace {
    Pace::new(polling, Duration::from_mins(1), complete_every)
}

/// Looks as the daemon does.
pub(crate) async fn look(watched: &mut Watched) -> Arc<Assessment> {
    let assessment = watched.look().await.assessment;
    watched.keep(&assessment);
    assessment
}

/// Looks out of turn.
pub(crate) async fn look_at_everything(watched: &mut Watched) -> Arc<Assessment> {
    let assessment = watched.look_by(Listing::Complete).await.assessment;
    watched.keep(&assessment);
    assessment
}

impl KeyFiles {
    pub(crate) fn of(server: &S3Server) -> Self {
        Self::new(server.access_key(), server.secret_key())
    }

    pub(crate) fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ACCESS_KEY_ID"), access_key_id).unwrap();
        fs::write(folder.path().join("ACCESS_SECRET_KEY"), secret_access_key).unwrap();
        Self { folder }
    }

    pub(crate) fn config(&self) -> Credentials {
        Credentials::Files {
            access_key_id: self.folder.path().join("ACCESS_KEY_ID"),
            secret_access_key: self.folder.path().join("ACCESS_SECRET_KEY"),
        }
    }
}

/// The codes of all findings, worst first.
pub(crate) fn codes(assessment: &Assessment) -> Vec<&'static str> {
    assessment.findings.iter().map(|finding| finding.code().as_str()).collect()
}
