//! Expectations that an annotation on a `Cluster` states, in the formats of the configuration.

use crate::config::expectations::BASE_BACKUP_AGE_MAX;
use crate::config::expectations::ExpectationConfig;
use crate::config::format;
use crate::config::reader::Format;

/// What an annotation of ours turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationReading {
    Taken,
    /// Its value is not what this says.
    Expected(&'static str),
    /// Its key is no expectation.
    Other,
}

impl ExpectationConfig {
    /// Takes one annotation; `name` is its key behind the prefix.
    pub fn take_annotation(&mut self, name: &str, text: &str) -> AnnotationReading {
        match name {
            "wal-max-age" => take(&mut self.wal_age_max, &format::AGE_MAX, text),
            "base-backup-max-age" => {
                take(&mut self.base_backup_age_max, &BASE_BACKUP_AGE_MAX, text)
            }
            "acknowledge-gap-before" => {
                take(&mut self.acknowledge_gap_before, &format::MOMENT, text)
            }
            _ => AnnotationReading::Other,
        }
    }

    /// The names of all annotations that can be taken.
    pub const ANNOTATIONS: [&'static str; 3] =
        ["wal-max-age", "base-backup-max-age", "acknowledge-gap-before"];
}

fn take<T>(place: &mut Option<T>, format: &Format<T>, text: &str) -> AnnotationReading {
    match (format.parse)(text) {
        Ok(value) => {
            *place = Some(value);
            AnnotationReading::Taken
        }
        Err(_) => AnnotationReading::Expected(format.expected),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::config::expectations::BaseBackupAgeMax;

    #[test]
    fn annotations_have_the_formats_of_the_configuration() {
        let mut read = ExpectationConfig::default();
        let texts = [
            ("wal-max-age", "1h30m"),
            ("base-backup-max-age", "26h"),
            ("acknowledge-gap-before", "2026-01-10T12:00:00+01:00"),
        ];
        assert_eq!(texts.map(|(name, _)| name), ExpectationConfig::ANNOTATIONS);
        for (name, text) in texts {
            assert_eq!(read.take_annotation(name, text), AnnotationReading::Taken, "{name}");
        }
        let expected = ExpectationConfig {
            wal_age_max: Some(TimeDelta::minutes(90)),
            base_backup_age_max: Some(BaseBackupAgeMax::Exactly(TimeDelta::hours(26))),
            uploading_grace: None,
            acknowledge_gap_before: "2026-01-10T11:00:00Z".parse().ok(),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_bad_value_changes_nothing_and_an_unknown_key_is_not_ours() {
        let mut read = ExpectationConfig::default();
        for name in ExpectationConfig::ANNOTATIONS {
            let reading = read.take_annotation(name, "15");
            assert!(matches!(reading, AnnotationReading::Expected(_)), "{name}: {reading:?}");
        }
        assert_eq!(read.take_annotation("ignore", "true"), AnnotationReading::Other);
        assert_eq!(read, ExpectationConfig::default());
    }
}
