//! Which restores are rehearsed, how often, and what a restored database is asked.

use std::time::Duration;

use chrono::TimeDelta;

use crate::config::format;
use crate::config::reader::Section;
use crate::domain::cluster::ClusterId;
use crate::domain::cluster::DrillKind;
use crate::domain::drill_check::ANSWER;
use crate::domain::drill_check::CHECK_NAME;
use crate::domain::drill_check::CLUSTER;
use crate::domain::drill_check::DATABASE;
use crate::domain::drill_check::DrillCheck;
use crate::domain::drill_check::QUERY;
use crate::domain::drill_check::RightAnswer;
use crate::domain::format::AGE_MAX;
use crate::domain::format::DAY;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::delta;
use crate::domain::format::duration_between;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillsConfig {
    /// Where they run, and leave what came of them; `None` where nothing runs them.
    pub namespace: Option<String>,
    /// To a moment of the past; `None` is never.
    pub pitr_every: Option<TimeDelta>,
    /// To the newest state; `None` is never.
    pub full_every: Option<TimeDelta>,
    /// How long a recovery may take.
    pub recovery_time_objective: TimeDelta,
    pub checks: Vec<DrillCheck>,
}

impl DrillsConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let namespace = section.text("namespace", &format::NAME);
        let mut cadence = |key| section.section(key, |section| section.text("cadence", &CADENCE));
        let (pitr_every, full_every) = (cadence("pitr"), cadence("full"));
        let objective = section.text("recovery_time_objective", &OBJECTIVE);
        Self {
            namespace,
            pitr_every: pitr_every.unwrap_or(default.pitr_every),
            full_every: full_every.unwrap_or(default.full_every),
            recovery_time_objective: objective.unwrap_or(default.recovery_time_objective),
            checks: read_checks(section),
        }
    }

    pub const fn every(&self, kind: DrillKind) -> Option<TimeDelta> {
        match kind {
            DrillKind::Pitr => self.pitr_every,
            DrillKind::Full => self.full_every,
        }
    }

    /// What a drill of this cluster asks.
    pub fn checks_of<'a>(
        &'a self,
        namespace: &'a str,
        cluster: &'a str,
    ) -> impl Iterator<Item = &'a DrillCheck> {
        self.checks.iter().filter(move |it| it.asks(namespace, cluster))
    }
}

impl Default for DrillsConfig {
    fn default() -> Self {
        Self {
            namespace: None,
            pitr_every: Some(TimeDelta::days(30)),
            full_every: Some(TimeDelta::days(90)),
            recovery_time_objective: TimeDelta::hours(2),
            checks: Vec::new(),
        }
    }
}

/// At a minute for each, as they may take, a drill stays below two hours.
const CHECKS_MAX: usize = 100;

fn read_checks(section: &mut Section<'_>) -> Vec<DrillCheck> {
    let mut known: Vec<(String, Option<ClusterId>)> = Vec::new();
    let checks = section.sections("checks", |section| {
        let check = read_check(section)?;
        let is_of_both = |one: &Option<ClusterId>, other: &Option<ClusterId>| {
            one.is_none() || other.is_none() || one == other
        };
        let mut earlier = known.iter();
        if !earlier.any(|(name, of)| *name == check.name && is_of_both(of, &check.cluster)) {
            known.push((check.name.clone(), check.cluster.clone()));
            return Some(check);
        }
        section.note(
            "name",
            "a different name from the checks before it",
            format!("{:?}", check.name),
        )
    });
    if CHECKS_MAX < checks.len() {
        section.note::<()>("checks", "at most 100 checks", checks.len().to_string());
    }
    checks.into_iter().flatten().collect()
}

fn read_check(section: &mut Section<'_>) -> Option<DrillCheck> {
    let name = section.required("name", &CHECK_NAME);
    let cluster = section.text("cluster", &CLUSTER);
    let database = section.required("database", &DATABASE);
    let query = section.required("query", &QUERY);
    let (has_text, has_age) = (section.has("expected"), section.has("max_age"));
    let text = section.count("expected", &ANSWER).map(RightAnswer::Text);
    let age = section.text("max_age", &AGE_MAX).map(RightAnswer::Age);
    if has_text == has_age {
        let found = if has_text { "both" } else { "neither" };
        return section.note("expected", "either expected or max_age", found);
    }
    Some(DrillCheck {
        name: name?,
        cluster,
        database: database?,
        query: query?,
        answer: text.or(age)?,
    })
}

/// More often than once an hour nothing could be restored in between; more rarely than once a year
/// nobody remembers how.
const CADENCE: Format<Option<TimeDelta>> = Format {
    expected: "daily, weekly, monthly, quarterly, never, or a duration with its unit from 1h to 365d",
    parse: |text| {
        let days = match text {
            "never" => return Ok(None),
            "daily" => 1,
            "weekly" => 7,
            "monthly" => 30,
            "quarterly" => 90,
            _ => {
                let every = duration_between(text, Duration::from_hours(1), DAY * 365)?;
                return delta(every).map(Some);
            }
        };
        Ok(Some(TimeDelta::days(days)))
    },
};

/// A pod alone takes a minute to start; who can wait for a month has no objective.
const OBJECTIVE: Format<TimeDelta> = Format {
    expected: "a duration with its unit from 1m to 30d, such as 2h",
    parse: |text| match duration_between(text, Duration::from_mins(1), DAY * 30) {
        Ok(objective) => delta(objective),
        Err(_) => Err(Flaw::Mismatch),
    },
};
