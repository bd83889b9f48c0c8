//! Has base backups read by Jobs of Kubernetes, each in a pod of its own, so that the scheduler spreads
//! the work. The archives share what there is of one namespace, and each has a desk of its own.

mod desk;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Credentials;
use crate::config::JobsConfig;
use crate::domain::codec::Bzip2;
use crate::domain::unreadable::UnreadableReason;
use crate::execution;
use crate::execution::job::JobOrder;
use crate::execution::job::Mold;
use crate::execution::jobs::NotCreated;
use crate::observation::Reading;
use crate::observation::job::ObservedJob;
use crate::service::reading::jobs::plan::Room;
use crate::service::reading::jobs::plan::room;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::kubernetes::jobs::Jobs;
use crate::sources::limits;

pub(super) use desk::Desk;
pub(super) use desk::Duty;
pub(super) use desk::Place;

/// What all archives share of the Jobs.
#[derive(Debug)]
pub(super) struct JobOffice {
    config: JobsConfig,
    jobs: Jobs,
    /// Where the credentials lie, in this pod and in theirs.
    files: [String; 2],
    /// Variables for their pods.
    settings: Vec<(String, String)>,
    bytes_per_second_max: u64,
    begun: tokio::sync::Mutex<Begun>,
    refusal: Mutex<Option<Refusal>>,
}

/// Held while a Job is created, so that all know of it.
#[derive(Debug, Default)]
struct Begun {
    mold: Option<Arc<Mold>>,
    /// Archives by the names of Jobs that were created and not seen since.
    unseen: BTreeMap<String, (String, Instant)>,
}

/// Kubernetes accepts no Job.
#[derive(Clone, Debug)]
struct Refusal {
    why: String,
    until: Instant,
}

/// For so long the process reads by itself: a quota that is used up is free again when something ends.
const REFUSED_FOR: Duration = Duration::from_hours(1);

/// A Job that is not seen after this long is counted no more: whoever deleted it was faster.
const SEEN_WITHIN: Duration = Duration::from_mins(1);

impl JobOffice {
    /// Begins to watch the Jobs.
    pub(super) fn open(
        config: JobsConfig,
        kubernetes: &Kubernetes,
        credentials: &Credentials,
        bzip2: Bzip2,
        bytes_per_second_max: u64,
    ) -> anyhow::Result<Self> {
        let Credentials::Files { access_key_id, secret_access_key } = credentials else {
            anyhow::bail!("Jobs need credentials in files");
        };
        let files = [access_key_id, secret_access_key].map(|file| file.display().to_string());
        let names = ["ACCESS_KEY_ID_FILE", "SECRET_ACCESS_KEY_FILE"];
        let credentials = names.map(|name| format!("CNPG_BACKUP_VERIFIER_CREDENTIALS_{name}"));
        let mut settings: Vec<(String, String)> =
            credentials.into_iter().zip(files.iter().cloned()).collect();
        let setting = |name: &str, value| (format!("CNPG_BACKUP_VERIFIER_{name}"), value);
        settings.push(setting("BZIP2_DECODER", bzip2.code().to_owned()));
        let rate = format!("{bytes_per_second_max} B");
        settings.push(setting("CONTENT_BYTES_PER_SECOND_MAX", rate));
        Ok(Self {
            config,
            jobs: Jobs::watch(kubernetes),
            files,
            settings,
            bytes_per_second_max,
            begun: tokio::sync::Mutex::default(),
            refusal: Mutex::new(None),
        })
    }

    /// All Jobs, as they were seen last.
    fn seen(&self) -> Reading<Vec<ObservedJob>> {
        self.jobs.all().inspect_err(|unread| {
            if unread.reason == UnreadableReason::Auth {
                self.refuse(unread.to_string());
            }
        })
    }

    /// Has a backup read, if there is room for another Job. The answer is why Kubernetes refused it.
    async fn begin(&self, order: JobOrder) -> Option<String> {
        let mut begun = self.begun.lock().await;
        let seen = self.seen().ok()?;
        let now = Instant::now();
        begun.unseen.retain(|name, (_, at)| {
            let is_seen = seen.iter().any(|job| job.name == *name);
            !is_seen && now.saturating_duration_since(*at) < SEEN_WITHIN
        });
        let unfinished = seen.iter().filter(|job| job.state.is_unfinished());
        let unfinished = unfinished.map(|job| job.archive.as_str());
        let unseen = begun.unseen.values().map(|(archive, _)| archive.as_str());
        if room(unfinished.chain(unseen), &order.archive, self.config.at_once) == Room::Taken {
            return None;
        }
        let (name, archive) = (JobOrder::name(&order.key), order.archive.clone());
        let backup = order.backup.clone();
        match self.post(&mut begun, order).await {
            Ok(()) => {
                tracing::info!(job = name, backup, "a Job reads a base backup to its last byte");
                begun.unseen.insert(name, (archive, now));
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = None;
                None
            }
            Err(NotCreated::Refused(why)) => {
                self.refuse(why.clone());
                Some(why)
            }
            Err(NotCreated::Unanswered(why)) => {
                tracing::debug!(why, "no Job was created");
                None
            }
        }
    }

    async fn post(&self, begun: &mut Begun, order: JobOrder) -> Result<(), NotCreated> {
        let mold = match &begun.mold {
            Some(mold) => Arc::clone(mold),
            None => {
                let mold = Arc::new(self.mold().await?);
                begun.mold = Some(Arc::clone(&mold));
                mold
            }
        };
        execution::jobs::create(&self.jobs, &mold, order).await
    }

    /// What this program runs in does not change while it runs.
    async fn mold(&self) -> Result<Mold, NotCreated> {
        let pod = self.jobs.pod(&self.config.pod).await.map_err(|unread| match unread.reason {
            UnreadableReason::Auth | UnreadableReason::NotFound => {
                NotCreated::Refused(unread.to_string())
            }
            _ => NotCreated::Unanswered(unread.to_string()),
        })?;
        let files = self.files.each_ref().map(String::as_str);
        Mold::of(pod, &files).map_err(NotCreated::Refused)
    }

    /// Told once, until there is a Job again.
    fn refuse(&self, why: String) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if refusal.is_none() {
            tracing::warn!(why, "Kubernetes refuses Jobs, so the process reads base backups");
        }
        let until = Instant::now().checked_add(REFUSED_FOR).unwrap_or_else(Instant::now);
        *refusal = Some(Refusal { why, until });
    }

    /// Why the process reads by itself for now.
    fn refusal(&self) -> Option<String> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.as_ref().filter(|it| Instant::now() < it.until).map(|it| it.why.clone())
    }

    /// From when its pod runs until it has certainly ended.
    fn deadline(&self, bytes: u64) -> Duration {
        let rate = self.bytes_per_second_max.min(limits::JOB_BYTES_PER_SECOND_MIN);
        let seconds = bytes.checked_div(rate).unwrap_or(bytes);
        let estimate = limits::JOB_BEGINS.saturating_add(Duration::from_secs(seconds));
        estimate.saturating_mul(limits::JOB_PATIENCE)
    }
}
