//! What one archive wants to have read by Jobs: looks at them again and again, and does what is next.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::backup::BackupId;
use crate::domain::destination::ARCHIVE;
use crate::domain::destination::Access;
use crate::execution;
use crate::execution::job::JobOrder;
use crate::observation::backup::ObservedBackup;
use crate::observation::backup_result::ReadBackup;
use crate::observation::backup_result::ReadingKey;
use crate::observation::backup_result::digest;
use crate::observation::content::BackupContent;
use crate::observation::content::StuckCause;
use crate::observation::content::StuckReading;
use crate::observation::job::JobState;
use crate::observation::job::ObservedJob;
use crate::service::clock;
use crate::service::reading::budget::Budget;
use crate::service::reading::jobs::JobOffice;
use crate::service::reading::jobs::plan::Attempts;
use crate::service::reading::jobs::plan::Case;
use crate::service::reading::jobs::plan::Step;
use crate::service::verified::Verified;
use crate::service::verified::sum_of;
use crate::sources::store::metered::BytesRead;

/// Where a look leaves what is due; ends when it is dropped.
pub(in crate::service::reading) struct Desk {
    office: Arc<JobOffice>,
    due: watch::Sender<Option<Duty>>,
    working: JoinHandle<()>,
}

/// What a look saw.
#[derive(Clone, Debug)]
pub(in crate::service::reading) struct Duty {
    /// When it was found out.
    pub(in crate::service::reading) at: DateTime<Utc>,
    pub(in crate::service::reading) due: Vec<ObservedBackup>,
    /// All that are stored.
    pub(in crate::service::reading) stored: Vec<ObservedBackup>,
}

/// Of which archive, and who is told what came of it.
pub(in crate::service::reading) struct Place {
    pub(in crate::service::reading) verified: Arc<Verified>,
    pub(in crate::service::reading) budget: Arc<Budget>,
    pub(in crate::service::reading) bytes: Arc<BytesRead>,
    /// How a pod is told where the archive lies.
    arguments: Vec<String>,
    address: String,
}

struct Work {
    office: Arc<JobOffice>,
    place: Place,
    /// Stands for the archive in labels.
    archive: String,
    /// What was due once and was not read since, and since when.
    asked: BTreeMap<BackupId, DateTime<Utc>>,
    attempts: BTreeMap<BackupId, Attempts>,
}

/// What is due may change without a Job that does, and so may the time.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Place {
    /// `None` for an archive that another pod does not find by what it can be told.
    pub(in crate::service::reading) fn of(
        address: &ArchiveAddress,
        verified: Arc<Verified>,
        budget: Arc<Budget>,
        bytes: Arc<BytesRead>,
    ) -> Option<Self> {
        let (arguments, address) = (arguments(address)?, address.to_string());
        Some(Self { verified, budget, bytes, arguments, address })
    }
}

impl Desk {
    pub(in crate::service::reading) fn open(office: Arc<JobOffice>, place: Place) -> Self {
        let (due, receiver) = watch::channel(None);
        let archive = digest(place.verified.archive());
        let (asked, attempts) = (BTreeMap::new(), BTreeMap::new());
        let work = Work { office: Arc::clone(&office), place, archive, asked, attempts };
        Self { office, due, working: tokio::spawn(work.run(receiver)) }
    }

    /// Has these read, unless Kubernetes takes no Job: the answer is what is left for the process.
    pub(in crate::service::reading) fn give(&self, duty: Duty) -> Vec<ObservedBackup> {
        let is_refused = self.office.refusal().is_some();
        let left = if is_refused { duty.due.clone() } else { Vec::new() };
        self.due.send_replace(Some(duty));
        left
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.working.abort();
    }
}

