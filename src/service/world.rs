//! The outside, opened once for a command: object stores, Kubernetes, and counters of what both cost.

use std::sync::Arc;

use anyhow::Context;

use crate::config::ContentConfig;
use crate::config::Credentials;
use crate::config::KubernetesConfig;
use crate::config::ObjectStoresConfig;
use crate::domain::codec::Bzip2;
use crate::service::clock;
use crate::service::own_metrics::OwnMetrics;
use crate::service::reading::ReadingRoom;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::store::opening::Stores;
use crate::sources::store::s3::S3Clients;

pub struct World {
    pub stores: Stores,
    /// `None` where it is not asked.
    pub kubernetes: Option<Kubernetes>,
    /// `None` where nothing is read to its last byte.
    pub reading: Option<Arc<ReadingRoom>>,
    pub metrics: OwnMetrics,
}

impl World {
    pub async fn open(
        credentials: &Credentials,
        object_stores: ObjectStoresConfig,
        bzip2: Bzip2,
        kubernetes: &KubernetesConfig,
    ) -> anyhow::Result<Self> {
        let metrics = OwnMetrics::register().context("register metrics")?;
        let clients = S3Clients::new(clock::now, metrics.requests.clone());
        let stores = Stores::new(clients, credentials, object_stores, bzip2);
        let kubernetes = Kubernetes::start(kubernetes).await.context("reach Kubernetes")?;
        Ok(Self { stores, kubernetes, reading: None, metrics })
    }

    /// The same, where archives are read to their last byte beside the looks.
    pub fn reading(
        self,
        content: ContentConfig,
        bzip2: Bzip2,
        credentials: &Credentials,
    ) -> anyhow::Result<Self> {
        let Some(room) = ReadingRoom::open(content, bzip2)? else { return Ok(self) };
        let room = room.with_jobs(self.kubernetes.as_ref(), credentials)?;
        let metrics = self.metrics.reading(&room).context("register metrics")?;
        Ok(Self { reading: Some(Arc::new(room)), metrics, ..self })
    }
}
