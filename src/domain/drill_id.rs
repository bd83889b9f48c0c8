//! How the objects of one drill are named and marked, so that the next run knows its own.

use std::fmt;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::cluster::DrillKind;

/// On every object of a drill: [`DrillId`].
pub const ID_LABEL: &str = "backup-verifier.monosense.dev/drill-id";

/// Of which cluster a result is: its namespace, a dot, its name. A name of a namespace has no dot.
pub const SOURCE_ANNOTATION: &str = "backup-verifier.monosense.dev/drill-source";

/// Keeps the daemon from watching a cluster that is gone again soon.
pub const IGNORE_ANNOTATION: &str = "backup-verifier.monosense.dev/ignore";

const PREFIX: &str = "drill-";

/// One run of a drill: when it began, of what, and a number that no other run of the same second has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DrillId(String);

impl DrillId {
    /// `run` is drawn for each run: a drill may end in the second in which it began, and make room for
    /// another one of the same cluster.
    pub fn new(
        began_at: DateTime<Utc>,
        kind: DrillKind,
        (namespace, cluster): (&str, &str),
        run: u64,
    ) -> Self {
        let what = format!("{namespace}/{cluster}/{}/{run:x}", kind.code());
        Self(format!("{}-{:08x}", began_at.format("%y%m%d%H%M%S"), fnv1a(&what)))
    }

    /// As a label says it; `None` for what no drill was ever called.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, digest) = text.split_once('-')?;
        let is_time = time.len() == 12 && time.bytes().all(|it| it.is_ascii_digit());
        let is_digest = digest.len() == 8
            && digest.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
        (is_time && is_digest).then(|| Self(text.to_owned()))
    }

    /// The name of the `Cluster` and of the `ConfigMap`: 27 of the 50 characters that CloudNativePG
    /// allows (`validateName` in `cluster_webhook.go`).
    pub fn object_name(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DrillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// FNV-1a of 32 bits.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::ANNOTATION_PREFIX;

    #[test]
    fn an_id_says_when_and_of_what_and_is_read_back() {
        let at = "2026-01-10T12:00:05Z".parse().unwrap();
        let source = ("databases", "main");
        let id = DrillId::new(at, DrillKind::Pitr, source, 1);
        assert!(id.as_str().starts_with("260110120005-"), "{id}");
        assert_eq!(id.object_name().len(), 27);
        assert_eq!(DrillId::parse(id.as_str()), Some(id.clone()));
        assert_ne!(DrillId::new(at, DrillKind::Full, source, 1), id);
        assert_ne!(DrillId::new(at, DrillKind::Pitr, source, 2), id);
        for other in ["", "260110120005", "260110120005-", "260110120005-0000000G", "main-00000000"]
        {
            assert_eq!(DrillId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn all_marks_are_ours() {
        for mark in [ID_LABEL, SOURCE_ANNOTATION, IGNORE_ANNOTATION] {
            assert!(mark.starts_with(ANNOTATION_PREFIX), "{mark}");
        }
    }
}
