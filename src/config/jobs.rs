//! How base backups are read by Jobs, where they are.

use crate::config::credentials::Credentials;
use crate::config::format;
use crate::config::kubernetes::KubernetesConfig;
use crate::config::kubernetes::KubernetesEnabled;
use crate::config::reader::Section;
use crate::domain::format::Flaw;
use crate::domain::format::Format;

/// How the Jobs are made that read base backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobsConfig {
    /// The pod that this program runs in; theirs are made after it.
    pub pod: String,
    /// How many there are at a time, of all archives.
    pub at_once: usize,
    /// The `PriorityClass` of their pods.
    pub priority_class: Option<String>,
    /// The queue of Kueue in which they wait.
    pub queue: Option<String>,
}

/// Who reads base backups to their last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RunAs {
    #[default]
    Process,
    Job,
}

impl JobsConfig {
    /// `None` where the process reads; what is said of Jobs all the same has to be right.
    pub(super) fn read(section: &mut Section<'_>, run_as: RunAs) -> Option<Self> {
        let pod = match run_as {
            RunAs::Job => section.required("pod", &format::NAME),
            RunAs::Process => section.text("pod", &format::NAME),
        };
        let at_once = section.count("at_once", &AT_ONCE);
        let priority_class = section.text("priority_class", &format::NAME);
        let queue = section.text("queue", &format::NAME);
        let at_once = at_once.unwrap_or(AT_ONCE_DEFAULT);
        let is_wanted = run_as == RunAs::Job;
        pod.filter(|_| is_wanted).map(|pod| Self { pod, at_once, priority_class, queue })
    }
}

/// Notes what else has to be set where Jobs read.
pub(super) fn note_missing(
    section: &mut Section<'_>,
    credentials: &Credentials,
    kubernetes: &KubernetesConfig,
) {
    const RUN_AS: &str = "content.base_backups.run_as";
    if kubernetes.enabled == KubernetesEnabled::Never {
        let expected = "process, since kubernetes.enabled is false";
        section.note::<()>(RUN_AS, expected, "job");
    }
    if *credentials == Credentials::DefaultChain {
        let expected = "process, unless credentials.access_key_id_file and \
                        credentials.secret_access_key_file are given";
        section.note::<()>(RUN_AS, expected, "job");
    }
}

/// A backup of 100 GB each takes the network of a node for itself.
const AT_ONCE_DEFAULT: usize = 4;

pub(super) const RUN_AS: Format<RunAs> = Format {
    expected: "process or job",
    parse: |text| match text {
        "process" => Ok(RunAs::Process),
        "job" => Ok(RunAs::Job),
        _ => Err(Flaw::Mismatch),
    },
};

/// More of them is more than the API server should hold for this.
const AT_ONCE: Format<usize> = Format {
    expected: "a number from 1 to 1000",
    parse: |text| text.parse().ok().filter(|it| (1..=1_000).contains(it)).ok_or(Flaw::Mismatch),
};
