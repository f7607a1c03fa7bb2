//! The form of a crontab line: five fields of numbers or names, with `*`, ranges, lists and steps.

use std::ops::Range;

/// What is wrong with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CronError {
    pub(super) message: String,
    /// Where, in bytes of the expression.
    pub(super) range: Range<usize>,
    pub(super) hint: String,
    /// What the whole expression most likely means.
    pub(super) repaired: Option<String>,
}

struct Field {
    noun: &'static str,
    min: u32,
    max: u32,
    names: &'static str,
}

const FIELDS: [Field; 5] = [
    Field { noun: "a minute", min: 0, max: 59, names: "" },
    Field { noun: "an hour", min: 0, max: 23, names: "" },
    Field { noun: "a day", min: 1, max: 31, names: "" },
    Field { noun: "a month", min: 1, max: 12, names: "jan feb mar apr may jun jul aug sep oct nov dec" },
    Field { noun: "a weekday", min: 0, max: 7, names: "sun mon tue wed thu fri sat" },
];

const FORM: &str = "write five fields: minute hour day month weekday";

/// Words that some crontabs have for common times.
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Checks the form of an expression.
pub(super) fn check(text: &str) -> Result<(), CronError> {
    let whole = |message: String, hint: String, repaired| {
        Err(CronError { message, range: 0..text.len(), hint, repaired })
    };
    let word = text.trim();
    if word.starts_with('@') {
        let meant = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, cron)| *cron);
        let message = "words such as `@daily` are not supported".to_owned();
        return whole(message, FORM.to_owned(), meant.map(str::to_owned));
    }
    let written: Vec<&str> = text.split_whitespace().collect();
    match written.len() {
        5 => {}
        6 => {
            let without = written[1..].join(" ");
            let hint = match check(&without) {
                Ok(()) => format!("seconds are not supported: write `{without}`"),
                Err(_) => format!("seconds and years are not supported; {FORM}"),
            };
            return whole("it has 6 fields, not five".to_owned(), hint, None);
        }
        1 => return whole("it has 1 field, not five".to_owned(), FORM.to_owned(), None),
        count => return whole(format!("it has {count} fields, not five"), FORM.to_owned(), None),
    }
    for (part, field) in written.into_iter().zip(&FIELDS) {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        field.check(part).map_err(|(message, hint)| {
            let repaired = part.contains('?').then(|| text.replace('?', "*"));
            let repaired = repaired.filter(|repaired| check(repaired).is_ok());
            CronError { message, range: start..start + part.len(), hint, repaired }
        })?;
    }
    Ok(())
}

impl Field {
    /// A list of values, ranges and steps; otherwise what is wrong, and what to do about it.
    fn check(&self, text: &str) -> Result<(), (String, String)> {
        for part in text.split(',') {
            let (range, step) =
                part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            if let Some(step) = step
                && !step.parse::<u32>().is_ok_and(|step| (1..=self.max).contains(&step))
            {
                let hint = format!("write a number from 1 to {} behind the `/`", self.max);
                return Err((format!("`{}` is no step", short(part)), hint));
            }
            match range.split_once('-') {
                None if range == "*" => {}
                None => _ = self.known(range)?,
                Some((from, to)) => {
                    let (first, last) = (self.known(from)?, self.known(to)?);
                    // Sunday is 0 and 7.
                    let last = if self.max == 7 && last == 0 { 7 } else { last };
                    if first > last {
                        let hint = format!(
                            "write `{to}-{from}`, or two ranges: `{from}-{},{}-{to}`",
                            self.max, self.min
                        );
                        return Err((format!("`{range}` begins behind its end"), hint));
                    }
                }
            }
        }
        Ok(())
    }

    fn known(&self, text: &str) -> Result<u32, (String, String)> {
        let number = text.parse::<u32>().ok().filter(|number| (self.min..=self.max).contains(number));
        let name = || {
            let at =
                self.names.split(' ').position(|name| !text.is_empty() && name.eq_ignore_ascii_case(text))?;
            Some(u32::try_from(at).ok()? + self.min)
        };
        number.or_else(name).ok_or_else(|| {
            let names = if self.names.is_empty() { "" } else { ", or its first three letters" };
            let hint = format!("write a number from {} to {}{names}, or `*` for any", self.min, self.max);
            (format!("`{}` is not {}", short(text), self.noun), hint)
        })
    }
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let cases = [
            ("0 3 * * *", ""),
            ("*/15 0-6,22 1 jan-mar fri-sun", ""),
            ("0 3 * * 6-0", ""),
            ("0 3 * *", "it has 4 fields, not five"),
            ("daily", "it has 1 field, not five"),
            ("0 0 3 * * *", "write `0 3 * * *`"),
            ("0 24 * * *", "`24` is not an hour"),
            ("0 3 1,32 * *", "`32` is not a day"),
            ("0 3 5-1 * *", "`5-1` begins behind its end"),
            ("*/0 * * * *", "`*/0` is no step"),
            ("0 3 ? * *", "`?` is not a day"),
            ("@daily", "words such as `@daily`"),
        ];
        for (text, want) in cases {
            let said = check(text).err().map(|error| format!("{}; {}", error.message, error.hint));
            assert!(said.as_deref().unwrap_or_default().contains(want), "{text}: {said:?}");
            assert_eq!(said.is_some(), !want.is_empty(), "{text}: {said:?}");
        }
        let error = check("0  3 ? * *").unwrap_err();
        assert_eq!((error.range, error.repaired.as_deref()), (5..6, Some("0  3 * * *")));
        assert_eq!(check(" @Weekly").unwrap_err().repaired.as_deref(), Some("0 0 * * 0"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9*/,?@ a-zé-]{0,30}") {
            if let Err(error) = check(&text) {
                proptest::prop_assert!(text.get(error.range).is_some());
            }
        }
    }
}
