//! The families of problems as one type.

use std::fmt;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::archive::backup::BackupDefect;
use crate::assessment::finding::archive::ownerless;
use crate::assessment::finding::archive::promise::BrokenPromise;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::assessment::finding::archive::wal::WalDefect;
use crate::assessment::finding::duty::Duty;
use crate::assessment::finding::elsewhere::Elsewhere;
use crate::assessment::finding::family::ACCEPTED_BEFORE;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::orphaned::Orphaned;
use crate::assessment::finding::rehearsal::Rehearsal;
use crate::assessment::finding::setup::Setup;
use crate::assessment::finding::topic::Topic;
use crate::domain::archive_id::ArchiveId;
use crate::domain::cluster::ANNOTATION_PREFIX;

const TAKE_A_BACKUP: &str = "take a base backup now: kubectl cnpg backup -n NAMESPACE CLUSTER \
    --method=plugin --plugin-name=barman-cloud.cloudnative-pg.io";

macro_rules! families {
    ($($family:ident,)*) => {
        /// What is wrong, with the evidence.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Problem {
            $($family($family),)*
        }

        impl Problem {
            fn family(&self) -> &dyn Family {
                match self {
                    $(Self::$family(problem) => problem,)*
                }
            }
        }

        $(impl From<$family> for Problem {
            fn from(problem: $family) -> Self {
                Self::$family(problem)
            }
        })*
    };
}

families! {
    WalDefect,
    BackupDefect,
    BrokenPromise,
    StoreDefect,
    Setup,
    Duty,
    Rehearsal,
    Elsewhere,
    Orphaned,
}

impl Problem {
    pub fn identity(&self) -> (FindingCode, Topic<'_>) {
        self.family().identity()
    }

    /// The next thing to do, with the cluster's names where they are known.
    pub fn hint(&self, archive: &ArchiveId) -> String {
        self.filled_in(self.family().hint(), archive)
    }

    /// The same where the cluster that wrote the archive is gone.
    pub fn hint_without_cluster(&self, archive: &ArchiveId) -> String {
        let hint = match self {
            Self::WalDefect(defect) => ownerless::of_wal(defect),
            Self::BackupDefect(defect) => ownerless::of_backup(defect),
            Self::StoreDefect(defect) => ownerless::of_store(defect),
            Self::BrokenPromise(_)
            | Self::Setup(_)
            | Self::Duty(_)
            | Self::Rehearsal(_)
            | Self::Elsewhere(_)
            | Self::Orphaned(_) => self.family().hint(),
        };
        self.filled_in(hint, archive)
    }

    fn filled_in(&self, hint: &str, archive: &ArchiveId) -> String {
        let hint = hint.replace("TAKE_A_BACKUP", TAKE_A_BACKUP);
        let hint = hint.replace("TOPIC", &self.identity().1.in_names());
        let hint = hint.replace("ACKNOWLEDGE", &self.acknowledge(archive));
        if archive.cluster.is_empty() {
            return hint;
        }
        let names = format!("-n {} {}", archive.namespace, archive.cluster);
        hint.replace("-n NAMESPACE CLUSTER", &names)
    }

    /// How the loss is accepted: the whole command, and the same where no Kubernetes is.
    fn acknowledge(&self, archive: &ArchiveId) -> String {
        let evidence = self.family().evidence();
        let moment = evidence.iter().find(|(name, _)| *name == ACCEPTED_BEFORE);
        let moment = moment.map_or("MOMENT", |(_, moment)| moment);
        let setting = format!("set expectations.acknowledge_gap_before: {moment}");
        if archive.cluster.is_empty() {
            return format!("{setting} in the configuration");
        }
        format!(
            "{setting}, or where the Cluster is in Kubernetes: kubectl annotate \
             clusters.postgresql.cnpg.io -n NAMESPACE CLUSTER --overwrite \
             {ANNOTATION_PREFIX}acknowledge-gap-before={moment}"
        )
    }

    pub fn evidence(&self) -> Evidence {
        let mut evidence = Vec::from_iter(self.identity().1.evidence());
        evidence.append(&mut self.family().evidence());
        evidence
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family().fmt(f)
    }
}
