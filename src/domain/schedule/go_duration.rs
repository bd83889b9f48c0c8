//! Durations as Go writes them, which `@every` takes. Knows nothing of calendars.

/// Reads text like `1h30m` or `-0.5s` (`ParseDuration` in Go's `time/format.go`).
///
/// `None` if it is no duration, or one beyond the 292 years that 64 bits of nanoseconds hold.
/// Fractions are exact here and rounded through a float in Go, which shows in the whole seconds
/// that `@every` uses after eleven decimals at the earliest.
pub(super) fn parse_nanoseconds(text: &str) -> Option<i64> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = parse_part(rest)?;
        total = total.saturating_add(nanoseconds);
        rest = after;
    }
    i64::try_from(if is_negative { -total } else { total }).ok()
}

/// Splits off a number and its unit, in nanoseconds.
fn parse_part(text: &str) -> Option<(i128, &str)> {
    let (whole, rest) = split_digits(text)?;
    let (decimals, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest)?,
        None => ("", rest),
    };
    let (unit, rest) = rest.split_at_checked(rest.find(starts_number).unwrap_or(rest.len()))?;
    let unit: i128 = match unit {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole: i128 = match whole {
        "" if decimals.is_empty() => return None,
        "" => 0,
        digits => digits.parse::<u64>().ok()?.into(),
    };
    // Decimals beyond the 18th are worth less than a nanosecond.
    let (decimals, scale) = decimals
        .chars()
        .filter_map(|digit| digit.to_digit(10))
        .take(18)
        .fold((0, 1), |(sum, scale), digit| (sum * 10 + i128::from(digit), scale * 10));
    Some((whole * unit + decimals * unit / scale, rest))
}

fn split_digits(text: &str) -> Option<(&str, &str)> {
    let is_other = |character: char| !character.is_ascii_digit();
    text.split_at_checked(text.find(is_other).unwrap_or(text.len()))
}

fn starts_number(character: char) -> bool {
    character == '.' || character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn numbers_with_units_add_up() {
        let cases = [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("5s", 5 * SECOND),
            ("1h30m", 5_400 * SECOND),
            ("30m1h", 5_400 * SECOND),
            ("1h1h", 7_200 * SECOND),
            ("1.5h", 5_400 * SECOND),
            (".5h", 1_800 * SECOND),
            ("5.s", 5 * SECOND),
            ("+5s", 5 * SECOND),
            ("-5.25s", -5 * SECOND - SECOND / 4),
            ("0.000000000000000000000000000000000000000000001h", 0),
            ("00000000000000000000000000001m", 60 * SECOND),
            ("1ns2us3\u{b5}s4\u{3bc}s5ms", 5_009_001),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(parse_nanoseconds(text), Some(nanoseconds), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        let cases = [
            "",
            "-",
            "+",
            "3",
            "s",
            ".",
            ".s",
            "-.s",
            "00",
            "1d",
            "1w",
            "1H",
            "1h 30m",
            " 1h",
            "1h ",
            "1h-30m",
            "--1h",
            "1..5h",
            "1.5.5h",
            "1e3s",
            "1_000s",
            "Xm",
            "\u{661}h",
            "2562048h",
            "9223372036854775808ns",
            "-9223372036854775809ns",
            "99999999999999999999h",
        ];
        for text in cases {
            assert_eq!(parse_nanoseconds(text), None, "{text}");
        }
    }
}
