//! An assessment as the lower half of a scenario file shows it.

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::Latest;

pub(crate) fn render(assessment: &Assessment) -> String {
    let mut lines = vec![format!("verdict   {}", assessment.verdict.code())];
    let latest = match assessment.latest {
        Latest::Reached => "reachable",
        Latest::NotReached => "not reachable",
        Latest::Unknown => "unknown",
    };
    lines.push(format!("latest    {latest}"));
    if let Some(newest) = assessment.newest_segment {
        lines.push(format!("newest    {}", newest.name));
    }
    for backup in &assessment.backups {
        let reason = backup.unusable.as_ref().map_or_else(String::new, ToString::to_string);
        let line = format!("backup    {} {} {reason}", backup.id, backup.kind.code());
        lines.push(line.trim_end().to_owned());
    }
    for window in &assessment.windows {
        let mut target = window.target_timeline.map_or(String::new(), |it| format!(" target {it}"));
        if let Some(apart_from) = window.apart_from {
            target += &format!(" apart from {}", time(apart_from));
        }
        if window.ends_at_misfit {
            target += " before a misfit";
        }
        lines.push(format!(
            "window    {} {} .. {} ({}) {}{target}",
            window.backup_id,
            time(window.first.at),
            time(window.last.at),
            window.last.source.code(),
            window.last.segment,
        ));
    }
    for gap in &assessment.gaps {
        let acknowledged = if gap.is_acknowledged { " acknowledged" } else { "" };
        let (first, last, effect) = (gap.first, gap.last, gap.effect.code());
        lines.push(format!("gap       {first}..{last} {} {effect}{acknowledged}", gap.count));
    }
    for finding in &assessment.findings {
        let evidence: Vec<String> = finding
            .problem
            .evidence()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace(' ', "")))
            .collect();
        let (severity, code) = (finding.severity().code(), finding.code().as_str());
        lines.push(format!("finding   {severity} {code} {}", evidence.join(" ")));
    }
    lines.join("\n") + "\n"
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M").to_string()
}
