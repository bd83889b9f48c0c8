//! Restore drills that ran by themselves, and how long a recovery would take by them.

use crate::assessment::Assessment;
use crate::assessment::finding::duration;
use crate::publication::drills;
use crate::publication::report::paper::Paper;
use crate::publication::wording::utc;

/// The JSON has the others.
const DRILLS_MAX: usize = 3;

pub(super) fn write(paper: &mut Paper, assessment: &Assessment) {
    let reports = assessment.cluster.as_ref().map_or(&[][..], |it| &it.drill_reports);
    if reports.is_empty() && assessment.forecast.is_none() {
        return;
    }
    paper.heading("RESTORE DRILLS");
    if let Some(forecast) = &assessment.forecast {
        let objective = duration(assessment.promises.drills.recovery_time_objective);
        let text = format!("{}; the objective is {objective}", drills::forecast(forecast));
        paper.item(2, "to recover  ", &text);
    }
    for report in reports.iter().take(DRILLS_MAX) {
        let took = drills::recovery_time(report);
        let took = took.map_or_else(String::new, |it| format!(" in {}", duration(it)));
        let (at, target) = (utc(report.ended_at), drills::target(report));
        let ending = drills::ending(report);
        let compared = drills::compared(report).map_or_else(String::new, |it| format!("; {it}"));
        paper.item(2, "drill       ", &format!("{at}, to {target}: {ending}{took}{compared}"));
    }
}
