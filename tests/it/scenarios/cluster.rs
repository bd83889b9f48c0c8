//! The cluster of a scenario: one that Kubernetes shows as healthy but for what the lines say.

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::domain::cluster::Archiver;
use cnpg_backup_verifier::domain::cluster::ClusterId;
use cnpg_backup_verifier::domain::cluster::Instance;
use cnpg_backup_verifier::domain::cluster::TablespaceVolume;
use cnpg_backup_verifier::domain::operator_version::OperatorVersion;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::observation::cluster::Activity;
use cnpg_backup_verifier::observation::cluster::DeclaredStore;
use cnpg_backup_verifier::observation::cluster::Elsewhere;
use cnpg_backup_verifier::observation::cluster::ObservedCluster;
use cnpg_backup_verifier::observation::cluster::SnapshotBackup;

use crate::scenarios::file::parse_number;
use crate::scenarios::file::parse_time;
use crate::scenarios::file::parse_timeline;

/// What the lines `cluster` and `snapshot` say.
#[derive(Default)]
pub(crate) struct GivenCluster {
    created_at: Option<DateTime<Utc>>,
    system_identifier: Option<u64>,
    timeline: Option<u32>,
    operator: Option<OperatorVersion>,
    tablespaces: Vec<TablespaceVolume>,
    snapshot: Option<SnapshotBackup>,
}

impl GivenCluster {
    /// `cluster [created DATE TIME] [system ID] [timeline T] [operator VERSION] [tablespace NAME]`
    pub(crate) fn take(&mut self, words: &[&str]) {
        match words {
            [] => {}
            ["created", date, time, rest @ ..] => {
                self.created_at = Some(parse_time(date, time));
                self.take(rest);
            }
            ["system", id, rest @ ..] => {
                self.system_identifier = Some(id.parse().unwrap());
                self.take(rest);
            }
            ["timeline", timeline, rest @ ..] => {
                self.timeline = Some(timeline.parse().unwrap());
                self.take(rest);
            }
            ["operator", version, rest @ ..] => {
                self.operator = OperatorVersion::of_image(&format!("cloudnative-pg:{version}"));
                self.take(rest);
            }
            ["tablespace", name, rest @ ..] => {
                let name = (*name).to_owned();
                self.tablespaces.push(TablespaceVolume { name, storage: None });
                self.take(rest);
            }
            other => panic!("cluster {other:?}"),
        }
    }

    /// `snapshot NAME ended DATE TIME [wal TIMELINE SEGMENT]`
    pub(crate) fn take_snapshot(&mut self, name: &str, words: &[&str]) {
        let ["ended", date, time, rest @ ..] = words else { panic!("snapshot {words:?}") };
        let begin_wal = match rest {
            [] => None,
            ["wal", timeline, number] => {
                Some(parse_number(number).name(parse_timeline(timeline), SegmentSize::DEFAULT))
            }
            other => panic!("snapshot {other:?}"),
        };
        let stopped_at = Some(parse_time(date, time));
        self.snapshot = Some(SnapshotBackup { name: name.to_owned(), stopped_at, begin_wal });
    }

    pub(crate) fn observe(&self) -> ObservedCluster {
        ObservedCluster {
            id: ClusterId { namespace: "databases".to_owned(), name: "pg".to_owned() },
            uid: "uid".to_owned(),
            created_at: self.created_at,
            system_identifier: self.system_identifier,
            timeline: self.timeline,
            operator: self.operator,
            archiver: Archiver::Nobody,
            instance: Instance { tablespaces: self.tablespaces.clone(), ..Instance::default() },
            store: Ok(DeclaredStore::Undeclared),
            activity: Activity::default(),
            schedules: Ok(Vec::new()),
            backups: Ok(Vec::new()),
            elsewhere: Ok(Elsewhere { snapshot: self.snapshot.clone(), ..Elsewhere::default() }),
            plugin: None,
            sharers: Vec::new(),
            wal_archiving: None,
            drills: Vec::new(),
            drill_reports: Ok(Vec::new()),
            known_drill_reports: Vec::new(),
            bad_annotations: Vec::new(),
        }
    }
}
