//! Our annotations on a `Cluster`.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::config::AnnotationReading;
use crate::config::ExpectationConfig;
use crate::domain::cluster::ANNOTATION_PREFIX;
use crate::domain::cluster::DrillKind;
use crate::observation::cluster::BadAnnotation;
use crate::observation::cluster::RestoreDrill;
use crate::sources::kubernetes::resources::Meta;

#[derive(Debug, Default)]
pub(super) struct Annotations {
    pub(super) is_ignored: bool,
    pub(super) expectations: ExpectationConfig,
    pub(super) drills: Vec<RestoreDrill>,
    pub(super) bad: Vec<BadAnnotation>,
}

const IGNORE: &str = "ignore";
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
        match self.expectations.take_annotation(name, text) {
            AnnotationReading::Taken => return Ok(()),
            AnnotationReading::Expected(expected) => return Err(expected.to_owned()),
            AnnotationReading::Other => {}
        }
        if name == IGNORE {
            self.is_ignored = text == "true";
            let is_known = ["true", "false"].contains(&text);
            return if is_known { Ok(()) } else { Err("true or false".to_owned()) };
        }
        let kind = DrillKind::ALL.into_iter().find(|kind| name == drill_key(*kind));
        let kind = kind.ok_or_else(|| format!("a key behind the prefix: {}", keys().join(", ")))?;
        let drill = drill(kind, text).ok_or_else(|| DRILL.to_owned())?;
        self.drills.push(drill);
        Ok(())
    }
}

fn drill_key(kind: DrillKind) -> String {
    format!("restore-drill-{}", kind.code())
}

fn keys() -> Vec<String> {
    let drills = DrillKind::ALL.map(drill_key);
    let others = ExpectationConfig::ANNOTATIONS.map(str::to_owned);
    [IGNORE.to_owned()].into_iter().chain(others).chain(drills).collect()
}

fn drill(kind: DrillKind, text: &str) -> Option<RestoreDrill> {
    let mut words = text.split_whitespace();
    let at = DateTime::parse_from_rfc3339(words.next()?).ok()?.with_timezone(&Utc);
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