impl Work {
    async fn run(mut self, mut due: watch::Receiver<Option<Duty>>) {
        let mut changes = self.office.jobs.changed();
        loop {
            tokio::select! {
                given = due.changed() => {
                    if given.is_err() {
                        return;
                    }
                }
                Ok(()) = changes.changed() => {}
                () = sleep(LOOK_EVERY) => {}
            }
            let duty = due.borrow_and_update().clone();
            if let Some(duty) = duty {
                self.look(&duty).await;
            }
        }
    }

    async fn look(&mut self, duty: &Duty) {
        let stored: BTreeMap<&BackupId, &ObservedBackup> =
            duty.stored.iter().map(|backup| (&backup.id, backup)).collect();
        self.note_asked(duty, &stored);
        let Ok(jobs) = self.office.seen() else {
            self.tell_refusal();
            return;
        };
        // Those of before a restart have something to tell, too.
        let own = jobs.iter().filter(|job| job.archive == self.archive);
        let begun = own.filter_map(|job| BackupId::parse(&job.backup).ok());
        let wanted: BTreeSet<BackupId> = self.asked.keys().cloned().chain(begun).collect();
        let mut stuck = Vec::new();
        for id in wanted {
            let Some(backup) = stored.get(&id) else { continue };
            let cause = self.advance(backup, &jobs).await;
            stuck.extend(cause.map(|cause| StuckReading { backup: id, cause }));
        }
        self.place.verified.note_stuck(stuck);
        self.sweep(&stored, &jobs).await;
    }

    /// What is due is asked for until it is read, by whomever, or is not stored any more.
    fn note_asked(&mut self, duty: &Duty, stored: &BTreeMap<&BackupId, &ObservedBackup>) {
        for backup in &duty.due {
            self.asked.entry(backup.id.clone()).or_insert(duty.at);
        }
        let known = self.place.verified.backups();
        self.asked.retain(|id, since| {
            let is_unread = known.get(id).is_none_or(|record| record.read_at < *since);
            is_unread && stored.contains_key(id)
        });
        self.attempts.retain(|id, _| stored.contains_key(id));
    }

    /// While not even the Jobs can be listed.
    fn tell_refusal(&self) {
        let Some(why) = self.office.refusal() else { return };
        let told = self.asked.keys().map(|id| {
            let cause = StuckCause::Refused { why: why.clone() };
            StuckReading { backup: id.clone(), cause }
        });
        self.place.verified.note_stuck(told.collect());
    }

    /// Does what is next for one backup; the answer is why it is stuck.
    async fn advance(
        &mut self,
        backup: &ObservedBackup,
        jobs: &[ObservedJob],
    ) -> Option<StuckCause> {
        let key = ReadingKey::of(self.place.verified.archive(), &backup.id);
        let name = JobOrder::name(key.as_str());
        let job = jobs.iter().find(|job| job.name == name);
        let now = clock::now();
        let mut attempts = self.attempts.get(&backup.id).cloned().unwrap_or_default();
        let case = Case { key: &key, sum: sum_of(backup), job, attempts: &attempts, now };
        let (step, stuck) = (case.next(), case.stuck());
        let refusal = self.office.refusal();
        let refused = |why| StuckCause::Refused { why };
        match (step, job) {
            (Step::Create, _) => match refusal {
                Some(why) => return Some(refused(why)),
                None => return self.order(backup, &key).await.map(refused).or(stuck),
            },
            (Step::Take(read), Some(job)) => {
                attempts.note_taken(&job.uid);
                self.take(backup, read).await;
                self.clear(job).await;
            }
            (Step::Discard(failure), Some(job)) => {
                tracing::warn!(job = name, backup = %backup.id, "a Job read no backup: {failure}");
                attempts.note_failure(&job.uid, failure, now);
                self.clear(job).await;
            }
            (Step::Sweep, Some(job)) => self.clear(job).await,
            (Step::Wait | Step::Take(_) | Step::Discard(_) | Step::Sweep, _) => return stuck,
        }
        let told = Case { key: &key, sum: None, job: None, attempts: &attempts, now }.stuck();
        self.attempts.insert(backup.id.clone(), attempts);
        told
    }

