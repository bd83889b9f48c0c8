//! What restore drills left, by the cluster that they restored.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::drill::DrillReport;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::content::Scope;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::drills::DrillResult;
use crate::sources::limits;

/// Built once for all clusters.
pub(super) struct DrillIndex<'a> {
    scope: Option<&'a Scope<DrillResult>>,
    /// By namespace and name of the cluster.
    reports: HashMap<(&'a str, &'a str), Vec<&'a Arc<DrillReport>>>,
    /// One that cannot be understood, and why: nothing tells whose it is.
    bad: Option<(&'a ObjectName, &'a str)>,
}

impl<'a> DrillIndex<'a> {
    pub(super) fn new(content: &'a Content) -> Self {
        let scope = content.drills.as_ref();
        let objects = || scope.and_then(|it| it.last.as_deref()).into_iter().flatten();
        let mut reports: HashMap<(&str, &str), Vec<&Arc<DrillReport>>> = HashMap::new();
        for report in objects().filter_map(|(_, it)| it.as_ref().ok()?.spec.0.as_ref()) {
            reports.entry((&report.namespace, &report.cluster)).or_default().push(report);
        }
        let bad = objects().find_map(|(name, it)| Some((name, it.as_ref().err()?.as_ref())));
        Self { scope, reports, bad }
    }

    /// The newest ones, newest first; none where no namespace for drills is configured. If none is
    /// found, but some cannot be understood, one of those may be of this cluster.
    pub(super) fn of(&self, cluster: &ObjectName) -> Reading<Vec<Arc<DrillReport>>> {
        let Some(scope) = self.scope else { return Ok(Vec::new()) };
        scope.reading().map_err(Unreadable::clone)?;
        let found = self.as_last_seen(cluster);
        match self.bad {
            Some((name, why)) if found.is_empty() => Err(Unreadable {
                what: format!("read the result of a restore drill in ConfigMap {name}"),
                why: why.to_owned(),
                reason: UnreadableReason::Parse,
            }),
            Some(_) | None => Ok(found),
        }
    }

    /// Those that were seen before they could not be read any more.
    pub(super) fn known(&self, cluster: &ObjectName) -> Vec<Arc<DrillReport>> {
        let is_read = self.scope.is_none_or(|scope| scope.reading().is_ok());
        if is_read { Vec::new() } else { self.as_last_seen(cluster) }
    }

    fn as_last_seen(&self, cluster: &ObjectName) -> Vec<Arc<DrillReport>> {
        let found = self.reports.get(&(&*cluster.namespace, &*cluster.name));
        let mut found: Vec<Arc<DrillReport>> =
            found.into_iter().flatten().map(|it| Arc::clone(it)).collect();
        found.sort_by_key(|it| Reverse(it.ended_at));
        found.truncate(limits::DRILL_REPORTS);
        found
    }
}
