//! Durations as users write them: Go syntax (`1h30m`, `500ms`) with `d` for 24 hours; a bare number is seconds.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing there.
    #[error("the duration is empty")]
    Empty,
    /// Less than nothing.
    #[error("the duration is negative")]
    Negative,
    /// Not of the form.
    #[error("not a duration")]
    Malformed,
    /// A number without its unit among others that have one.
    #[error("a number has no unit")]
    NoUnit,
    /// Longer than 292 years.
    #[error("the duration is too long")]
    TooLong,
}

impl DurationError {
    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "write `90s`, `1h30m`, `500ms` or `2d`; a bare number is seconds"
    }
}

/// Units with their nanoseconds, those first that others begin with.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
];
const SECOND: u128 = 1_000_000_000;
/// Go's bound: what fits in 63 bits of nanoseconds.
const MAX: u128 = i64::MAX as u128;

/// Reads a duration.
///
/// # Errors
///
/// The text is malformed, negative, or longer than 292 years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    if text.starts_with('-') {
        return Err(DurationError::Negative);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total: u128 = 0;
    let mut first = true;
    while first || !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let unit = UNITS.iter().find_map(|(unit, nanos)| Some((after.strip_prefix(unit)?, *nanos)));
        let (after, nanos) = match unit {
            Some(unit) => unit,
            None if after.is_empty() && first => ("", SECOND),
            None if after.is_empty() => return Err(DurationError::NoUnit),
            None => return Err(DurationError::Malformed),
        };
        total = total.saturating_add(scaled(number, nanos)?);
        if total > MAX {
            return Err(DurationError::TooLong);
        }
        rest = after;
        first = false;
    }
    let nanos = u64::try_from(total).map_err(|_| DurationError::TooLong)?;
    Ok(Duration::from_nanos(nanos))
}

/// What a malformed duration most likely means, as [`parse`] reads it: `10 minutes` is `10m`, `1w` is `7d`.
#[must_use]
pub fn repaired(text: &str) -> Option<String> {
    const LONGEST: usize = 64;
    if text.len() > LONGEST || parse(text).is_ok() {
        return None;
    }
    let lower = text.trim().to_ascii_lowercase();
    let mut rest = lower.as_str();
    let mut repaired = String::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let (number, after) = rest.split_at(end);
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (number, unit) = match &after[..end] {
            "ns" | "us" | "µs" | "ms" | "s" | "m" | "h" | "d" => (number.to_owned(), &after[..end]),
            "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => (number.to_owned(), "ms"),
            "sec" | "secs" | "second" | "seconds" => (number.to_owned(), "s"),
            "min" | "mins" | "minute" | "minutes" => (number.to_owned(), "m"),
            "hr" | "hrs" | "hour" | "hours" => (number.to_owned(), "h"),
            "day" | "days" => (number.to_owned(), "d"),
            "w" | "wk" | "week" | "weeks" => (number.parse::<u32>().ok()?.checked_mul(7)?.to_string(), "d"),
            _ => return None,
        };
        repaired.push_str(&number);
        repaired.push_str(unit);
        rest = after[end..].trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    parse(&repaired).is_ok().then_some(repaired)
}

/// `number` × `unit`, what is smaller than a nanosecond cut off.
fn scaled(number: &str, unit: u128) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(DurationError::Malformed);
    }
    let digits = |text: &str| match text {
        "" => Ok(0),
        _ => text.parse::<u64>().map(u128::from).map_err(|_| DurationError::TooLong),
    };
    // 15 digits say more than a nanosecond of a day.
    let fraction = &fraction[..fraction.len().min(15)];
    let scale = 10u128.pow(u32::try_from(fraction.len()).unwrap_or_default());
    Ok(digits(whole)?.saturating_mul(unit).saturating_add(digits(fraction)?.saturating_mul(unit) / scale))
}

/// A duration as [`parse`] reads it, in the largest units: `1h30m`, `90ms`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut text = String::new();
    let mut rest = duration.as_nanos();
    for (unit, nanos) in [
        ("h", 3_600 * SECOND),
        ("m", 60 * SECOND),
        ("s", SECOND),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ] {
        if rest >= nanos {
            text.push_str(&format!("{}{unit}", rest / nanos));
            rest %= nanos;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_is_what_i64_holds_of_nanoseconds() {
        assert_eq!(parse("9223372036854775807ns"), Ok(Duration::from_nanos(i64::MAX.unsigned_abs())));
    }

    #[test]
    fn durations() {
        let cases = [
            ("90s", Ok(90_000)),
            ("1h30m", Ok(5_400_000)),
            ("500ms", Ok(500)),
            ("1.5h", Ok(5_400_000)),
            (".5s", Ok(500)),
            ("1.s", Ok(1_000)),
            ("30", Ok(30_000)),
            ("1.5", Ok(1_500)),
            ("0", Ok(0)),
            (" 5s ", Ok(5_000)),
            ("+5s", Ok(5_000)),
            ("7d", Ok(604_800_000)),
            ("1m30s500ms", Ok(90_500)),
            ("2000µs", Ok(2)),
            ("", Err(DurationError::Empty)),
            ("-1s", Err(DurationError::Negative)),
            ("1h30", Err(DurationError::NoUnit)),
            ("abc", Err(DurationError::Malformed)),
            ("1 h", Err(DurationError::Malformed)),
            ("1w", Err(DurationError::Malformed)),
            ("1.2.3s", Err(DurationError::Malformed)),
            (".", Err(DurationError::Malformed)),
            ("s", Err(DurationError::Malformed)),
            ("1e3s", Err(DurationError::Malformed)),
            ("300y", Err(DurationError::Malformed)),
            ("9223372036854775808ns", Err(DurationError::TooLong)),
            ("9999999999999h", Err(DurationError::TooLong)),
            ("99999999999999999999999s", Err(DurationError::TooLong)),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text), want.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn repairs() {
        let cases = [
            ("10 minutes", Some("10m")),
            ("10min", Some("10m")),
            ("1h 30m", Some("1h30m")),
            ("1 hour, 30 minutes", Some("1h30m")),
            ("1 day and 2 hours", Some("1d2h")),
            ("1w", Some("7d")),
            ("5 M", Some("5m")),
            ("soon", None),
            ("1h30", None),
            ("-5s", None),
            ("10m", None),
            ("99999999999 weeks", None),
        ];
        for (text, want) in cases {
            assert_eq!(repaired(text).as_deref(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_parses_back(nanos in 0..i64::MAX as u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[0-9.hmsdnuµ+ -]{0,30}") {
            let _ = parse(&text);
            let _ = repaired(&text);
        }
    }
}