    /// The answer is why Kubernetes refused it.
    async fn order(&self, backup: &ObservedBackup, key: &ReadingKey) -> Option<String> {
        let bytes = backup.size_bytes();
        if !self.place.budget.allows(bytes, clock::now()).await {
            return None;
        }
        let mut arguments = self.place.arguments.clone();
        arguments.extend([format!("--backup={}", backup.id), format!("--key={key}")]);
        let config = &self.office.config;
        let order = JobOrder {
            key: key.as_str().to_owned(),
            archive: self.archive.clone(),
            backup: backup.id.to_string(),
            address: self.place.address.clone(),
            arguments,
            settings: self.office.settings.clone(),
            deadline: self.office.deadline(bytes),
            priority_class: config.priority_class.clone(),
            queue: config.queue.clone(),
        };
        self.office.begin(order).await
    }

    async fn take(&self, backup: &ObservedBackup, read: ReadBackup) {
        let (now, is_whole) = (clock::now(), read.is_whole());
        let ReadBackup { objects, bytes, damages, more, .. } = read;
        let damages_named = damages.len();
        tracing::info!(
            backup = %backup.id, is_whole, objects, bytes, damages_named, more,
            "a Job has read a base backup to its last byte"
        );
        self.place.bytes.note_base(bytes);
        self.place.budget.spend(bytes, now).await;
        let wrong = BackupContent { told: Some(damages), ..BackupContent::default() };
        self.place.verified.note_backup(backup, (!is_whole).then_some(wrong), now).await;
    }

    /// Ends what reads a backup that is not stored any more.
    async fn sweep(&self, stored: &BTreeMap<&BackupId, &ObservedBackup>, jobs: &[ObservedJob]) {
        for job in jobs.iter().filter(|job| job.archive == self.archive) {
            let is_stored = stored.keys().any(|id| id.as_str() == job.backup);
            if !is_stored && job.state != JobState::Leaving {
                self.clear(job).await;
            }
        }
    }

    async fn clear(&self, job: &ObservedJob) {
        execution::jobs::delete(&self.office.jobs, &job.name, &job.uid).await;
    }
}

/// By what another pod finds the archive, if it does.
fn arguments(address: &ArchiveAddress) -> Option<Vec<String>> {
    let StoreAddress::S3 { endpoint_url, region, .. } = &address.store else { return None };
    let url = address.to_string();
    let access = Access { endpoint_url: endpoint_url.clone(), region: Some(region.clone()) };
    let (destination, server_name) = (ARCHIVE.parse)(&url).ok()?;
    if destination.archive_address(server_name, access) != *address {
        return None;
    }
    let endpoint = endpoint_url.iter().map(|it| format!("--endpoint-url={it}"));
    let mut arguments = vec!["read-backup".to_owned(), format!("--archive={url}")];
    arguments.extend(endpoint.chain([format!("--region={region}")]));
    Some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(prefix: &str, server_name: &str) -> ArchiveAddress {
        let store = StoreAddress::S3 {
            bucket: "cnpg".to_owned(),
            endpoint_url: Some("https://s3.example.com".to_owned()),
            region: "auto".to_owned(),
        };
        ArchiveAddress { store, prefix: prefix.to_owned(), server_name: server_name.to_owned() }
    }

    #[test]
    fn a_pod_is_told_where_the_archive_is_unless_it_would_look_elsewhere() {
        let told = arguments(&archive("prod/a b", "--main")).unwrap();
        let expected = [
            "read-backup",
            "--archive=s3://cnpg/prod/a b/--main",
            "--endpoint-url=https://s3.example.com",
            "--region=auto",
        ];
        assert_eq!(told, expected);
        // What barman stores there cannot be written as one address.
        assert_eq!(arguments(&archive("prod", "a/b")), None);
        let store = StoreAddress::Directory("/mnt".to_owned());
        assert_eq!(arguments(&ArchiveAddress { store, ..archive("", "main") }), None);
    }
}
