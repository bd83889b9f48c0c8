//! How long backups are kept, as an `ObjectStore` declares it.

use std::fmt;

use chrono::TimeDelta;

/// `spec.retentionPolicy`: a recovery window such as `30d`.
///
/// The plugin's custom resource demands `^[1-9][0-9]*[dwm]$`; Barman takes a month as 31 days
/// (`RecoveryWindowRetentionPolicy` in `barman/retention_policies.py`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    text: String,
    window: TimeDelta,
}

impl RetentionPolicy {
    /// Also answers `None` for more than a hundred years, so that no date can overflow.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit_at, unit) = text.char_indices().next_back()?;
        let (digits, _) = text.split_at_checked(unit_at)?;
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let days_per_unit = match unit {
            'd' => 1,
            'w' => 7,
            'm' => 31,
            _ => return None,
        };
        let days = digits.parse::<i64>().ok()?.checked_mul(days_per_unit)?;
        let window = TimeDelta::try_days(days).filter(|_| days <= DAYS_MAX)?;
        Some(Self { text: text.to_owned(), window })
    }

    /// How far back every moment must be reachable.
    pub fn window(&self) -> TimeDelta {
        self.window
    }
}

const DAYS_MAX: i64 = 100 * 366;

impl fmt::Display for RetentionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_positive_count_of_days_weeks_or_months() {
        let days = |text: &str| RetentionPolicy::parse(text).map(|it| it.window().num_days());
        assert_eq!(days("30d"), Some(30));
        assert_eq!(days("4w"), Some(28));
        assert_eq!(days("2m"), Some(62));
        for wrong in
            ["", "d", "30", "030d", "0d", "-1d", "+1d", "30 d", "30D", "1y", "3é", "99999d"]
        {
            assert_eq!(days(wrong), None, "{wrong:?}");
        }
        assert_eq!(days("99999999999999999999m"), None);
    }
}
