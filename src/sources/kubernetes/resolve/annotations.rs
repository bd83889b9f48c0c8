//! Our annotations on a `Cluster`.

use chrono::TimeDelta;

use crate::config::ExpectationConfig;
use crate::domain::cluster::ANNOTATION_PREFIX;
use crate::domain::cluster::DrillKind;
use crate::domain::cluster::RestoreDrill;
use crate::domain::format::AGE_MAX;
use crate::domain::format::BASE_BACKUP_AGE_MAX;
use crate::domain::format::Format;
use crate::domain::format::IS_TRUE;
use crate::domain::format::LOSS_ACCEPTED;
use crate::domain::format::MOMENT;
use crate::observation::cluster::BadAnnotation;
use crate::sources::kubernetes::resources::Meta;

#[derive(Debug, Default)]
pub(super) struct Annotations {
    pub(super) is_ignored: bool,
    pub(super) expectations: ExpectationConfig,
    pub(super) drills: Vec<RestoreDrill>,
    pub(super) bad: Vec<BadAnnotation>,
}

const IGNORE: &str = "ignore";
const WAL_MAX_AGE: &str = "wal-max-age";
const BASE_BACKUP_MAX_AGE: &str = "base-backup-max-age";
const ACKNOWLEDGE_GAP_BEFORE: &str = "acknowledge-gap-before";
const DRILL: &str = "a moment as in RFC 3339, success or failure and perhaps a duration, \
                     such as 2026-01-10T12:00:00Z success 242s";

impl Annotations {
    pub(super) fn read(meta: &Meta) -> Self {
        let mut read = Self::default();
        for (name, text) in meta.annotations_behind(ANNOTATION_PREFIX) {
            if let Err(expected) = read.take(name, text) {
                let key = format!("{ANNOTATION_PREFIX}{name}");
                read.bad.push(BadAnnotation { key, value: text.to_owned(), expected });
            }
        }
        read
    }

    fn take(&mut self, name: &str, text: &str) -> Result<(), String> {
        let expectations = &mut self.expectations;
        match name {
            IGNORE => self.is_ignored = parse(&IS_TRUE, text)?,
            WAL_MAX_AGE => expectations.wal_age_max = Some(parse(&AGE_MAX, text)?),
            BASE_BACKUP_MAX_AGE => {
                expectations.base_backup_age_max = Some(parse(&BASE_BACKUP_AGE_MAX, text)?);
            }
            ACKNOWLEDGE_GAP_BEFORE => {
                expectations.acknowledge_gap_before = Some(parse(&LOSS_ACCEPTED, text)?);
            }
            _ => {
                let kind = DrillKind::ALL.into_iter().find(|kind| name == drill_key(*kind));
                let kind = kind.ok_or_else(another_key)?;
                self.drills.push(drill(kind, text).ok_or(DRILL)?);
            }
        }
        Ok(())
    }
}

fn parse<T>(format: &Format<T>, text: &str) -> Result<T, String> {
    (format.parse)(text).map_err(|_| format.expected.to_owned())
}

fn drill_key(kind: DrillKind) -> String {
    format!("restore-drill-{}", kind.code())
}

fn another_key() -> String {
    let others = [IGNORE, WAL_MAX_AGE, BASE_BACKUP_MAX_AGE, ACKNOWLEDGE_GAP_BEFORE].join(", ");
    let drills = DrillKind::ALL.map(drill_key).join(", ");
    format!("a key behind the prefix: {others}, {drills}")
}

fn drill(kind: DrillKind, text: &str) -> Option<RestoreDrill> {
    let mut words = text.split_whitespace();
    let at = (MOMENT.parse)(words.next()?).ok()?;
    let is_success = match words.next()? {
        "success" => true,
        "failure" => false,
        _ => return None,
    };
    let duration = match words.next() {
        None => None,
        Some(word) => {
            let duration = humantime::parse_duration(word).ok()?;
            Some(TimeDelta::from_std(duration).ok()?)
        }
    };
    words.next().is_none().then_some(RestoreDrill { kind, at, is_success, duration })
}
