//! What CloudNativePG's admission webhooks refuse or warn of
//! (`internal/webhook/v1/backup_webhook.go`, `scheduledbackup_webhook.go`, of 1.30).

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::cause::Cause;
use crate::kubernetes::json::text;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

/// Reviews an object that is about to be stored; returns the warnings for the client.
pub(super) fn review(kind: &ResourceType, object: &Value) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    let mut causes = Vec::new();
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("postgresql.cnpg.io", "backups") => {
            let is_plugin = text(object, "/spec/method") == "plugin";
            if is_plugin && text(object, "/spec/pluginConfiguration/name").is_empty() {
                let detail = "cannot be empty when the backup method is plugin";
                causes.push(Cause::invalid("spec.pluginConfiguration", &Value::Null, detail));
            }
        }
        ("postgresql.cnpg.io", "scheduledbackups") => {
            let schedule = text(object, "/spec/schedule");
            if let Err(why) = check_schedule(schedule) {
                causes.push(Cause::invalid("spec.schedule", &json!(schedule), &why));
            } else if schedule.split_whitespace().count() != 6 {
                warnings.push(
                    "Schedule parameter may not have the right number of arguments (usually six \
                     arguments are needed)"
                        .to_owned(),
                );
            }
        }
        ("postgresql.cnpg.io", "clusters") => check_archivers(object, &mut causes),
        _ => {}
    }
    if causes.is_empty() {
        return Ok(warnings);
    }
    let name = text(object, "/metadata/name");
    let webhook = format!("v{}.cnpg.io", kind.singular);
    let refused = Failure::invalid(&kind.group, &kind.kind, name, &causes);
    Err(refused.prefixed(&format!("admission webhook {webhook:?} denied the request: ")))
}

/// One archiver at most, and none beside the built-in one.
fn check_archivers(cluster: &Value, causes: &mut Vec<Cause>) {
    let plugins = cluster["spec"]["plugins"].as_array();
    let archivers = plugins
        .into_iter()
        .flatten()
        .filter(|plugin| plugin["enabled"] != false && plugin["isWALArchiver"] == true);
    let allowed = usize::from(cluster["spec"]["backup"].get("barmanObjectStore").is_none());
    if archivers.count() > allowed {
        let detail = "Cannot enable more than one WAL archiver";
        causes.push(Cause::invalid("spec.plugins", &json!("array"), detail));
    }
}

/// What robfig/cron 1.2.0 parses: seconds first, and the day of the week may be left out.
fn check_schedule(schedule: &str) -> Result<(), String> {
    if let Some(descriptor) = schedule.strip_prefix('@') {
        let is_known = matches!(
            descriptor,
            "yearly" | "annually" | "monthly" | "weekly" | "daily" | "midnight" | "hourly"
        );
        let is_every = descriptor.strip_prefix("every ").is_some_and(is_go_duration);
        return if is_known || is_every {
            Ok(())
        } else {
            Err(format!("Unrecognized descriptor: {schedule}"))
        };
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if !(5..=6).contains(&fields.len()) {
        return Err(format!("Expected 5 to 6 fields, found {}: {schedule}", fields.len()));
    }
    let bounds = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    for (index, (field, bounds)) in fields.iter().zip(bounds).enumerate() {
        let names: &[&str] = match index {
            4 => &MONTHS,
            5 => &DAYS,
            _ => &[],
        };
        for range in field.split(',') {
            check_range(range, bounds, names)?;
        }
    }
    Ok(())
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

fn check_range(range: &str, (least, most): (u32, u32), names: &[&str]) -> Result<(), String> {
    let number = |text: &str| {
        let named = names.iter().position(|name| *name == text.to_lowercase());
        let named = named.and_then(|index| u32::try_from(index).ok()).map(|index| index + least);
        named.or_else(|| text.parse().ok()).ok_or_else(|| format!("Failed to parse int: {text}"))
    };
    let (span, step) = range.split_once('/').map_or((range, None), |(s, step)| (s, Some(step)));
    if let Some(step) = step
        && step.parse::<u32>().map_or(true, |step| step == 0)
    {
        return Err(format!("Step of range should be a positive number: {range}"));
    }
    if matches!(span, "*" | "?") {
        return Ok(());
    }
    let (first, last) = span.split_once('-').unwrap_or((span, span));
    let (first, last) = (number(first)?, number(last)?);
    if first < least {
        return Err(format!("Beginning of range ({first}) below minimum ({least}): {range}"));
    }
    if last > most {
        return Err(format!("End of range ({last}) above maximum ({most}): {range}"));
    }
    if first > last {
        return Err(format!("Beginning of range ({first}) beyond end of range ({last}): {range}"));
    }
    Ok(())
}

/// `time.ParseDuration`, as far as schedules need it: `1h30m`.
fn is_go_duration(text: &str) -> bool {
    let mut rest = text.trim();
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = digits.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let name = &digits[..digits.len() - unit.len()];
        if digits.len() == rest.len() || !matches!(name, "ns" | "us" | "ms" | "s" | "m" | "h") {
            return false;
        }
        rest = unit;
        parts += 1;
    }
    parts > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_parsed_as_the_operator_parses_it() {
        for good in ["0 0 0 * * *", "0 0 * * *", "@daily", "@every 1h30m", "*/5 1,2 3-4 ? JAN SUN"]
        {
            assert_eq!(check_schedule(good), Ok(()), "{good}");
        }
        for bad in ["0 0 * *", "0 0 24 * * *", "0 0 0 * * 7", "@often", "@every soon", "x * * * *"]
        {
            assert!(check_schedule(bad).is_err(), "{bad}");
        }
    }
}
